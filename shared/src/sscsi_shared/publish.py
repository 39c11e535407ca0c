"""The atomic writer: a volume's files change all at once or not at all.

The layout is that of kubelet's projected volumes, which programs that watch for new secrets know:

    ..2026_01_02_03_04_05.123456789/foo     the files themselves, in a directory of their own for each version
    ..data -> ..2026_01_02_03_04_05.123456789     swapped by one rename
    foo -> ..data/foo                       one link for each first path component

Everything is opened relative to a directory descriptor and without following links, so nothing that somebody planted in
the volume can send a write outside of it. One writer at a time: the caller holds the volume's lock.
"""

import contextlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from sscsi_shared.deadline import Clock
from sscsi_shared.errors import InvalidParameters, clip
from sscsi_shared.file_access import FileAccess
from sscsi_shared.mount import SecretFile
from sscsi_shared.paths import check_layout, check_mode

DATA: Final = "..data"
"""The link that is swapped (kubelet's AtomicWriter)."""
MAX_DEPTH: Final = 64
"""Elements of a path; a descriptor is held open for each while the volume is compared."""
LINGER_SECONDS: Final = 0.03
"""How long a version stays when the next one stands: who was on the way through `..data` just then still finds it."""
_NEW_DATA: Final = "..data_tmp"
_NEW_LINK: Final = "..link_tmp"
_VERSION: Final = re.compile(r"\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\.\d+")
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ANYBODY: Final = FileAccess()


def publish(
    target: Path,
    files: Sequence[SecretFile],
    *,
    access: FileAccess = _ANYBODY,
    now: Clock = time.time,
    pause: Callable[[float], object] = time.sleep,
) -> bool:
    """Make `files` the whole published content of the directory `target`.

    Files published before and absent now vanish; regular files that a provider wrote itself under the same names are
    replaced; other entries stay. Equal content and modes write nothing. Leftovers of a crash are removed.

    Args:
        target: the volume's root; it must exist and be a directory, not a link.
        files: relative clean paths, permission bits, contents.
        access: the group that all of it is given to, the volume's root too.
        now: seconds since 1970, for the name of the new directory.
        pause: sleeps before a version that was replaced is removed.

    Returns:
        Whether anything that a reader sees has changed.

    Raises:
        InvalidParameters: a path or mode is illegal, or two paths collide; nothing was written.
        OSError: the write failed; what was published before is still in place.
    """
    with _open_directory(target) as root:
        return publish_at(root, files, access=access, now=now, pause=pause)


def publish_at(
    root: int,
    files: Sequence[SecretFile],
    *,
    access: FileAccess = _ANYBODY,
    now: Clock = time.time,
    pause: Callable[[float], object] = time.sleep,
) -> bool:
    """`publish` into an opened directory."""
    _check(files)
    replaced, changed = _publish(root, files, access, now)
    if replaced is not None:
        pause(LINGER_SECONDS)
        shutil.rmtree(replaced, ignore_errors=True, dir_fd=root)  # what can't be removed now is swept by the next call
    return changed


def is_published(target: Path) -> bool:
    """Whether a whole version stands in `target`: `..data` is a link to a directory beside it."""
    try:
        with _open_directory(target) as root:
            return _current(root) is not None
    except OSError:
        return False


def _check(files: Sequence[SecretFile]) -> None:
    check_layout([file.path for file in files])
    for file in files:
        check_mode(file.mode)
        if file.path.count("/") >= MAX_DEPTH:
            raise InvalidParameters(f"invalid path: more than {MAX_DEPTH} directories deep: {clip(file.path, 120)}.")


def _publish(root: int, files: Sequence[SecretFile], access: FileAccess, now: Clock) -> tuple[str | None, bool]:
    """The version that was replaced, if one was; whether anything that a reader sees has changed."""
    if access.group is not None and not access.fits(os.fstat(root), access.directory_mode):
        access.give(root, access.directory_mode)
    old = _current(root)
    _sweep(root, keep=old)
    links = {file.path.partition("/")[0] for file in files}
    stale = _published_names(root) - links
    fresh = old is None or not _same(root, old, files, access)
    if fresh:
        _swap(root, _write_version(root, files, access, now))
    # After the swap: a new name never points at nothing, and a link lost in a crash comes back on the next call.
    linked = [_link(root, name) for name in sorted(links)]
    for name in stale:
        os.unlink(name, dir_fd=root)
    return old if fresh else None, fresh or bool(stale) or any(linked)


