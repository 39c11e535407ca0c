"""A provider that writes the volume itself: only into a pod's own tmpfs, however the path is spelt or planted."""

import fcntl
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from driver_rig import CANT_MOUNT
from hand import Hand
from sscsi.daemons import Daemon
from sscsi.kubelet import ask_provider
from sscsi_driver import tmpfs
from sscsi_driver.tmpfs import TmpfsLimits
from sscsi_emulators.canned_aws import CannedAws
from sscsi_emulators.tokens import unsigned_token
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import InvalidParameters, ObjectUnusable, OutOfTime
from sscsi_shared.mount import MountInput, MountResult, ObjectVersion, PodInfo, SecretFile
from sscsi_shared.secret import SecretBytes
from sscsi_shared.server.writing import WritingMounter
from sscsi_shared.tokens import ABSENT
from sscsi_shared.v1alpha1 import provider_pb2

pytestmark = [pytest.mark.mount, pytest.mark.skipif(bool(CANT_MOUNT), reason=CANT_MOUNT or "mounting works")]

ACCOUNT = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: sa, namespace: ns, annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::123456789012:role/app'}}
"""
VOLUME = "pods/uid/volumes/kubernetes.io~csi/secrets/mount"


class Scripted:
    """Reads as told, and counts."""

    def __init__(self) -> None:
        self.files = {"db/user": b"web"}
        self.asked = 0

    def mount(self, mount: MountInput, deadline: Deadline) -> MountResult:
        self.asked += 1
        files = tuple(SecretFile(path, 0o440, SecretBytes(contents)) for path, contents in self.files.items())
        return MountResult(files, tuple(ObjectVersion(path, "1") for path in self.files))


@contextmanager
def mounted(target: Path, size: int = 1 << 20) -> Iterator[Path]:
    target.mkdir(parents=True, exist_ok=True)
    tmpfs.mount(target, TmpfsLimits(size, 64))
    try:
        yield target
    finally:
        tmpfs.unmount(target)


class Rig:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.reads = Scripted()
        self.mounter = WritingMounter(self.reads, root)

    def mount(self, target: Path | str, deadline: Deadline | None = None) -> MountResult:
        given = MountInput({}, {}, PodInfo("ns", "pod", "uid", "sa"), ABSENT, str(target))
        return self.mounter.mount(given, deadline or Deadline.after(20))

    def refused(self, target: Path | str) -> str:
        with pytest.raises(InvalidParameters) as caught:
            self.mount(target)
        assert str(caught.value).startswith("Wrong mount path: ")
        assert self.reads.asked == 0
        return str(caught.value)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_files_are_written_and_only_versions_are_answered(rig: Rig) -> None:
    with mounted(rig.root / VOLUME) as target:
        result = rig.mount(target)
        assert result == MountResult((), (ObjectVersion("db/user", "1"),))
        file = target / "db" / "user"
        assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"web", 0o440)
        rig.reads.files = {"other": b"new"}
        rig.mount(target)
        assert sorted(one.name for one in target.iterdir() if not one.name.startswith("..")) == ["other"]


def test_what_the_existing_provider_wrote_is_replaced(rig: Rig) -> None:
    with mounted(rig.root / VOLUME) as target:
        (target / "db").write_bytes(b"old")
        rig.reads.files = {"db": b"new"}
        rig.mount(target)
        assert (target / "db").read_bytes() == b"new"


@pytest.mark.parametrize(
    "target",
    [
        "/etc",
        "{root}",
        "{root}/pods",
        "{root}/pods/../../etc",
        "{root}/pods/./uid",
        "{root}/pods//uid",
        "relative",
        "/",
    ],
)
def test_other_places(rig: Rig, target: str) -> None:
    (rig.root / "pods").mkdir()
    assert "it is not below" in rig.refused(target.format(root=rig.root))


def test_a_path_that_is_no_path(rig: Rig) -> None:
    (rig.root / "pods").mkdir()
    assert "it is no path of a volume" in rig.refused(f"{rig.root}/pods/{'x/' * 20}y")
    assert "it is no path of a volume" in rig.refused(f"{rig.root}/pods/a\0b")
    assert "No such file" in rig.refused(f"{rig.root}/pods/gone")


def test_a_folder_is_no_volume(rig: Rig) -> None:
    target = rig.root / VOLUME
    target.mkdir(parents=True)
    assert "it is no mount point of a tmpfs" in rig.refused(target)
    assert not list(target.iterdir())


def test_a_folder_within_a_volume_is_no_volume(rig: Rig) -> None:
    with mounted(rig.root / VOLUME) as target:
        (target / "below").mkdir()
        assert "it is no mount point of a tmpfs" in rig.refused(target / "below")


def test_links_are_not_followed(rig: Rig) -> None:
    with mounted(rig.root / VOLUME) as target:
        (rig.root / "pods" / "link").symlink_to(target)
        assert "a part of it is a link" in rig.refused(rig.root / "pods" / "link")
        (rig.root / "pods" / "up").symlink_to("uid")
        assert "a part of it is a link" in rig.refused(rig.root / "pods" / "up" / Path(VOLUME).relative_to("pods/uid"))


def test_a_part_of_a_tmpfs_mounted_elsewhere_is_no_volume(rig: Rig) -> None:
    with mounted(rig.root / "source") as source:
        (source / "part").mkdir()
        target = rig.root / VOLUME
        target.mkdir(parents=True)
        assert os.system(f"mount --bind {source}/part {target}") == 0  # paths of pytest's own
        try:
            assert "it is no mount point of a tmpfs" in rig.refused(target)
        finally:
            tmpfs.unmount(target)


def test_the_volume_that_vanished_meanwhile_is_not_written(rig: Rig) -> None:
    target = rig.root / VOLUME
    with mounted(target):
        read = rig.reads.mount

        def unmounted(mount: MountInput, deadline: Deadline) -> MountResult:
            tmpfs.unmount(target)
            return read(mount, deadline)

        rig.mounter = WritingMounter(type("Leaves", (), {"mount": staticmethod(unmounted)})(), rig.root)
        with pytest.raises(InvalidParameters, match="no mount point of a tmpfs"):
            rig.mount(target)
    assert not list(target.iterdir())


def test_a_full_volume_keeps_what_it_had(rig: Rig) -> None:
    with mounted(rig.root / VOLUME, size=64 << 10) as target:
        rig.mount(target)
        rig.reads.files = {"db/user": b"SECRET" * 100_000}
        with pytest.raises(ObjectUnusable, match="No space left on device") as caught:
            rig.mount(target)
        assert "SECRET" not in str(caught.value)
        assert (target / "db" / "user").read_bytes() == b"web"


def test_one_writer_at_a_time_within_the_deadline(rig: Rig) -> None:
    with mounted(rig.root / VOLUME) as target:
        clock = Hand()

        def pause(seconds: float) -> None:
            clock.at += seconds

        rig.mounter = WritingMounter(rig.reads, rig.root, pause=pause)
        other = os.open(target, os.O_RDONLY)
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(OutOfTime):
            rig.mount(target, Deadline.after(3, clock))
        os.close(other)
        assert isinstance(rig.mount(target, Deadline.after(3, clock)), MountResult)


AS_IN_THE_CHART = (
    "setpriv",
    "--regid=65532",
    "--clear-groups",
    "--bounding-set=-all",
    "--inh-caps=-all",
    "--no-new-privs",
)
"""Root of the group 65532, without a capability."""


@pytest.mark.parametrize(
    "command",
    [
        (),
        pytest.param(
            AS_IN_THE_CHART,
            marks=pytest.mark.skipif(
                os.geteuid() != 0 or shutil.which("setpriv") is None, reason="root and setpriv (util-linux) are needed"
            ),
        ),
    ],
    ids=["as it is", "as in the chart"],
)
def test_the_daemon_writes_where_it_is_told_to(command: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, CannedAws() as aws:
        home = Path(folder)
        (home / "account.yaml").write_text(ACCOUNT)
        flags = ["--driver-writes-secrets=false", f"--kubelet-root={home}", f"--provider-volume={home}"]
        flags += [f"--objects={home}", "--region=eu-central-1"]
        flags += [f"--{service}-endpoint={aws.url}" for service in ("sts", "secretsmanager")]
        run = (*command, sys.executable, "-m", "sscsi_provider_aws") if command else ()
        daemon = Daemon("sscsi_provider_aws", flags, home / "aws.sock", home / "log", command=run)
        daemon.start()
        try:
            with mounted(home / VOLUME) as target:
                answer = ask_provider(home / "aws.sock", _request(target), 20)
                assert [version.id for version in answer.object_version] == ["db"]
                assert not answer.files
                assert (target / "db").read_text() == "db 0"
            with pytest.raises(grpc.RpcError) as caught:
                ask_provider(home / "aws.sock", _request(target), 20)
        finally:
            daemon.kill()
        assert isinstance(caught.value, grpc.Call)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert (caught.value.details() or "").startswith(
            f"Wrong mount path: {target}: it is no mount point of a tmpfs."
        )


def _request(target: Path) -> provider_pb2.MountRequest:
    attributes = {
        "objects": "[{objectName: db, objectType: secretsmanager}]",
        "csi.storage.k8s.io/pod.namespace": "ns",
        "csi.storage.k8s.io/serviceAccount.name": "sa",
        "csi.storage.k8s.io/serviceAccount.tokens": json.dumps(
            {"sts.amazonaws.com": {"token": unsigned_token("ns", "sa", "sts.amazonaws.com")}}
        ),
    }
    return provider_pb2.MountRequest(
        attributes=json.dumps(attributes), secrets="null", permission="420", target_path=str(target)
    )
