"""Killing any daemon in the middle of a mount: a clear error within 5 s, nothing left behind, and a clean retry."""

import threading
import time
from collections.abc import Callable, Iterator

import grpc
import pytest

from driver_rig import CANT_MOUNT
from sscsi.clouds.cloud import VALUE
from sscsi.kubelet import PodVolume
from sscsi.stage import Stage
from sscsi_emulators.faults import Fault

pytestmark = [pytest.mark.e2e, pytest.mark.mount]

LIMIT_SECONDS = 5.0


@pytest.fixture
def slow() -> Iterator[Stage]:
    """A stage on which a mount takes long enough to be interrupted."""
    if CANT_MOUNT:
        pytest.skip(CANT_MOUNT)
    with Stage() as stage:
        stage.aws.latency_seconds = 30
        yield stage


def interrupted(stage: Stage, volume: PodVolume, interrupt: Callable[[], None]) -> str:
    """Publish, interrupt once the backend is being asked, and give back the error's text."""
    errors: list[grpc.RpcError] = []
    told = threading.Event()

    def publish() -> None:
        try:
            with stage.kubelet() as kubelet:
                kubelet.publish(volume)
        except grpc.RpcError as error:
            errors.append(error)
        told.set()

    thread = threading.Thread(target=publish)
    thread.start()
    ends = time.monotonic() + 20
    while not stage.aws.calls:
        assert time.monotonic() < ends, "the backend was never asked"
        time.sleep(0.01)
    interrupt()
    assert told.wait(LIMIT_SECONDS), "no answer within 5 s"
    thread.join()
    assert errors, "the mount succeeded"
    error = errors[0]
    assert isinstance(error, grpc.Call)
    return error.details() or ""


def mounts_cleanly(stage: Stage, volume: PodVolume) -> None:
    stage.aws.latency_seconds = 0
    with stage.kubelet() as kubelet:
        target = kubelet.publish(volume)
        assert (target / "password").read_text() == VALUE
        kubelet.unpublish(volume)
    assert not target.exists()


def test_the_provider_is_killed(slow: Stage) -> None:
    volume = slow.volume()
    text = interrupted(slow, volume, slow.provider.kill)
    assert "aws" in text
    assert str(slow.provider.socket) in text
    assert not volume.target(slow.kubelet_root).exists()
    with slow.kubelet() as kubelet, pytest.raises(grpc.RpcError) as caught:
        kubelet.publish(volume)  # a dead socket is told at once
    assert str(slow.provider.socket) in str(caught.value)
    slow.provider.start()
    mounts_cleanly(slow, volume)


def test_the_driver_is_killed(slow: Stage) -> None:
    volume = slow.volume()
    interrupted(slow, volume, slow.driver.kill)
    slow.driver.start()
    mounts_cleanly(slow, volume)


def test_the_backend_dies(slow: Stage) -> None:
    slow.aws.latency_seconds = 1
    slow.aws.faults.add(Fault("*", 0, "", ""))
    volume = slow.volume()
    text = interrupted(slow, volume, lambda: None)
    assert "no answer" in text
    assert not volume.target(slow.kubelet_root).exists()
    slow.aws.faults.clear()
    mounts_cleanly(slow, volume)


def test_the_pod_goes_while_its_volume_is_filled(slow: Stage) -> None:
    volume = slow.volume()

    def unpublish() -> None:
        with slow.kubelet() as kubelet:
            kubelet.unpublish(volume)

    assert "unpublished" in interrupted(slow, volume, unpublish)
    assert not volume.target(slow.kubelet_root).exists()
    mounts_cleanly(slow, volume)
