"""A provider that does what a test says, on a real unix socket: in this process, or as one of its own to be killed.

python scripted_provider.py SOCKET (answer CONTENTS | hang | unavailable)
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import grpc

from sscsi_shared.v1alpha1 import provider_pb2 as pb
from sscsi_shared.v1alpha1 import provider_pb2_grpc

Answer = Callable[[pb.MountRequest, grpc.ServicerContext], pb.MountResponse]


def volume(*files: tuple[str, bytes], version: str = "1", mode: int = 0o644) -> pb.MountResponse:
    """An answer of these files, one object version for each; without files one object that is said to be read."""
    return pb.MountResponse(
        object_version=[pb.ObjectVersion(id=path, version=version) for path, _ in files]
        or [pb.ObjectVersion(id="object", version=version)],
        files=[pb.File(path=path, mode=mode, contents=contents) for path, contents in files],
    )


def always(response: pb.MountResponse) -> Answer:
    return lambda request, context: response


def refuse(code: grpc.StatusCode, text: str, reason: str = "") -> Answer:
    def answer(request: pb.MountRequest, context: grpc.ServicerContext) -> pb.MountResponse:
        if reason:
            context.set_trailing_metadata((("sscsi-reason", reason),))
        context.abort(code, text)
        raise AssertionError("abort raises")

    return answer


class ScriptedProvider(provider_pb2_grpc.CSIDriverProviderServicer):
    """Answers every Mount with `answer`, and keeps the requests."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[pb.MountRequest] = []
        self.asked = threading.Event()
        self.cancelled = threading.Event()

    def Version(self, request: pb.VersionRequest, context: grpc.ServicerContext) -> pb.VersionResponse:
        return pb.VersionResponse(version=request.version, runtime_name="scripted", runtime_version="1.2.3")

    def Mount(self, request: pb.MountRequest, context: grpc.ServicerContext) -> pb.MountResponse:
        self.requests.append(request)
        context.add_callback(self._ended)
        self.asked.set()
        return self.answer(request, context)

    def _ended(self) -> None:
        self.cancelled.set()

    def hang(self, request: pb.MountRequest, context: grpc.ServicerContext) -> pb.MountResponse:
        """An answer that comes only after the caller has gone."""
        self.cancelled.clear()
        if not self.cancelled.wait(60):
            raise AssertionError("nobody cancelled")
        return pb.MountResponse()

    @contextlib.contextmanager
    def serving(self, socket: Path) -> Iterator[None]:
        server = grpc.server(
            futures.ThreadPoolExecutor(8),
            options=(
                ("grpc.max_send_message_length", -1),
                ("grpc.max_metadata_size", 1 << 20),
                ("grpc.absolute_max_metadata_size", 1 << 20),
            ),
        )
        provider_pb2_grpc.add_CSIDriverProviderServicer_to_server(self, server)  # type: ignore[no-untyped-call]
        server.add_insecure_port(f"unix:{socket}")
        server.start()
        try:
            yield
        finally:
            server.stop(None).wait()


def main(socket: str, what: str, contents: str = "") -> None:
    def answer(request: pb.MountRequest, context: grpc.ServicerContext) -> pb.MountResponse:
        sys.stdout.write("asked\n")
        sys.stdout.flush()
        if what == "hang":
            time.sleep(120)
        if what == "unavailable":
            context.abort(grpc.StatusCode.UNAVAILABLE, "the backend is down")
        return volume(("password", contents.encode()))

    with ScriptedProvider(answer).serving(Path(socket)):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        time.sleep(3600)


if __name__ == "__main__":
    main(*sys.argv[1:])
