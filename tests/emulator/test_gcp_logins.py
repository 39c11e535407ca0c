"""How the Google Cloud provider logs in, as whom, and what it says where it can't."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gcp_stage import CLUSTER
from gcp_world import MEMBER, NONE, TARGET, World, gcp_world, new_key, one, with_keys
from sscsi_emulators.faults import Fault
from sscsi_provider_gcp.metadata import Metadata, MetadataFacts
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AccessDenied, AuthenticationFailed, BackendThrottled, BackendUnavailable, MountError

POOL_PROVIDER = "projects/42/locations/global/workloadIdentityPools/prod/providers/eks"
POOL_AUDIENCE = f"//iam.googleapis.com/{POOL_PROVIDER}"
PRINCIPAL = (
    "principal://iam.googleapis.com/projects/42/locations/global/workloadIdentityPools/prod"
    "/subject/system:serviceaccount:shop:web"
)

FACTS = {
    "project/project-id": CLUSTER["PROJECT"],
    "instance/attributes/cluster-location": CLUSTER["CLUSTER_LOCATION"],
    "instance/attributes/cluster-name": CLUSTER["CLUSTER_NAME"],
}


@pytest.fixture
def world() -> Iterator[World]:
    with gcp_world() as world:
        world.google.store.put("s", "x")
        yield world


def calls(world: World) -> dict[str, int]:
    return dict(world.google.calls)


def test_the_federated_identity_itself(world: World) -> None:
    assert world.files(one("s")) == {"a": b"x"}
    assert calls(world) == {"sts.Token": 1, "secretmanager.AccessSecretVersion": 1}
    assert not world.cluster.made


def test_a_google_service_account(world: World) -> None:
    world.cluster.annotations = {"iam.gke.io/gcp-service-account": TARGET}
    error = world.refusal(one("s"))
    assert isinstance(error, AuthenticationFailed)
    assert "unable to fetch gcp service account token" in str(error)
    assert "iam.serviceAccounts.getAccessToken" in str(error)
    assert (
        f"gcloud iam service-accounts add-iam-policy-binding {TARGET} --role=roles/iam.workloadIdentityUser "
        f'--member="{MEMBER}"'
    ) in str(error)
    world.google.logins.let_act(MEMBER, TARGET)
    assert world.files(one("s")) == {"a": b"x"}
    assert world.google.calls["iam.GenerateAccessToken"] == 2


def test_delegates_in_between(world: World) -> None:
    between = "hop@my-project.iam.gserviceaccount.com"
    world.cluster.annotations = {
        "iam.gke.io/gcp-service-account": TARGET,
        "iam.gke.io/gcp-service-account-delegates": json.dumps([between]),
    }
    world.google.logins.let_act(MEMBER, between)
    world.google.logins.let_act(f"serviceAccount:{between}", TARGET)
    assert world.files(one("s")) == {"a": b"x"}
    world.cluster.annotations["iam.gke.io/gcp-service-account-delegates"] = "hop@x"
    assert "unable to parse delegates annotation on SA" in str(world.refusal(one("s")))


@pytest.mark.parametrize("address", ["a/../../x", "app@my-project.iam.gserviceaccount.com:evil", "no-address", "a@b/c"])
def test_an_annotation_that_is_no_address(world: World, address: str) -> None:
    world.cluster.annotations = {"iam.gke.io/gcp-service-account": address}
    if address.endswith(":evil"):
        assert world.google.calls["iam.GenerateAccessToken"] == 0
    assert isinstance(world.refusal(one("s")), AuthenticationFailed)


def test_denied_names_the_binding(world: World) -> None:
    world.google.deny(MEMBER, world.google.store.full("s"))
    error = world.refusal(one("s"))
    assert isinstance(error, AccessDenied)
    assert "Permission 'secretmanager.versions.access' denied" in str(error)
    assert (
        f"gcloud secrets add-iam-policy-binding s --project=my-project --role=roles/secretmanager.secretAccessor "
        f'--member="{MEMBER}"'
    ) in str(error)


def test_a_token_is_made_only_without_one_of_the_request(world: World) -> None:
    assert world.files(one("s"), tokens=NONE) == {"a": b"x"}
    assert [request.audiences for request in world.cluster.made] == [("my-project.svc.id.goog",)]
    assert world.files(one("s"), tokens=NONE) == {"a": b"x"}
    assert len(world.cluster.made) == 1, "kept for its pod"


def test_a_pool_that_the_class_names(world: World) -> None:
    world.google.logins.trust(POOL_AUDIENCE, world.kubernetes.verify)
    world.with_provider(environ={})
    for written in (POOL_PROVIDER, POOL_AUDIENCE, f"https:{POOL_AUDIENCE}"):
        tokens = {POOL_AUDIENCE: world.token(POOL_AUDIENCE)}
        assert world.files(one("s"), tokens=tokens, workloadIdentityProvider=written) == {"a": b"x"}
    tokens = {f"https:{POOL_AUDIENCE}": world.token(f"https:{POOL_AUDIENCE}")}
    assert world.files(one("s"), tokens=tokens, workloadIdentityProvider=POOL_PROVIDER) == {"a": b"x"}
    assert world.google.calls["metadata.Get"] == 0, "nobody needs the metadata server"
    world.google.deny(PRINCIPAL, world.google.store.full("s"))
    assert PRINCIPAL in str(world.refusal(one("s"), tokens=tokens, workloadIdentityProvider=POOL_PROVIDER))


def test_a_target_that_the_class_names(world: World) -> None:
    world.google.logins.let_act(MEMBER, TARGET)
    assert world.files(one("s"), serviceAccount=TARGET) == {"a": b"x"}
    assert world.google.calls["iam.GenerateAccessToken"] == 1
    assert "no Google service account's address" in str(world.refusal(one("s"), serviceAccount="x/y"))


@pytest.mark.parametrize(
    "audience",
    [
        "identitynamespace:fp.svc.id.goog:https://gkehub.googleapis.com/projects/fp/locations/global/memberships/c1",
        POOL_AUDIENCE,
    ],
)
def test_e9_e10_the_operators_federation_file(world: World, tmp_path: Path, audience: str) -> None:
    file = tmp_path / "federation.json"
    file.write_text(json.dumps({"type": "external_account", "audience": audience, "token_url": "https://evil"}))
    world.google.logins.trust(audience, world.kubernetes.verify)
    world.with_provider(environ={"GOOGLE_APPLICATION_CREDENTIALS": str(file)})
    wanted = audience.split(":", 2)[1] if audience.startswith("identity") else audience
    assert world.files(one("s"), tokens=NONE) == {"a": b"x"}
    assert [request.audiences for request in world.cluster.made] == [(wanted,)]
    assert world.google.calls["metadata.Get"] == 0, "a silent metadata server costs nothing here"
    file.write_text('{"type": "service_account"}')
    assert "unexpected credentials type: service_account, expected: external_account" in str(world.refusal(one("s")))


def test_the_clusters_facts_are_read_once(world: World) -> None:
    world.google.logins.facts = FACTS
    provider = world.with_provider(environ={"CLUSTER_NAME": "c1"})
    provider.begin()
    for _ in range(3):
        assert world.files(one("s")) == {"a": b"x"}
    assert world.google.calls["metadata.Get"] == 2


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"instance/attributes/cluster-name": None}, "answers 404 for instance/attributes/cluster-name."),
        ({"instance/attributes/cluster-name": " "}, "has nothing for instance/attributes/cluster-name."),
        ({"project/project-id": "<html>x"}, "answers '<html>x' for project/project-id."),
        ({"project/project-id": "a/../b"}, "answers 'a/../b' for project/project-id."),
        ({"instance/attributes/cluster-location": "é" * 99}, "for instance/attributes/cluster-location."),
    ],
)
def test_a_metadata_server_that_does_not_know(world: World, wrong: dict[str, str | None], text: str) -> None:
    """As on a machine that is no GKE node, or behind a network that answers for everybody."""
    world.google.logins.facts = {key: value for key, value in (FACTS | wrong).items() if value is not None}
    world.with_provider(environ={"CLUSTER_NAME": ""})
    error = world.refusal(one("s"))
    assert isinstance(error, AuthenticationFailed)
    assert "location and name are not known: The metadata server " in str(error)
    assert text in str(error)
    asked = world.google.calls["metadata.Get"]
    for _ in range(3):
        assert str(world.refusal(one("s"))) == str(error)
    assert world.google.calls["metadata.Get"] == asked, "the next try is its own, 30 s later"


def test_facts_that_come_later(world: World) -> None:
    go_on = threading.Semaphore(0)
    facts = MetadataFacts(Metadata(world.google.logins.metadata_host), {}, lambda _: go_on.acquire())
    with pytest.raises(AuthenticationFailed, match="answers 404 for project/project-id"):
        facts.get(Deadline.after(5))
    world.google.logins.facts = FACTS
    go_on.release()
    for _ in range(200):
        if facts.known:
            break
        threading.Event().wait(0.02)
    found = facts.get(Deadline.after(5))
    assert (found.project, found.location, found.cluster) == tuple(FACTS.values())
    asked = world.google.calls["metadata.Get"]
    assert asked == 4
    facts.get(Deadline.after(5))
    assert world.google.calls["metadata.Get"] == asked


def test_no_metadata_server(world: World) -> None:
    world.with_provider(environ={}, metadata_host="127.0.0.1:1")
    error = world.refusal(one("s"))
    assert isinstance(error, AuthenticationFailed)
    assert "set workloadIdentityProvider in the class" in str(error)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (
            Fault("sts.Token", 400, "invalid_grant", "issuer not allowed"),
            AuthenticationFailed,
            ["invalid_grant: issuer"],
        ),
        (Fault("sts.Token", 404, "", ""), AuthenticationFailed, ["status: 404", "no such pool"]),
        (Fault("sts.Token", 429, "busy", ""), BackendThrottled, ["status: 429"]),
        (Fault("sts.Token", 503, "", ""), BackendUnavailable, ["status: 503"]),
    ],
)
def test_exchanges_that_fail(world: World, fault: Fault, kind: type[MountError], words: list[str]) -> None:
    world.google.faults.add(fault)
    error = world.refusal(one("s"))
    assert isinstance(error, kind)
    for word in ["unable to obtain auth for mount: ", "could not get idbindtoken token", *words]:
        assert word in str(error)


def test_an_unknown_pool_is_told(world: World) -> None:
    world.with_provider(environ={**CLUSTER, "CLUSTER_NAME": "c2"})
    error = world.refusal(one("s"))
    assert "invalid_target" in str(error)
    assert "clusters/c2" in str(error)


@pytest.fixture
def key(world: World) -> dict[str, str]:
    return new_key(world.google)


def test_a_referenced_key(world: World, key: dict[str, str]) -> None:
    with_keys(world)
    assert world.files(one("s"), referenced={"key.json": json.dumps(key)}, tokens=NONE) == {"a": b"x"}
    assert calls(world) == {"oauth2.Token": 1, "secretmanager.AccessSecretVersion": 1}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"type": "external_account"}, "only service_account and authorized_user are taken"),
        ({"type": "impersonated_service_account"}, "only service_account and authorized_user are taken"),
        ({"token_uri": "https://evil.example/token"}, "its token_uri is not one of Google's"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----"}, "can't be read"),
        ({"client_email": "other@my-project.iam.gserviceaccount.com"}, "Invalid JWT Signature"),
    ],
)
def test_referenced_keys_that_are_none(world: World, key: dict[str, str], change: dict[str, str], text: str) -> None:
    with_keys(world)
    error = world.refusal(one("s"), referenced={"key.json": json.dumps(key | change)}, tokens=NONE)
    assert isinstance(error, AuthenticationFailed)
    assert text in str(error)
    assert "canary" not in str(error)
    assert world.google.calls["secretmanager.AccessSecretVersion"] == 0


def test_a_key_is_a_part_of_the_identity_and_not_in_it(world: World, key: dict[str, str]) -> None:
    with_keys(world)
    from sscsi_shared.parameters import read_mount

    def identity(text: str) -> object:
        sent = read_mount(json.dumps({"secrets": one("s")}), json.dumps({"key.json": text}), "420", "/t", ())
        return world.provider.identify(world.provider.parse(sent), world.cluster, Deadline.after(5)).identity

    first, second = identity(json.dumps(key)), identity(json.dumps(key | {"client_email": "b@c"}))
    assert first != second
    assert key["private_key"] not in repr(first)


def test_the_nodes_own_identity_needs_the_operators_word(world: World) -> None:
    error = world.refusal(one("s"), auth="provider-adc", tokens=NONE)
    assert isinstance(error, AuthenticationFailed)
    assert "--allowed-auth=provider-adc" in str(error)
    assert not world.google.calls
    world.with_provider(allowed_auth=frozenset({"provider-adc"}))
    assert world.files(one("s"), auth="provider-adc", tokens=NONE) == {"a": b"x"}
    assert calls(world) == {"metadata.Get": 1, "secretmanager.AccessSecretVersion": 1}
