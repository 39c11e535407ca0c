"""Tokens that sessions share, and leases of several servers: by a clock that the test turns."""

import threading

from hand import Hand
from sscsi_provider_vault.identity import KUBERNETES, Endpoint, VaultIdentity
from sscsi_provider_vault.leases import Leases, Terms
from sscsi_provider_vault.tokens import Holder, Tokens, VaultToken
from sscsi_shared.addresses import Address
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import BackendUnavailable
from sscsi_shared.mount import Read
from sscsi_shared.secret import SecretBytes, SecretText


def identity_at(url: str) -> VaultIdentity:
    endpoint = Endpoint(Address(url, "https", url.removeprefix("https://"), 443, False))
    return VaultIdentity(
        KUBERNETES, "shop", "web", "u", "https://issuer", "vault", "app", "auth/kubernetes/login", "", "", endpoint
    )


def lent(leases: Leases, clock: Hand, identity: VaultIdentity, lease_id: str, size: int = 1) -> None:
    read = Read.of(SecretBytes(b"x" * size), "")
    token = VaultToken(SecretText("t"), (), clock())
    leases.lend(identity, "pod", lease_id, read, Terms(lease_id, 600, renewable=True), token)


def test_a_token_in_use_is_not_given_back() -> None:
    """A session that is evicted while a request of another is under way."""
    clock, deadline, identity = Hand(1000.0), Deadline.after(5), identity_at("https://vault.example")

    def log_in() -> VaultToken:
        return VaultToken(SecretText("t"), (), clock())

    ended, other = Holder(identity), Holder(identity)
    revoked: list[VaultToken] = []
    tokens = Tokens(clock, lambda _, token: revoked.append(token))
    with tokens.taken(ended, log_in, deadline, lambda _: True) as (token, made):
        assert made
        tokens.close(ended)
        assert not revoked, "the request still has it"
        with tokens.taken(other, log_in, deadline, lambda _: True) as (same, again):
            assert same is token
            assert not again
    assert not revoked, "the other session has it"
    tokens.close(other)
    assert revoked == [token]


class Silent:
    """Renewals: one server never answers, others do."""

    def __init__(self) -> None:
        self.renewed: list[str] = []
        self.answered = threading.Event()

    def __call__(self, who: VaultIdentity, lease_id: str, token: VaultToken, seconds: float) -> float:
        if "silent" in who.endpoint.address.url:
            assert self.answered.wait(20), "the other server's renewal waits for this one's"
            raise BackendUnavailable("nobody answers.")
        self.renewed.append(lease_id)
        self.answered.set()
        return seconds


def test_a_silent_server_keeps_no_other_waiting() -> None:
    clock, renew = Hand(1000.0), Silent()
    leases = Leases(clock, renew, jitter=lambda: 0.0)
    leases.close()  # this test ticks
    for url in ("https://silent.example", "https://other.example"):
        for number in range(3):
            lent(leases, clock, identity_at(url), f"{url}/{number}")
    clock.at += 450
    leases.tick()
    assert [one for one in renew.renewed if one] == [f"https://other.example/{number}" for number in range(3)]
    assert len(leases) == 6


def test_what_is_kept_is_bounded_by_its_bytes() -> None:
    clock = Hand(1000.0)
    leases = Leases(clock, Silent(), most_bytes=1000, jitter=lambda: 0.0)
    leases.close()
    identity = identity_at("https://other.example")
    for number in range(20):
        clock.at += 1
        lent(leases, clock, identity, f"l{number}", size=100)
        leases.find(identity, "pod", "l0")
    assert len(leases) == 10
    assert leases.is_lent(identity, "l0"), "it was asked for just now"
    assert leases.is_lent(identity, "l19")
    assert not leases.is_lent(identity, "l5")
