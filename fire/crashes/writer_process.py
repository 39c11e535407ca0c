"""`python -m fire.crashes.writer_process TARGET SEED KILLS`: write generations into a volume, and be killed meanwhile.

The writer runs in a child that is forked from this process, which has no threads: so hundreds die in a second. Prints
what came of it, as JSON.
"""

import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from fire.case import Broken, expect
from fire.generations import secret_files
from fire.reading import Reader, exact
from sscsi_shared.publish import publish

_CHANGES = frozenset(
    {"open", "os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir", "os.chmod", "os.chown", "os.scandir"}
)
"""Audit events (PEP 578) of the calls by which the writer looks at and changes a volume."""
_LINGER_SECONDS = 0.01
"""Shorter than the writer's own: most moments are to be moments of writing."""
_MEASURED = 20
_EACH = 12
"""How many rotations are killed at each of their file operations in turn."""


@dataclass(slots=True)
class Kills:
    """What was done and seen.

    Attributes:
        at_random: writers killed at a random moment.
        at_each: writers killed before one of their file operations, each in turn.
        too_late: writers that were done before the signal came.
        new: kills after which the new version stood, and not the old one.
        recovery: seconds that the next writer needed; the longest.
        broken: what did not hold; empty = all did.
    """

    at_random: int = 0
    at_each: int = 0
    too_late: int = 0
    new: int = 0
    recovery: float = 0.0
    broken: str = ""


class Victim:
    """A volume whose writers die.

    Args:
        target: its root; it stands empty.
        seed: of its generations and of the moments.
    """

    def __init__(self, target: Path, seed: int) -> None:
        self.target = target
        self.seed = seed
        self.dice = Random(f"{seed}/moments")
        self.kills = Kills()
        self.number = 0
        self._reader = Reader(target, seed)

    def write(self, number: int) -> float:
        """Write a generation and live; the seconds that it took."""
        began = time.perf_counter()
        publish(self.target, secret_files(self.seed, number), pause=lambda _: time.sleep(_LINGER_SECONDS))
        took = time.perf_counter() - began
        expect(self._reader.read() == number, f"another generation than {number} stands after it was written")
        return took

    def die_at_random(self, longest: float) -> bool:
        """Let a writer of the next generation be killed at some moment; whether it was before it was done."""
        self.number += 1
        child = self._fork(lambda: None)
        _wait(self.dice.uniform(0, longest))
        os.kill(child, signal.SIGKILL)
        return self._died(child)

    def die_before(self, operation: int) -> bool:
        """Let a writer of the next generation kill itself before its Nth file operation; False if it has fewer."""
        self.number += 1
        return self._died(self._fork(lambda: _kill_at(operation)))

    def recover(self) -> None:
        """The next writer: of the same generation, or of a newer one. Everything is right afterwards."""
        self.number += self.dice.randrange(2)
        self.kills.recovery = max(self.kills.recovery, self.write(self.number))
        exact(self.target, self.seed, self.number)

    def _fork(self, prepare: Callable[[], None]) -> int:
        files = secret_files(self.seed, self.number)
        child = os.fork()
        if child == 0:
            try:
                prepare()
                publish(self.target, files, pause=lambda _: time.sleep(_LINGER_SECONDS))
                os._exit(0)
            except BaseException:  # noqa: BLE001  # nothing of the parent's may run in the child
                os._exit(1)
        return child

    def _died(self, child: int) -> bool:
        _, status = os.waitpid(child, 0)
        died = os.WIFSIGNALED(status)
        expect(died or os.waitstatus_to_exitcode(status) == 0, "a writer failed instead of being killed")
        before = self._reader.newest
        found = self._reader.read()
        expect(found == self.number or (died and found == before), f"generation {found} stands after {self.number}")
        self.kills.new += died and found == self.number
        return died


def _kill_at(operation: int) -> None:
    left = operation

    def count(event: str, _: object) -> None:
        nonlocal left
        if event in _CHANGES:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def _wait(seconds: float) -> None:
    """Exactly: a sleep is longer than a write."""
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        pass


def run(victim: Victim, wanted: int) -> None:
    """Kill so many writers at random, and some at each of their operations.

    Raises:
        Broken: a promise does not hold.
    """
    times = []
    for _ in range(_MEASURED):
        victim.number += 1
        times.append(victim.write(victim.number))
    longest = statistics.median(times) + 0.004  # a fork takes its time too
    kills = victim.kills
    for _ in range(_EACH if wanted >= 1000 else 2):
        operation = 1
        while victim.die_before(operation):
            kills.at_each += 1
            operation += 1
            victim.recover()
    while kills.at_random < wanted:
        if victim.die_at_random(longest):
            kills.at_random += 1
        else:
            kills.too_late += 1
        if victim.dice.random() < 0.5:  # else the next one dies upon what this one left
            victim.recover()
    victim.recover()


def main(target: Path, seed: int, wanted: int) -> None:
    """Kill, and print what came of it."""
    victim = Victim(target, seed)
    victim.write(0)
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        run(victim, wanted)
    except Broken as seen:
        victim.kills.broken = f"at generation {victim.number}: {seen}"
    print(json.dumps(asdict(victim.kills)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
