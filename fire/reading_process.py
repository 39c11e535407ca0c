"""`python -m fire.reading_process SEED TARGET...`: read volumes until the standard input ends; what was seen, as JSON.

It is told on the standard output as soon as a promise does not hold.
"""

import json
import select
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from fire.case import Broken, expect
from fire.reading import Reader


@dataclass(frozen=True, slots=True)
class Read:
    """What a reader has seen: volumes read whole, files by path, generations; reads that had to be begun again."""

    whole: int
    files: int
    generations: int
    moved: int
    vanished: int


class Readers(AbstractContextManager["Readers"]):
    """Processes that read the same volumes, from `with` to `finish`.

    Args:
        number: how many.
        seed: of the generations.
        targets: the volumes' roots; each holds a version already.
    """

    def __init__(self, number: int, seed: int, targets: Sequence[Path]) -> None:
        self._command = [sys.executable, "-m", "fire.reading_process", str(seed), *map(str, targets)]
        self._number = number
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        for _ in range(self._number):
            self._processes.append(
                subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()

    def finish(self) -> Read:
        """Let them end; what all have seen together.

        Raises:
            Broken: one of them saw a promise broken, or saw nothing.
        """
        answers: list[dict[str, Any]] = []
        for process in self._processes:
            out, _ = process.communicate("", timeout=60)
            expect(out, "a reader ended without a word")
            answers.append(json.loads(out))
        for answer in answers:
            expect(not answer["broken"], f"a reader: {answer['broken']}")
            expect(answer["whole"] > 0, "a reader has read nothing")
        total = {key: sum(int(answer[key]) for answer in answers) for key in answers[0] if key != "broken"}
        return Read(**total)


def main(seed: int, targets: list[Path]) -> None:
    """Read until the standard input ends."""
    readers = [Reader(target, seed) for target in targets]
    broken = ""
    while not broken and not select.select([sys.stdin], [], [], 0)[0]:
        for reader in readers:
            try:
                reader.read()
            except Broken as seen:
                broken = f"{reader.target}: {seen}"
    print(
        json.dumps(
            {
                "broken": broken,
                "whole": sum(one.whole for one in readers),
                "files": sum(one.files for one in readers),
                "generations": len({number for one in readers for number in one.seen}),
                "moved": sum(one.moved for one in readers),
                "vanished": sum(one.vanished for one in readers),
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
