"""The service account's tokens: which are there, and what they must prove."""

import base64
import json

import pytest

from sscsi_shared.errors import AuthenticationFailed
from sscsi_shared.mount import PodInfo
from sscsi_shared.secret import SecretText
from sscsi_shared.tokens import ABSENT, ServiceAccountToken, ServiceAccountTokens, prove, read_tokens

STS = "sts.amazonaws.com"
NOW = 1_800_000_000.0
POD = PodInfo(namespace="shop", name="web-0", uid="u-1", service_account="web")
SIGNATURE = "c2lnbmF0dXJl"


def part(document: object) -> str:
    text = document if isinstance(document, str) else json.dumps(document)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def jwt(**claims: object) -> SecretText:
    usual: dict[str, object] = {
        "iss": "https://issuer",
        "sub": "system:serviceaccount:shop:web",
        "aud": [STS],
        "exp": NOW + 3600,
        "kubernetes.io": {"namespace": "shop", "pod": {"name": "web-0", "uid": "u-1"}},
    }
    document = {key: value for key, value in {**usual, **claims}.items() if value is not ...}
    return SecretText(f"{part({'alg': 'RS256'})}.{part(document)}.{SIGNATURE}")


def unproven(token: SecretText, pod: PodInfo = POD, audience: str = STS, now: float = NOW) -> str:
    with pytest.raises(AuthenticationFailed) as caught:
        prove(token, pod=pod, audience=audience, now=now)
    text = str(caught.value)
    assert not token.reveal() or token.reveal() not in text
    return text


# Reading


def test_tokens_by_audience() -> None:
    tokens = read_tokens(
        json.dumps(
            {
                STS: {"token": "a.b.c", "expirationTimestamp": "2027-01-15T08:00:00Z"},
                "vault": {"token": "d.e.f", "expirationTimestamp": "2027-01-15T09:00:00.5+01:00"},
                "odd": {"token": "g", "expirationTimestamp": "soon"},
                "naive": {"token": "g", "expirationTimestamp": "2027-01-15T08:00:00"},
                "none": {"token": ""},
            }
        )
    )
    assert tokens.for_audience(STS) == ServiceAccountToken(SecretText("a.b.c"), NOW)
    assert tokens.find("vault") == ServiceAccountToken(SecretText("d.e.f"), NOW + 0.5)
    assert tokens.find("odd") == ServiceAccountToken(SecretText("g"))
    assert tokens.find("naive") == ServiceAccountToken(SecretText("g"))
    assert tokens.find("none") is None
    assert tokens.find("other") is None


def test_absent_is_not_empty() -> None:
    assert read_tokens(None) == ABSENT
    assert read_tokens("") == ServiceAccountTokens({})
    assert read_tokens("{}") == ServiceAccountTokens({})


@pytest.mark.parametrize("tokens", [ABSENT, ServiceAccountTokens({}), read_tokens("")])
def test_no_tokens_at_all(tokens: ServiceAccountTokens) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        tokens.for_audience(STS, context="IRSA token extraction failed")
    assert str(caught.value).startswith(
        "CSI token error: serviceAccount.tokens not provided - ensure tokenRequests is configured in CSIDriver"
        " - ensure tokenRequests is configured in CSIDriver spec"
    )
    assert '[{audience: "sts.amazonaws.com"}]' in caught.value.hint


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "it is not JSON"),
        ("SECRET", "it is not JSON"),
        ("NaN", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ('{"a": "SECRET"}', 'the entry "a" is not an object with a text `token`'),
        ('{"a": {"token": 1}}', 'the entry "a" is not an object with a text `token`'),
        (json.dumps({str(n): {"token": "SECRET"} for n in range(101)}), "it has more than 100 audiences"),
        ("x" * ((1 << 20) + 1), "it is longer than 1048576 characters"),
    ],
    ids=range(9),
)
def test_a_broken_attribute_fails_when_a_token_is_wanted(text: str, problem: str) -> None:
    tokens = read_tokens(text)
    assert tokens.problem == problem
    with pytest.raises(AuthenticationFailed) as caught:
        tokens.for_audience(STS)
    assert str(caught.value) == (
        f"CSI token error: failed to parse serviceAccount.tokens: {problem}"
        " - ensure tokenRequests is configured in CSIDriver spec."
    )


def test_another_audience() -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        read_tokens('{"vault": {"token": "SECRET"}}').for_audience(STS, context="IRSA token extraction failed")
    assert caught.value.message == (
        'IRSA token extraction failed: token for audience "sts.amazonaws.com" not found'
        " - ensure tokenRequests includes this audience in CSIDriver."
    )
    assert caught.value.hint.endswith("the request has tokens for: vault.")


def test_an_empty_token() -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        read_tokens(json.dumps({STS: {"token": ""}})).for_audience(STS, context="Pod Identity token extraction failed")
    assert caught.value.message == (
        'Pod Identity token extraction failed: token for audience "sts.amazonaws.com" is empty.'
    )


