"""What a real kubelet (1.36.3) sends, replayed: recording 17. Whose word counts, and what each error code leaves."""

import json
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from driver_rig import INTERVAL, TOKENS, Driver, failure, gone, mounts, needs_mount
from scripted_provider import ScriptedProvider, always, refuse, volume
from sscsi_driver.attributes import refusal
from sscsi_driver.classes import driver_of
from sscsi_driver.csi import csi_pb2
from sscsi_driver.errors import NON_FINAL
from sscsi_driver.mountinfo import driver_of_volume

pytestmark = needs_mount

RECORDING: Final = json.loads(
    (Path(__file__).parents[1] / "emulator" / "recordings" / "17-node-publish-view.json").read_text()
)
UNFINISHED: Final = sorted(NON_FINAL, key=lambda code: code.name)
FINAL: Final = sorted({*grpc.StatusCode} - NON_FINAL - {grpc.StatusCode.OK}, key=lambda code: code.name)


def name(code: grpc.StatusCode) -> str:
    return code.name


def plain(value: Any) -> Any:
    """A recorded value with its placeholders as plain text."""
    if isinstance(value, dict):
        if "$json" in value:
            return json.dumps(plain(value["$json"]))
        if "$jwt" in value:
            return f"true {value['$jwt']}"
        return {key: plain(item) for key, item in value.items()}
    return value


def called() -> list[Any]:
    """The pods whose volume kubelet asked the driver for."""
    return [
        pytest.param(step, id=step["case"])
        for step in RECORDING["steps"]
        if isinstance(step.get("first NodePublishVolume"), dict) and "request" in step["first NodePublishVolume"]
    ]


@pytest.mark.parametrize("step", called())
def test_a_recorded_pod(
    step: dict[str, Any], rotating: Driver, provider: ScriptedProvider, home: Path, target: Path
) -> None:
    recorded = plain(step["first NodePublishVolume"]["request"])
    context, secrets = recorded["volume_context"], recorded.get("secrets", {})
    spec = step["csiDriverSpec"]
    asked, in_secrets = bool(spec.get("tokenRequests")), spec.get("serviceAccountTokenInSecrets") is True
    rotating.classes.driver = driver_of({"spec": spec})
    context |= {"csi.storage.k8s.io/pod.namespace": "shop"} if "csi.storage.k8s.io/pod.namespace" in context else {}
    changes: dict[str, Any] = {
        "volume_id": recorded["volume_id"],
        "volume_capability": csi_pb2.VolumeCapability(**recorded["volume_capability"]),
        "volume_context": context,
        "secrets": secrets,
        "readonly": recorded.get("readonly", False),
    }

    if "csi.storage.k8s.io/pod.uid" not in context:
        assert refusal("driver", rotating.classes.driver)
        assert failure(lambda: rotating.publish(target, **changes))[0] is grpc.StatusCode.INVALID_ARGUMENT
        assert gone(home, target)
        return
    if not recorded.get("readonly") or "secretProviderClass" not in context:
        assert failure(lambda: rotating.publish(target, **changes))[0] in {
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.UNKNOWN,
        }
        assert gone(home, target)
        return
    rotating.publish(target, **changes)
    (request,) = provider.requests
    told = json.loads(request.attributes)
    expected = (secrets if in_secrets else context)[TOKENS] if asked else None
    assert told.get(TOKENS) == expected
    assert "forged" not in request.attributes
    assert TOKENS not in request.secrets
    assert told["csi.storage.k8s.io/pod.uid"] == context["csi.storage.k8s.io/pod.uid"]
    rotating.publish(target, **changes)  # a republish equals the first call
    assert len(provider.requests) == 1
    rotating.unpublish(target)
    assert gone(home, target)


@pytest.mark.parametrize("code", FINAL, ids=name)
def test_after_a_final_code_nothing_is_left_for_kubelet(
    rotating: Driver, provider: ScriptedProvider, home: Path, target: Path, code: grpc.StatusCode
) -> None:
    """After these kubelet never calls NodeUnpublishVolume, and a mount would stay for ever (case firstm-internal)."""
    provider.answer = refuse(code, "refused")
    got, _ = failure(lambda: rotating.publish(target))
    assert got is code
    assert gone(home, target)


@pytest.mark.parametrize("code", UNFINISHED, ids=name)
def test_after_an_unfinished_one_the_retry_really_mounts(
    rotating: Driver, provider: ScriptedProvider, home: Path, target: Path, code: grpc.StatusCode
) -> None:
    """Better: the existing driver answers OK to the retry within its interval, over an empty directory (20c)."""
    provider.answer = refuse(code, "not now")
    failure(lambda: rotating.publish(target))
    provider.answer = always(volume(("password", b"one")))
    rotating.publish(target)
    assert mounts(home) == [str(target)]
    assert (target / "password").read_bytes() == b"one"


@pytest.mark.parametrize("code", [*FINAL, *UNFINISHED], ids=name)
def test_no_code_on_rotation_reaches_kubelet(
    rotating: Driver, provider: ScriptedProvider, target: Path, code: grpc.StatusCode
) -> None:
    rotating.publish(target)
    provider.answer = refuse(code, "no more")
    rotating.now += INTERVAL
    assert rotating.rotate() == 1
    rotating.publish(target)
    assert (target / "password").read_bytes() == b"one"


def test_kubelets_note_is_read() -> None:
    (step,) = (step for step in RECORDING["steps"] if step["case"] == "view-plain")
    assert driver_of_volume(json.dumps(step["vol_data.json"]["content"]).encode()) == "probe-plain.example.com"
