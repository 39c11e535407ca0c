"""reference/driver.md section 20a, "Provider client", and the mount options of section 9."""

import stat
from collections.abc import Callable
from concurrent import futures
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from driver_rig import PREFIX, Driver, failure, needs_mount, status_files, until
from scripted_provider import ScriptedProvider, always, refuse
from sscsi_driver.dispatch import Providers
from sscsi_driver.errors import PublishError
from sscsi_shared.deadline import Deadline
from sscsi_shared.v1alpha1 import provider_pb2 as pb

pytestmark = needs_mount
_CONNECTED = "03"
"""State SS_CONNECTED (linux/net.h)."""


def answer(*files: tuple[str, int]) -> pb.MountResponse:
    return pb.MountResponse(
        object_version=[pb.ObjectVersion(id="secret/x", version="v1")],
        files=[pb.File(path=path, mode=mode, contents=b"x") for path, mode in files],
    )


def seen(target: Path) -> dict[str, int]:
    files = (path for path in (target / "..data").resolve().rglob("*") if path.is_file())
    return {str(path.relative_to((target / "..data").resolve())): stat.S_IMODE(path.stat().st_mode) for path in files}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"foo": 0o666}, id="one file: exactly that mode"),
        pytest.param({"foo": 0o644, "bar": 0o777, "baz": 0o600}, id="several, each its own"),
        pytest.param({"foo": 0o644, "baz/bar": 0o777}, id="nested"),
        pytest.param({r"baz\bar": 0o644}, id="a backslash is a letter"),
        pytest.param({"foo": 0}, id="mode 0: the mock provider's"),
    ],
)
def test_files_and_modes(driver: Driver, provider: ScriptedProvider, target: Path, files: dict[str, int]) -> None:
    provider.answer = always(answer(*files.items()))
    driver.publish(target)
    assert seen(target) == files


def test_versions_without_files_write_nothing(driver: Driver, provider: ScriptedProvider, target: Path) -> None:
    provider.answer = always(answer())
    driver.publish(target)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize(
    ("response", "code", "error_type", "text"),
    [
        (pb.MountResponse(), grpc.StatusCode.UNKNOWN, "GRPCProviderError", "missing object versions"),
        (
            pb.MountResponse(error=pb.Error(code="AuthenticationFailed")),
            grpc.StatusCode.UNKNOWN,
            "AuthenticationFailed",
            "mount request failed with provider error code AuthenticationFailed",
        ),
    ],
)
def test_answers_that_are_errors(
    driver: Driver,
    provider: ScriptedProvider,
    target: Path,
    response: pb.MountResponse,
    code: grpc.StatusCode,
    error_type: str,
    text: str,
) -> None:
    provider.answer = always(response)
    got, details = failure(lambda: driver.publish(target))
    assert (got, details[: len(PREFIX + text)]) == (code, PREFIX + text)
    assert driver.counted("node_publish_error_total", provider="test", error_type=error_type) == 1


def test_a_receive_limit_of_5_bytes(start: Callable[..., Driver], provider: ScriptedProvider, target: Path) -> None:
    driver = start(max_receive_bytes=5)
    code, details = failure(lambda: driver.publish(target))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "--max-call-recv-msg-size" in details
    assert driver.counted("node_publish_error_total", provider="test", error_type="GRPCProviderError") == 1


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("user quota exceeded", False),
        ("grpc: received message larger than max length allowed on current machine (1 vs. 2)", False),
        ("grpc: received message larger than max (5 vs. 4)", True),
    ],
)
def test_which_exhaustion_is_ours(
    driver: Driver, provider: ScriptedProvider, target: Path, text: str, hint: bool
) -> None:
    provider.answer = refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
    assert ("--max-call-recv-msg-size" in failure(lambda: driver.publish(target))[1]) == hint


@pytest.mark.parametrize("same", [True, False], ids=["one provider", "ten providers"])
def test_ten_at_once(home: Path, same: bool) -> None:
    names = ["p0" if same else f"p{number}" for number in range(10)]
    providers = Providers([home], 4096)
    with ExitStack() as stack:
        for name in set(names):
            scripted = ScriptedProvider(always(answer(("a", 0o644))))
            stack.enter_context(scripted.serving(home / f"{name}.sock"))
        with futures.ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda name: providers.version(name, Deadline.after(10)), names))
        for name in set(names):  # section 22: the existing driver leaks one where two ask first
            assert until(lambda: connections(home / f"{name}.sock") == 1)  # noqa: B023
    providers.close()
    assert len(answers) == 10


def connections(socket: Path) -> int:
    """Of the provider: the kernel's table names the path at the server's end."""
    lines = (line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:])
    return sum(fields[-1] == str(socket) and fields[5] == _CONNECTED for fields in lines)


def test_version(home: Path, provider: ScriptedProvider) -> None:
    providers = Providers([home / "b"], 4096)
    assert providers.version("test", Deadline.after(5)) == "scripted 1.2.3"
    providers.close()


def test_the_second_folder_is_searched_and_a_late_provider_found(driver: Driver, home: Path, target: Path) -> None:
    assert "provider not found" in failure(lambda: driver.publish(target))[1]
    with ScriptedProvider(always(answer(("a", 0o644)))).serving(home / "b" / "test.sock"):
        driver.publish(target)
    assert (target / "a").exists()


def test_a_name_that_is_no_name(driver: Driver, home: Path, target: Path) -> None:
    driver.classes.provider = "bad/provider/name"
    _, details = failure(lambda: driver.publish(target))
    assert 'invalid provider: provider "bad/provider/name"' in details
    with pytest.raises(PublishError, match="invalid provider"):
        Providers([home], 1).version("bad/provider/name", Deadline.after(1))


def test_of_a_repeated_id_the_last_version_counts_and_a_difference_is_said_once(
    driver: Driver, provider: ScriptedProvider, home: Path, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Section 4.4; the Google Cloud provider names a secret once for each file that it makes of it."""

    def versions(*pairs: tuple[str, str]) -> pb.MountResponse:
        return pb.MountResponse(object_version=[pb.ObjectVersion(id=name, version=word) for name, word in pairs])

    provider.answer = always(versions(("a", "1"), ("a", "1"), ("b", "1")))
    driver.publish(target)
    assert "two versions" not in caplog.text
    provider.answer = always(versions(("a", "1"), ("a", "2"), ("b", "1"), ("b", "3")))
    for number in range(3):
        driver.publish(home / f"pod-{number}")
    for name in "ab":
        assert caplog.text.count(f"provider test named two versions of {name}; the last counts") == 1
    (status,) = status_files(home).values()
    assert status["status"]["objects"] == [{"id": "a", "version": "2"}, {"id": "b", "version": "3"}]
