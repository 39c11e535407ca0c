"""A tree that nobody may touch: compared before and after by kind, mode, owner, content, and what is mounted in it."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fire.case import expect
from sscsi_driver.tmpfs import mount_points_below

Looks = dict[str, tuple[int, int, int, bytes]]


def make(folder: Path) -> Path:
    """A folder with what an attacker would have us touch: files, folders, modes, a volume of somebody else."""
    canary = folder / "canary"
    for name in (
        "mount",
        "volumes/kubernetes.io~csi/secrets-store-inline/mount",
        "secrets-store-inline/mount",
        "empty",
    ):
        (canary / name).mkdir(parents=True)
        if name != "empty":
            (canary / name / "precious").write_bytes(b"do not touch")
            (canary / name / "precious").chmod(0o640)
    for name in ("password", "always", "..unfinished", "..data_tmp"):
        (canary / "mount" / name).write_bytes(b"do not touch")
    (canary / "mount" / "either").mkdir(mode=0o700)
    (canary / "mount" / "either" / "below").write_bytes(b"do not touch")
    (canary / "link").symlink_to("mount")
    return canary


def looks(canary: Path) -> Looks:
    """Kind and mode, owner, group and content of everything in it and of itself."""
    found: Looks = {}
    for folder, folders, files in os.walk(canary):
        for path in (Path(folder), *(Path(folder) / name for name in (*folders, *files))):
            status = path.lstat()
            contents = b""
            if stat.S_ISREG(status.st_mode):
                contents = path.read_bytes()
            elif stat.S_ISLNK(status.st_mode):
                contents = os.fsencode(os.readlink(path))
            found[str(path)] = (status.st_mode, status.st_uid, status.st_gid, contents)
    return found


@contextmanager
def untouched(canary: Path) -> Iterator[None]:
    """Expect that the tree is the same at the end, and that nothing is mounted in it.

    Raises:
        Broken: it is not so.
    """
    before = looks(canary)
    yield
    expect(not mount_points_below(canary), f"mounted outside: {mount_points_below(canary)}")
    after = looks(canary)
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    expect(not changed, f"touched outside: {changed}")
