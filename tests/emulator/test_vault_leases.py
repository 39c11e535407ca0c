"""What Vault lends: kept, renewed, lent anew before it ends, and never dropped from under a pod."""

import json
from collections.abc import Iterator

import pytest

from sscsi_shared.economy.options import EconomyOptions
from sscsi_shared.errors import BackendUnavailable
from vault_world import World, one, vault_world

CREDS = one("database/creds/app", "password")
PKI = one("pki/issue/x", "certificate", method="PUT", secretArgs={"common_name": "a"})
KEEPING = EconomyOptions(ttl=15)


@pytest.fixture
def world() -> Iterator[World]:
    with vault_world() as world:
        world.with_provider(KEEPING)
        world.vault.lease_seconds, world.vault.lease_max_seconds = 600, 3600
        world.vault.token_seconds, world.vault.token_max_seconds = 900, 7200
        yield world


def later(world: World, seconds: float, step: float = 20) -> None:
    """Time goes on, with the ticks that the thread would make."""
    for _ in range(int(seconds / step)):
        world.clock.at += step
        world.provider.vault.leases.tick()


def test_fifty_pods_of_one_account_are_a_login_and_ten_reads(world: World) -> None:
    from concurrent.futures import ThreadPoolExecutor

    entries = []
    for number in range(10):
        world.vault.put(f"secret/data/p{number}", {"k": str(number)})
        entries.append({"objectName": f"o{number}", "secretPath": f"secret/data/p{number}", "secretKey": "k"})
    with ThreadPoolExecutor(50) as pool:
        volumes = list(pool.map(lambda n: world.files(json.dumps(entries), pod=world.pod(n)), range(50)))
    assert volumes == [{f"o{number}": str(number).encode() for number in range(10)}] * 50
    assert sum(world.vault.calls.values()) == 11
    assert world.vault.calls["login"] == 1


def test_a_rotation_with_nothing_due_asks_nothing(world: World) -> None:
    first = world.files(CREDS)
    before = sum(world.vault.calls.values())
    world.clock.at += 120
    assert world.files(CREDS) == first
    assert sum(world.vault.calls.values()) == before


def test_a_lease_is_a_pods_own(world: World) -> None:
    passwords = {world.files(CREDS, pod=world.pod(number))["a"] for number in range(3)}
    assert len(passwords) == 3
    assert len(world.vault.live_leases()) == 3, "the first read served the first pod"
    assert {world.files(CREDS, pod=world.pod(number))["a"] for number in range(3)} == passwords


def test_a_lease_of_the_service_account(world: World) -> None:
    passwords = {world.files(CREDS, pod=world.pod(n), leaseScope="serviceAccount")["a"] for n in range(3)}
    assert len(passwords) == 1
    assert len(world.vault.live_leases()) == 1


def test_a_lease_is_renewed_as_long_as_it_can_be_and_so_is_its_token(world: World) -> None:
    first = world.files(CREDS)
    lease = world.vault.live_leases()
    for _ in range(20):  # 3,000 s: five times the lease's life, three times the token's
        later(world, 150)
        assert world.files(CREDS) == first
        assert world.vault.live_leases() >= lease
    assert world.vault.calls["GET database/creds/app"] == 1
    assert world.vault.calls["sys/leases/renew"] >= 5
    assert world.vault.calls["renew-self"] >= 3


def test_it_is_lent_anew_before_its_end_under_a_fresh_token(world: World) -> None:
    first = world.files(CREDS)
    lease = world.vault.live_leases()
    seen = first
    for _ in range(40):
        later(world, 100)
        seen = world.files(CREDS)
        if seen != first:
            break
        assert world.vault.live_leases() >= lease, "dropped from under a pod"
    assert seen != first
    assert world.vault.live_leases() >= lease, "the old one still lives when the new one is mounted"
    assert len(world.vault.live_leases()) == 2


def test_it_is_lent_anew_before_its_tokens_max_ttl(world: World) -> None:
    world.vault.lease_max_seconds = 100_000
    world.vault.token_max_seconds = 1500
    first = world.files(CREDS)
    lease = world.vault.live_leases()
    for _ in range(30):
        later(world, 60)
        if world.files(CREDS) != first:
            break
    else:
        raise AssertionError("never lent anew")
    assert world.vault.live_leases() > lease


def test_a_session_that_ends_does_not_end_the_leases_of_its_token(world: World) -> None:
    """Eviction, or the age of a login: a token that owns a lease is never revoked."""
    world.vault.put("secret/data/p0", {"k": "x"})
    world.files(CREDS)
    world.files(one())
    lease = world.vault.live_leases()
    world.economy.close()
    assert world.vault.live_leases() == lease
    assert world.vault.calls["revoke-self"] == 0


