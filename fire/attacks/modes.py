"""Whatever umask a daemon is started with, what it makes has the modes and owners that it should have."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from fire.backend_process import CLOUDS
from fire.case import Case, Shown, expect
from fire.node import Node
from fire.plan import Plan
from fire.reading import Reader, exact
from sscsi.daemons import Daemon
from sscsi_shared.daemon.socket import is_live

_START_SECONDS = 20.0


def _start(daemon: Daemon, umask: int, log: Path) -> "subprocess.Popen[bytes]":
    """Start a daemon with a umask, and wait until it serves."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", daemon.module, *daemon.arguments], umask=umask, stdout=out, stderr=out,
            env={**os.environ, **daemon.environ},
        )  # fmt: skip
    ends = time.monotonic() + _START_SECONDS
    while not is_live(daemon.socket):
        expect(process.poll() is None and time.monotonic() < ends, f"{daemon.module} did not start: {log.read_text()}")
        time.sleep(0.02)
    return process


def _looks(path: Path) -> str:
    status = path.lstat()
    return f"{stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid}"


def _expect(wanted: Mapping[Path, Sequence[str]]) -> int:
    for path, looks in wanted.items():
        expect(_looks(path) in looks, f"{path.name} is {_looks(path)}, and not {' or '.join(looks)}")
    return len(wanted)


def _driver(plan: Plan, umask: int) -> int:
    with Node(None, plan.seed) as node:
        run, status = node.run, node.status
        run.rmdir()
        node.sockets.rmdir()
        process = _start(node.driver, umask, node.home / "umask.log")
        try:
            node.provider.start()
            volume = node.volume("web-0")
            target = volume.target(node.root)
            pods = node.root / "pods"
            node.publish_only(volume)
            version = (target / "..data").resolve()
            made = {
                run: ["drwxr-xr-x 0:0", "drwx------ 0:0"],
                node.driver.socket: ["srw------- 0:0"],
                node.sockets: ["drwxrwx--T 0:65532", "drwxrwx--T 0:0"],  # 0:0 where there is no such group
                status: ["drwxr-xr-x 0:0", "drwx------ 0:0"],
                next(status.iterdir()): ["-rw-r--r-- 0:0", "-rw------- 0:0"],
                target: ["drwxr-xr-x 0:0"],
                version: ["drwxr-xr-x 0:0"],
                **{folder: ["drwxr-x--- 0:0", "drwx------ 0:0"] for folder in (pods, *_between(pods, target))},
            }
            for folder in version.rglob("*"):
                if folder.is_dir():
                    made[folder] = ["drwxr-xr-x 0:0"]
            count = _expect(made)
            exact(target, plan.seed, Reader(target, plan.seed).read())  # the files' own modes
            node.unpublish(volume)
            return count
        finally:
            process.kill()
            process.wait()


def _between(pods: Path, target: Path) -> list[Path]:
    return [parent for parent in target.parents if pods in parent.parents]


def _providers(plan: Plan, umask: int) -> int:
    count = 0
    for cloud in CLOUDS:
        with Node(cloud, plan.seed) as node:
            node.sockets.rmdir()
            process = _start(node.provider, umask, node.home / "umask.log")
            try:
                count += _expect({node.sockets: ["drwxr-xr-x 0:0", "drwx------ 0:0"]})
                count += _expect(dict.fromkeys(node.sockets.iterdir(), ("srw------- 0:0",)))
            finally:
                process.kill()
                process.wait()
    return count


def _umasks(plan: Plan) -> Shown:
    looked = sum(part(plan, umask) for umask in (0, 0o077) for part in (_driver, _providers))
    return Shown(
        "sockets 0600; the providers' folder 1770; volumes 0755; nothing that others may write",
        looked,
        "files, folders and sockets",
    )


MODES = Case("umask", "the driver and every provider are started with umask 0, and with umask 077", _umasks)
