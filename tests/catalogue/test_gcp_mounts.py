"""reference/gcp.md section 10: mount handling and regional clients; section 9: the worked examples."""

import json
from collections.abc import Iterator

import pytest

from gcp_world import World, gcp_world, one
from sscsi_emulators.faults import Fault
from sscsi_emulators.google import ACCESS
from sscsi_provider_gcp.channels import Endpoints
from sscsi_provider_gcp.resources import Kind
from sscsi_shared.errors import InvalidParameters, MountFailed, ObjectUnusable

SECRET = "projects/my-project/secrets/s0"
REGIONAL = "projects/my-project/locations/us-central1/secrets/s1"
PARAMETER = "projects/my-project/locations/global/parameters/x"
REGIONAL_PARAMETER = "projects/my-project/locations/us-central1/parameters/x"


@pytest.fixture
def world() -> Iterator[World]:
    with gcp_world() as world:
        yield world


def entry(name: str, version: str, path: str, **fields: object) -> dict[str, object]:
    return {"resourceName": f"{name}/versions/{version}", "fileName": path, **fields}


def test_six_entries(world: World) -> None:
    store = world.google.store
    store.put(SECRET, "My Secret")
    store.put("projects/my-project/secrets/y", "user: admin\n")
    store.put(PARAMETER, '{"user": "root"}', version="v1")
    store.put(REGIONAL_PARAMETER, "user: eu\n", version="v2")
    entries = [
        entry(SECRET, "latest", "1"),
        entry(SECRET, "latest", "2", mode=0o600),
        entry("projects/my-project/secrets/y", "latest", "3", extractYAMLKey="user"),
        entry(PARAMETER, "v1", "4", extractJSONKey="user"),
        entry(PARAMETER, "v1", "5", mode=0o500),
        entry(REGIONAL_PARAMETER, "v2", "6", extractYAMLKey="user"),
    ]
    result = world.mount(json.dumps(entries), permission="511")
    assert [(file.path, file.mode, file.contents.reveal()) for file in result.files] == [
        ("1", 0o777, b"My Secret"),
        ("2", 0o600, b"My Secret"),
        ("3", 0o777, b"admin"),
        ("4", 0o777, b"root"),
        ("5", 0o500, b'{"user": "root"}'),
        ("6", 0o777, b"eu"),
    ]
    numbered = "projects/123456789/secrets"
    assert [(one.id, one.version) for one in result.versions] == [
        (f"{SECRET}/versions/latest", f"{numbered}/s0/versions/1"),
        (f"{SECRET}/versions/latest", f"{numbered}/s0/versions/1"),
        ("projects/my-project/secrets/y/versions/latest", f"{numbered}/y/versions/1"),
        (f"{PARAMETER}/versions/v1", f"{PARAMETER}/versions/v1"),
        (f"{PARAMETER}/versions/v1", f"{PARAMETER}/versions/v1"),
        (f"{REGIONAL_PARAMETER}/versions/v2", f"{REGIONAL_PARAMETER}/versions/v2"),
    ]
    assert world.google.calls["secretmanager.AccessSecretVersion"] == 2, "several extracts of one secret are one read"


@pytest.mark.parametrize("name", [SECRET, PARAMETER])
def test_both_extract_keys(world: World, name: str) -> None:
    error = world.refusal(json.dumps([entry(name, "1", "a", extractJSONKey="a", extractYAMLKey="b")]))
    assert isinstance(error, InvalidParameters), "better= before anything is asked, and not Internal"
    assert "both ExtractJSONKey and ExtractYAMLKey can't be simultaneously non empty strings" in str(error)
    assert not world.google.calls


def test_one_fails_and_the_other_does_not(world: World) -> None:
    world.google.store.put(SECRET, "x")
    world.google.store.disable(SECRET, "1")
    world.google.store.put(PARAMETER, "y", version="v1")
    error = world.refusal(json.dumps([entry(SECRET, "1", "a"), entry(PARAMETER, "v1", "b")]))
    assert isinstance(error, ObjectUnusable)
    assert "code = FailedPrecondition desc = Secret Version" in str(error)
    assert "DISABLED" in str(error)


