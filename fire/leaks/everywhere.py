"""A life of volumes, with everything going well and then everything going wrong; then the search."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from fire.case import Case, Shown, expect
from fire.leaks.words import Search, of_token
from fire.leaks.world import SECRET_NAME, World
from fire.plan import Plan
from sscsi.clouds.cloud import NAMESPACE
from sscsi.kubelet import Kubelet, channel_to
from sscsi_driver import control

_KINDS = ("Event", "SecretProviderClassPodStatus", "Pod", "SecretProviderClass", "ServiceAccount")
"""What others read at the API server; a Secret is where its content belongs."""
_HOLDERS = ("kubeconfig", "-provider-token")
"""Files of the stage that hold a token for a daemon; the OpenBao server's own folder is left out as well."""


_ROTATION_SECONDS = 30.0


def _life(world: World, cloud: str, plan: Plan) -> tuple[dict[str, list[str]], list[str]]:
    """Go through it; the words to look for, and the errors that were told."""
    stage, dice = world.stage, plan.dice(f"leaks {cloud}")
    values = [f"canary-{secrets.token_hex(12)}" for _ in range(2)]
    parameters = dict(stage.parameters_of(cloud))
    errors: list[str] = []
    stage.clouds[cloud].put(values[0])
    world.put_class(f"good-{cloud}", cloud, parameters)
    volume = world.volume(f"good-{cloud}", f"web-{cloud}")
    with stage.kubelet(30.0) as kubelet:
        target = kubelet.publish(volume)
        words = {
            "secret": values,
            "token": [part for token in volume.tokens.values() for part in of_token(token.reveal())],
            "handed out": list(stage.handed_out()),
            "the driver's token": [stage.kubernetes.admin_token],
        }
        file = target / stage.clouds[cloud].file
        expect(list(Search(words).found_in(file.read_bytes())) == ["secret"], "the search finds nothing where it is")
        stage.clouds[cloud].put(values[1])
        _rotate(world, lambda: file.read_text(encoding="utf-8") == values[1], "not rotated")
        _go_wrong(world, kubelet, cloud, parameters, errors)
        _rotation_goes_wrong(world, cloud, parameters, dice.choice(sorted(parameters)))
        _secret_goes_wrong(world, cloud, parameters)
        kubelet.unpublish(volume)
    words["handed out"] = list(stage.handed_out())
    expect(errors, "nothing went wrong: that is wrong")
    return words, errors


def _rotate(world: World, true: Callable[[], bool], otherwise: str) -> None:
    """Have every volume fetched until something has come true; the driver keeps a class for 10 s."""
    ends = time.monotonic() + _ROTATION_SECONDS
    with channel_to(world.driver.socket) as channel:
        while not true():
            expect(time.monotonic() < ends, otherwise)
            control.refresh(channel, "", 10)
            time.sleep(0.5)


def _go_wrong(world: World, kubelet: Kubelet, cloud: str, parameters: dict[str, str], errors: list[str]) -> None:
    """A class with each parameter broken in turn: errors of every step; a token of another pod; no token."""
    broken = {f"{name}-{cloud}": {**parameters, name: f"{text}canary"} for name, text in parameters.items()}
    broken |= {f"no-{name}-{cloud}": {k: v for k, v in parameters.items() if k != name} for name in parameters}
    for name, wrong in broken.items():
        of_class = name.lower()
        world.put_class(of_class, cloud, wrong)
        volume = world.volume(of_class, f"pod-{of_class}")
        try:
            kubelet.publish(volume)
        except grpc.RpcError as error:
            errors.append(str(error))
        else:
            kubelet.unpublish(volume)


def _rotation_goes_wrong(world: World, cloud: str, parameters: dict[str, str], name: str) -> None:
    world.put_class(f"good-{cloud}", cloud, {**parameters, name: "canary: ["})
    _rotate(world, lambda: _told(world, "RotationFailed", cloud), "nobody was told of the failed rotation")


def _secret_goes_wrong(world: World, cloud: str, parameters: dict[str, str]) -> None:
    """The Secret has become somebody else's."""
    other = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{SECRET_NAME}-{cloud}", "namespace": NAMESPACE},
    }
    world.stage.kubernetes.delete("Secret", NAMESPACE, f"{SECRET_NAME}-{cloud}")
    world.stage.kubernetes.apply({**other, "data": {}})
    world.put_class(f"good-{cloud}", cloud, parameters)
    world.stage.clouds[cloud].put("another value")
    _rotate(world, lambda: _told(world, "SyncFailed", cloud), "nobody was told of the Secret that failed")


def _told(world: World, reason: str, cloud: str) -> bool:
    events = world.stage.kubernetes.every("Event")
    return any(one["reason"] == reason and one["involvedObject"]["name"] == f"web-{cloud}" for one in events)


def _readable(world: World, errors: list[str]) -> Iterator[tuple[str, bytes]]:
    """Everything that somebody else can read: what it is, and its text."""
    for daemon in ("driver", *world.stage.clouds):
        yield f"metrics of {daemon}", world.page(daemon)
    for one in world.daemons:
        for file in ("cmdline", "environ"):
            yield f"{file} of {one.module}", Path(f"/proc/{one.pid}/{file}").read_bytes()
    for error in errors:
        yield "an error", error.encode()
    for kind in _KINDS:
        for body in world.stage.kubernetes.every(kind):
            yield f"{kind} {body['metadata']['name']}", json.dumps(body).encode()
    for path in world.stage.folder.rglob("*"):
        if path.is_file() and not path.name.endswith(_HOLDERS) and "bao" not in path.parts:
            yield str(path.relative_to(world.stage.folder)), path.read_bytes()


def _run(plan: Plan) -> Shown:
    words: dict[str, list[str]] = {}
    errors: list[str] = []
    with World() as world:
        clouds = list(world.stage.clouds)
        with ThreadPoolExecutor(len(clouds)) as pool:
            lives = list(pool.map(lambda cloud: _life(world, cloud, plan), clouds))
        for cloud, (of_cloud, told) in zip(clouds, lives, strict=True):
            words |= {f"{name} of {cloud}": group for name, group in of_cloud.items()}
            errors += told
        search = Search(words)
        for place, text in _readable(world, errors):
            found = list(search.found_in(text))
            expect(not found, f"{', '.join(found)} stands in: {place}")
        expect(not list(world.temporary.iterdir()), "a temporary file was left")
    print(f"    {search.places} places, {len(errors)} errors")
    return Shown("found nowhere, in no encoding, and no digest of it", search.places, "places looked at")


EVERYWHERE = Case(
    "everywhere",
    "canaries as secrets and tokens of all four providers and the driver: mounted, rotated, made a Secret of; then "
    "each parameter wrong or absent, a rotation and a Secret that fail",
    _run,
)
