"""`sscsi demo` under other conditions than a root's who waits for its end."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from driver_rig import CANT_MOUNT
from sscsi.clouds import ALL

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("own_tmp")]

NO_NAMESPACES = "for one in user mnt; do echo 0 >/proc/sys/user/max_${one}_namespaces || exit 9; done; "


def until(true: Callable[[], bool], seconds: float = 20) -> bool:
    pause = threading.Event()
    return any(true() or pause.wait(0.05) for _ in range(int(seconds / 0.05)))


def left() -> set[str]:
    return {path.name for path in Path(os.environ["TMPDIR"]).glob("sscsi-*")}


def demo(*prefix: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*prefix, sys.executable, "-m", "sscsi", "demo"], capture_output=True, text=True, check=False, timeout=90
    )


def unshared(*flags: str, script: str = "") -> tuple[str, ...]:
    if shutil.which("unshare") is None:
        pytest.skip("unshare (util-linux) is not installed")
    prefix = ("unshare", *flags, "sh", "-c", f'{script}exec "$@"', "sh")
    if subprocess.run(
        [*prefix, "unshare", "--user", "--map-root-user", "true"], check=False, capture_output=True
    ).returncode:
        if not script:
            pytest.skip("a normal user can't make a user namespace here")
        if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode:
            pytest.skip(f"`unshare {' '.join(flags)}` is refused here, or its limits can't be set")
    return prefix


@pytest.mark.mount
def test_the_whole_demo_as_a_normal_user() -> None:
    before = left()
    done = demo(*unshared("--user", "--map-user=1000", "--map-group=1000"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as a normal user, in a user and mount namespace of its own" in done.stdout
    assert "no mount, no directory, no status object" in done.stdout
    assert left() == before


@pytest.mark.mount
def test_the_whole_demo_as_root_without_a_namespace_of_its_own() -> None:
    before = left()
    done = demo(*unshared("--user", "--map-root-user", "--mount", script=NO_NAMESPACES))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "in this machine's own mount table" in done.stdout
    assert "no mount, no directory, no status object" in done.stdout
    assert left() == before


def test_what_is_skipped_has_its_reason() -> None:
    done = demo(*unshared("--user", "--map-root-user", script=NO_NAMESPACES))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as root, in a mount namespace of its own: unshare: " in done.stdout
    assert "as a normal user, in a user and mount namespace of its own: unshare: " in done.stdout


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.mount
@pytest.mark.skipif(bool(CANT_MOUNT), reason=CANT_MOUNT or "mounting works")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ended_in_the_middle_it_leaves_no_daemon_and_no_mount(number: signal.Signals) -> None:
    before = left()
    with subprocess.Popen(
        [sys.executable, "-m", "sscsi", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_heed_interrupts,  # noqa: PLW1509  # a shell's `&` would have us ignore it; nothing else runs there
    ) as running:
        assert running.stdout is not None
        said = ""
        for line in running.stdout:
            said += line
            if "on a tmpfs:" in line:
                break
        children = psutil.Process(running.pid).children(recursive=True)
        assert len(children) >= 1 + len(ALL), said
        os.kill(running.pid, number)
        said += running.stdout.read()
    assert "Traceback" not in said
    assert until(lambda: not any(child.is_running() for child in children)), "a daemon outlived the demo"
    assert os.environ["TMPDIR"] not in Path("/proc/self/mountinfo").read_text()
    if number is signal.SIGKILL:  # nobody could clean up, but what is left is nothing mounted and no daemon
        assert running.returncode == -number
        for name in left() - before:
            shutil.rmtree(Path(os.environ["TMPDIR"]) / name)
        return
    assert running.returncode == 128 + number
    assert f"ended by {number.name}" in said
    assert left() == before


def test_nobody_reads_to_the_end() -> None:
    done = subprocess.run(
        f"{sys.executable} -m sscsi --help | true; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
