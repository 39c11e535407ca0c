"""`python -m fire.backend_process NAME FOLDER`: a cloud's stand-in as a process of its own, asked in lines of JSON.

So that a daemon under load shares an interpreter with nobody, and neither does whoever counts what it holds.
"""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from bench.backends import ALL, Backend, Promises


class FarBackend:
    """See Backend: each question goes to the process."""

    name: ClassVar[str]
    audience: ClassVar[str]
    promises: ClassVar[Promises]

    def __init__(self, latency: float, folder: Path) -> None:
        self._latency = latency
        self._folder = folder
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fire.backend_process", self.name, str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.stall(self._latency)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def calls(self) -> Counter[str]:
        """See Backend."""
        return Counter(self._ask("calls"))

    def stall(self, seconds: float) -> None:
        """Hold every answer back for so long, from the next question on."""
        self._ask("stall", seconds)

    def flags(self) -> list[str]:
        """See Backend."""
        found: list[str] = self._ask("flags")
        return found

    def environ(self) -> Mapping[str, str]:
        """See Backend."""
        found: dict[str, str] = self._ask("environ")
        return found

    def annotations(self, account: str) -> Mapping[str, str]:
        """See Backend."""
        found: dict[str, str] = self._ask("annotations", account)
        return found

    def parameters(self, secrets: int) -> Mapping[str, str]:
        """See Backend."""
        found: dict[str, str] = self._ask("parameters", secrets)
        return found

    def _ask(self, method: str, *arguments: object) -> Any:
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps([method, *arguments]) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())


def far(of: type[Backend]) -> type[FarBackend]:
    """A cloud's stand-in, in a process of its own."""
    return type(f"Far{of.__name__}", (FarBackend,), {"name": of.name, "audience": of.audience, "promises": of.promises})


CLOUDS: tuple[type[FarBackend], ...] = tuple(far(one) for one in ALL)
"""All four."""


def _answer(backend: Backend, method: str, arguments: list[Any]) -> Any:
    if method == "stall":
        emulator: Any = next(one for one in vars(backend).values() if hasattr(one, "latency_seconds"))
        emulator.latency_seconds = arguments[0]
        return None
    if method == "calls":
        return backend.calls
    return getattr(backend, method)(*arguments)


def main(name: str, folder: Path) -> None:
    """Answer questions until the standard input ends."""
    cloud = next(one for one in ALL if one.name == name)
    with cloud(0.0, folder) as backend:
        for line in sys.stdin:
            method, *arguments = json.loads(line)
            print(json.dumps(_answer(backend, method, arguments)), flush=True)
        os._exit(0)  # stalled answers are not waited for


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
