"""The atomic writer is killed, again and again, while others read."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fire.case import Case, Shown, expect
from fire.plan import Plan
from fire.reading_process import Readers
from sscsi_driver import tmpfs
from sscsi_driver.tmpfs import TmpfsLimits

_LIMITS = TmpfsLimits(16 << 20, 1024)
_READERS = 2


@contextmanager
def _volume() -> Iterator[Path]:
    """An empty tmpfs like a pod's; a plain folder where none can be mounted."""
    with tempfile.TemporaryDirectory(prefix="fire-", dir="/tmp") as folder:
        target = Path(folder) / "volume"
        target.mkdir(mode=0o755)
        with suppress(PermissionError):
            tmpfs.mount(target, _LIMITS)
        try:
            yield target
        finally:
            tmpfs.unmount(target)


def _killed(plan: Plan) -> Shown:
    wanted = plan.count(100, 1000)
    command = [sys.executable, "-m", "fire.crashes.writer_process"]
    with (
        _volume() as target,
        subprocess.Popen(
            [*command, str(target), str(plan.seed), str(wanted)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as writer,
    ):
        assert writer.stdout is not None
        expect(writer.stdout.readline() == "ready\n", "the writer did not begin")
        with Readers(_READERS, plan.seed, [target]) as readers:
            out, _ = writer.communicate("\n", timeout=900)
            expect(writer.returncode == 0, "the process that kills ended by itself")
            said = json.loads(out)
            expect(not said["broken"], said["broken"])
            read = readers.finish()
    print(f"    {said}, {read}")
    return Shown(
        f"every one of {_rounded(read.whole)} reads of the volume was one whole set, old or new; "
        f"{_rounded(read.files)} files by their paths were whole; the next writer put everything right and left no "
        "litter",
        said["at_random"] + said["at_each"],
        f"kills, {said['at_each']} of them before one file operation after the other",
        said["recovery"],
    )


def _rounded(number: int) -> str:
    """To its first two digits."""
    digits = max(0, len(str(number)) - 2)
    return f"{number // 10**digits * 10**digits:,}"


WRITER = Case(
    "writer", "SIGKILL to the writer while a volume is written and rotated, and two processes read it", _killed
)
