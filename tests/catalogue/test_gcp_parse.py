"""reference/gcp.md section 10: parse, resource classification, locations, key extraction."""

import json

import pytest

from sscsi_provider_gcp.parameters import Auth, GcpRequest, read_request
from sscsi_provider_gcp.resources import Kind, read_resource
from sscsi_shared.errors import InvalidParameters, ObjectUnusable
from sscsi_shared.mount import MountInput, Output
from sscsi_shared.parameters import read_mount
from sscsi_shared.testing.stage import POD, pod_attributes
from sscsi_shared.transform import JsonKey, YamlKey

SECRET = "projects/project/secrets/test/versions/latest"
ENTRY = f"- resourceName: {SECRET}\n  fileName: good1.txt\n"
KEY = {"key.json": '{"type": "service_account"}'}


def mount(secrets: str | None = ENTRY, *, referenced: object = None, attributes: str = "", **more: str) -> MountInput:
    sent = more | ({} if secrets is None else {"secrets": secrets}) | pod_attributes(POD)
    return read_mount(attributes or json.dumps(sent), json.dumps(referenced or {}), "511", "/some/path", ())


def read(secrets: str | None = ENTRY, *, allowed: bool = True, **more: object) -> GcpRequest:
    return read_request(mount(secrets, **more), keys_allowed=allowed)  # type: ignore[arg-type]


def modes(request: GcpRequest) -> list[int]:
    return [output.mode for entry in request.entries for output in entry.outputs]


def test_one_entry() -> None:
    request = read()
    assert request.auth is Auth.POD
    assert request.mount.pod == POD
    assert [(entry.written, entry.outputs) for entry in request.entries] == [
        (SECRET, (Output("good1.txt", 0o777, SECRET),))
    ]


@pytest.mark.parametrize(
    ("written", "mode"), [("0600", 0o600), ("256", 0o400), ("0o400", 0o400)], ids=["0600", "256", "0o400"]
)
def test_modes(written: str, mode: int) -> None:
    assert modes(read(f"{ENTRY}  mode: {written}\n")) == [mode]


def test_two_entries_in_order() -> None:
    second = f"- resourceName: {SECRET}\n  path: good2.txt\n  mode: 0600\n"
    request = read(ENTRY + second)
    assert [output.path for entry in request.entries for output in entry.outputs if isinstance(output, Output)] == [
        "good1.txt",
        "good2.txt",
    ]
    assert modes(request) == [0o777, 0o600]


def test_path_wins_over_file_name() -> None:
    (entry,) = read(f"{ENTRY}  path: a/b\n").entries
    assert [output.path for output in entry.outputs if isinstance(output, Output)] == ["a/b"]


@pytest.mark.parametrize(
    ("referenced", "auth", "expected"),
    [(KEY, "", Auth.KEY), (None, "provider-adc", Auth.NODE), (None, "pod-adc", Auth.POD), (None, "", Auth.POD)],
)
def test_auth(referenced: object, auth: str, expected: Auth) -> None:
    assert read(referenced=referenced, auth=auth).auth is expected


@pytest.mark.parametrize("auth", ["pod-adc", "provider-adc"])
def test_key_and_auth(auth: str) -> None:
    with pytest.raises(InvalidParameters, match=f"attempting to set both nodePublishSecretRef and {auth} auth"):
        read(referenced=KEY, auth=auth)


def test_unknown_auth() -> None:
    with pytest.raises(InvalidParameters, match='unknown auth configuration: "super-good-auth"'):
        read(auth="super-good-auth")


def test_a_key_that_is_not_allowed_is_refused() -> None:
    """better= the existing provider ignores it without a word, and logs in as the pod."""
    with pytest.raises(InvalidParameters, match="ALLOW_NODE_PUBLISH_SECRET=true"):
        read(referenced=KEY, allowed=False)
    assert read(allowed=False).auth is Auth.POD


