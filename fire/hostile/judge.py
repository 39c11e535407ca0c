"""Tries one input after another and says what each came to: accepted, refused in our words, or a finding."""

import hashlib
import json
import mmap
import resource
import signal
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final

from fire.hostile.target import Target

MAX_GROWTH_MIB: Final = 96
"""By how much one input may raise the most memory that the process ever had."""
_LEAST_PART: Final = 0.2
_MAX_FINDINGS: Final = 20


class TooSlow(BaseException):
    """An input has used up its time; no reader may catch this."""


@dataclass(slots=True)
class Tally:
    """What came of a target's inputs.

    Attributes:
        tried: how many.
        refused: how many of them.
        slowest: seconds of the processor that one took at most.
        slowest_bytes: its length.
        growth: MiB by which one raised the most memory that the process ever had.
    """

    tried: int = 0
    refused: int = 0
    slowest: float = 0.0
    slowest_bytes: int = 0
    growth: float = 0.0


@dataclass(slots=True)
class Report:
    """What a child has to say at its end.

    Attributes:
        tallies: by target.
        findings: what may not be, each once.
    """

    tallies: dict[str, Tally] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


class Judge:
    """See the module.

    Args:
        folder: keeps the inputs of findings, the one that is being read (`now`), and the report.
        counted: only then the time and memory of an input are judged.
    """

    def __init__(self, folder: Path, *, counted: bool = True) -> None:
        self._folder = folder
        self._counted = counted
        self._seen: set[str] = set()
        self.report: Final = Report()
        self._most = 2 << 20
        (folder / "now").write_bytes(bytes(self._most))
        with (folder / "now").open("r+b") as stream:
            self._now = mmap.mmap(stream.fileno(), self._most)
        signal.signal(signal.SIGPROF, _out_of_time)

    def judge(self, target: Target, data: bytes) -> None:
        """Try one input."""
        tally = self.report.tallies.setdefault(target.name, Tally())
        tally.tried += 1
        note = f"{target.name} {len(data)}\n".encode() + data
        self._now[: min(len(note), self._most)] = note[: self._most]
        allowed = target.seconds * max(_LEAST_PART, len(data) / target.most)
        before, began = _peak_mib(), time.process_time()
        signal.setitimer(signal.ITIMER_PROF, max(2 * allowed, 1.0))
        try:
            target.read(data)
        except target.ours as error:
            tally.refused += 1
            if not str(error):
                self._find(target, data, "refused without a word", error)
        except TooSlow as error:
            self._find(target, data, "has no end", error)
        except MemoryError as error:
            self._find(target, data, "wants more memory than there is", error)
        except Exception as error:  # noqa: BLE001  # this is what is looked for
            self._find(target, data, f"{type(error).__name__}: {str(error)[:200]}", error)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        took, growth = time.process_time() - began, _peak_mib() - before
        tally.growth = max(tally.growth, growth)
        if took > tally.slowest:
            tally.slowest, tally.slowest_bytes = took, len(data)
        if self._counted and took > allowed:
            self._find(target, data, f"took {took:.1f} s of the processor, allowed are {allowed:.1f}")
        if self._counted and growth > MAX_GROWTH_MIB:
            self._find(target, data, f"needs {growth:.0f} MiB")

    def save(self) -> None:
        """Write the report."""
        (self._folder / "report.json").write_text(json.dumps(asdict(self.report)), encoding="utf-8")

    def _find(self, target: Target, data: bytes, what: str, error: BaseException | None = None) -> None:
        frames = traceback.extract_tb(error.__traceback__) if error else []
        where = "; ".join(f"{Path(one.filename).name}:{one.lineno}" for one in frames[-3:])
        kind = (
            f"{target.name}/{type(error).__name__ if error else what.split(maxsplit=1)[0]}/{where.rpartition('; ')[2]}"
        )
        if kind in self._seen or len(self._seen) >= _MAX_FINDINGS:
            return
        self._seen.add(kind)
        kept = self._folder / f"{target.name}-{hashlib.sha256(data).hexdigest()[:8]}"
        kept.write_bytes(data)
        self.report.findings.append(f"{target.name}: {len(data)} bytes ({kept}): {what} [{where}]")


def load(folder: Path) -> Report:
    """A child's report.

    Raises:
        OSError: it wrote none.
    """
    found = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return Report({name: Tally(**one) for name, one in found["tallies"].items()}, found["findings"])


def caught(now: bytes) -> str:
    """Which target an input was of that ended the process: from the file `now`."""
    return now.partition(b"\n")[0].decode(errors="replace")


def _out_of_time(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise TooSlow


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
