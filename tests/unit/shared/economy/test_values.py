"""What was read, kept: bounded in bytes and in time, under an identity."""

import pytest

from hand import Hand
from sscsi_shared.economy.access import Access
from sscsi_shared.economy.values import REFUSED_SECONDS, Values
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    MountError,
    ObjectNotFound,
    ObjectUnusable,
    OutOfTime,
)
from sscsi_shared.mount import Place, Read
from sscsi_shared.secret import SecretBytes

EAST, WEST = Place("east"), Place("west")
WEB, API = Access("web", EAST), Access("api", EAST)


def read(contents: str = "value", *, pinned: bool = False) -> Read:
    return Read.of(SecretBytes(contents.encode()), "1", pinned=pinned)


def values(clock: Hand, *, ttl: float = 15, max_bytes: int = 1 << 20) -> Values[str]:
    return Values(ttl=ttl, pinned_ttl=900, max_bytes=max_bytes, clock=clock)


def test_kept_for_its_time_from_when_it_was_asked_for() -> None:
    clock = Hand()
    kept = values(clock)
    clock.at += 10
    kept.put(WEB, "db", read(), began=clock.at - 10)
    assert kept.get(WEB, "db") == read()
    clock.at += 4.9
    assert kept.get(WEB, "db") == read()
    clock.at += 0.1
    assert kept.get(WEB, "db") is None
    assert kept.size == 0, "it is dropped when it is seen to be too old"


def test_what_took_longer_than_its_time_is_not_kept() -> None:
    clock = Hand()
    kept = values(clock)
    kept.put(WEB, "db", read(), began=clock.at - 15)
    assert (kept.get(WEB, "db"), kept.size) == (None, 0)


def test_each_identity_and_place_has_its_own() -> None:
    clock = Hand()
    kept = values(clock)
    kept.put(WEB, "db", read("web's"), clock.at)
    assert kept.get(API, "db") is None
    assert kept.get(Access("web", WEST), "db") is None
    kept.put(API, "db", read("api's"), clock.at)
    assert (kept.get(WEB, "db"), kept.get(API, "db")) == (read("web's"), read("api's"))


def test_a_pinned_version_is_kept_longer() -> None:
    clock = Hand()
    kept = values(clock)
    kept.put(WEB, "db", read(pinned=True), clock.at)
    clock.at += 899
    assert kept.get(WEB, "db") == read(pinned=True)
    clock.at += 1
    assert kept.get(WEB, "db") is None


@pytest.mark.parametrize("refusal", [AccessDenied("no"), ObjectNotFound("none")])
def test_a_refusal_takes_the_place_of_what_was_known_and_is_remembered(refusal: MountError) -> None:
    clock = Hand()
    kept = values(clock)
    kept.put(WEB, "db", read(pinned=True), clock.at)
    kept.put(WEB, "db", refusal, clock.at)
    found = kept.get(WEB, "db")
    assert (type(found), str(found)) == (type(refusal), str(refusal))
    assert found is not refusal, "its frames are not kept"
    clock.at += REFUSED_SECONDS
    assert kept.get(WEB, "db") is None


@pytest.mark.parametrize(
    "failure", [BackendThrottled("x"), OutOfTime("x"), ObjectUnusable("x"), AuthenticationFailed("x")]
)
def test_other_failures_are_not_remembered_but_end_what_was_known(failure: MountError) -> None:
    clock = Hand()
    kept = values(clock)
    kept.put(WEB, "db", read(), clock.at)
    kept.put(WEB, "db", failure, clock.at)
    assert (kept.get(WEB, "db"), kept.size) == (None, 0)


def test_the_least_recently_used_go_first_and_the_bound_holds() -> None:
    clock = Hand()
    kept = values(clock, max_bytes=3 * 2048)
    for name in ("a", "b", "c"):
        kept.put(WEB, name, read("x" * 900), clock.at)
    assert kept.get(WEB, "a") is not None
    kept.put(WEB, "d", read("x" * 900), clock.at)
    assert [name for name in "abcd" if kept.get(WEB, name)] == ["a", "c", "d"]
    assert kept.size <= 3 * 2048


def test_what_is_larger_than_all_room_is_not_kept_and_drives_nobody_out() -> None:
    clock = Hand()
    kept = values(clock, max_bytes=4096)
    kept.put(WEB, "small", read(), clock.at)
    kept.put(WEB, "large", read("x" * 4096), clock.at)
    assert kept.get(WEB, "small") is not None
    assert kept.get(WEB, "large") is None


def test_many_refusals_are_bounded_too() -> None:
    clock = Hand()
    kept = values(clock, max_bytes=64 << 10)
    for number in range(1000):
        kept.put(WEB, f"name-{number}", ObjectNotFound("x" * 500), clock.at)
    assert kept.size <= 64 << 10


def test_an_identity_is_dropped_everywhere_and_what_was_on_its_way_is_not_kept() -> None:
    clock = Hand()
    kept = values(clock)
    began = clock.at
    kept.put(WEB, "db", read(), began)
    kept.put(Access("web", WEST), "db", read(), began)
    kept.put(API, "db", read(), began)
    clock.at += 1
    kept.drop("web")
    kept.put(WEB, "late", read(), began)
    assert [kept.get(WEB, "db"), kept.get(Access("web", WEST), "db"), kept.get(WEB, "late")] == [None] * 3
    assert kept.get(API, "db") is not None
    clock.at += 1
    kept.put(WEB, "db", read(), clock.at)
    assert kept.get(WEB, "db") is not None


def test_the_timer_drops_what_nobody_asks_for() -> None:
    clock = Hand()
    kept = values(clock)
    kept.put(WEB, "a", read(), clock.at)
    kept.put(WEB, "b", read(pinned=True), clock.at)
    clock.at += 15
    assert kept.sweep()
    assert kept.get(WEB, "b") is not None
    assert kept.size < 2048
    clock.at += 900
    assert not kept.sweep()
    assert kept.size == 0


def test_off_keeps_nothing() -> None:
    clock = Hand()
    kept = values(clock, ttl=0)
    kept.put(WEB, "a", read(pinned=True), clock.at)
    kept.put(WEB, "b", AccessDenied("no"), clock.at)
    assert (kept.get(WEB, "a"), kept.get(WEB, "b"), kept.size) == (None, None, 0)


def test_nothing_of_it_prints_a_secret() -> None:
    clock = Hand()
    kept = values(clock)
    kept.put(WEB, "db", read("canary"), clock.at)
    assert "canary" not in repr(vars(kept))