@pytest.mark.parametrize(
    ("secrets", "text"),
    [
        (None, "missing required 'secrets' attribute"),
        (f"{ENTRY}  mode: -rw-------\n", "must be a whole number"),
        ("- [", "failed to unmarshal secrets attribute: "),
        ("a: b", "failed to unmarshal secrets attribute: "),
        ("- ", "failed to unmarshal secrets attribute: the list entry is empty"),
        (f"{ENTRY}  mode: 07777\n", "mode"),
        (f"- resourceName: {SECRET}\n", "invalid path: must not be empty"),
        (
            f"{ENTRY}  extractJSONKey: a\n  extractYAMLKey: b\n",
            "both ExtractJSONKey and ExtractYAMLKey can't be simultaneously non empty strings",
        ),
    ],
)
def test_errors(secrets: str | None, text: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        read(secrets)
    assert text in str(caught.value)


def test_attributes_that_are_none() -> None:
    for attributes in ("", "[]", '{"secrets": "x",}'):
        with pytest.raises(InvalidParameters, match="failed to unmarshal attributes"):
            read(attributes=attributes) if attributes else read_mount("", "{}", "511", "/t", ())


def test_no_entries() -> None:
    assert read("").entries == ()
    assert read("[]").entries == ()


@pytest.mark.parametrize(
    ("name", "kind", "location"),
    [
        ("projects/p/secrets/s/versions/latest", Kind.SECRET, ""),
        ("projects/p/secrets/s/versions/2", Kind.SECRET, ""),
        ("projects/p/locations/us-central1/secrets/s/versions/latest", Kind.SECRET, "us-central1"),
        ("projects/p/locations/us-central1/secrets/s/versions/3", Kind.SECRET, "us-central1"),
        ("projects/p/locations/global/parameters/x/versions/latest", Kind.PARAMETER, ""),
        ("projects/p/locations/global/parameters/x/versions/1", Kind.PARAMETER, ""),
        ("projects/p/locations/europe-west1/parameters/x/versions/v1", Kind.PARAMETER, "europe-west1"),
        ("//secretmanager.googleapis.com/projects/p/secrets/s/versions/1", Kind.SECRET, ""),
    ],
)
def test_resources(name: str, kind: Kind, location: str) -> None:
    found = read_resource(name)
    assert (found.kind, found.location) == (kind, location)
    assert found.name == name.removeprefix("//secretmanager.googleapis.com/")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("projects/p/secrets/s", "unknown resource type"),
        ("projects/p/locations/l/secrets/s", "unknown resource type"),
        ("projects/p/locations/l/parameters/x", "unknown resource type"),
        ("secrets/x/versions/latest", "unknown resource type"),
        ("parameters/x/versions/latest", "unknown resource type"),
        ("", "unknown resource type"),
        ("random", "unknown resource type"),
        ("projects/p/locations/split/location/secrets/s/versions/1", "unknown resource type"),
        (f"projects/p/locations/{'l' * 31}/secrets/s/versions/1", "Invalid location: " + "l" * 31),
        (f"projects/p/locations/{'l' * 31}/parameters/s/versions/1", "Invalid location: " + "l" * 31),
        # better= the existing provider asks a host that does not exist
        ("projects/p/locations/global/secrets/s/versions/1", "Invalid location: global"),
        ("projects/p/locations/a.b/secrets/s/versions/1", "Invalid location: a.b"),
    ],
)
def test_names_that_are_none(name: str, text: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        read_resource(name)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("contents", "key", "value"),
    [
        ('{"user": "admin"}', "user", b"admin"),
        ('{"user": ""}', "user", b""),
        ('{"user": " a b "}', "user", b" a b "),
        ('{"u$/.s": "<&>\\n"}', "u$/.s", b"<&>\n"),
        ('{"ключ": "значение"}', "ключ", "значение".encode()),
        ('{"": "x"}', "", b"x"),
    ],
)
def test_json_keys(contents: str, key: str, value: bytes) -> None:
    assert JsonKey(key).apply(contents.encode()) == value


@pytest.mark.parametrize(
    ("contents", "key", "text"),
    [
        ('{"a": null}', "a", "unsupported value type for key 'a'"),
        ('{"a": {}}', "a", "unsupported value type for key 'a'"),
        ('{"a": []}', "a", "unsupported value type for key 'a'"),
        ('{"a": 1}', "b", "key 'b' not found in JSON"),
        ("{}", "b", "key 'b' not found in JSON"),
        ("{}", "", "key '' not found in JSON"),
        ('{"a": "b', "a", "failed to unmarshal JSON"),
        ("plain", "a", "failed to unmarshal JSON"),
        ("", "a", "failed to unmarshal JSON"),
    ],
)
def test_json_keys_that_are_none(contents: str, key: str, text: str) -> None:
    with pytest.raises(ObjectUnusable) as caught:
        JsonKey(key).apply(contents.encode())
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(("contents", "value"), [("a: x y", b"x y"), ("a: ''", b""), ("a: yes", b"yes")])
def test_yaml_keys(contents: str, value: bytes) -> None:
    assert YamlKey("a").apply(contents.encode()) == value


def test_scalars_beyond_text_are_taken_as_written() -> None:
    """better= numbers and booleans, which the existing provider refuses (its issues 472, 569)."""
    assert JsonKey("a").apply(b'{"a": 5432}') == b"5432"
    assert JsonKey("a").apply(b'{"a": true}') == b"true"
    assert YamlKey("a").apply(b"a: 1.50") == b"1.50"


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        ("a: null", "unsupported value type for key 'a'"),
        ("a: ~", "unsupported value type for key 'a'"),
        ("a: {b: c}", "unsupported value type for key 'a'"),
        ("a: [b]", "unsupported value type for key 'a'"),
        ("a: 2024-01-01", "unsupported value type for key 'a'"),
        ("b: c", "key 'a' not found in YAML"),
        ("---", "key 'a' not found in YAML"),
        ("", "key 'a' not found in YAML"),
        ("a: b\n c: d", "failed to unmarshal YAML"),
    ],
)
def test_yaml_keys_that_are_none(contents: str, text: str) -> None:
    with pytest.raises(ObjectUnusable) as caught:
        YamlKey("a").apply(contents.encode())
    assert str(caught.value).startswith(text)
