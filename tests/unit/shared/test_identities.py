"""Node identities, fingerprints, and the token of a mount."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from sscsi_emulators.tokens import unsigned_token
from sscsi_shared.allowed_auth import allowed_auth, check_allowed
from sscsi_shared.cluster import NoCluster, TokenRequest
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed
from sscsi_shared.fingerprint import Fingerprints
from sscsi_shared.mount import MountInput, PodInfo
from sscsi_shared.pod_tokens import PodTokens
from sscsi_shared.secret import SecretText
from sscsi_shared.tokens import ABSENT, ServiceAccountToken, ServiceAccountTokens

POD = PodInfo("shop", "web-0", "uid-0", "web")
NOW = 1_800_000_000.0
SOON = Deadline.after(5)


@dataclass
class Signing(NoCluster):
    """Makes tokens, and counts them."""

    lifetime: float = 900
    asked: list[TokenRequest] = field(default_factory=list)

    def create_token(self, request: TokenRequest, deadline: Deadline) -> SecretText:
        self.asked.append(request)
        return token(request.audiences[0], exp=NOW + self.lifetime)


def token(audience: str, account: str = "web", **claims: object) -> SecretText:
    return SecretText(unsigned_token("shop", account, audience, **{"exp": NOW + 900, **claims}))


def mount(tokens: Mapping[str, SecretText] | None, pod: PodInfo = POD) -> MountInput:
    by_audience = {name: ServiceAccountToken(one) for name, one in (tokens or {}).items()}
    found = ABSENT if tokens is None else ServiceAccountTokens(by_audience)
    return MountInput({}, {}, pod, found, "/t")


def test_what_is_listed_is_allowed() -> None:
    assert allowed_auth(" provider-adc, managed-identity ,") == {"provider-adc", "managed-identity"}
    check_allowed("provider-adc", allowed_auth("provider-adc"))
    with pytest.raises(AuthenticationFailed, match="--allowed-auth=managed-identity"):
        check_allowed("managed-identity", allowed_auth("provider-adc"))


def test_fingerprints_tell_apart_what_an_auth_mode_reads() -> None:
    prints = Fingerprints()
    entries = {"id": SecretText("a"), "secret": SecretText("b"), "other": SecretText("c")}
    mine = prints.of(entries, ("id", "secret"))
    assert prints.of(entries | {"other": SecretText("d")}, ("secret", "id")) == mine
    assert prints.of(entries | {"id": SecretText("x")}, ("id", "secret")) != mine
    assert prints.of({"secret": SecretText("b")}, ("id", "secret")) != mine
    assert prints.of({"id": SecretText(""), "secret": SecretText("b")}, ("id", "secret")) != prints.of(
        {"secret": SecretText("b")}, ("id", "secret")
    )
    assert Fingerprints().of(entries, ("id", "secret")) != mine, "of no use in another process"


def test_the_requests_own_token_is_taken() -> None:
    cluster = Signing()
    found = PodTokens(lambda: NOW).token(mount({"b": token("b"), "c": token("c")}), ("a", "b"), cluster, SOON)
    assert (found.audience, found.proof.expires_at) == ("b", NOW + 900)
    assert not cluster.asked


def test_tokens_that_do_not_fit_are_no_reason_to_make_one() -> None:
    cluster = Signing()
    with pytest.raises(AuthenticationFailed, match='pool: token for audience "a" not found'):
        PodTokens(lambda: NOW).token(mount({"b": token("b")}), ("a",), cluster, SOON, context="pool")
    with pytest.raises(AuthenticationFailed, match="the claim `sub`"):
        PodTokens(lambda: NOW).token(mount({"a": token("a", "mallory")}), ("a",), cluster, SOON)
    assert not cluster.asked


def test_without_any_one_is_made_for_the_pod_and_kept_until_near_its_end() -> None:
    cluster, times = Signing(), [NOW]
    tokens = PodTokens(lambda: times[0])
    first = tokens.token(mount(None), ("a", "b"), cluster, SOON)
    assert cluster.asked == [TokenRequest(POD, ("a",), 900)]
    assert tokens.token(mount(None), ("a", "b"), cluster, SOON) is first
    other = PodInfo("shop", "web-1", "uid-1", "web")
    assert tokens.token(mount(None, other), ("a",), cluster, SOON) is not first
    times[0] = NOW + 721
    cluster.lifetime = 2000
    assert tokens.token(mount(None), ("a",), cluster, SOON) is not first
    assert len(cluster.asked) == 3


def test_none_is_made_for_nobody() -> None:
    cluster = Signing()
    with pytest.raises(AuthenticationFailed, match="podInfoOnMount"):
        PodTokens(lambda: NOW).token(mount(None, PodInfo("shop", "web-0", "", "web")), ("a",), cluster, SOON)
    assert not cluster.asked
