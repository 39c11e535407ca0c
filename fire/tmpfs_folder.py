"""A folder on a file system of its own, gone at the end."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sscsi_driver import tmpfs
from sscsi_driver.tmpfs import TmpfsLimits


@contextmanager
def tmpfs_folder() -> Iterator[Path]:
    """Like a pod's volume; a plain folder where no tmpfs can be mounted."""
    with tempfile.TemporaryDirectory(prefix="fire-", dir="/tmp") as folder:
        home = Path(folder)
        with suppress(PermissionError):
            tmpfs.mount(home, TmpfsLimits(64 << 20, 8192))
        try:
            yield home
        finally:
            tmpfs.unmount(home)