def test_tokens_are_not_printed() -> None:
    assert "SECRET" not in repr(read_tokens('{"vault": {"token": "SECRET"}}'))


# Proof


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": STS},
        {"aud": ["other", STS]},
        {"exp": NOW + 30},
        {"exp": NOW + 30.5},
        {"kubernetes.io": ...},
        {"kubernetes.io": {"namespace": "shop"}},
        {"kubernetes.io": "odd"},
        {"kubernetes.io": {"pod": {}}},
    ],
)
def test_proven(claims: dict[str, object]) -> None:
    token = ServiceAccountToken(jwt(**claims))
    proof = prove(token, pod=POD, audience=STS, now=NOW)
    assert proof.expires_at == claims.get("exp", NOW + 3600)


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"sub": "system:serviceaccount:shop:other"}, 'claim `sub` "system:serviceaccount:shop:other", but'),
        ({"sub": "system:serviceaccount:other:web"}, '"system:serviceaccount:shop:web" was expected.'),
        ({"sub": ...}, "claim `sub` (missing), but"),
        ({"sub": 3}, "claim `sub` (not text), but"),
        ({"sub": "system:serviceaccount:shop:web\n"}, "claim `sub`"),
        ({"aud": "other"}, 'claim `aud` "other", but "sts.amazonaws.com" was expected.'),
        ({"aud": ["a", "b"]}, 'claim `aud` ["a", "b"], but'),
        ({"aud": list("abcdefg")}, 'claim `aud` ["a", "b", "c", "d", "e", …], but'),
        ({"aud": []}, "claim `aud` [], but"),
        ({"aud": ...}, "claim `aud` (missing), but"),
        ({"aud": [[STS]]}, "claim `aud` (not text), but"),
        ({"aud": {STS: 1}}, "claim `aud` (not text), but"),
        ({"kubernetes.io": {"pod": {"uid": "u-2"}}}, 'claim `kubernetes.io.pod.uid` "u-2", but "u-1" was expected.'),
        ({"kubernetes.io": {"pod": {"uid": None}}}, "claim `kubernetes.io.pod.uid` (missing), but"),
        ({"exp": NOW + 29}, "has expired or ends within 30 s"),
        ({"exp": 0}, "has expired or ends within 30 s"),
        ({"exp": ...}, "no claim `exp` that is a time"),
        ({"exp": "later"}, "no claim `exp` that is a time"),
        ({"exp": True}, "no claim `exp` that is a time"),
        ({"exp": 10**400}, "no claim `exp` that is a time"),
        ({"exp": -1}, "no claim `exp` that is a time"),
        ({"exp": float("inf")}, "claims that can't be read"),
    ],
    ids=range(22),
)
def test_unproven(claims: dict[str, object], message: str) -> None:
    assert message in unproven(jwt(**claims))


def test_an_expired_token_reads_the_same_at_every_try() -> None:
    assert unproven(jwt(exp=NOW), now=NOW) == unproven(jwt(exp=NOW), now=NOW + 5)


@pytest.mark.parametrize(
    "text",
    ["", "0paque", "a.b", "a.b.c.d", "..", "a.b.", "a..c", "é.é.é", "a.b\n.c", "a.b=.c", "a b.c.d", "-" * 100_000],
    ids=range(12),
)
def test_an_opaque_token_proves_nothing(text: str) -> None:
    message = unproven(SecretText(text))
    assert "is not a JWT, so it can't prove whose it is" in message or "longer than 65536 characters" in message


@pytest.mark.parametrize(
    "payload", ["[]", "null", '"x"', "{", "[" * 20_000, "NaN", '{"sub": 1e999999}x', "9" * 5000], ids=range(8)
)
def test_claims_that_can_not_be_read(payload: str) -> None:
    assert "has claims that can't be read" in unproven(SecretText(f"e30.{part(payload)}.{SIGNATURE}"))


@pytest.mark.parametrize("payload", ["a", "_w", "-----"])
def test_claims_that_are_no_base64_or_utf8(payload: str) -> None:
    assert "has claims that can't be read" in unproven(SecretText(f"e30.{payload}.{SIGNATURE}"))


def test_a_request_without_a_service_account_proves_nothing() -> None:
    token = jwt(sub="system:serviceaccount::")
    for pod in (PodInfo("", "", "", ""), PodInfo("shop", "web-0", "u-1", ""), PodInfo("", "web-0", "u-1", "web")):
        assert "does not say which service account" in unproven(token, pod=pod)


def test_a_bound_token_needs_a_pod_uid_in_the_request() -> None:
    assert "kubernetes.io.pod.uid" in unproven(jwt(), pod=PodInfo("shop", "web-0", "", "web"))


def test_context_starts_the_message() -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        prove(jwt(aud="x"), pod=POD, audience=STS, now=NOW, context="IRSA token extraction failed")
    assert caught.value.message.startswith(
        "IRSA token extraction failed: the service account token has the claim `aud`"
    )


def test_hostile_claims_are_cut() -> None:
    assert len(unproven(jwt(sub="x" * 10_000, aud=["y" * 10_000] * 100))) < 600
