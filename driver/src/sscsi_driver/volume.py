"""The volumes of this node: for each target a lock, a state and what the driver remembers of the last fill.

    absent --publish--> filling --files swapped in--> filled --unpublish--> absent
                           `--failure, cancel-------> absent

A volume is filled when a provider answered at least one object version and either its files were swapped in or it
returned none. OK is answered for a filled volume only. Memory dies with the process and the tmpfs does not, so each
call looks at what stands at the target first.
"""

import contextlib
import errno
import logging
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Generic, TypeVar

import grpc

from sscsi_driver import tmpfs
from sscsi_driver.errors import ErrorType, PublishError, Unpublished, UnpublishFailed
from sscsi_driver.place import FOLDER_MODE, held, real, root_of
from sscsi_driver.tmpfs import MountPoint, TmpfsLimits
from sscsi_shared.cancellation import Cancellation
from sscsi_shared.deadline import Deadline
from sscsi_shared.publish import DATA, is_published

log = logging.getLogger(__name__)

MemoryT = TypeVar("MemoryT")
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_UNFINISHED = "..unfinished"
"""Stands in a volume from its mount until the moment before kubelet is told that it is filled."""


class State(Enum):
    """Where a volume stands."""

    ABSENT = "nothing mounted"
    FILLING = "a first fill is in progress"
    UNCERTAIN = "mounted by another driver, with files that a provider wrote itself"
    FILLED = "filled"


@dataclass(eq=False, slots=True)
class Volume(Generic[MemoryT]):
    """One target; to be touched only within `Volumes.hold`.

    Attributes:
        target: the volume's path on the host.
        state: where it stands.
        memory: what the driver keeps of its last fill; None until there was one in this process.
    """

    target: Path
    state: State = State.ABSENT
    memory: MemoryT | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    doomed: bool = False
    cancellation: Cancellation | None = None

    def look(self) -> State:
        """Compare the state with what stands at the target, mend what a crash left, and say where it stands.

        Raises:
            PublishError: it can't be said, or a broken mount can't be taken away.
        """
        try:
            with held(self.target) as here:
                self._look(here)
        except FileNotFoundError:
            self.state = State.ABSENT
        except OSError as error:
            raise PublishError(
                f"failed to check if target path {self.target} is mount point, err: {error.strerror}",
                code=grpc.StatusCode.UNAVAILABLE,  # something may stand there: kubelet must unpublish it
                error_type=ErrorType.FAILED_TO_ENSURE_MOUNT_POINT,
            ) from error
        return self.state

    def _look(self, here: Path) -> None:
        standing = tmpfs.look(here)
        if standing is MountPoint.CORRUPTED:
            log.warning("the volume %s can't be read; unmounting it", self.target)
            tmpfs.unmount(here)
            standing = MountPoint.DIRECTORY
        if standing is not MountPoint.MOUNTED:
            self.state = State.ABSENT
        elif self.state is not State.FILLED:
            self.state = self._adopt(here)

    def _adopt(self, here: Path) -> State:
        """What a mount is that this process did not fill."""
        if os.path.lexists(here / _UNFINISHED):
            log.warning("the volume %s was never finished; unmounting it", self.target)
            tmpfs.unmount(here)
            return State.ABSENT
        if is_published(here):
            return State.FILLED
        if all(entry.name.startswith("..") for entry in here.iterdir()):
            tmpfs.unmount(here)  # nobody can have been told that it is filled
            return State.ABSENT
        return State.UNCERTAIN

    def open(self, limits: TmpfsLimits) -> None:
        """Mount the empty tmpfs of a first fill.

        Raises:
            PublishError: it can't be mounted; nothing is left of the attempt.
        """
        try:
            with held(self.target, make=True) as here:
                with contextlib.suppress(FileExistsError):
                    here.mkdir(mode=FOLDER_MODE)
                _clear(here)
                tmpfs.mount(here, limits)
            with root_of(self.target) as root:
                os.close(os.open(_UNFINISHED, _NEW_FILE, 0o600, dir_fd=root))
        except OSError as error:
            self.abandon()
            hint = ". The driver must be privileged" if error.errno == errno.EPERM else ""
            raise PublishError(
                f"failed to mount a tmpfs on {self.target}: {error.strerror}{hint}",
                code=grpc.StatusCode.INTERNAL,
                error_type=ErrorType.FAILED_TO_MOUNT,
            ) from error
        self.state = State.FILLING

    def finish(self) -> None:
        """The first fill is complete: from here on the volume counts as filled, after a crash too.

        Raises:
            PublishError: that can't be noted.
        """
        try:
            with root_of(self.target) as root, contextlib.suppress(FileNotFoundError):
                os.unlink(_UNFINISHED, dir_fd=root)
        except OSError as error:
            raise PublishError(
                f"the volume {self.target} can't be finished: {error.strerror}",
                code=grpc.StatusCode.INTERNAL,
                error_type=ErrorType.FILE_WRITE_ERROR,
            ) from error
        self.state = State.FILLED

    def changed_at(self) -> float:
        """When a volume's content last changed, in seconds since 1970, as far as its files tell."""
        for path in (self.target / DATA, self.target):
            with contextlib.suppress(OSError):
                return path.lstat().st_mtime
        return 0.0

    def abandon(self) -> bool:
        """Unmount and remove the target after a failed first fill; whether nothing is left behind."""
        try:
            with contextlib.suppress(FileNotFoundError), held(self.target) as here:
                tmpfs.unmount(here)
                here.rmdir()
            self.state = State.ABSENT
            self.memory = None
        except OSError as error:
            log.warning("can't remove the volume %s after a failed mount: %s", self.target, error.strerror)
            return False
        return True

    def close(self) -> None:
        """Unmount and remove the target, whatever stands there; nothing there is fine.

        Raises:
            UnpublishFailed: it is still there.
        """
        try:
            with contextlib.suppress(FileNotFoundError), held(self.target) as here:
                tmpfs.unmount(here)
                _remove(here)
            self.state = State.ABSENT
            self.memory = None
        except OSError as error:
            raise UnpublishFailed(
                f"failed to unmount and remove target path {self.target}: {error.strerror}"
            ) from error


