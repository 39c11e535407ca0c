"""The atomic writer is killed, again and again, while others read."""

import json
import subprocess
import sys

from fire.case import Case, Shown, expect
from fire.plan import Plan
from fire.reading_process import Readers
from fire.tmpfs_folder import tmpfs_folder

_READERS = 2


def _killed(plan: Plan) -> Shown:
    wanted = plan.count(100, 1000)
    command = [sys.executable, "-m", "fire.crashes.writer_process"]
    with (
        tmpfs_folder() as target,
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
        f"every one of {rounded(read.whole)} reads of the volume was one whole set, old or new; "
        f"{rounded(read.files)} files by their paths were whole; the next writer put everything right and left no "
        "litter",
        said["at_random"] + said["at_each"],
        f"kills, {said['at_each']} of them before one file operation after the other",
        said["recovery"],
    )


def rounded(number: int) -> str:
    """To its first two digits."""
    digits = max(0, len(str(number)) - 2)
    return f"{number // 10**digits * 10**digits:,}"


WRITER = Case(
    "writer", "SIGKILL to the writer while a volume is written and rotated, and two processes read it", _killed
)
