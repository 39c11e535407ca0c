"""A provider that writes a volume's files itself, for drivers that don't (`--driver-writes-secrets=false`).

The driver names a path on the host. It is believed only as far as it is a tmpfs mount point below kubelet's folder of
pods, reached without following a link: nothing is ever written to a disk, or outside of a pod's own volume.
"""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import InvalidParameters, ObjectUnusable, OutOfTime, clip
from sscsi_shared.mount import MountInput, MountResult
from sscsi_shared.publish import publish_at
from sscsi_shared.server.servicer import Mounter

KUBELET_ROOT: Final = "/var/lib/kubelet"
MAX_DEPTH: Final = 16
"""Elements of a path below kubelet's folder of pods; kubelet's own have five."""
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PAUSE_SECONDS: Final = 0.05
_ROOT_FIELD: Final = 3
_HINT: Final = "Is kubelet's folder another one (--kubelet-root), or mounted without mountPropagation HostToContainer?"


class WritingMounter:
    """Mounts, writes what comes of it, and answers the object versions alone.

    Args:
        mounter: reads.
        kubelet_root: kubelet's folder, below which pods have their volumes.
        pause: sleeps while another mount of the same volume writes.
    """

    def __init__(self, mounter: Mounter, kubelet_root: Path, *, pause: Callable[[float], object] = time.sleep) -> None:
        self._mounter = mounter
        self._pods = kubelet_root / "pods"
        self._pause = pause

    def mount(self, mount: MountInput, deadline: Deadline) -> MountResult:
        """See Mounter. The volume is looked at before anything is asked, and again before it is written.

        Raises:
            InvalidParameters: the target path is not such a mount point.
            ObjectUnusable: the files can't be written.
        """
        with _volume(self._pods, mount.target_path):
            pass
        result = self._mounter.mount(mount, deadline)
        with _volume(self._pods, mount.target_path) as volume, self._alone(volume, deadline):
            try:
                publish_at(volume, result.files)
            except OSError as error:
                raise ObjectUnusable(
                    f"The volume's files could not be written: {error.strerror}.",
                    hint="Nothing was changed. Look at size and inodes of the volume's tmpfs.",
                ) from error
        return MountResult((), result.versions)

    @contextlib.contextmanager
    def _alone(self, volume: int, deadline: Deadline) -> Iterator[None]:
        """One writer at a time, also beside another process of ours; none whose caller has left."""
        while not deadline.expired:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(volume, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            self._pause(deadline.at_most(_PAUSE_SECONDS))
        if deadline.expired:
            raise OutOfTime("There was no time left to write the volume.")
        yield


@contextlib.contextmanager
def _volume(pods: Path, target: str) -> Iterator[int]:
    """The opened root of the volume at `target`.

    Raises:
        InvalidParameters: it is none.
    """
    elements = _below(pods, target)
    with contextlib.ExitStack() as stack:
        try:
            above = here = _opened(stack, pods, None, follow=True)
            for element in elements:
                above, here = here, _opened(stack, element, here)
        except OSError as error:
            raise _wrong(target, _WHY.get(error.errno or 0, error.strerror or "it can't be opened")) from error
        if _mount_id(here) == _mount_id(above) or not _is_root_of_tmpfs(here):
            raise _wrong(target, "it is no mount point of a tmpfs")
        yield here


_WHY: Final = {errno.ELOOP: "a part of it is a link", errno.ENOTDIR: "a part of it is a link or a file"}


def _below(pods: Path, target: str) -> list[str]:
    """The elements of `target` below the folder of pods."""
    start = f"{pods}/"
    elements = target.removeprefix(start).split("/")
    if not target.startswith(start) or any(element in {"", ".", ".."} for element in elements):
        raise _wrong(target, f"it is not below {pods}")
    if len(elements) > MAX_DEPTH or "\0" in target:
        raise _wrong(target, "it is no path of a volume")
    return elements


def _opened(stack: contextlib.ExitStack, name: str | Path, above: int | None, *, follow: bool = False) -> int:
    flags = _DIRECTORY & ~os.O_NOFOLLOW if follow else _DIRECTORY
    descriptor = os.open(name, flags, dir_fd=above)
    stack.callback(os.close, descriptor)
    return descriptor


def _mount_id(descriptor: int) -> str:
    """The kernel's number of the mount that a descriptor is in (proc(5), fdinfo)."""
    lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("mnt_id:"))


def _is_root_of_tmpfs(descriptor: int) -> bool:
    """Whether the descriptor's mount shows a tmpfs from its root on (proc(5), mountinfo)."""
    wanted = _mount_id(descriptor)
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        mount, _, kind = line.partition(" - ")
        fields = mount.split(" ")
        if fields[0] == wanted:
            return kind.split(" ")[0] == "tmpfs" and fields[_ROOT_FIELD] == "/"
    return False


def _wrong(target: str, why: str) -> InvalidParameters:
    return InvalidParameters(f"Wrong mount path: {clip(target, 256)}: {why}.", hint=_HINT)
