"""What a daemon holds of the operating system, and how much more that may become."""

import os
import time
from dataclasses import dataclass

import psutil

from fire.case import Broken, expect
from fire.plan import Plan, Size

MORE_MIB = 5.0
"""Of resident memory, from the end of the warm-up to the last call."""
_MORE = {"descriptors": 8, "sockets": 8, "threads": 16, "mounts": 0}
"""Pools that had not met their busiest moment by then; a leak of one in a thousand calls is more."""
_QUIET_SECONDS = 15.0
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Holding:
    """At rest: open descriptors, sockets among them, threads, lines of its mount table, resident MiB."""

    descriptors: int
    sockets: int
    threads: int
    mounts: int
    mib: float


def holding(pid: int) -> Holding:
    """What a process holds now."""
    links = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:  # closed meanwhile
            continue
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="replace") as table:
        mounts = len(table.readlines())
    process = psutil.Process(pid)
    sockets = sum(link.startswith("socket:") for link in links)
    return Holding(len(links), sockets, process.num_threads(), mounts, process.memory_info().rss / _MIB)


def expect_no_growth(pid: int, warm: Holding, most_mib: float) -> Holding:
    """Compare what a process holds with what it held after the warm-up; connections have a while to end.

    Raises:
        Broken: it holds more than may be.
    """
    ends = time.monotonic() + _QUIET_SECONDS
    while True:
        now = holding(pid)
        try:
            _compare(warm, now, most_mib)
        except Broken:
            if time.monotonic() > ends:
                raise
            time.sleep(0.5)
        else:
            return now


def _compare(warm: Holding, now: Holding, most_mib: float) -> None:
    for what, more in _MORE.items():
        before, after = getattr(warm, what), getattr(now, what)
        expect(after <= before + more, f"{what}: {before} after the warm-up, {after} at the end")
    expect(now.mib <= warm.mib + MORE_MIB, f"memory: {warm.mib:.1f} MiB after the warm-up, {now.mib:.1f} at the end")
    expect(now.mib <= most_mib, f"memory: {now.mib:.1f} MiB; promised are {most_mib:g}")


@dataclass(frozen=True, slots=True)
class Course:
    """How many calls, or for how long.

    Attributes:
        warm_up: calls before what is held is looked at.
        calls: calls in all.
        seconds: how long at least.
    """

    warm_up: int
    calls: int
    seconds: float = 0.0

    def goes_on(self, done: int, began: float) -> bool:
        """Whether there is more to do."""
        return done < self.calls or time.monotonic() < began + self.seconds


def course(plan: Plan, short: int, soak_seconds: float) -> Course:
    """10,000 calls; fewer in a short run, and as many as fit into the time in a soak."""
    if plan.size is Size.SHORT:
        return Course(short // 2, short)
    return Course(1000, 10_000, soak_seconds if plan.size is Size.SOAK else 0.0)
