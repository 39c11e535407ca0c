"""False sockets: links out of the folder, things that are none, folders in which everybody may replace them."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

import grpc

from fire.attacks.canary import make, untouched
from fire.case import Case, Shown, expect
from fire.node import Node
from fire.plan import Plan


@contextmanager
def _listener(path: Path) -> Iterator[socket.socket]:
    """Somebody who would like to be asked for secrets; nobody may connect."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()
        server.setblocking(False)
        yield server


def _connected(server: socket.socket) -> bool:
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def _false(folder: Path, outside: Path) -> list[tuple[Callable[[Path], object], str]]:
    """What may stand in a socket's place, and what the answer says of it."""
    return [
        (lambda path: path.symlink_to(outside), "a link that leaves the folder"),
        (
            lambda path: path.symlink_to(Path("..") / outside.parent.name / outside.name),
            "a link that leaves the folder",
        ),
        (lambda path: path.symlink_to(path.name), "refused: Too many levels of symbolic links"),
        (lambda path: path.symlink_to(folder / "absent.sock"), "refused: No such file or directory"),
        (lambda path: path.write_bytes(b""), "not a socket"),
        (lambda path: path.mkdir(), "not a socket"),
        (os.mkfifo, "not a socket"),
        (lambda path: path.symlink_to("/dev/null"), "a link that leaves the folder"),
    ]


def _refused(node: Node, number: int, text: str) -> None:
    volume = node.volume(f"web-{number}")
    try:
        node.publish(volume)
    except grpc.RpcError as error:
        said = cast("grpc.Call", error).details()
        expect(text in said, f"the answer does not say `{text}`: {said}")
    else:
        expect(False, f"a volume was filled where `{text}`")
    expect(node.mounts() == [], f"mounted: {node.mounts()}")


def _attacked(plan: Plan) -> Shown:
    tried = 0
    with ExitStack() as stack:
        node = stack.enter_context(Node(None, plan.seed))
        node.driver.start()
        canary = make(node.home)
        outside = stack.enter_context(_listener(canary / "out.sock"))
        path = node.sockets / "scripted.sock"
        stack.enter_context(untouched(canary))
        for put, text in _false(node.sockets, canary / "out.sock"):
            put(path)
            _refused(node, tried, text)
            tried += 1
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        node.provider.start()
        for mode in (0o777, 0o757, 0o702):
            node.sockets.chmod(mode)
            _refused(node, tried, f"refused: everybody may write it and replace sockets; chmod 1770 it, now {mode:04o}")
            tried += 1
        for mode in (0o1777, 0o770, 0o1770):
            node.sockets.chmod(mode)
            volume = node.volume(f"web-{tried}")
            node.publish(volume)
            node.unpublish(volume)
            tried += 1
        expect(not _connected(outside), "the driver has connected to a socket outside")
    return Shown(
        "refused, and told which and why; nobody connects outside; a safe folder serves again at once",
        tried,
        "publishes",
    )


SOCKETS = Case(
    "sockets",
    "links out of the folder of sockets, loops, files, FIFOs; folders that others may write without the sticky bit",
    _attacked,
)
