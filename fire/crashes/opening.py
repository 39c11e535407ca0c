"""A file is opened by its path as fast as can be, while its volume rotates: it is there each time."""

import subprocess
import sys

from fire.case import Case, Shown, expect
from fire.crashes.writer import rounded
from fire.generations import ALWAYS, secret_files
from fire.plan import Plan
from fire.tmpfs_folder import tmpfs_folder
from sscsi_shared.publish import publish

_OPENERS = 2


def _opened(plan: Plan) -> Shown:
    rotations = plan.count(150, 1500)
    opened = missing = 0
    with tmpfs_folder() as volume:
        publish(volume, secret_files(plan.seed, 0))
        command = [sys.executable, "-m", "fire.crashes.opening_process", str(volume / ALWAYS)]
        openers = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(_OPENERS)
        ]
        try:
            for opener in openers:
                assert opener.stdout is not None
                opener.stdout.readline()
            for number in range(1, rotations + 1):
                publish(volume, secret_files(plan.seed, number))
        finally:
            said = [opener.communicate()[0].split() for opener in openers]
        for one in said:
            opened += int(one[0])
            missing += int(one[1])
    expect(missing == 0, f"the file was not there {missing} times of {opened:,}")
    expect(opened > rotations, f"the file was opened {opened} times only")
    return Shown(f"it was there each of {rounded(opened)} times", rotations, "rotations")


OPENING = Case(
    "opening", "two processes open a file by its path as fast as they can, while the volume rotates", _opened
)
