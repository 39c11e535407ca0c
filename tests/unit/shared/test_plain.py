"""What a plain provider gets from shared: reads, a login, outcomes of HTTP."""

import base64
import json

import pytest

from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    BackendUnavailable,
    InvalidParameters,
    MountError,
    ObjectNotFound,
)
from sscsi_shared.http import Answer
from sscsi_shared.mount import MountInput, Place, PlannedRead, PodInfo
from sscsi_shared.object_fields import ObjectFields
from sscsi_shared.paths import Naming
from sscsi_shared.plain import EVERYWHERE, EachByItself, NamedObjects, ServiceAccount, refusal
from sscsi_shared.secret import SecretText
from sscsi_shared.tokens import ServiceAccountToken, ServiceAccountTokens

POD = PodInfo("shop", "web-0", "uid-1", "web")
NOW = 1_700_000_000


def token(**claims: object) -> ServiceAccountToken:
    told = {"sub": "system:serviceaccount:shop:web", "aud": ["kv"], "exp": NOW + 600, "iss": "https://k8s", **claims}
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, told, ""))
    return ServiceAccountToken(SecretText(".".join(parts)))


def mount(objects: str, *tokens: ServiceAccountToken) -> MountInput:
    known = ServiceAccountTokens({"kv": tokens[0]} if tokens else {}, present=bool(tokens))
    return MountInput({"objects": objects}, {}, POD, known, "/target", 0o640)


def test_objects_are_reads_with_the_fields_of_every_object() -> None:
    text = "- {objectName: db, path: shop/db, mode: '0400'}\n- {objectName: api, optional: true}"
    common = ObjectFields(Naming())
    assert NamedObjects.of(mount(text)).reads == (
        PlannedRead("db", ((EVERYWHERE, "db"),), common.outputs("db", "shop/db", 0o400)),
        PlannedRead("api", ((EVERYWHERE, "api"),), common.outputs("api", "api", 0o640), optional=True),
    )
    elsewhere = Place("elsewhere")
    assert NamedObjects.of(mount("- objectName: db"), elsewhere).reads[0].candidates == ((elsewhere, "db"),)


def test_a_misspelt_list_is_told_but_not_a_parameter_of_ones_own() -> None:
    wrong = MountInput({"object": "- objectName: db"}, {}, POD, ServiceAccountTokens({}), "/target")
    with pytest.raises(InvalidParameters, match="did you mean `objects`"):
        NamedObjects.of(wrong)
    with pytest.raises(InvalidParameters) as caught:
        NamedObjects.of(wrong, EVERYWHERE, "object")
    assert "did you mean" not in str(caught.value)


def test_a_login_is_the_service_account_that_the_token_proves() -> None:
    request = NamedObjects.of(mount("- objectName: db", token()))
    login = request.login("kv", NOW, backend="https://kv")
    assert login.identity == ServiceAccount("shop", "web", "https://k8s", "kv")
    assert (login.live_until, login.backend) == (NOW + 600, "https://kv")
    assert login.credentials is request.tokens.by_audience["kv"]


@pytest.mark.parametrize("claims", [{"sub": "system:serviceaccount:shop:other"}, {"aud": ["x"]}, {"exp": NOW + 29}])
def test_a_token_that_proves_something_else_is_no_login(claims: dict[str, object]) -> None:
    with pytest.raises(AuthenticationFailed):
        NamedObjects.of(mount("- objectName: db", token(**claims))).login("kv", NOW)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AuthenticationFailed),
        (403, AccessDenied),
        (404, ObjectNotFound),
        (429, BackendThrottled),
        (500, BackendUnavailable),
        (301, BackendUnavailable),
    ],
)
def test_a_status_says_what_it_means(status: int, kind: type[MountError]) -> None:
    error = refusal(Answer(status, b"a body with a secret", 7.0), "kv: shop/web asked for db", hint="Look.")
    assert type(error) is kind
    assert error.message == f"kv: shop/web asked for db: HTTP status {status}."
    passes = status not in {401, 403, 404}
    assert (error.hint, error.retry_after) == (("", 7.0) if passes else ("Look.", None))


def test_a_session_ends_when_its_token_does() -> None:
    assert EachByItself(lambda name, deadline: pytest.fail("unread"), 17.0).expires_at == 17.0
