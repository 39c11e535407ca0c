"""The images' own entry points, each as its own user, with a folder of sockets from outside: Version, Mount, mounts."""

import contextlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest

import image_rig
import images
from driver_rig import CANT_MOUNT
from image_rig import UNPRIVILEGED
from sscsi.clouds import ALL
from sscsi.clouds.cloud import ACCOUNT, CLASS, NAMESPACE, POD, VALUE
from sscsi.daemons import Daemon
from sscsi.kubelet import ask_provider, channel_to, mount_request
from sscsi.stage import KEEP_NOTHING, Stage
from sscsi_shared.v1alpha1 import provider_pb2, provider_pb2_grpc

pytestmark = pytest.mark.e2e
PREPARING = ("--user=0:0", "--cap-add=CHOWN", "--cap-add=FOWNER")


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """All backends, and the providers as processes beside: their flags are what the containers get."""
    image_rig.needs_images()
    with Stage(driver=False, clouds=ALL) as stage:
        yield stage


def readable(flags: Sequence[str], user: int, copies: Path) -> list[str]:
    """Options that show a provider the files that its flags name: copies that its user may read, at the same paths."""
    options = []
    for flag in flags:
        named = Path(flag.partition("=")[2])
        if not named.is_absolute() or not named.exists() or named.name == "sockets":
            continue
        copy = copies / flag.partition("=")[0].strip("-")
        if named.is_dir():
            shutil.copytree(named, copy, ignore=lambda _, names: [name for name in names if name.endswith(".sock")])
        else:
            shutil.copy(named, copy)
        options.append(f"--volume={copy}:{named}:ro")
    for path in [copies, *copies.rglob("*")]:
        os.chown(path, user, 65532)
    return options


@pytest.mark.parametrize("image", images.USERS)
def test_a_provider_answers(image: str, stage: Stage) -> None:
    user = images.USERS[image]
    own = Path(tempfile.mkdtemp(prefix="sscsi-image-", dir="/tmp"))
    sockets, copies = own / "sockets", own / "copies"
    sockets.mkdir(0o755)
    copies.mkdir()
    cloud = stage.clouds[image]
    planned = stage.provider_daemon(sockets, *KEEP_NOTHING, cloud=image)
    files = readable(planned.arguments, user, copies)
    folder = f"--volume={sockets}:{sockets}"
    try:
        prepared = image_rig.run(
            image, (*UNPRIVILEGED, *PREPARING, folder), f"--provider-volume={sockets}", "--prepare-folder"
        )
        assert prepared.returncode == 0, prepared.stderr
        there = sockets.stat()
        assert (there.st_uid, there.st_gid, stat.S_IMODE(there.st_mode)) == (0, 65532, 0o1770)
        command = image_rig.daemon_command(image, (*UNPRIVILEGED, folder, *files), cloud.environ())
        socket = sockets / f"{image}.sock"
        log = stage.folder / f"image-{image}.log"
        with Daemon(planned.module, planned.arguments, socket, log, command=command):
            found = socket.stat()
            assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (user, 65532, 0o600)
            assert version_of(socket) == images.version(image)
            volume = stage.volume(stage.class_of(image), pod=f"{POD}-{image}")
            request = mount_request(volume, stage.parameters_of(image), stage.kubelet_root)
            (file,) = ask_provider(socket, request, 60).files
            assert (file.path, file.contents) == (cloud.file, VALUE.encode())
            assert not may_read(user, pid_of(user)), "not even its own user reads its memory and environment"
        assert not socket.exists(), "it was told to end, and took its socket along"
        assert VALUE not in log.read_text()
    finally:
        shutil.rmtree(own)


def pid_of(user: int) -> int:
    """The process of a user, in its container or not."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # a process that ends meanwhile
            if entry.name.isdecimal() and f"\nUid:\t{user}\t" in (entry / "status").read_text():
                found.append(int(entry.name))
    (pid,) = found
    return pid


def may_read(user: int, pid: int) -> bool:
    """Whether a process of a user, of its group, may read the environment of another."""
    attempt = ["setpriv", f"--reuid={user}", "--regid=65532", "--clear-groups", "cat"]
    other = subprocess.Popen([*attempt, "/proc/self/environ"], stdout=subprocess.DEVNULL)
    assert other.wait() == 0, "it may read its own"
    return subprocess.run([*attempt, f"/proc/{pid}/environ"], check=False, capture_output=True).returncode == 0


def version_of(socket: Path) -> str:
    """What the daemon answers to Version."""
    with channel_to(socket) as channel:
        stub: Any = provider_pb2_grpc.CSIDriverProviderStub(channel)  # type: ignore[no-untyped-call]
        return str(stub.Version(provider_pb2.VersionRequest(version="v1alpha1"), timeout=10).runtime_version)


@pytest.mark.mount
@pytest.mark.skipif(bool(CANT_MOUNT), reason=CANT_MOUNT or "mounting works")
def test_the_driver_mounts_for_the_node(stage: Stage) -> None:
    """As its DaemonSet has it: privileged, its root can't be written, kubelet's folder shared both ways."""
    folder = stage.folder
    subprocess.run(["mount", "--bind", stage.kubelet_root, stage.kubelet_root], check=True)
    subprocess.run(["mount", "--make-rshared", stage.kubelet_root], check=True)
    options = ("--privileged", "--read-only", f"--volume={folder}:{folder}",
               f"--volume={stage.kubelet_root}:{stage.kubelet_root}:rshared")  # fmt: skip
    command = image_rig.daemon_command("driver", options, {})
    planned = stage.driver
    driver = Daemon(planned.module, planned.arguments, planned.socket, folder / "image-driver.log", command=command)
    try:
        with driver, stage.kubelet() as kubelet:
            volume = stage.volume(CLASS, account=ACCOUNT)
            target = kubelet.publish(volume)
            assert (target / "password").read_text() == VALUE
            mounts = Path("/proc/self/mountinfo").read_text()
            assert f" {target} " in mounts
            with pytest.raises(grpc.RpcError) as caught:
                kubelet.publish(stage.volume("nope", pod="other"))
            assert NAMESPACE in str(caught.value)
            kubelet.unpublish(volume)
            assert not target.exists()
    finally:
        subprocess.run(["umount", stage.kubelet_root], check=True)
