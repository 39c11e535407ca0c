"""A filled volume is asked for again."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest

from driver_rig import INTERVAL, POD, TOKENS, Driver, mounts, needs_mount, status_files, until
from scripted_provider import Answer, ScriptedProvider, always, refuse, volume
from sscsi_driver import tmpfs
from sscsi_driver.attributes import DriverObject
from sscsi_driver.metrics import ContentAge
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
        rotation = Rotation(rotating.refresher)
        assert rotation.look() == 1
        assert until(lambda: len(provider.requests) == 2)
        rotation.stop()

        assert json.loads(json.loads(provider.requests[1].attributes)[TOKENS])["a"]["token"] == "new"
        assert rotating.refresher.due() == ()

    def test_a_fetch_uses_what_kubelet_read_last_of_the_referenced_secret(
        self, rotating: Driver, provider: ScriptedProvider, target: Path
    ) -> None:
        """nodePublishSecretRef, and tokens where the CSIDriver object says that they come beside it."""
        rotating.classes.driver = DriverObject(token_requests=True, tokens_in_secrets=True, pod_info=True)
        for word in ("old", "new"):
            rotating.publish(target, secrets={"password": word, TOKENS: f'{{"a":{{"token":"{word}"}}}}'})
        rotating.now += INTERVAL
        assert rotating.rotate() == 1
        assert [json.loads(request.secrets) for request in provider.requests] == [
            {"password": "old"},
            {"password": "new"},
        ]
        sent = [json.loads(json.loads(request.attributes)[TOKENS]) for request in provider.requests]
        assert [one["a"]["token"] for one in sent] == ["old", "new"]

    def test_new_content_is_swapped_in(
        self, rotating: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        rotating.publish(target)
        provider.answer = always(volume(("password", b"two"), ("new", b"n"), version="2"))
        rotating.now += INTERVAL + 1

        rotating.publish(target)
        assert (target / "password").read_bytes() == b"one", "a publish fetches nothing"
        assert rotating.rotate() == 1

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
        assert rotating.rotate() == 1
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

        rotating.rotate()
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
        assert rotating.rotate() == 1
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
        rotation = Rotation(rotating.refresher, tick_seconds=0.02)
        rotation.start()
        try:
            rotating.now += INTERVAL + 1
            assert until(lambda: (target / "password").read_bytes() == b"two")
        finally:
            rotation.stop()

    def test_a_publish_never_waits_for_a_fetch(
        self, rotating: Driver, provider: ScriptedProvider, target: Path
    ) -> None:
        rotating.publish(target)
        provider.answer = provider.hang
        provider.asked.clear()
        rotating.now += INTERVAL + 1
        rotation = Rotation(rotating.refresher)
        rotation.look()
        assert provider.asked.wait(10)
        rotating.publish(target, timeout=5, volume_context={**POD, TOKENS: '{"a":{"token":"newer"}}'})
        rotation.stop()
        assert (target / "password").read_bytes() == b"one"
        provider.answer = always(volume(("password", b"two")))
        rotating.now += INTERVAL + 1
        assert rotating.rotate() == 1
        assert "newer" in provider.requests[-1].attributes

    @pytest.mark.parametrize(
        ("of_class", "of_pod", "expected"),
        [
            ({}, {}, INTERVAL),
            ({"rotationPollInterval": "10m"}, {}, 600.0),
            ({"rotationPollInterval": "10m"}, {"rotationPollInterval": "30s"}, 30.0),
            ({"rotationPollInterval": "1ms"}, {}, 10.0),
            ({"rotationPollInterval": "often"}, {}, INTERVAL),
        ],
    )
    def test_class_and_pod_may_say_how_often(
        self,
        rotating: Driver,
        provider: ScriptedProvider,
        target: Path,
        of_class: dict[str, str],
        of_pod: dict[str, str],
        expected: float,
    ) -> None:
        rotating.classes.parameters |= of_class
        rotating.publish(target, volume_context={**POD, **of_pod})
        for _ in range(2):
            rotating.now += expected - 1
            assert rotating.rotate() == 0
            rotating.now += 1
            assert rotating.rotate() == 1
        assert "rotationPollInterval" not in provider.requests[0].attributes

    def test_never(self, rotating: Driver, provider: ScriptedProvider, target: Path) -> None:
        rotating.classes.parameters["rotationPollInterval"] = "never"
        rotating.publish(target)
        rotating.now += 1e9
        assert rotating.rotate() == 0

    def test_without_republishing_there_is_no_rotation(
        self, rotating: Driver, provider: ScriptedProvider, target: Path
    ) -> None:
        rotating.classes.driver = DriverObject(True, False, True, republish=False)
        rotating.publish(target)
        rotating.now += 1e9
        assert rotating.rotate() == 0

    def test_old_tokens_wait_for_newer_ones(self, rotating: Driver, provider: ScriptedProvider, target: Path) -> None:
        def tokens(seconds: float) -> dict[str, str]:
            ends = datetime.fromtimestamp(rotating.now + seconds, UTC).isoformat()
            return {**POD, TOKENS: json.dumps({"a": {"token": "t", "expirationTimestamp": ends}})}

        rotating.publish(target, volume_context=tokens(INTERVAL + 30))
        rotating.now += INTERVAL + 1
        assert rotating.rotate() == 0
        assert rotating.registry.get_sample_value("sscsi_rotation_skipped_total", {"reason": "tokens"}) == 1
        rotating.publish(target, volume_context=tokens(3600))
        assert rotating.rotate() == 1

    def test_a_throttled_backend_is_left_alone_as_long_as_it_asks(
        self, rotating: Driver, provider: ScriptedProvider, target: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        def throttle(request: pb.MountRequest, context: grpc.ServicerContext) -> pb.MountResponse:
            context.set_trailing_metadata((("sscsi-reason", "BackendThrottled"), ("sscsi-retry-after", "30")))
            context.abort(grpc.StatusCode.UNKNOWN, "aws: throttled")
            raise AssertionError("abort raises")

        caplog.set_level(logging.INFO)
        rotating.publish(target)
        provider.answer = throttle
        rotating.now += INTERVAL
        assert rotating.rotate() == 1
        rotating.now += 29
        assert rotating.rotate() == 0
        rotating.now += 1
        assert rotating.rotate() == 1
        assert caplog.text.count("keeps its previous files") == 1, "one line for a change of state"

        provider.answer = always(volume(("password", b"one")))
        rotating.now += 60
        assert rotating.rotate() == 1
        assert "is up to date again" in caplog.text

    def test_a_volume_that_lost_its_mount_is_filled_anew(
        self, rotating: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        rotating.publish(target)
        tmpfs.unmount(target)
        rotating.now += INTERVAL
        assert rotating.rotate() == 1, "it finds nothing to rotate"
        assert len(provider.requests) == 1
        rotating.publish(target)
        assert mounts(home) == [str(target)]
        assert (target / "password").read_bytes() == b"one"
        rotating.now += INTERVAL
        assert rotating.rotate() == 1
        assert len(provider.requests) == 3

    def test_the_age_of_content_grows_until_it_is_confirmed(
        self, rotating: Driver, provider: ScriptedProvider, target: Path
    ) -> None:
        rotating.publish(target)
        rotating.now += INTERVAL
        assert rotating.refresher.ages() == [ContentAge("shop", "demo", INTERVAL)]
        assert rotating.refresher.states()["waiting"] == 1
        provider.answer = refuse(grpc.StatusCode.NOT_FOUND, "gone")
        rotating.rotate()
        assert rotating.refresher.ages() == [ContentAge("shop", "demo", INTERVAL)]
        provider.answer = always(volume(("password", b"one")))
        rotating.now += INTERVAL
        rotating.rotate()
        assert rotating.refresher.ages() == [ContentAge("shop", "demo", 0.0)]
        rotating.unpublish(target)
        assert rotating.refresher.ages() == []
        assert set(rotating.refresher.states().values()) == {0}
