"""What the operating system says of a daemon: seconds of CPU and wall, resident memory."""

import time
from collections.abc import Callable

import psutil

MIB = 1024 * 1024


def cpu_seconds(pid: int) -> float:
    """User and system seconds of a process since it began."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def resident_mib(pid: int) -> float:
    """Resident memory (RSS) in MiB."""
    return float(psutil.Process(pid).memory_info().rss / MIB)


def first_answer(pid: int, ask: Callable[[], bool], *, began: float, limit: float = 30.0) -> tuple[float, float]:
    """Wall and CPU seconds from the start of a process to its first answer.

    Args:
        pid: the process.
        ask: tries once; whether it was answered.
        began: time.monotonic() of the start.
        limit: seconds to try for.

    Raises:
        TimeoutError: it did not answer.
    """
    while not ask():
        if time.monotonic() - began > limit:
            raise TimeoutError(f"process {pid} did not answer within {limit:g} s")
        time.sleep(0.01)
    return time.monotonic() - began, cpu_seconds(pid)
