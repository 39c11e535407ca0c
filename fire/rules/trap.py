"""A place where nobody may come, and mounts that have to be refused."""

import json
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, cast

import grpc

from fire.case import expect
from fire.node import Node
from sscsi.kubelet import PodVolume, ask_provider, mount_request

Refusal = tuple[grpc.StatusCode, str]
CANARY: Final = "canary-of-a-rule"


class Trap:
    """Listens on loopback, where a metadata server or another's backend would be; takes every connection.

    Attributes:
        url: its address.
        visitors: the first bytes of everybody who came.
    """

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: Final = int(self._server.getsockname()[1])
        self.url: Final = f"http://127.0.0.1:{self.port}"
        self.visitors: list[bytes] = []

    def take(self) -> None:
        """Until the end."""
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client:
                client.settimeout(1)
                try:
                    self.visitors.append(client.recv(200))
                    client.sendall(b"HTTP/1.1 404 .\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                except OSError:
                    self.visitors.append(b"")

    def close(self) -> None:
        """End it."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@contextmanager
def trapped() -> Iterator[Trap]:
    """A trap; whoever came breaks a promise.

    Raises:
        Broken: somebody did.
    """
    trap = Trap()
    threading.Thread(target=trap.take, daemon=True).start()
    try:
        yield trap
    finally:
        trap.close()
    expect(not trap.visitors, f"somebody came where nobody may: {trap.visitors[:3]}")


def ask(
    node: Node,
    volume: PodVolume,
    parameters: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    without: Iterable[str] = (),
) -> Refusal | int:
    """Mount by the provider's socket: how many files came, or why none did.

    Args:
        node: whose provider.
        volume: whose.
        parameters: of the class, over the usual ones.
        secrets: of nodePublishSecretRef.
        without: parameters that are left away.
    """
    usual = {key: value for key, value in node._parameters().items() if key not in set(without)}
    request = mount_request(volume, {**usual, **(parameters or {})}, node.root)
    request.secrets = json.dumps(secrets)
    try:
        return len(ask_provider(node.provider.socket, request, 30).files)
    except grpc.RpcError as error:
        answer = cast("grpc.Call", error)
        return answer.code(), answer.details() or ""


def expect_refused(answer: Refusal | int, code: grpc.StatusCode, text: str) -> None:
    """It is a refusal, with this code and these words, and tells no canary.

    Raises:
        Broken: it is something else.
    """
    expect(isinstance(answer, tuple), f"files were given where `{text}` was due")
    said = cast("Refusal", answer)
    expect(said[0] is code and text in said[1], f"not {code.name} with `{text}` but {said[0].name}: {said[1]}")
    expect(CANARY not in said[1], f"a canary is told: {said[1]}")
