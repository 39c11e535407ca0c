"""The texts of a MountRequest, read."""

import json

import pytest

from sscsi_shared.errors import InvalidParameters
from sscsi_shared.mount import MountInput, PodInfo
from sscsi_shared.parameters import Parameters, read_mount
from sscsi_shared.secret import SecretText

CSI = "csi.storage.k8s.io/"
TARGET = "/var/lib/kubelet/pods/u/volumes/kubernetes.io~csi/v/mount"


def read(
    attributes: str = "{}",
    secrets: str = "null",
    permission: str = "420",
    target_path: str = TARGET,
    versions: list[tuple[str, str]] | None = None,
) -> MountInput:
    return read_mount(attributes, secrets, permission, target_path, versions or [])


def refused(
    attributes: str = "{}", secrets: str = "null", permission: str = "420", target_path: str = TARGET
) -> InvalidParameters:
    with pytest.raises(InvalidParameters) as caught:
        read(attributes, secrets, permission, target_path)
    return caught.value


def test_everything_goes_to_its_place() -> None:
    attributes = {
        "objects": "- objectName: a\n",
        "region": "eu-west-1",
        "secretProviderClass": "shop",
        f"{CSI}pod.name": "web-0",
        f"{CSI}pod.namespace": "shop",
        f"{CSI}pod.uid": "u-1",
        f"{CSI}serviceAccount.name": "web",
        f"{CSI}ephemeral": "true",
        f"{CSI}serviceAccount.tokens": json.dumps({"sts.amazonaws.com": {"token": "a.b.c"}}),
    }
    secrets = {"key.json": "{}", f"{CSI}serviceAccount.tokens": "stolen"}
    mount = read(json.dumps(attributes), json.dumps(secrets), versions=[("a", "1"), ("a", "2")])
    assert mount.attributes == {
        "objects": "- objectName: a\n",
        "region": "eu-west-1",
        "secretProviderClass": "shop",
    }
    assert mount.secrets == {"key.json": SecretText("{}")}
    assert mount.pod == PodInfo(namespace="shop", name="web-0", uid="u-1", service_account="web")
    assert mount.tokens.for_audience("sts.amazonaws.com").token == SecretText("a.b.c")
    assert mount.target_path == TARGET
    assert mount.default_mode == 0o644
    assert mount.current_versions == {"a": "2"}


def test_tokens_absent_empty_and_broken_are_told_apart_later() -> None:
    assert not read().tokens.present
    assert read(json.dumps({f"{CSI}serviceAccount.tokens": ""})).tokens.present
    assert read(json.dumps({f"{CSI}serviceAccount.tokens": "{"})).tokens.problem == "it is not JSON"


@pytest.mark.parametrize("secrets", ["null", "{}", "", "  ", " null\n"])
def test_no_secrets(secrets: str) -> None:
    assert read(secrets=secrets).secrets == {}


def test_the_target_path_comes_first() -> None:
    assert refused(target_path="", attributes="broken").message.startswith("Missing mount path")
    assert "4096" in refused(target_path="/" * 5000).message


ATTRIBUTES = "failed to unmarshal attributes, error: "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON at line 1, column 1."),
        ("{", "not valid JSON at line 1, column 2."),
        ('{"a": "b",}', "not valid JSON at line 1, column 1"),
        ('{"a":\n x}', "not valid JSON at line 2, column 2."),
        ("null", "must be a JSON object of text to text."),
        ("[]", "must be a JSON object of text to text."),
        ('"x"', "must be a JSON object of text to text."),
        ("NaN", "not valid JSON."),
        ('{"a": 1}', 'the value of "a" is not text.'),
        ('{"a": null}', 'the value of "a" is not text.'),
        ('{"objects": [{"objectName": "x"}]}', 'the value of "objects" is not text.'),
        ("[" * 100_000, "nested too deeply."),
        ("9" * 5000, "not valid JSON."),
        (json.dumps({str(n): "" for n in range(10_001)}), "more than 10000 keys."),
        ('"' + "x" * (4 << 20) + '"', "longer than 4 MiB."),
        ('"' + "é" * (2 << 20) + '"', "longer than 4 MiB."),
    ],
    ids=range(16),
)
def test_attributes_that_are_not_text_to_text(text: str, message: str) -> None:
    error = refused(attributes=text)
    assert str(error).startswith(ATTRIBUTES + message)
    assert len(str(error)) < 300


def test_secrets_have_their_own_text() -> None:
    assert refused(secrets="[]").message == "failed to unmarshal secrets, error: must be a JSON object of text to text."


@pytest.mark.parametrize(("text", "mode"), [("420", 0o644), ("0", 0), (" 256\n", 0o400), ("511", 0o777)])
def test_permission(text: str, mode: int) -> None:
    assert read(permission=text).default_mode == mode


