"""A filled volume is asked for again."""

import json
from pathlib import Path

import grpc
import pytest

from driver_rig import INTERVAL, POD, TOKENS, Driver, needs_mount, status_files, until
from scripted_provider import Answer, ScriptedProvider, always, refuse, volume
from sscsi_driver.rotation import Rotation
from sscsi_shared.v1alpha1 import provider_pb2 as pb

pytestmark = needs_mount


class TestRotation:
    """A filled volume asked for again: republished by kubelet, or by the driver's own timer."""

    def test_inside_the_interval_no_provider_is_asked_but_tokens_are_kept(
        self, rotating: Driver, provider: ScriptedProvider, target: Path
    ) -> None:
        rotating.publish(target, volume_context={**POD, TOKENS: '{"a":{"token":"old"}}'})
        rotating.now += INTERVAL - 1
        rotating.publish(target, volume_context={**POD, TOKENS: '{"a":{"token":"new"}}'})
        assert len(provider.requests) == 1

        rotating.now += 2
        rotation = Rotation(rotating.publisher)
        assert rotation.look() == 1
        assert until(lambda: len(provider.requests) == 2)
        rotation.stop()

        assert json.loads(json.loads(provider.requests[1].attributes)[TOKENS])["a"]["token"] == "new"
        assert rotating.publisher.due() == []

    def test_new_content_is_swapped_in(
        self, rotating: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        rotating.publish(target)
        provider.answer = always(volume(("password", b"two"), ("new", b"n"), version="2"))
        rotating.now += INTERVAL + 1

        rotating.publish(target)

        assert (target / "password").read_bytes() == b"two"
        assert (target / "new").read_bytes() == b"n"
        (status,) = status_files(home).values()
        assert {one["version"] for one in status["status"]["objects"]} == {"2"}
        assert rotating.counted("rotation_reconcile_total", provider="test", rotated="true") == 1
        assert rotating.registry.get_sample_value("rotation_reconcile_duration_sec_count", {"os_type": "linux"}) == 1

    def test_unchanged_content_writes_nothing(
        self, rotating: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        rotating.publish(target)
        before = ((target / "..data").readlink(), target.stat().st_mtime_ns)
        status = (home / "status" / "shop.web-0-shop-demo.yaml").stat().st_mtime_ns
        rotating.now += INTERVAL + 1
        rotating.publish(target)
        assert len(provider.requests) == 2
        assert ((target / "..data").readlink(), target.stat().st_mtime_ns) == before
        assert (home / "status" / "shop.web-0-shop-demo.yaml").stat().st_mtime_ns == status

    @pytest.mark.parametrize(
        ("answer", "error_type"),
        [
            (refuse(grpc.StatusCode.PERMISSION_DENIED, "no more"), "GRPCProviderError"),
            (always(pb.MountResponse()), "GRPCProviderError"),
            (always(volume(("../x", b""))), "FileWriteError"),
        ],
    )
    def test_errors_keep_the_files_and_are_masked(
        self, rotating: Driver, provider: ScriptedProvider, target: Path, answer: Answer, error_type: str
    ) -> None:
        rotating.publish(target)
        provider.answer = answer
        rotating.now += INTERVAL + 1

        rotating.publish(target)

        assert len(provider.requests) == 2
        assert (target / "password").read_bytes() == b"one"
        assert (
            rotating.counted("rotation_reconcile_error_total", provider="test", error_type=error_type, rotated="true")
            == 1
        )

    def test_a_vanished_class_is_masked(self, rotating: Driver, provider: ScriptedProvider, target: Path) -> None:
        rotating.publish(target)
        rotating.classes.present = False
        rotating.now += INTERVAL + 1
        rotating.publish(target)
        assert (target / "password").read_bytes() == b"one"

    def test_without_rotation_a_filled_volume_is_left_alone(
        self, driver: Driver, provider: ScriptedProvider, target: Path
    ) -> None:
        driver.publish(target)
        driver.now += 1e6
        driver.publish(target)
        assert len(provider.requests) == 1

    def test_the_timer_does_it_by_itself(self, rotating: Driver, provider: ScriptedProvider, target: Path) -> None:
        rotating.publish(target)
        provider.answer = always(volume(("password", b"two")))
        rotation = Rotation(rotating.publisher, tick_seconds=0.02)
        rotation.start()
        try:
            rotating.now += INTERVAL + 1
            assert until(lambda: (target / "password").read_bytes() == b"two")
        finally:
            rotation.stop()
