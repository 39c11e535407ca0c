"""Input that is wrong, through driver and provider: the status, and a message that names object, cause and remedy."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace

import grpc
import pytest
from grpc import StatusCode

from sscsi.clouds.aws import ROLE, AwsCloud
from sscsi.clouds.cloud import ACCOUNT, NAMESPACE, POD, VALUE
from sscsi.kubelet import PodVolume, ask_provider
from sscsi.mount import read_volume
from sscsi.stage import Stage
from sscsi_emulators.faults import Fault
from sscsi_shared.secret import SecretText
from sscsi_shared.v1alpha1 import provider_pb2

pytestmark = [pytest.mark.e2e, pytest.mark.mount]

AUDIENCE = AwsCloud.audience

ENTRY = "- {objectName: password, objectType: secretsmanager"
FOLDERS = {"pathTranslation": "False"}
SLASHES = {"pathTranslation": "/"}


@pytest.fixture(autouse=True)
def calm(stage: Stage) -> Iterator[None]:
    yield
    stage.aws.faults.clear()


def refused(stage: Stage, volume: PodVolume) -> tuple[StatusCode, str]:
    """Status and text of a publish that must fail and leave nothing behind."""
    with stage.kubelet() as kubelet, pytest.raises(grpc.RpcError) as caught:
        kubelet.publish(volume)
    assert not volume.target(stage.kubelet_root).exists()
    error = caught.value
    assert isinstance(error, grpc.Call)
    text = error.details() or ""
    assert len(text.encode()) <= 2048 + 200
    assert VALUE not in text
    assert not any(token.reveal() in text for token in volume.tokens.values())
    return error.code(), text


@pytest.mark.parametrize(
    ("objects", "parameters", "code", "words"),
    [
        ("password", {}, StatusCode.INVALID_ARGUMENT, ["Failed to load SecretProviderClass", "must be a list"]),
        ("- password", {}, StatusCode.INVALID_ARGUMENT, ["objects[0]", "must be a mapping"]),
        ("-\n- {objectName: a}", {}, StatusCode.INVALID_ARGUMENT, ["objects[0] (line 1", "Empty descriptor entry"]),
        (
            "- objectNme: a",
            {},
            StatusCode.INVALID_ARGUMENT,
            ["Object name must be specified", "did you mean `objectName`"],
        ),
        ("- objectName: a", {}, StatusCode.INVALID_ARGUMENT, ["Must use objectType", "ssmparameter"]),
        ("- {objectName: a, objectType: s3}", {}, StatusCode.INVALID_ARGUMENT, ["Invalid objectType: s3"]),
        (f"{ENTRY}}}\n{ENTRY}}}", {}, StatusCode.INVALID_ARGUMENT, ["objects[1]", "duplicate object name password"]),
        (f"{ENTRY}, objectAlias: /etc/passwd}}", SLASHES, StatusCode.INVALID_ARGUMENT, ["/etc/passwd"]),
        (f"{ENTRY}, objectAlias: a/../../b}}", FOLDERS, StatusCode.INVALID_ARGUMENT, ["path can not contain ../"]),
        (f"{ENTRY}, objectAlias: a//b}}", FOLDERS, StatusCode.INVALID_ARGUMENT, ["shortest form", "a/b"]),
        (f"{ENTRY}, objectAlias: {'x' * 300}}}", {}, StatusCode.INVALID_ARGUMENT, ["255"]),
        (f"{ENTRY}, objectAlias: {'x/' * 2100}y}}", FOLDERS, StatusCode.INVALID_ARGUMENT, ["4096"]),
        (
            f"{ENTRY}, objectAlias: a}}\n{ENTRY}, objectAlias: a/b}}",
            FOLDERS,
            StatusCode.INVALID_ARGUMENT,
            ["would lie under", "which is a file"],
        ),
        (f'{ENTRY}, filePermission: "0900"}}', {}, StatusCode.INVALID_ARGUMENT, ["Invalid File Permission: 0900"]),
        (
            f"{ENTRY}, jmesPath: [{{path: user, objectAlias: u}}]}}",
            {},
            StatusCode.FAILED_PRECONDITION,
            ["Invalid JSON used with jmesPath in secret: password"],
        ),
        (
            "- {objectName: nope, objectType: secretsmanager}",
            {},
            StatusCode.NOT_FOUND,
            ["Failed fetching secret nope", ROLE, "ResourceNotFoundException"],
        ),
    ],
)
def test_a_wrong_class(
    stage: Stage, objects: str, parameters: Mapping[str, str], code: StatusCode, words: list[str]
) -> None:
    stage.put_class("odd", {"objects": objects, **parameters})
    found, text = refused(stage, stage.volume("odd"))
    assert found is code, text
    for word in words:
        assert word in text


def test_a_misspelt_parameter(stage: Stage) -> None:
    stage.put_class("odd", {"object": "[]"})
    code, text = refused(stage, stage.volume("odd"))
    assert code is StatusCode.INVALID_ARGUMENT
    assert "did you mean `objects`?" in text


def test_no_objects_at_all_is_an_empty_volume(stage: Stage) -> None:
    stage.put_class("odd", {"objects": "[]"})
    volume = stage.volume("odd")
    with stage.kubelet() as kubelet:
        assert read_volume(kubelet.publish(volume), reveal=True) == []
        kubelet.unpublish(volume)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("missing", ["serviceAccount.tokens not provided", "tokenRequests"]),
        ("another audience", ['token for audience "sts.amazonaws.com" not found']),
        ("expired", ["has expired", "`exp`"]),
        ("of another account", ["claim `sub`", "system:serviceaccount:application-one:other"]),
        ("for another audience", ["claim `aud`"]),
        ("of another pod", ["kubernetes.io.pod.uid"]),
        ("not a JWT", ["is not a JWT"]),
    ],
)
def test_a_token_that_proves_nothing(stage: Stage, case: str, words: list[str]) -> None:
    stage.kubernetes.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": NAMESPACE, "name": "other"}}
    )
    volume = stage.volume()
    sign = stage.kubernetes.token
    tokens = {
        "missing": {},
        "another audience": {"vault": volume.tokens[AUDIENCE]},
        "expired": stage.tokens(seconds=-60),
        "of another account": {AUDIENCE: SecretText(sign(NAMESPACE, "other", AUDIENCE))},
        "for another audience": {AUDIENCE: SecretText(sign(NAMESPACE, ACCOUNT, "vault"))},
        "of another pod": {AUDIENCE: SecretText(sign(NAMESPACE, ACCOUNT, AUDIENCE, POD, "another-uid"))},
        "not a JWT": {AUDIENCE: SecretText("opaque-token-canary")},
    }[case]
    before = stage.kubernetes.calls.total() + stage.aws.calls.total()
    code, text = refused(stage, replace(volume, tokens=tokens))
    assert code is StatusCode.UNAUTHENTICATED, text
    for word in words:
        assert word in text
    assert stage.kubernetes.calls.total() + stage.aws.calls.total() == before, "asked before the token proved itself"


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Fault("*", 0, "", ""), StatusCode.UNKNOWN, ["no answer", "Check the way to AWS"]),
        (Fault("*", 503, "ServiceUnavailable", "busy"), StatusCode.UNKNOWN, ["ServiceUnavailable: busy"]),
        (
            Fault("secretsmanager.GetSecretValue", 400, "ThrottlingException", "Rate exceeded"),
            StatusCode.UNKNOWN,
            ["ThrottlingException: Rate exceeded"],
        ),
        (
            Fault("secretsmanager.GetSecretValue", 400, "AccessDeniedException", "canary " * 9000),
            StatusCode.PERMISSION_DENIED,
            ["AccessDeniedException: canary"],
        ),
    ],
)
def test_a_backend_in_trouble(stage: Stage, fault: Fault, code: StatusCode, words: list[str]) -> None:
    stage.aws.faults.add(fault)
    found, text = refused(stage, stage.volume())
    assert found is code, text
    for word in ["password", ROLE, *words] if fault.operation != "*" else [ROLE, *words]:
        assert word in text


def test_five_mebibytes(stage: Stage) -> None:
    names = [f"large-{number}" for number in range(82)]
    for name in names:
        stage.aws.put_secret(name, "x" * 65_000)
    objects = "\n".join(f"- {{objectName: {name}, objectType: secretsmanager}}" for name in names)
    stage.put_class("odd", {"objects": objects})
    code, text = refused(stage, stage.volume("odd"))
    assert code is StatusCode.FAILED_PRECONDITION
    assert "--max-call-recv-msg-size" in text


def test_many_failures_are_told_at_once(stage: Stage) -> None:
    objects = "\n".join(f"- {{objectName: nope-{n}, objectType: secretsmanager}}" for n in range(14))
    stage.put_class("odd", {"objects": objects})
    code, text = refused(stage, stage.volume("odd"))
    assert code is StatusCode.NOT_FOUND
    assert "14 objects failed" in text
    assert "[1] " in text
    assert text.endswith(" more")


def test_a_class_of_an_unknown_provider(stage: Stage) -> None:
    stage.put_class("odd", {"objects": "[]"}, "nobody")
    code, text = refused(stage, stage.volume("odd"))
    assert code is StatusCode.UNKNOWN
    assert 'provider not found: provider "nobody"' in text
    assert str(stage.sockets) in text
    assert "aws.sock" in text


def test_a_class_that_is_not_there(stage: Stage) -> None:
    code, text = refused(stage, stage.volume("nowhere"))
    assert code is StatusCode.UNKNOWN
    assert "failed to get secretproviderclass application-one/nowhere" in text
    assert "application-one-spc" in text


@pytest.mark.parametrize("field", ["attributes", "secrets", "permission"])
@pytest.mark.parametrize("text", ["{", "[]", "{canary", '"canary"'])
def test_a_request_that_is_no_json(stage: Stage, field: str, text: str) -> None:
    request = provider_pb2.MountRequest(attributes="{}", secrets="null", permission="420", target_path="/t")
    setattr(request, field, text)
    with pytest.raises(grpc.RpcError) as caught:
        ask_provider(stage.provider.socket, request, 10)
    error = caught.value
    assert isinstance(error, grpc.Call)
    assert error.code() is StatusCode.INVALID_ARGUMENT
    assert "failed to unmarshal" in (error.details() or "")
    assert "canary" not in (error.details() or "")


def test_fifty_pods_at_once(stage: Stage) -> None:
    failures: list[str] = []

    def mount(number: int) -> None:
        volume = stage.volume(pod=f"pod-{number}")
        try:
            with stage.kubelet() as kubelet:
                target = kubelet.publish(volume)
                if (target / "password").read_text() != VALUE:
                    failures.append(f"pod-{number} has other content")
                kubelet.unpublish(volume)
        except grpc.RpcError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=mount, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
