"""Thousands of mounts by many identities, whose logins and contents expire and are pushed out all the time."""

import grpc

from fire.backend_process import CLOUDS, FarBackend
from fire.case import Case, Shown, expect
from fire.endurance.holding import course
from fire.endurance.rounds import run
from fire.node import SECRETS, Node
from fire.plan import Plan

_ACCOUNTS, _OFTEN = 120, 8
"""Half of the mounts are of the few, half of all."""
_TURN_OVER = ("--cache-ttl=1s", "--session-max-age=5s", "--cache-max-sessions=48")
_WRONG_EVERY = 25
_LOAD_MIB = 24.0
"""What many identities may add to a provider that idles (bench/memory.py)."""
_SOAK_SECONDS = 720.0


def _endures(cloud: type[FarBackend], plan: Plan) -> Shown:
    dice = plan.dice(cloud.name)
    order = [dice.randrange(_OFTEN if dice.random() < 0.5 else _ACCOUNTS) for _ in range(5000)]
    with Node(cloud, accounts=_ACCOUNTS, provider_flags=_TURN_OVER) as node:
        node.provider.start()

        def mount(number: int) -> None:
            if number % _WRONG_EVERY == 0:
                _refused(node, number)
                return
            volume = node.volume(f"web-{number}", order[number % len(order)])
            files = node.ask(volume)
            expect(files == SECRETS, f"{files} files of {SECRETS}")

        most = cloud.promises.idle_mib + _LOAD_MIB
        done, warm, now = run(course(plan, 600, _SOAK_SECONDS), node.provider.pid, most, mount)
        asked = node.backend.calls.total()
    print(f"    {warm} -> {now}; {asked} calls of the backend")
    expect(asked > done / 10, f"the caches did not turn over: {asked} calls of the backend")
    return Shown(
        f"descriptors, sockets, threads and mounts as after the warm-up; {now.mib:.0f} MiB, "
        f"{'less than 1' if now.mib - warm.mib < 1 else f'{now.mib - warm.mib:.0f}'} more than then "
        f"(promised: {most:g}, and 5 more)",
        done,
        f"mounts, 1 of {_WRONG_EVERY} refused",
    )


def _refused(node: Node, number: int) -> None:
    """A pod whose service account nobody knows."""
    try:
        node.ask(node.volume(f"web-{number}", 1000 + number))
    except grpc.RpcError:
        return
    expect(False, "a service account that does not exist was given files")


def _case(cloud: type[FarBackend]) -> Case:
    return Case(
        cloud.name,
        f"{_ACCOUNTS} identities ask the {cloud.name} provider, each on a connection of its own, while logins and "
        "contents expire and are pushed out",
        lambda plan: _endures(cloud, plan),
    )


PROVIDERS = tuple(_case(cloud) for cloud in CLOUDS)