@contextlib.contextmanager
def _open_directory(name: str | Path, dir_fd: int | None = None) -> Iterator[int]:
    descriptor = os.open(name, _DIRECTORY, dir_fd=dir_fd)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _lstat(name: str, dir_fd: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _readlink(name: str, dir_fd: int) -> str | None:
    """Where the link points; None if there is none by that name."""
    try:
        return os.readlink(name, dir_fd=dir_fd)
    except OSError:
        return None


def _remove(name: str, dir_fd: int) -> None:
    """Remove whatever bears this name."""
    status = _lstat(name, dir_fd)
    if status is None:
        return
    if stat.S_ISDIR(status.st_mode):
        shutil.rmtree(name, dir_fd=dir_fd)
    else:
        os.unlink(name, dir_fd=dir_fd)


def _current(root: int) -> str | None:
    """The directory that `..data` names; None if there is no whole version."""
    name = _readlink(DATA, root)
    if name is None or not _VERSION.fullmatch(name):
        return None
    status = _lstat(name, root)
    return name if status is not None and stat.S_ISDIR(status.st_mode) else None


def _sweep(root: int, keep: str | None) -> None:
    """Remove what a writer that died has left: half-written versions and temporary links."""
    for name in os.listdir(root):
        if name in {_NEW_DATA, _NEW_LINK} or (_VERSION.fullmatch(name) and name != keep):
            _remove(name, root)


def _published_names(root: int) -> set[str]:
    """The names that are links of ours."""
    return {name for name in os.listdir(root) if _readlink(name, root) == f"{DATA}/{name}"}


def _same(root: int, version: str, files: Sequence[SecretFile], access: FileAccess) -> bool:
    """Whether the version holds exactly these files with these modes and contents, for that group."""
    wanted = {file.path: file for file in files}
    seen = 0
    with _open_directory(version, root) as directory:
        if not access.fits(os.fstat(directory), access.directory_mode):
            return False
        for path, name, parent in _walk(directory, ""):
            file = wanted.get(path)
            if file is None or not _same_file(name, parent, file, access):
                return False
            seen += 1
    return seen == len(wanted)


def _walk(directory: int, prefix: str) -> Iterator[tuple[str, str, int]]:
    """Each entry that is no directory, as (path, name, descriptor of its directory); an empty directory as itself."""
    for name in os.listdir(directory):
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            yield prefix + name, name, directory
            continue
        with _open_directory(name, directory) as below:
            if not os.listdir(below):  # noqa: PTH208  # a descriptor, no path
                yield prefix + name, name, directory
            yield from _walk(below, f"{prefix}{name}/")


def _same_file(name: str, parent: int, file: SecretFile, access: FileAccess) -> bool:
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode) or not access.fits(status, access.file_mode(file.mode)):
        return False
    contents = file.contents.reveal()
    if status.st_size != len(contents):
        return False
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except PermissionError:  # mode 0000 and not root: write it anew
        return False
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read() == contents


def _write_version(root: int, files: Sequence[SecretFile], access: FileAccess, now: Clock) -> str:
    """Write a new version beside the old; its directory's name."""
    name = _make_directory(root, now)
    try:
        with _open_directory(name, root) as directory:
            access.give(directory, access.directory_mode)
            for file in files:
                _write_file(directory, file, access)
    except BaseException:
        with contextlib.suppress(OSError):
            shutil.rmtree(name, dir_fd=root)
        raise
    return name


def _make_directory(root: int, now: Clock) -> str:
    stamp = time.strftime("..%Y_%m_%d_%H_%M_%S", time.gmtime(now()))
    while True:
        name = f"{stamp}.{secrets.randbelow(2**32)}"
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=root)
            return name


def _write_file(version: int, file: SecretFile, access: FileAccess) -> None:
    *directories, name = file.path.split("/")
    with contextlib.ExitStack() as stack:
        parent = version
        for directory in directories:
            with contextlib.suppress(FileExistsError):
                os.mkdir(directory, 0o700, dir_fd=parent)
            parent = stack.enter_context(_open_directory(directory, parent))
            access.give(parent, access.directory_mode)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=parent), "wb") as stream:
            stream.write(file.contents.reveal())
            stream.flush()
            access.give(stream.fileno(), access.file_mode(file.mode))


def _swap(root: int, version: str) -> None:
    """Let `..data` name the new version."""
    try:
        os.symlink(version, _NEW_DATA, dir_fd=root)
        if _readlink(DATA, root) is None:  # something else under our name: a rename can't replace a directory
            _remove(DATA, root)
        os.rename(_NEW_DATA, DATA, src_dir_fd=root, dst_dir_fd=root)
    except BaseException:
        with contextlib.suppress(OSError):
            _remove(_NEW_DATA, root)
            shutil.rmtree(version, dir_fd=root)
        raise


def _link(root: int, name: str) -> bool:
    """Make `name` a link to its place under `..data`; whether it was not one before."""
    wanted = f"{DATA}/{name}"
    if _readlink(name, root) == wanted:
        return False
    status = _lstat(name, root)
    if status is not None and stat.S_ISDIR(status.st_mode):
        shutil.rmtree(name, dir_fd=root)
    os.symlink(wanted, _NEW_LINK, dir_fd=root)
    os.rename(_NEW_LINK, name, src_dir_fd=root, dst_dir_fd=root)
    return True
