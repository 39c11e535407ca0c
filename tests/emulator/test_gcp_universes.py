"""Google's universes: every host is the operator's one, and a key of another is refused before anything is sent."""

import json
from collections.abc import Iterator

import jwt
import pytest

from gcp_world import NONE, TARGET, World, gcp_world, new_key, one, with_keys
from sscsi_provider_gcp.auth import TokenService
from sscsi_provider_gcp.channels import Endpoints
from sscsi_provider_gcp.keyfile import KeyFiles
from sscsi_provider_gcp.resources import Kind
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed
from sscsi_shared.secret import SecretText

OTHER = "apis-other.goog"
POOL = "//iam.googleapis.com/projects/42/locations/global/workloadIdentityPools/prod/providers/eks"
GKE = "identitynamespace:p.svc.id.goog:https://container.googleapis.com/v1/projects/p"


@pytest.fixture
def world() -> Iterator[World]:
    with gcp_world() as world:
        world.google.store.put("s", "x")
        yield world


@pytest.mark.parametrize("universe", ["googleapis.com", OTHER])
def test_hosts(universe: str) -> None:
    endpoints = Endpoints()
    assert [endpoints.of(kind, place, universe) for kind in Kind for place in ("", "eu1")] == [
        f"secretmanager.{universe}:443",
        f"secretmanager.eu1.rep.{universe}:443",
        f"parametermanager.{universe}:443",
        f"parametermanager.eu1.rep.{universe}:443",
    ]
    own = TokenService("", "", None, universe=universe)
    assert own.exchange_of(POOL) == f"https://sts.{universe}/v1/token"
    assert own.exchange_of(GKE) == f"https://securetoken.{universe}/v1/identitybindingtoken"
    assert own.iam == f"https://iamcredentials.{universe}"
    said = TokenService("https://sts.example/t", "https://iam.example", None, universe=universe)
    assert (said.exchange_of(POOL), said.iam) == ("https://sts.example/t", "https://iam.example")


def test_a_universe_is_a_fact_of_the_identity(world: World) -> None:
    def endpoints(universe: str) -> object:
        from sscsi_shared.parameters import read_mount

        provider = world.with_provider(universe=universe, exchange="", iam="", allowed_auth=frozenset({"provider-adc"}))
        sent = read_mount(json.dumps({"secrets": one("s"), "auth": "provider-adc"}), "null", "420", "/t", ())
        return provider.identify(provider.parse(sent), world.cluster, Deadline.after(5)).identity.endpoints

    assert endpoints(OTHER) != endpoints("googleapis.com")


@pytest.mark.parametrize(
    ("own", "keys", "shown"),
    [
        ("googleapis.com", OTHER, OTHER),
        (OTHER, "googleapis.com", "googleapis.com"),
        (OTHER, None, "googleapis.com"),
        ("googleapis.com", ["x"], "no text"),
    ],
)
def test_a_key_of_another_universe_is_refused(world: World, own: str, keys: object, shown: str) -> None:
    with_keys(world, universe=own)
    key = new_key(world.google) | ({} if keys is None else {"universe_domain": keys})
    error = world.refusal(one("s"), referenced={"key.json": json.dumps(key)}, tokens=NONE)
    assert isinstance(error, AuthenticationFailed)
    assert f"its universe_domain is {shown}, but this provider asks {own}." in str(error)
    assert not world.google.calls, "nothing was sent"


@pytest.mark.parametrize("keys", ["googleapis.com", "", None])
def test_googles_own_may_stand_there(world: World, keys: object) -> None:
    with_keys(world)
    key = new_key(world.google) | {"universe_domain": keys}
    assert world.files(one("s"), referenced={"key.json": json.dumps(key)}, tokens=NONE) == {"a": b"x"}


def test_in_another_universe_a_key_signs_its_access_token_itself(world: World) -> None:
    key = new_key(world.google) | {"universe_domain": OTHER, "token_uri": f"https://oauth2.{OTHER}/token"}
    access = KeyFiles(universe=OTHER).login(SecretText(json.dumps(key)), Deadline.after(5))
    claims = jwt.decode(access.token.reveal(), options={"verify_signature": False})
    assert (claims["iss"], claims["scope"]) == (TARGET, "https://www.googleapis.com/auth/cloud-platform")
    assert access.expires_at == pytest.approx(claims["exp"], abs=2)


def test_a_users_key_is_never_sent_to_googles_own_endpoint_from_another_universe() -> None:
    key = {
        "type": "authorized_user", "universe_domain": OTHER, "client_id": "c", "client_secret": "canary",
        "refresh_token": "canary",
    }  # fmt: skip
    with pytest.raises(AuthenticationFailed, match=r"of googleapis\.com alone, not of apis-other\.goog") as caught:
        KeyFiles(universe=OTHER).login(SecretText(json.dumps(key)), Deadline.after(5))
    assert "canary" not in str(caught.value)
