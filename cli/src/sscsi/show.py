"""What the demo shows, step by step; each step proves what it says or raises."""

import json
import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import json_format

from sscsi.clouds.aws import ROLE, SECRET
from sscsi.clouds.cloud import VALUE
from sscsi.kubelet import ask_provider, mount_request
from sscsi.mount import read_versions, read_volume
from sscsi.output import Console, tree
from sscsi.proof import WAIT_SECONDS, NotShown, expect, until
from sscsi.show_clouds import every_answer, every_cloud
from sscsi.stage import Stage
from sscsi_driver.tmpfs import mount_points_below

_ROTATED: Final = "n3w-And-Rot4ted!"
_PODS: Final = 50
_SECRETS: Final = 10


def whole(stage: Stage, console: Console) -> None:
    """Mount, read, rotate, fail with a good message, unmount, prove that nothing is left."""
    console.step("Daemons: providers and driver, each on its unix socket")
    for daemon in (*stage.providers.values(), stage.driver):
        expect(daemon.socket.stat().st_mode & 0o777 == 0o600, f"{daemon.socket} is not mode 0600")
        console.note(f"{daemon.module:<20} pid {daemon.pid}  {daemon.socket}")

    volume = stage.volume()
    console.step(
        f"kubelet publishes a volume: class {volume.namespace}/{volume.class_name}, account {volume.service_account}"
    )
    with stage.kubelet() as kubelet:
        target = kubelet.publish(volume)
        console.note(tree(read_volume(target, reveal=True), read_versions(stage.status, volume)))
        console.note("(the value is the article's public sample; `sscsi mount` shows contents only with --reveal)")
        expect((target / "password").read_text() == VALUE, "the file does not hold the secret")
        expect(os.path.ismount(target), "the volume is no mount")
        console.done(f"on a tmpfs: {_options(target)}")

        console.step("The secret changes in AWS; the driver asks again every second")
        _rotate(stage, target, console)
        console.note(tree(read_volume(target, reveal=True), read_versions(stage.status, volume)))

        console.step("Something is wrong: the role loses its right")
        _denied(stage, kubelet, console)

        console.step("kubelet unpublishes the volume")
        kubelet.unpublish(volume)
        expect(not target.exists(), f"{target} is still there")
        expect(not mount_points_below(stage.folder), "a mount is still there")
        expect(not list((stage.kubelet_root / "pods").iterdir()), "a folder of a pod is still there")
        expect(not list(stage.status.glob("*.yaml")), "the pod's status is still there")
        console.done("no mount, no directory, no status object")
        kubelet.unpublish(volume)
        console.done("unpublishing again is no error")
        if len(stage.clouds) > 1:
            every_cloud(stage, kubelet, _ROTATED, console)
    _crowd(stage, console)
    _nothing_leaked(stage, console)
    _calls(stage, console)


def without_mount(stage: Stage, console: Console, why: Sequence[str]) -> None:
    """What can be shown where nobody may mount: the provider's own answer."""
    console.step("The providers' daemons, each on its unix socket")
    for daemon in stage.providers.values():
        console.note(f"{daemon.module:<20} pid {daemon.pid}  {daemon.socket}")
    every_answer(stage, console)
    console.skipped("driver, tmpfs, rotation and unmount: they need root, or the right to make a user namespace")
    for one in why:
        console.note(one)
    _crowd(stage, console)
    _nothing_leaked(stage, console)
    _calls(stage, console)


def stay(stage: Stage, console: Console) -> int:
    """Keep the provider for grpcurl and `sscsi mount`; print what the second terminal needs."""
    [cloud] = stage.clouds.values()
    volume = stage.volume()
    request = _private(stage.folder / "mount.json", json.dumps(json_format.MessageToDict(_request(stage, volume))))
    token = _private(stage.folder / "token.jwt", volume.tokens[cloud.audience].reveal())
    console.line(f"The provider {cloud.name} runs, with a local backend. In another terminal:\n")
    console.line(f"  export SOCKET={stage.provider.socket}")
    console.line(f"  export CLASS={stage.class_file(volume.class_name)}")
    console.line(f"  export TOKEN={cloud.audience}={token}")
    console.line(f"  export REQUEST={request}\n")
    console.line("Ctrl-C ends it.")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    return 0


