"""Providers that fail, hang, die or answer nonsense."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest

import scripted_provider
from driver_rig import INTERVAL, PREFIX, Driver, failure, gone, mounts, needs_mount
from scripted_provider import Answer, ScriptedProvider, always, refuse, volume
from sscsi_shared.v1alpha1 import provider_pb2 as pb

pytestmark = needs_mount


class TestProviderFails:
    """A first publish that fails says why and leaves nothing; the retry is a first publish again."""

    @pytest.mark.parametrize(
        ("answer", "code", "text", "error_type"),
        [
            pytest.param(
                refuse(grpc.StatusCode.UNAVAILABLE, "the backend is down"),
                grpc.StatusCode.UNAVAILABLE,
                "the backend is down",
                "GRPCProviderError",
                id="unavailable",
            ),
            pytest.param(
                refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "throttled"),
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "throttled",
                "GRPCProviderError",
                id="exhausted",
            ),
            pytest.param(
                refuse(grpc.StatusCode.PERMISSION_DENIED, "role may not read", "AccessDenied"),
                grpc.StatusCode.PERMISSION_DENIED,
                "role may not read",
                "AccessDenied",
                id="ours, with a reason",
            ),
            pytest.param(
                refuse(grpc.StatusCode.UNKNOWN, "several\nlines " + "x" * 60_000),
                grpc.StatusCode.UNKNOWN,
                "several lines xxx",
                "GRPCProviderError",
                id="60 KiB of text",
            ),
            pytest.param(
                always(volume(("big", b"x" * (5 << 20)))),
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "received message larger than max",
                "GRPCProviderError",
                id="5 MiB",
            ),
            pytest.param(
                always(pb.MountResponse(error=pb.Error(code="Forbidden"))),
                grpc.StatusCode.UNKNOWN,
                "mount request failed with provider error code Forbidden",
                "Forbidden",
                id="error code",
            ),
            pytest.param(
                always(pb.MountResponse(files=[pb.File(path="a")])),
                grpc.StatusCode.UNKNOWN,
                "missing object versions",
                "GRPCProviderError",
                id="no versions",
            ),
            pytest.param(
                always(volume(("../out", b"x"))),
                grpc.StatusCode.INTERNAL,
                "the provider answered a file",
                "FileWriteError",
                id="climbs out",
            ),
            pytest.param(
                always(volume(("a", b"x"), ("a/b", b"x"))),
                grpc.StatusCode.INTERNAL,
                "the provider answered a file",
                "FileWriteError",
                id="file under file",
            ),
            pytest.param(
                always(volume(*((f"f{n}", b"") for n in range(2000)))),
                grpc.StatusCode.INTERNAL,
                "the volume's files can't be written: No space left",
                "FileWriteError",
                id="too many files",
            ),
        ],
    )
    def test_a_clear_error_and_a_clean_retry(
        self,
        rotating: Driver,
        provider: ScriptedProvider,
        home: Path,
        target: Path,
        answer: Answer,
        code: grpc.StatusCode,
        text: str,
        error_type: str,
    ) -> None:
        provider.answer = answer

        for _ in range(2):
            got, details = failure(lambda: rotating.publish(target))
            assert got is code
            assert details.startswith(PREFIX + text)
            assert len(details) <= 2600
            assert gone(home, target)

        assert len(provider.requests) == 2
        assert rotating.counted("node_publish_error_total", provider="test", error_type=error_type) == 2
        provider.answer = always(volume(("password", b"one")))
        rotating.publish(target)
        assert (target / "password").read_bytes() == b"one"

    def test_too_large_an_answer_names_the_flag(self, driver: Driver, provider: ScriptedProvider, target: Path) -> None:
        provider.answer = always(volume(("big", b"x" * (5 << 20))))
        assert "--max-call-recv-msg-size" in failure(lambda: driver.publish(target))[1]

    def test_no_such_provider(self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path) -> None:
        driver.classes.provider = "tset"

        code, details = failure(lambda: driver.publish(target))

        assert code is grpc.StatusCode.UNKNOWN
        assert details.startswith(PREFIX + 'error connecting to provider "tset": provider not found: provider "tset"')
        assert f"{home}/a (no sockets in it); {home}/b (sockets: test.sock)" in details
        assert gone(home, target)
        assert driver.counted("node_publish_error_total", provider="tset", error_type="ProviderNotFound") == 1

    def test_a_dead_socket_is_named_at_once(self, driver: Driver, home: Path, target: Path) -> None:
        dead = home / "b" / "test.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(dead))

        began = time.monotonic()
        code, details = failure(lambda: driver.publish(target))

        assert time.monotonic() - began < 2
        assert code is grpc.StatusCode.UNAVAILABLE
        assert f"connection refused: nobody listens on {dead}" in details
        assert gone(home, target)

    def test_a_provider_that_comes_later_is_found(self, driver: Driver, home: Path, target: Path) -> None:
        failure(lambda: driver.publish(target))
        with ScriptedProvider(always(volume(("password", b"late")))).serving(home / "b" / "test.sock"):
            driver.publish(target)
        assert (target / "password").read_bytes() == b"late"

    def test_a_provider_that_was_replaced_is_called_on_its_new_socket(
        self, rotating: Driver, home: Path, target: Path
    ) -> None:
        path = home / "b" / "test.sock"
        for contents in (b"one", b"two", b"three"):
            with ScriptedProvider(always(volume(("password", contents)))).serving(path):
                rotating.publish(target)
                rotating.rotate()
                rotating.now += 2 * INTERVAL
                assert (target / "password").read_bytes() == contents
            path.unlink(missing_ok=True)

    def test_a_socket_that_never_speaks(self, driver: Driver, home: Path, target: Path) -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(home / "b" / "test.sock"))
            listener.listen(16)
            code, _ = failure(lambda: driver.publish(target, timeout=5))
        assert code in {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE}
        assert gone(home, target)

    def test_a_provider_that_hangs_ends_before_the_caller(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        provider.answer = provider.hang
        code, details = failure(lambda: driver.publish(target, timeout=4))
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert details.startswith(f'{PREFIX}provider "test" on {home}/b/test.sock did not answer in time')
        assert gone(home, target)

    def test_a_status_that_cant_be_written_fails_the_first_mount(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        (home / "status").write_text("no folder")
        code, details = failure(lambda: driver.publish(target))
        assert code is grpc.StatusCode.INTERNAL
        assert details.startswith("failed to create secret provider class pod status for pod shop/web-0, err: ")
        assert (mounts(home), target.exists()) == ([], False)


Begin = Callable[..., subprocess.Popen[str]]


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Start a provider of its own process; all are killed at the end."""
    processes: list[subprocess.Popen[str]] = []

    def start(path: Path, *what: str) -> subprocess.Popen[str]:
        command = [sys.executable, scripted_provider.__file__, str(path), *what]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert line(processes[-1]) == "ready\n"
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        if process.stdout is not None:
            process.stdout.close()
        process.wait()


