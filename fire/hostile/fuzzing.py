"""Groups of readers, each fuzzed in a process of its own that has so much time and memory and no more."""

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fire.case import Broken, Case, NotRun, Shown
from fire.hostile.fuzz_process import has_atheris
from fire.hostile.judge import Report, caught, load
from fire.plan import Plan, Size

_COVERED: Final = re.compile(r"^#\d+\s+DONE\s+cov: (\d+) ft: (\d+)", re.MULTILINE)
_MAX_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Group:
    """Readers that are fuzzed together.

    Attributes:
        name: of its case; its module is `of_<name>`.
        what: they read.
        runs: inputs at full size.
        short: likewise at short size.
    """

    name: str
    what: str
    runs: int
    short: int


def case(group: Group) -> Case:
    """The case of a group."""
    return Case(group.name, group.what, lambda plan: _fuzzed(group, plan))


def _fuzzed(group: Group, plan: Plan) -> Shown:
    runs = group.short if plan.size is Size.SHORT else group.runs
    folder = Path(tempfile.mkdtemp(prefix=f"fire-hostile-{group.name}-", dir="/tmp"))
    log = folder / "log"
    with log.open("wb") as stream:
        command = [sys.executable, "-m", "fire.hostile.fuzz_process", f"of_{group.name}"]
        child = subprocess.Popen(
            [*command, str(plan.seed), str(runs), str(folder)], stdout=stream, stderr=stream, stdin=subprocess.DEVNULL
        )
        try:
            code = child.wait(_MAX_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            child.kill()
            child.wait()
    told = log.read_text(encoding="utf-8", errors="replace")
    if code != 0:
        at = caught((folder / "now").read_bytes()) if (folder / "now").exists() else "the start"
        how = "does not end" if code is None else f"ended with {code}"
        raise Broken(f"the process {how} at {at}; see {folder}: {told[-300:]}")
    report = load(folder)
    if report.findings:
        raise Broken(f"{len(report.findings)} findings: " + "; ".join(report.findings[:5]))
    covered = _COVERED.search(told)
    shutil.rmtree(folder)
    if not has_atheris():
        tried = sum(one.tried for one in report.tallies.values())
        raise NotRun(f"atheris is not installed, so coverage leads nobody; {tried:,} other inputs held")
    return Shown(_said(report, covered), sum(one.tried for one in report.tallies.values()), "inputs")


def _said(report: Report, covered: re.Match[str] | None) -> str:
    for name, one in report.tallies.items():
        print(
            f"    {name}: {one.tried} tried, {one.refused} refused, slowest {one.slowest:.2f} s "
            f"({one.slowest_bytes} bytes), {one.growth:.0f} MiB"
        )
    refused = sum(one.refused for one in report.tallies.values())
    accepted = sum(one.tried for one in report.tallies.values()) - refused
    slowest = max(one.slowest for one in report.tallies.values())
    edges = f"; {int(covered[1]):,} edges covered" if covered else ""
    return f"{accepted:,} accepted, {refused:,} refused{edges}; the slowest took {slowest:.2f} s of the processor"
