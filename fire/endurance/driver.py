"""Thousands of volumes come and go, while others rotate every second."""

import grpc

from fire.case import Case, Shown, expect
from fire.endurance.holding import course
from fire.endurance.rounds import run
from fire.node import Node
from fire.plan import Plan
from fire.reading import Reader
from fire.reading_process import Readers

_MIB = 75.0
_STANDING = 4
_WRONG_EVERY = 25
_SOAK_SECONDS = 720.0


def _endures(plan: Plan) -> Shown:
    flags = ("--enable-secret-rotation", "--rotation-poll-interval=1s")
    with Node(None, plan.seed, driver_flags=flags) as node:
        node.provider.start()
        node.driver.start()
        standing = [node.volume(f"web-standing-{number}") for number in range(_STANDING)]
        targets = [node.publish(one) for one in standing]

        def cycle(number: int) -> None:
            volume = node.volume(f"web-{number}")
            if number % _WRONG_EVERY == 0:
                _refused(node, number)
                return
            target = node.publish(volume)
            Reader(target, plan.seed).read()
            node.unpublish(volume)

        with Readers(1, plan.seed, targets) as readers:
            done, warm, now = run(course(plan, 300, _SOAK_SECONDS), node.driver.pid, _MIB, cycle)
            read = readers.finish()
        for one in standing:
            node.unpublish(one)
        expect(node.mounts() == [], f"mounted: {node.mounts()}")
        expect(list(node.status.iterdir()) == [], "pod statuses are left")
    print(f"    {warm} -> {now}; {read}")
    expect(read.generations > _STANDING, "the standing volumes did not rotate")
    return Shown(
        f"descriptors, sockets, threads and mounts as after the warm-up; {now.mib:.0f} MiB, "
        f"{'less than 1' if now.mib - warm.mib < 1 else f'{now.mib - warm.mib:.0f}'} more than then "
        f"(promised: {_MIB:g}, and 5 more); nothing is mounted at the end",
        done,
        f"cycles, 1 of {_WRONG_EVERY} refused",
    )


def _refused(node: Node, number: int) -> None:
    """A pod that names a class that is not there."""
    volume = node.volume(f"web-{number}")
    try:
        node.publish(type(volume)(volume.namespace, volume.pod, volume.service_account, "absent", tokens=volume.tokens))
    except grpc.RpcError:
        return
    expect(False, "a class that does not exist was mounted")


DRIVER = Case(
    "driver",
    f"volumes are published, read and unpublished, 8 at once, while {_STANDING} others rotate every second",
    _endures,
)
