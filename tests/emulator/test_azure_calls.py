"""How often Azure is asked, as whom, and what happens where it does not answer."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from azure_stage import CLIENT
from azure_world import World, azure_world, entry, self_signed
from hand import Hand
from sscsi_emulators.azure_store import TENANT
from sscsi_emulators.faults import Fault
from sscsi_shared.economy.options import EconomyOptions
from sscsi_shared.errors import AuthenticationFailed, BackendThrottled, BackendUnavailable, MountFailed, ObjectNotFound


@pytest.fixture
def world() -> Iterator[World]:
    with azure_world() as world:
        for number in range(10):
            world.azure.store.put_secret(world.vault, f"s{number}", f"v{number}")
        world.with_provider(EconomyOptions())
        yield world


TEN = [entry(f"s{number}") for number in range(10)]


def calls(world: World) -> dict[str, int]:
    return {word: count for word, count in world.azure.calls.items() if word != "CONNECT"}


def test_fifty_pods_with_ten_secrets(world: World) -> None:
    """Twelve calls; the existing provider makes 700."""

    def mount(number: int) -> dict[str, bytes]:
        return world.files(*TEN, pod_uid=f"uid-{number}")

    with ThreadPoolExecutor(50) as pool:
        for files in pool.map(mount, range(50)):
            assert files == {f"s{number}": f"v{number}".encode() for number in range(10)}
    assert calls(world) == {"token": 1, "challenge": 1, "GET secret": 10}


def test_secrets_keys_and_certificates_share_challenge_and_token(world: World) -> None:
    """The three packages of the SDK each keep challenges of their own."""
    key = ec.generate_private_key(ec.SECP256R1())
    world.azure.store.put_certificate(world.vault, "c", key, self_signed(key))
    world.mount(entry("c"), entry("c", "key", objectAlias="k"), entry("c", "cert", objectAlias="p"))
    assert calls(world) == {"token": 1, "challenge": 1, "GET secret": 1, "GET key": 1, "GET certificate": 1}


def test_several_vaults_share_the_token(world: World) -> None:
    other = f"{world.vault}-b"
    world.azure.store.put_secret(other, "s0", "other")
    objects = [entry("s0"), entry("s0", objectAlias="b", keyvaultName=other)]
    assert world.files(*objects) == {"s0": b"v0", "b": b"other"}
    assert calls(world) == {"token": 1, "challenge": 2, "GET secret": 2}
    assert [one for one, _ in world.versions(*objects)] == ["secret/s0", f"secret/s0?vault={other}"]


def test_two_accounts_share_nothing(world: World) -> None:
    other = "1f9a4b7e-0d52-4c3f-8d27-6f1b2a9c4e10"
    world.azure.logins.federate(other, TENANT, world.kubernetes.issuer, "system:serviceaccount:shop:web")
    world.mount(TEN[0])
    world.azure.deny(other, world.vault, "secret", "s0")
    assert "403" in str(world.refusal(TEN[0], clientID=other))
    assert calls(world)["token"] == 2


def test_a_token_that_the_vault_ended_is_replaced_once(world: World) -> None:
    world.mount(TEN[0])
    world.azure.logins.expire()
    assert world.files(TEN[1]) == {"s1": b"v1"}
    assert calls(world)["token"] == 2


def test_a_withdrawn_trust_ends_what_was_read_by_it(world: World) -> None:
    world.mount(TEN[0])
    world.azure.logins.expire()
    world.azure.logins.refuse(CLIENT, TENANT, 700016)
    assert isinstance(world.refusal(TEN[1]), AuthenticationFailed)
    assert isinstance(world.refusal(TEN[0]), AuthenticationFailed)


def test_pinned_versions_are_kept(world: World) -> None:
    clock = Hand(1000.0)
    version = world.azure.store.put_secret(world.vault, "pinned", "x")
    world.with_provider(EconomyOptions(ttl=15), clock=clock)
    pinned = entry("pinned", objectVersion=version)
    for _ in range(3):
        assert world.files(pinned) == {"pinned": b"x"}
    assert calls(world)["GET secret"] == 1


def test_old_versions_of_a_history_are_read_once(world: World) -> None:
    for number in range(3):
        world.azure.store.put_secret(world.vault, "h", f"h{number}", created=1_000_000 + number)
    world.with_provider(EconomyOptions(ttl=0))
    history = entry("h", objectVersionHistory=3)
    assert world.files(history) == {"h/0": b"h2", "h/1": b"h1", "h/2": b"h0"}
    world.azure.store.put_secret(world.vault, "h", "h3", created=2_000_000)
    assert world.files(history) == {"h/0": b"h3", "h/1": b"h2", "h/2": b"h1"}
    assert calls(world)["GET secret"] == 4
    assert calls(world)["list secret versions"] == 2


def test_all_that_fails_is_told_at_once(world: World) -> None:
    error = world.refusal(TEN[0], entry("a"), entry("b"))
    assert isinstance(error, MountFailed)
    assert [type(one) for one in error.failures] == [ObjectNotFound, ObjectNotFound]
    assert [one for one in ("objectName:a,", "objectName:b,", "objectName:s0,") if one in str(error)] == [
        "objectName:a,",
        "objectName:b,",
    ]


def test_optional_objects(world: World) -> None:
    assert world.files(TEN[0], entry("absent", optional=True)) == {"s0": b"v0"}


def test_throttled_twice(world: World) -> None:
    world.azure.faults.add(Fault("GET secret", 429, "Throttled", "slower", times=2, retry_after=1))
    assert world.files(TEN[0]) == {"s0": b"v0"}
    assert world.pauses == [1, 1]


def test_throttled_always_holds_others_back_for_that_vault_alone(world: World) -> None:
    world.azure.faults.add(Fault("GET secret", 429, "Throttled", "slower", retry_after=1))
    assert isinstance(world.refusal(TEN[0]), BackendThrottled)
    assert calls(world)["GET secret"] == 4
    assert "not asked, because it throttles this node's requests" in str(world.refusal(TEN[1]))
    assert calls(world)["GET secret"] == 4
    world.azure.faults.clear()
    other = f"{world.vault}-b"
    world.azure.store.put_secret(other, "s0", "other")
    assert world.files(entry("s0", keyvaultName=other)) == {"s0": b"other"}


def test_a_wait_longer_than_the_mount_is_not_waited_for(world: World) -> None:
    world.azure.faults.add(Fault("GET secret", 429, "Throttled", "slower", retry_after=600))
    error = world.refusal(TEN[0], seconds=10)
    assert isinstance(error, BackendThrottled)
    assert error.retry_after == 600
    assert calls(world)["GET secret"] == 1


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_broken_for_a_moment(world: World, status: int) -> None:
    world.azure.faults.add(Fault("GET secret", status, "x", "broken", times=2))
    assert world.files(TEN[0]) == {"s0": b"v0"}
    assert len(world.pauses) == 2


def test_connections_that_end(world: World) -> None:
    world.azure.faults.add(Fault("GET secret", 0, "", "", times=1))
    assert world.files(TEN[0]) == {"s0": b"v0"}
    world.azure.host.cut()
    assert world.files(TEN[1]) == {"s1": b"v1"}


def test_no_vault_of_this_name(world: World) -> None:
    error = world.refusal(TEN[0], keyvaultName="there-is-none")
    assert isinstance(error, BackendUnavailable)
    assert "Is there a vault of this name?" in str(error)


def test_a_page_that_leads_elsewhere_gets_no_token(world: World) -> None:
    """The link to the next page is the vault's to say; ours goes to that vault alone."""
    world.azure.bodies["list secrets"] = {"value": [], "nextLink": "https://login.microsoftonline.com/secrets?x=1"}
    selected = "objectType: secret\nselect: {prefix: s}"
    error = world.refusal(selected)
    assert isinstance(error, BackendUnavailable)
    assert "other" not in calls(world)
    assert "no answer" in str(error)


def test_every_secret_with_a_prefix_or_a_tag(world: World) -> None:
    world.azure.store.page_size = 3
    world.azure.store.put_secret(world.vault, "t1", "tagged", tags={"team": "shop"})
    world.azure.store.put_secret(world.vault, "t2", "disabled", tags={"team": "shop"}, enabled=False)
    assert world.files("objectType: secret\nselect: {tags: {team: shop}}") == {"t1": b"tagged"}
    found = world.files("objectType: secret\nselect: {prefix: s, stripPrefix: true}\nfilePrefix: all/")
    assert found == {f"all/{number}": f"v{number}".encode() for number in range(10)}
    assert "finds more than 3" in str(world.refusal("objectType: secret\nselect: {prefix: s, limit: 3}"))
    assert isinstance(world.refusal("objectType: key\nselect: {prefix: s}"), ObjectNotFound)
