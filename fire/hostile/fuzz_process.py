"""`python -m fire.hostile.fuzz_process GROUP SEED RUNS FOLDER`: try RUNS inputs on a group's readers, in bounds.

First those of the grammars, then stretched ones, then mutations that are led by the coverage of our code (atheris),
where that is installed. The report is a file in FOLDER.
"""

import atexit
import contextlib
import importlib
import importlib.util
import os
import random
import resource
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from fire.hostile.judge import Judge, TooSlow
from fire.hostile.stretch import stretched
from fire.hostile.target import ROOT, Target

PACKAGES: Final = (
    "sscsi_shared",
    "sscsi_driver",
    "sscsi_provider_aws",
    "sscsi_provider_gcp",
    "sscsi_provider_vault",
    "sscsi_provider_azure",
    "jmespath",
)
"""Whose code leads the way."""
MAX_MORE_MEMORY: Final = 3 << 30
"""Address space beyond what the process has once everything is loaded."""
_MADE_PART, _STRETCHED_PART = 8, 150
_MAX_MUTANT: Final = 4096


def has_atheris() -> bool:
    """Whether it can be imported."""
    return importlib.util.find_spec("atheris") is not None


def main(group: str, seed: int, runs: int, folder: Path) -> None:
    """See the module."""
    threading.stack_size(1 << 20)  # else the stacks of a server's threads are most of the address space
    sys.path.append(str(ROOT / "tests"))  # certificates of all kinds
    guided: Any = importlib.import_module("atheris") if has_atheris() else None
    with guided.instrument_imports(include=list(PACKAGES)) if guided else contextlib.nullcontext():
        targets: Sequence[Target] = importlib.import_module(f"fire.hostile.{group}").targets()
    _bound()
    judge = Judge(folder)
    atexit.register(judge.save)
    for target in targets:
        for data in target.seeds:
            judge.judge(target, data)
    for target in targets:
        share = max(2, runs // len(targets) // target.costly)
        _made(judge, target, seed, share // _MADE_PART)
        dice = random.Random(f"{seed}/{target.name}")
        for data in stretched(target, dice, max(4, share // _STRETCHED_PART)):
            judge.judge(target, data)
    judge.save()
    if guided:
        _guided(guided, judge, targets, seed, runs // max(one.costly for one in targets), folder)


def _made(judge: Judge, target: Target, seed: int, number: int) -> None:
    if target.grammar is None or number < 1:
        return
    import hypothesis
    from hypothesis import HealthCheck, Phase

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(target.grammar())
    def each(data: bytes) -> None:
        judge.judge(target, data)

    each()


def _guided(guided: Any, judge: Judge, targets: Sequence[Target], seed: int, runs: int, folder: Path) -> None:
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, target in enumerate(targets):
        for index, data in enumerate(target.seeds):
            (corpus / f"{number}-{index}").write_bytes(bytes([number]) + data[:_MAX_MUTANT])
    known = dict.fromkeys(word for target in targets for word in target.words if 1 <= len(word) <= 64)
    lines = ['"' + "".join(f"\\x{octet:02x}" for octet in word) + '"' for word in known]
    (folder / "words").write_text("\n".join(lines) + "\n", encoding="ascii")
    done = 0

    def each(data: bytes) -> None:
        nonlocal done
        done += 1
        if data:
            judge.judge(targets[data[0] % len(targets)], data[1:])
        if done % 500 == 0 or done >= runs:
            judge.save()

    options = {"runs": runs, "seed": seed % (1 << 31) or 1, "max_len": _MAX_MUTANT, "timeout": 120, "rss_limit_mb": 0}
    flags = [f"-{name}={value}" for name, value in options.items()]
    guided.Setup(
        [sys.argv[0], *flags, f"-dict={folder / 'words'}", f"-artifact_prefix={folder}/", str(corpus)],
        each,
        internal_libfuzzer=True,
    )
    guided.Fuzz()


def _bound() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MAX_MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    with contextlib.suppress(TooSlow):  # one that comes after its input was through
        main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