def test_several_fail_and_all_are_told_in_order(world: World) -> None:
    store = world.google.store
    for name in ("ok", "off", "no"):
        store.put(name, "x")
    store.disable("off", "1")
    world.google.deny("serviceAccount:my-project.svc.id.goog[shop/web]", store.full("no"))
    names = ("ok", "off", "no", "none")
    error = world.refusal(json.dumps([entry(f"projects/my-project/secrets/{n}", "latest", n) for n in names]))
    assert isinstance(error, MountFailed)
    places = [str(error).index(f"code = {code}") for code in ("FailedPrecondition", "PermissionDenied", "NotFound")]
    assert places == sorted(places), "better= the existing provider's order is random"


def test_locations_that_are_none(world: World) -> None:
    error = world.refusal(json.dumps([entry(f"projects/p/locations/{'l' * 31}/secrets/s", "1", "a")]))
    assert "Invalid location" in str(error)
    error = world.refusal(json.dumps([entry("projects/p/locations/split/location/secrets/s", "1", "a")]))
    assert "unknown resource type" in str(error)
    assert not world.google.calls


def test_regional_twice_and_whole_beside_extract(world: World) -> None:
    store = world.google.store
    store.put(REGIONAL, "old")
    store.put(REGIONAL, '{"user": "admin2"}')
    store.put(SECRET, '{"user": "admin"}')
    entries = [
        entry(REGIONAL, "latest", "1"),
        entry(REGIONAL, "latest", "2", mode=0o600),
        entry(REGIONAL, "latest", "3", extractJSONKey="user"),
        entry(SECRET, "latest", "4"),
        entry(SECRET, "latest", "5", extractJSONKey="user"),
    ]
    result = world.mount(json.dumps(entries), permission="511")
    assert [(file.mode, file.contents.reveal()) for file in result.files] == [
        (0o777, b'{"user": "admin2"}'),
        (0o600, b'{"user": "admin2"}'),
        (0o777, b"admin2"),
        (0o777, b'{"user": "admin"}'),
        (0o777, b"admin"),
    ]
    numbered = "projects/123456789/locations/us-central1/secrets/s1/versions/2"
    assert {one.version for one in result.versions[:3]} == {numbered}
    assert world.provider.channels.made == 2


@pytest.mark.parametrize(
    ("kind", "location", "target"),
    [
        (Kind.SECRET, "", "secretmanager.googleapis.com:443"),
        (Kind.SECRET, "us-central1", "secretmanager.us-central1.rep.googleapis.com:443"),
        (Kind.PARAMETER, "", "parametermanager.googleapis.com:443"),
        (Kind.PARAMETER, "europe-west1", "parametermanager.europe-west1.rep.googleapis.com:443"),
    ],
)
def test_endpoints(kind: Kind, location: str, target: str) -> None:
    assert Endpoints().of(kind, location, "googleapis.com") == target


def test_endpoints_of_an_operator() -> None:
    endpoints = Endpoints("psc.example", "sm.{location}.example:8443", "[::1]:1", "[::1]")
    assert endpoints.of(Kind.SECRET, "", "x") == "psc.example:443"
    assert endpoints.of(Kind.SECRET, "us-east1", "x") == "sm.us-east1.example:8443"
    assert endpoints.of(Kind.PARAMETER, "", "x") == "[::1]:1"
    assert endpoints.of(Kind.PARAMETER, "us-east1", "x") == "[::1]:443"


def test_e4_an_extracted_number(world: World) -> None:
    world.google.store.put("db", '{"user": "admin", "port": 5432, "none": null}')
    assert world.files(one("db", extractJSONKey="user")) == {"a": b"admin"}
    assert world.files(one("db", extractJSONKey="port")) == {"a": b"5432"}, "better= the existing provider refuses it"
    error = world.refusal(one("db", extractJSONKey="none"))
    assert "unsupported value type for key 'none'" in str(error)
    assert "5432" not in str(error)


def test_e8_tokens_of_another_audience(world: World) -> None:
    error = world.refusal(one("s"), tokens={"other": "x"})
    assert str(error).startswith(
        "unable to obtain auth for mount: unable to obtain workload identity auth: unable to fetch SA token from driver"
    )
    assert "my-project.svc.id.goog" in str(error)
    assert not world.cluster.made


def test_unavailable_twice_is_no_failure(world: World) -> None:
    world.google.store.put("s", "x")
    world.google.faults.add(Fault(ACCESS, 503, "UNAVAILABLE", "try again", times=2))
    assert world.files(one("s")) == {"a": b"x"}
    assert world.google.calls[ACCESS] == 3