def _private(path: Path, text: str) -> Path:
    """A file for nobody else's eyes."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path


def _request(stage: Stage, volume: Any) -> Any:
    return mount_request(volume, stage.parameters_of(next(iter(stage.clouds))), stage.kubelet_root)


def _rotate(stage: Stage, target: Path, console: Console) -> None:
    """Change the secret while a reader reads all the time: it sees the old value or the new one, nothing else.

    That the file was replaced, and not written into, two things show: its inode, and a reader who has it open.
    """
    seen: list[str] = []
    reads = 0
    stop = threading.Event()

    def read() -> None:
        nonlocal reads
        while not stop.is_set():
            reads += 1
            try:
                value = (target / "password").read_text()
            except OSError as error:
                value = f"({error.strerror})"
            if not seen or seen[-1] != value:
                seen.append(value)

    reader = threading.Thread(target=read, daemon=True)  # an interrupt at a bad moment must not leave it reading
    before = (target / "..data").readlink()
    with (target / "password").open() as open_before:
        inode_before = os.fstat(open_before.fileno()).st_ino
        took = _rotated(stage, seen, reader, stop)
        expect(open_before.read() == VALUE, "who had the file open before did not keep what it held")
        inode_after = (target / "password").stat().st_ino
    expect(seen == [VALUE, _ROTATED], f"a reader saw {len(seen)} different things")
    after = (target / "..data").readlink()
    expect(before != after, "..data was not swapped")
    expect(inode_before != inode_after, "the file was written into, not replaced")
    console.done(f"new content after {took:.1f} s, swapped in whole")
    console.done(f"a reader, {reads} times in between, saw the old value, then the new, nothing else")
    console.note(f"..data -> {before}  inode {inode_before}\n..data -> {after}  inode {inode_after}")


def _rotated(stage: Stage, seen: list[str], reader: threading.Thread, stop: threading.Event) -> float:
    """Change the secret, and let the reader see it; seconds that it took."""
    try:
        reader.start()
        until(lambda: bool(seen), "the reader did not begin")
        stage.aws.put_secret(SECRET, _ROTATED)
        began = time.monotonic()
        until(lambda: bool(seen) and seen[-1] == _ROTATED, "the file did not change")
        return time.monotonic() - began
    finally:
        stop.set()
        if reader.is_alive():
            reader.join()


def _denied(stage: Stage, kubelet: Any, console: Console) -> None:
    stage.aws.deny(ROLE, "secretsmanager.GetSecretValue")
    volume = stage.volume(pod="second-pod")
    try:
        kubelet.publish(volume)
    except grpc.RpcError as error:
        told: Any = error
        expect(told.code() is grpc.StatusCode.PERMISSION_DENIED, f"the code is {told.code()}")
        expect("secretsmanager:GetSecretValue" in told.details(), "the message does not name the missing right")
        console.note(f"kubectl describe pod would say:\n{_wrapped(told.details())}")
    else:
        raise NotShown("a role without the right got the secret")
    target = volume.target(stage.kubelet_root)
    expect(not target.parent.exists(), "the failed mount left something behind")
    expect(str(target) not in mount_points_below(stage.folder), "the failed mount left a tmpfs behind")
    console.done("nothing is left of the failed mount")
    stage.aws.allow(ROLE, "secretsmanager.GetSecretValue")
    target = kubelet.publish(volume)
    expect((target / "password").read_text() == _ROTATED, "the retry did not fill the volume")
    console.done("the right is back: the retry fills the volume")
    kubelet.unpublish(volume)


def _crowd(stage: Stage, console: Console) -> None:
    """Many pods at once, with a provider as it is by default: it keeps what it learns, for the same identity."""
    console.step(f"{_PODS} pods of one service account start at once, each with {_SECRETS} secrets")
    names = [f"crowd-{number}" for number in range(_SECRETS)]
    for name in names:
        stage.aws.put_secret(name, VALUE)
    parameters = {"objects": "\n".join(f"- {{objectName: {name}, objectType: secretsmanager}}" for name in names)}
    requests = [
        mount_request(stage.volume(pod=f"crowd-{number}"), parameters, stage.kubelet_root) for number in range(_PODS)
    ]
    before = stage.aws.calls.copy()
    began = time.monotonic()
    sockets = stage.folder / "crowd"
    sockets.mkdir()
    with stage.provider_daemon(sockets) as provider, ThreadPoolExecutor(_PODS) as pods:
        answers = list(pods.map(lambda request: ask_provider(provider.socket, request, WAIT_SECONDS), requests))
        took = time.monotonic() - began
    contents = {file.contents.decode() for answer in answers for file in answer.files}
    expect(contents == {VALUE}, "a pod did not get its secrets")
    expect(all(len(answer.files) == _SECRETS for answer in answers), "a pod did not get all of its secrets")
    calls = stage.aws.calls - before
    expect(calls.total() <= 2, f"it took {calls.total()} calls")  # the promise: a login and a batch
    console.done(f"{_PODS} pods, {calls.total()} calls: {', '.join(sorted(calls))} ({took:.1f} s with its start)")
    console.note(f"pod by pod and secret by secret it would be {_PODS * (_SECRETS + 1)}")


def _nothing_leaked(stage: Stage, console: Console) -> None:
    console.step("Nothing is left to read")
    hidden = [VALUE, _ROTATED, *stage.handed_out()]
    hidden += [token.reveal().split(".")[0] for token in stage.tokens().values()]
    files = [path for path in stage.folder.rglob("*") if path.is_file() and not path.name.endswith("provider-token")]
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        expect(not any(word in text for word in hidden), f"{path} holds a secret or a token")
    console.done(f"no secret and no token in {len(files)} files, the daemons' logs among them")


def _calls(stage: Stage, console: Console) -> None:
    console.step("What it cost")
    for name, count in sorted(stage.calls().items()):
        console.note(f"{count:>4}  {name}")


def _options(target: Path) -> str:
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields[4] == str(target):
            return f"{fields[5]},{fields[-1]}"
    raise NotShown("the mount is not in mountinfo")


def _wrapped(text: str, width: int = 100) -> str:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(f"  {line}" for line in lines)