class TestProviderDies:
    """A provider of its own process, killed in the middle of a mount."""

    def test_killed_for_good(self, driver: Driver, begin: Begin, home: Path, target: Path) -> None:
        path = home / "b" / "test.sock"
        process = begin(path, "hang")
        with futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(failure, lambda: driver.publish(target))
            assert line(process) == "asked\n"
            began = time.monotonic()
            process.kill()
            code, details = call.result(10)
        assert time.monotonic() - began < 5
        assert code is grpc.StatusCode.UNAVAILABLE
        assert details.startswith(
            f'{PREFIX}error connecting to provider "test": connection refused: nobody listens on {path} after the '
            "provider was lost in the middle of the mount."
        )
        assert gone(home, target)

        path.unlink()
        begin(path, "answer", "one")
        driver.publish(target)
        assert (target / "password").read_bytes() == b"one"

    def test_replaced_in_the_middle(self, driver: Driver, begin: Begin, home: Path, target: Path) -> None:
        """A new provider took the path over before the old one died: the connection breaks, the mount does not."""
        path = home / "b" / "test.sock"
        old = begin(path, "hang")
        with futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(driver.publish, target)
            assert line(old) == "asked\n"
            path.unlink()
            begin(path, "answer", "two")
            old.kill()
            call.result(10)
        assert (target / "password").read_bytes() == b"two"

    def test_one_that_refuses_is_asked_once(self, driver: Driver, begin: Begin, home: Path, target: Path) -> None:
        process = begin(home / "b" / "test.sock", "unavailable")
        assert failure(lambda: driver.publish(target)) == (
            grpc.StatusCode.UNAVAILABLE,
            f"{PREFIX}the backend is down",
        )
        process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == "asked\n"
        assert gone(home, target)
