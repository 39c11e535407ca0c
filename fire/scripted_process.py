"""`python -m fire.scripted_process SOCKET SEED`: a provider that answers each Mount with the next generation.

It prints the number before it answers.
"""

import itertools
import os
import signal
import sys
import threading
from concurrent import futures
from pathlib import Path

import grpc

from fire.generations import generation
from sscsi_shared.v1alpha1 import provider_pb2 as pb
from sscsi_shared.v1alpha1 import provider_pb2_grpc

NAME = "scripted"


class NextGeneration(provider_pb2_grpc.CSIDriverProviderServicer):
    """Answers with generation 1, 2, ...; volumes that are filled later are newer."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def Version(self, request: pb.VersionRequest, context: grpc.ServicerContext) -> pb.VersionResponse:  # noqa: ARG002, N802
        """Who this is."""
        return pb.VersionResponse(version=request.version, runtime_name=NAME, runtime_version="1")

    def Mount(self, request: pb.MountRequest, context: grpc.ServicerContext) -> pb.MountResponse:  # noqa: ARG002, N802
        """The next generation, whoever asks."""
        with self._lock:
            number = next(self._numbers)
        print(number, flush=True)
        files = generation(self._seed, number)
        return pb.MountResponse(
            object_version=[pb.ObjectVersion(id="generation", version=str(number))],
            files=[pb.File(path=path, mode=one.mode, contents=one.contents) for path, one in files.items()],
        )


def main(socket: Path, seed: int) -> None:
    """Serve until SIGTERM."""
    server = grpc.server(futures.ThreadPoolExecutor(16), options=(("grpc.max_send_message_length", -1),))
    provider_pb2_grpc.add_CSIDriverProviderServicer_to_server(NextGeneration(seed), server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    signal.sigwait({signal.SIGTERM})
    os._exit(0)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main(Path(sys.argv[1]), int(sys.argv[2]))