def test_a_token_without_leases_is_given_back(world: World) -> None:
    world.vault.put("secret/data/p0", {"k": "x"})
    world.files(one())
    world.economy.close()
    assert world.vault.calls["revoke-self"] == 1


def test_a_restart_lends_anew_and_leaves_the_old_one_alone(world: World) -> None:
    first = world.files(CREDS)
    lease = world.vault.live_leases()
    world.economy.close()
    world.with_provider(KEEPING)
    assert world.files(CREDS) != first
    assert world.vault.live_leases() > lease


def test_a_lease_that_nobody_asks_for_is_left_to_end(world: World) -> None:
    world.with_provider(KEEPING, idle_seconds=1000)
    world.files(CREDS)
    later(world, 1800)
    assert len(world.provider.vault.leases) == 0
    assert not world.vault.live_leases()
    calls = sum(world.vault.calls.values())
    later(world, 600)
    assert sum(world.vault.calls.values()) == calls


def test_a_renewal_that_fails_is_tried_again(world: World) -> None:
    from sscsi_emulators.faults import Fault

    first = world.files(CREDS)
    world.vault.faults.add(Fault("sys/leases/renew", 503, "", "down", times=3))
    later(world, 480)
    assert world.files(CREDS) == first
    assert world.vault.live_leases()


def test_a_certificate_is_issued_anew_by_its_own_end_alone(world: World) -> None:
    world.vault.lease_seconds = 3600
    first = world.files(PKI)
    for _ in range(20):
        world.clock.at += 120
        assert world.files(PKI) == first
    assert world.vault.calls["PUT pki/issue/x"] == 1
    world.clock.at += 900
    assert world.files(PKI) != first


def test_two_certificates_of_one_path(world: World) -> None:
    entries = [
        {"objectName": name, "secretPath": "pki/issue/x", "secretKey": "certificate", "method": "PUT",
         "secretArgs": {"common_name": name}}
        for name in ("a", "b")
    ]  # fmt: skip
    files = world.files(json.dumps(entries))
    assert {name: contents.split()[2] for name, contents in files.items()} == {"a": b"a", "b": b"b"}


def test_a_write_is_sent_once(world: World) -> None:
    from sscsi_emulators.faults import Fault

    world.vault.faults.add(Fault("PUT pki/issue/x", 0, "", ""))
    assert isinstance(world.refusal(PKI), BackendUnavailable)
    assert world.vault.calls["PUT pki/issue/x"] == 1
    world.vault.faults.clear()
    world.clock.at += 60
    world.vault.faults.add(Fault("PUT pki/issue/x", 500, "", "boom"))
    world.refusal(PKI)
    assert world.vault.calls["PUT pki/issue/x"] == 2
    world.vault.faults.clear()
    world.clock.at += 60
    world.vault.faults.add(Fault("PUT pki/issue/x", 503, "", "Vault is sealed", times=1))
    assert world.files(PKI)
    assert world.vault.calls["PUT pki/issue/x"] == 4, "it said that it did nothing"


def test_fifty_pods_with_a_lease_each_share_a_login(world: World) -> None:
    passwords = {world.files(CREDS, pod=world.pod(number))["a"] for number in range(50)}
    assert len(passwords) == len(world.vault.live_leases()) == 50
    assert world.vault.calls["login"] == 1


def test_nothing_is_known_of_what_has_ended(world: World) -> None:
    world.with_provider(KEEPING, idle_seconds=100)
    for number in range(5):
        world.files(CREDS, pod=world.pod(number))
    later(world, 120)
    leases = world.provider.vault.leases
    assert len(leases) == 0
    assert not leases._lent


def test_a_token_is_given_back_once_nobody_has_it_and_nothing_hangs_on_it(world: World) -> None:
    world.vault.put("secret/data/p0", {"k": "x"})
    world.files(one())
    world.clock.at += 901  # the login no longer proves the pods' trust
    world.files(one())
    assert (world.vault.calls["login"], world.vault.calls["revoke-self"]) == (2, 1)
    world.economy.close()
    assert world.vault.calls["revoke-self"] == 2


def test_a_token_whose_last_lease_has_ended_is_given_back(world: World) -> None:
    world.files(CREDS)
    world.clock.at += 601
    world.economy.close()
    assert world.vault.calls["revoke-self"] == 1
