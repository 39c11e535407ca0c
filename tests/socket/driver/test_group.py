"""The pod's fsGroup, volume statistics, and the modes that a provider may ask for."""

import stat
from pathlib import Path

import grpc
import pytest

from driver_rig import POD, Driver, failure, gone, needs_mount
from scripted_provider import ScriptedProvider, always, volume
from sscsi_driver.csi import csi_pb2
from sscsi_shared.v1alpha1 import provider_pb2 as pb

pytestmark = needs_mount
GROUP = 3000


def capability(group: str) -> csi_pb2.VolumeCapability:
    return csi_pb2.VolumeCapability(mount=csi_pb2.VolumeCapability.MountVolume(volume_mount_group=group))


def looks(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_gid, stat.S_IMODE(status.st_mode)


@pytest.mark.parametrize(
    ("context", "directory"), [({}, 0o755), ({"strictGroup": "true"}, 0o2750), ({"strictGroup": "false"}, 0o755)]
)
def test_the_volume_belongs_to_the_pods_group(
    driver: Driver, provider: ScriptedProvider, target: Path, context: dict[str, str], directory: int
) -> None:
    provider.answer = always(volume(("dir/password", b"one"), mode=0o600))
    driver.publish(target, volume_capability=capability(str(GROUP)), volume_context={**POD, **context})
    assert looks(target) == looks(target / "dir") == (GROUP, directory)
    assert looks(target / "dir" / "password") == (GROUP, 0o640)
    assert "strictGroup" not in provider.requests[0].attributes


def test_the_class_may_say_it_too(driver: Driver, provider: ScriptedProvider, target: Path) -> None:
    driver.classes.parameters = {"objects": "x", "strictGroup": "true"}
    driver.publish(target, volume_capability=capability(str(GROUP)))
    assert looks(target) == (GROUP, 0o2750)


def test_files_that_the_provider_wrote_itself_too(driver: Driver, provider: ScriptedProvider, target: Path) -> None:
    def write(request: pb.MountRequest, context: grpc.ServicerContext) -> pb.MountResponse:
        Path(request.target_path, "own").touch(mode=0o600)
        return volume()

    provider.answer = write
    driver.publish(target, volume_capability=capability(str(GROUP)))
    assert looks(target / "own") == (GROUP, 0o640)
    assert sorted(path.name for path in target.iterdir()) == ["own"]


@pytest.mark.parametrize("group", ["root", "-1", "4294967295", "1.0", "99999999999", "²"])
def test_a_group_that_is_no_number_is_refused(
    driver: Driver, provider: ScriptedProvider, home: Path, target: Path, group: str
) -> None:
    code, details = failure(lambda: driver.publish(target, volume_capability=capability(group)))
    assert (code, "not a group's number" in details) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    assert gone(home, target)


def test_a_wrong_word_for_strict_is_refused(
    driver: Driver, provider: ScriptedProvider, home: Path, target: Path
) -> None:
    code, details = failure(lambda: driver.publish(target, volume_context={**POD, "strictGroup": "yes"}))
    assert (code, 'strictGroup must be "true" or "false"' in details) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    assert gone(home, target)


@pytest.mark.parametrize(("asked", "given"), [(0o7777, 0o777), (-1, 0o777), (0o4755, 0o755), (0o100644, 0o644), (0, 0)])
def test_modes_are_cut_to_the_permission_bits(
    driver: Driver,
    provider: ScriptedProvider,
    target: Path,
    asked: int,
    given: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider.answer = always(volume(("password", b"one"), mode=asked))
    driver.publish(target)
    assert looks(target / "password")[1] == given
    assert ("modes beyond 0777, which were cut: password" in caplog.text) == (asked != given)


def test_statistics_are_those_of_the_tmpfs(driver: Driver, provider: ScriptedProvider, target: Path) -> None:
    provider.answer = always(volume(("big", b"x" * 100_000)))
    driver.publish(target)

    answer = driver.node.NodeGetVolumeStats(
        csi_pb2.NodeGetVolumeStatsRequest(volume_id="csi-1", volume_path=str(target)), timeout=10
    )

    size, inodes = answer.usage
    assert (size.unit, size.total) == (csi_pb2.VolumeUsage.BYTES, 16 * 1024 * 1024)
    assert 100_000 <= size.used < 200_000
    assert size.available == size.total - size.used
    assert (inodes.unit, inodes.total, inodes.used) == (csi_pb2.VolumeUsage.INODES, 1024, 5)


@pytest.mark.parametrize(
    ("volume_id", "path", "code"),
    [
        ("", "/x", grpc.StatusCode.INVALID_ARGUMENT),
        ("csi-1", "", grpc.StatusCode.INVALID_ARGUMENT),
        ("csi-1", "/nowhere/at/all", grpc.StatusCode.NOT_FOUND),
        ("csi-1", "/etc/hostname", grpc.StatusCode.NOT_FOUND),
        ("csi-1", "/usr/bin", grpc.StatusCode.NOT_FOUND),
    ],
)
def test_statistics_of_what_is_no_volume(driver: Driver, volume_id: str, path: str, code: grpc.StatusCode) -> None:
    request = csi_pb2.NodeGetVolumeStatsRequest(volume_id=volume_id, volume_path=path)
    assert failure(lambda: driver.node.NodeGetVolumeStats(request, timeout=10))[0] is code
