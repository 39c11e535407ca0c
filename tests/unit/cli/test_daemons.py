"""Child processes: what becomes of them when they, or we, end."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sscsi.daemons import Daemon

SERVES = """
import os, pathlib, signal, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("pid", os.getpid(), "group", os.getpgrp(), "canary" in str(os.environ), flush=True)
signal.pause()
"""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name, "serves.py").write_text(SERVES)
        Path(name, "fails.py").write_text("raise SystemExit('why it failed')")
        monkeypatch.setenv("PYTHONPATH", name)
        yield Path(name)


def daemon(folder: Path, module: str = "serves", *, tied: bool = False) -> Daemon:
    socket = folder / "d.sock"
    return Daemon(module, [str(socket)], socket, folder / "log", tied=tied)


def until(true: Callable[[], bool]) -> bool:
    pause = threading.Event()
    return any(true() or pause.wait(0.02) for _ in range(500))


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("tied", [False, True])
def test_from_start_to_end(folder: Path, tied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    with daemon(folder, tied=tied) as one:
        assert until(lambda: bool(one.tail()))
        assert one.tail() == f"pid {one.pid} group {one.pid} False"
    assert not lives(one.pid)


def test_a_daemon_that_does_not_start_tells_why(folder: Path) -> None:
    with pytest.raises(RuntimeError, match="why it failed"):
        daemon(folder, "fails").start()


def test_what_was_not_started_has_no_pid_and_may_be_stopped(folder: Path) -> None:
    one = daemon(folder)
    one.stop()
    one.kill()
    with pytest.raises(RuntimeError, match="was not started"):
        _ = one.pid


def test_a_failure_around_it_kills_it_without_waiting(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), daemon(folder) as one:
        raise ZeroDivisionError
    assert not lives(one.pid)


def test_a_tied_daemon_is_started_by_the_main_thread_only(folder: Path) -> None:
    errors: list[str] = []

    def launch() -> None:
        try:
            daemon(folder, tied=True).launch()
        except RuntimeError as error:
            errors.append(str(error))

    thread = threading.Thread(target=launch)
    thread.start()
    thread.join()
    assert errors == ["serves would die with this thread: start it from the main thread"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_tied_daemon_dies_with_its_parent(folder: Path, number: signal.Signals) -> None:
    script = f"""
        import pathlib, time
        from sscsi.daemons import Daemon
        folder = pathlib.Path({str(folder)!r})
        one = Daemon("serves", [str(folder / "d.sock")], folder / "d.sock", folder / "log", tied=True)
        one.start()
        print(one.pid, flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert lives(pid)
        os.kill(parent.pid, number)
    assert until(lambda: not lives(pid)), "it outlived its parent"