def _clear(here: Path) -> None:
    """Files on the node's disk, of a provider that wrote without a mount: a tmpfs on top would only hide them."""
    if any(here.iterdir()) and not tmpfs.mount_points_below(real(here)):
        shutil.rmtree(here)
        here.mkdir(mode=FOLDER_MODE)


def _remove(here: Path) -> None:
    try:
        here.rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY or tmpfs.mount_points_below(real(here)):
            raise
        shutil.rmtree(here)  # files that a provider wrote without a mount: secrets on the node's disk


class Volumes(Generic[MemoryT]):
    """All volumes that this process has to do with."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._volumes: dict[Path, Volume[MemoryT]] = {}

    @contextlib.contextmanager
    def hold(self, target: Path, deadline: Deadline, cancellation: Cancellation) -> Iterator[Volume[MemoryT]]:
        """The volume, for the caller alone; calls on one target come one after the other.

        Args:
            target: absolute and clean.
            deadline: until when to wait for others.
            cancellation: an unpublish says it to the work in progress.

        Raises:
            Unpublished: the volume is being unpublished; that wins.
            PublishError: others held it until the deadline.
        """
        volume = self._enter(target)
        try:
            if not volume.lock.acquire(timeout=deadline.remaining()):
                raise PublishError(
                    f"the volume {target} is still being filled by an earlier call",
                    code=grpc.StatusCode.ABORTED,
                    error_type=ErrorType.FAILED_TO_MOUNT,
                )
            try:
                self._begin(volume, cancellation)
                yield volume
            finally:
                volume.cancellation = None
                volume.lock.release()
        finally:
            self._leave(volume)

    def unpublish(self, target: Path, deadline: Deadline) -> MemoryT | None:
        """Stop a fill in progress, unmount and remove the target; what was remembered of it.

        Raises:
            UnpublishFailed: it is still there.
        """
        volume = self._enter(target)
        try:
            with self._lock:
                volume.doomed = True
                running = volume.cancellation
            if running is not None:
                running.cancel("its volume is being unpublished")
            if not volume.lock.acquire(timeout=deadline.remaining()):
                raise UnpublishFailed(f"the volume {target} is still being filled and does not stop")
            try:
                memory = volume.memory
                volume.close()
            finally:
                volume.lock.release()
        finally:
            self._leave(volume)
        return memory

    def peek(self, target: Path) -> MemoryT | None:
        """What is remembered of a filled target now, without waiting for it; None while it is being unpublished."""
        with self._lock:
            volume = self._volumes.get(target)
            return volume.memory if volume is not None and not volume.doomed else None

    def memories(self) -> list[MemoryT]:
        """What is remembered of all filled targets; a snapshot."""
        with self._lock:
            return [volume.memory for volume in self._volumes.values() if volume.memory is not None]

    def _enter(self, target: Path) -> Volume[MemoryT]:
        with self._lock:
            volume = self._volumes.setdefault(target, Volume(target))
            volume.users += 1
            return volume

    def _begin(self, volume: Volume[MemoryT], cancellation: Cancellation) -> None:
        with self._lock:
            if volume.doomed:
                raise Unpublished(f"the volume {volume.target} is being unpublished")
            volume.cancellation = cancellation

    def _leave(self, volume: Volume[MemoryT]) -> None:
        with self._lock:
            volume.users -= 1
            if volume.users == 0:
                volume.doomed = False
                if volume.state is State.ABSENT:
                    self._volumes.pop(volume.target, None)
