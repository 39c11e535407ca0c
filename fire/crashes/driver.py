"""The whole driver is killed: at its start, in a first publish, in a rotation, in an unpublish."""

import os
import random
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import grpc

from fire.case import Case, Shown, expect
from fire.node import Node
from fire.plan import Plan
from fire.reading import Reader, exact
from fire.reading_process import Readers
from sscsi.kubelet import channel_to
from sscsi_driver import control

_START_SECONDS = 1.0
_WORK_SECONDS = 0.03
"""What a publish takes."""
_ANSWERED_SECONDS = 0.01
"""What the driver needs to write a volume, and more."""
_TICK_SECONDS = 1.0
"""How often the driver looks at what is due."""


class _Killer:
    """Kills the driver of a node in the middle of something, and starts the next one."""

    def __init__(self, node: Node, seed: int, dice: random.Random) -> None:
        self.node = node
        self.seed = seed
        self.dice = dice
        self.standing = [node.volume("web-standing-0"), node.volume("web-standing-1")]
        self.longest = 0.0
        self.in_time = 0
        self.dead = threading.Event()

    def round(self, number: int) -> None:
        """One kill, and everything right after it.

        Raises:
            Broken: something is not.
        """
        volume = self.node.volume(f"web-{number}")
        what = number % 4
        if what == 0:
            self.node.driver.kill()
            self.node.driver.launch()
            time.sleep(self.dice.uniform(0, _START_SECONDS))
        elif what == 1:
            self._during(lambda: self.node.publish(volume), after_answer=self.dice.random() < 0.5)
        elif what == 2:
            self._during(self._rotate, after_answer=True)
        else:
            self.node.publish(volume)
            self._during(lambda: self.node.unpublish(volume), after_answer=False)
        self.node.driver.kill()
        for one in self.standing:
            Reader(one.target(self.node.root), self.seed).read()  # nobody needs a driver to read
        began = time.monotonic()
        self.node.driver.start()
        for one in self.standing:
            self.node.publish(one)
        self.longest = max(self.longest, time.monotonic() - began)
        if what == 1 or self.dice.random() < 0.5:  # kubelet tries again; or the pod is gone meanwhile
            target = self.node.publish(volume)
            exact(target, self.seed, Reader(target, self.seed).read())
            names = sorted(os.listdir(self.node.status))
            expect(len(names) == len(self.standing) + 1, f"pod statuses with the volume of {volume.pod}: {names}")
        self.node.note(volume)
        self.node.unpublish(volume)
        self._check()

    def _during(self, call: Callable[[], object], *, after_answer: bool) -> None:
        """Kill while the call goes on; or just after the provider was asked, while the volume is written."""

        def attempt() -> None:
            with suppress(grpc.RpcError):
                call()
                self.in_time += 1

        self.dead.clear()
        asked = self._asked()
        thread = threading.Thread(target=attempt)
        thread.start()
        if after_answer:
            while self._asked() == asked and thread.is_alive():
                time.sleep(0.0005)
        time.sleep(self.dice.uniform(0, _ANSWERED_SECONDS if after_answer else _WORK_SECONDS))
        self.node.driver.kill()
        self.dead.set()
        thread.join(10)
        expect(not thread.is_alive(), "a call to a killed driver did not end within 10 s")

    def _rotate(self) -> None:
        with channel_to(self.node.driver.socket) as channel:
            expect(control.refresh(channel, "", 10) == len(self.standing), "not all volumes rotate")
            self.dead.wait(2 * _TICK_SECONDS)

    def _asked(self) -> int:
        """How often the provider was asked."""
        return self.node.provider.log.read_text().count("\n")

    def _check(self) -> None:
        targets = sorted(str(one.target(self.node.root)) for one in self.standing)
        expect(sorted(self.node.mounts()) == targets, f"mounted: {self.node.mounts()}")
        names = sorted(os.listdir(self.node.status))
        expect(len(names) == len(targets), f"pod statuses: {names}")
        for folder in (self.node.run, self.node.sockets):
            _only_sockets(folder)

    def end(self) -> None:
        """Everything goes; nothing is left."""
        for one in self.standing:
            self.node.unpublish(one)
        expect(self.node.mounts() == [], f"mounted: {self.node.mounts()}")
        left = sorted(str(path.relative_to(self.node.home)) for path in self.node.status.iterdir())
        left += os.listdir(self.node.root / "pods")
        expect(not left, f"left behind: {left}")


def _only_sockets(folder: Path) -> None:
    names = sorted(path.name for path in folder.iterdir())
    expect(len(names) == 1, f"in the folder of the socket: {names}")
    expect(stat.S_ISSOCK((folder / names[0]).lstat().st_mode), f"{names[0]} is no socket")


def _killed(plan: Plan) -> Shown:
    kills = plan.count(6, 50)
    flags = ("--enable-secret-rotation", "--rotation-poll-interval=1h")
    with Node(None, plan.seed, driver_flags=flags) as node:
        node.provider.start()
        node.driver.start()
        killer = _Killer(node, plan.seed, plan.dice("driver"))
        targets = [node.publish(one) for one in killer.standing]
        with Readers(1, plan.seed, targets) as readers:
            for number in range(kills):
                killer.round(number)
            read = readers.finish()
        killer.end()
    print(f"    {killer.in_time} calls were answered before the kill, {read}")
    return Shown(
        "volumes that stand go on being read, whole, with a driver or without; the next driver takes them over; what "
        "was half made is gone or filled anew; one mount for each volume, and no litter beside sockets and statuses",
        kills,
        "kills",
        killer.longest,
    )


DRIVER = Case(
    "driver", "SIGKILL to the driver while it starts, publishes, rotates and unpublishes, and a process reads", _killed
)