@pytest.mark.parametrize(
    "text",
    ["", "null", '"0644"', "0644", "-1", "+1", "420.0", "4.2e2", "0x1a4", "512", "4095", "4294967296", "9" * 5000, "٤"],
)
def test_bad_permission(text: str) -> None:
    error = refused(permission=text)
    assert str(error).startswith("failed to unmarshal file permission, error: ")
    assert error.hint == "420 stands for 0644 (octal)."
    assert len(str(error)) < 200


def test_half_surrogate_pairs_become_replacement_characters() -> None:
    mount = read('{"k\\ud800": "a\\ud800b", "whole": "\\ud83d\\ude00"}', '{"s": "\\udc00"}')
    assert mount.attributes == {"k\ufffd": "a\ufffdb", "whole": "\U0001f600"}
    assert mount.secrets == {"s": SecretText("\ufffd")}


def test_too_many_current_versions() -> None:
    with pytest.raises(InvalidParameters, match="more than 10000 current object versions"):
        read(versions=[("a", "1")] * 10_001)


@pytest.mark.parametrize(
    "texts",
    [
        {"attributes": '{"csi.storage.k8s.io/serviceAccount.tokens": "SECRET'},
        {"attributes": '{"csi.storage.k8s.io/serviceAccount.tokens": {"a": "SECRET"}}'},
        {"attributes": '{"a": "SECRET\\q"}'},
        {"attributes": "SECRET"},
        {"secrets": '{"password": "SECRET"'},
        {"secrets": '{"password": ["SECRET"]}'},
        {"permission": '"SECRET"'},
    ],
)
def test_no_error_repeats_the_content(texts: dict[str, str]) -> None:
    error = refused(**texts)
    chain: BaseException | None = error
    while chain is not None:
        assert "SECRET" not in f"{chain} {chain!r} {vars(chain)}"
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)


KNOWN = ("objects", "region", "usePodIdentity", "pathTranslation")


def test_text_and_required() -> None:
    parameters = Parameters({"region": " eu ", "empty": " "}, KNOWN)
    assert parameters.text("region") == " eu "
    assert parameters.text("none") == ""
    assert parameters.text("none", "x") == "x"
    assert parameters.required("region") == " eu "
    assert "region" in parameters
    assert "none" not in parameters
    with pytest.raises(InvalidParameters, match=r"parameters\.empty: The parameter `empty` is empty"):
        parameters.required("empty")


@pytest.mark.parametrize("key", ["object", "Objects", "objetcs", "objects ", "OBJECT"])
def test_a_misspelt_key_is_named(key: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        Parameters({key: "- x", "region": "eu"}, KNOWN).required("objects", "List the secrets to mount.")
    assert caught.value.path == "parameters.objects"
    assert caught.value.message == "The parameter `objects` is missing."
    assert caught.value.hint == f"There is `{key.strip()}`: did you mean `objects`? List the secrets to mount."


def test_a_known_key_is_not_taken_for_a_misspelt_one() -> None:
    assert Parameters({"region": "x"}, ("region", "regions")).misspelt("regions") == ""
    assert Parameters({"region": "x"}).misspelt("regions") == "There is `region`: did you mean `regions`?"
    assert Parameters({"colour": "x"}).misspelt("objects") == ""


def test_required_may_have_a_wire_text() -> None:
    with pytest.raises(InvalidParameters) as caught:
        Parameters({}).required("secrets", message="missing required 'secrets' attribute")
    assert caught.value.message == "missing required 'secrets' attribute"


@pytest.mark.parametrize("word", ["1", "t", "T", "TRUE", "true", "True"])
def test_true(word: str) -> None:
    assert Parameters({"usePodIdentity": word}).boolean("usePodIdentity") is True


@pytest.mark.parametrize("word", ["0", "f", "F", "FALSE", "false", "False"])
def test_false(word: str) -> None:
    assert Parameters({"usePodIdentity": word}).boolean("usePodIdentity", True) is False


def test_an_absent_or_empty_boolean_is_its_default() -> None:
    assert Parameters({}).boolean("usePodIdentity", True) is True
    assert Parameters({"usePodIdentity": ""}).boolean("usePodIdentity") is False


@pytest.mark.parametrize("word", ["yes", "no", "tRUE", " true", "2", "wahr"])
def test_any_other_word_is_no_boolean(word: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        Parameters({"usePodIdentity": word}).boolean("usePodIdentity")
    assert caught.value.message == (
        f'failed to parse usePodIdentity value, error: strconv.ParseBool: parsing "{word.strip()}": invalid syntax.'
    )


def test_a_boolean_may_have_a_wire_text() -> None:
    with pytest.raises(InvalidParameters, match=r'^parameters\.x: failed to parse x flag, error: strconv.*"yes"'):
        Parameters({"x": "yes"}).boolean("x", message="failed to parse x flag, error: ")
