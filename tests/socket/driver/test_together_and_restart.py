"""Calls at the same time, and a driver that begins where another one has died."""

import threading
import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path

import grpc
import pytest

from driver_rig import INTERVAL, LIMITS, Driver, failure, gone, mounts, needs_mount, status_files
from scripted_provider import ScriptedProvider, always, refuse, volume
from sscsi_driver import tmpfs
from sscsi_shared.mount import SecretFile
from sscsi_shared.publish import publish
from sscsi_shared.secret import SecretBytes

pytestmark = needs_mount


class TestTogether:
    """Calls on one target at the same time."""

    def test_parallel_publishes_make_one_mount(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        with futures.ThreadPoolExecutor(10) as pool:
            for call in [pool.submit(driver.publish, target) for _ in range(10)]:
                call.result()
        assert mounts(home) == [str(target)]
        assert len(provider.requests) == 1

    def test_unpublish_stops_a_fill_and_wins(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        provider.answer = provider.hang
        with futures.ThreadPoolExecutor(3) as pool:
            publishes = [pool.submit(failure, lambda: driver.publish(target)) for _ in range(2)]
            assert provider.asked.wait(10)
            began = time.monotonic()
            driver.unpublish(target)
            assert time.monotonic() - began < 5
            codes = {call.result(10)[0] for call in publishes}
        assert codes <= {grpc.StatusCode.ABORTED, grpc.StatusCode.UNAVAILABLE}
        assert provider.cancelled.wait(10)
        assert gone(home, target)

        provider.answer = always(volume(("password", b"one")))
        driver.publish(target)
        assert (target / "password").read_bytes() == b"one"

    def test_a_caller_that_goes_stops_the_fill(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        provider.answer = provider.hang
        call = driver.node.NodePublishVolume.future(driver.request(target), timeout=30)
        assert provider.asked.wait(10)
        call.cancel()
        assert provider.cancelled.wait(10)
        for _ in range(100):
            if gone(home, target):
                break
            threading.Event().wait(0.05)
        assert gone(home, target)


class TestRestart:
    """A driver that begins where another one has died: mounts survive, memory does not."""

    def test_a_filled_volume_is_refreshed(
        self, start: Callable[..., Driver], provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        first = start(rotation_interval=INTERVAL)
        first.publish(target)
        first.stop()
        provider.answer = always(volume(("password", b"two")))

        second = start(rotation_interval=INTERVAL)
        assert second.rotate() == 0
        second.publish(target)
        assert second.rotate() == 1

        assert (target / "password").read_bytes() == b"two"
        assert mounts(home) == [str(target)]

    def test_errors_of_that_refresh_are_masked(
        self, start: Callable[..., Driver], provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        first = start(rotation_interval=INTERVAL)
        first.publish(target)
        first.stop()
        provider.answer = refuse(grpc.StatusCode.UNAVAILABLE, "down")

        second = start(rotation_interval=INTERVAL)
        second.publish(target)
        assert second.rotate() == 1
        second.publish(target)

        assert (target / "password").read_bytes() == b"one"

    def test_without_rotation_it_is_taken_as_it_is(
        self, start: Callable[..., Driver], provider: ScriptedProvider, target: Path
    ) -> None:
        first = start()
        first.publish(target)
        first.stop()
        start().publish(target)
        assert len(provider.requests) == 1

    @pytest.mark.parametrize("leftover", [(), ("..2020_01_01_00_00_00.1",)])
    def test_a_mount_that_was_never_filled_is_filled(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path, leftover: tuple[str, ...]
    ) -> None:
        target.mkdir(parents=True)
        tmpfs.mount(target, LIMITS)
        for name in leftover:
            (target / name).mkdir()
        provider.answer = refuse(grpc.StatusCode.NOT_FOUND, "no such secret")
        assert failure(lambda: driver.publish(target))[0] is grpc.StatusCode.NOT_FOUND
        assert gone(home, target)

        provider.answer = always(volume(("password", b"one")))
        driver.publish(target)
        assert mounts(home) == [str(target)]
        assert (target / "password").read_bytes() == b"one"

    def test_files_of_unknown_origin_stay_and_the_error_is_not_final(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        target.mkdir(parents=True)
        tmpfs.mount(target, LIMITS)
        (target / "own").write_bytes(b"perhaps a running pod's")
        provider.answer = refuse(grpc.StatusCode.NOT_FOUND, "no such secret")

        code, details = failure(lambda: driver.publish(target))

        assert (code, "no such secret" in details) == (grpc.StatusCode.ABORTED, True)
        assert (target / "own").exists()
        driver.unpublish(target)
        assert gone(home, target)

    def test_the_status_of_a_volume_from_before_goes_too(
        self, start: Callable[..., Driver], provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        first = start()
        first.publish(target)
        first.stop()
        assert status_files(home)
        start().unpublish(target)
        assert gone(home, target)

    def test_a_volume_whose_first_fill_was_cut_off_is_filled_anew(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        """The driver died after the provider had written, before kubelet heard OK (recording 17: firstm)."""
        target.mkdir(parents=True)
        tmpfs.mount(target, LIMITS)
        publish(target, [SecretFile("password", 0o600, SecretBytes(b"half"))])
        (target / "..unfinished").touch()
        provider.answer = refuse(grpc.StatusCode.NOT_FOUND, "no such secret")
        assert failure(lambda: driver.publish(target))[0] is grpc.StatusCode.NOT_FOUND
        assert gone(home, target)

        provider.answer = always(volume(("password", b"one")))
        driver.publish(target)
        assert (target / "password").read_bytes() == b"one"
        assert not (target / "..unfinished").exists()

    def test_a_rebooted_node_starts_clean(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        """The tmpfs has gone with the boot; what lies in the plain directory is on the node's disk."""
        target.mkdir(parents=True)
        (target / "leaked").write_bytes(b"on disk")
        driver.publish(target)
        assert mounts(home) == [str(target)]
        tmpfs.unmount(target)
        assert list(target.iterdir()) == []
