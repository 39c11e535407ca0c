"""A provider's daemon in this process, on a real unix socket."""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc

from sscsi_shared.daemon.serving import SERVER_OPTIONS
from sscsi_shared.server.servicer import ProviderServicer
from sscsi_shared.v1alpha1 import provider_pb2_grpc


@contextmanager
def serving(servicer: ProviderServicer) -> Iterator[Path]:
    """Serve on a socket in a folder of its own; both are gone at the end.

    Yields:
        The socket's path; short, since a unix socket's may have 107 bytes.
    """
    folder = Path(tempfile.mkdtemp(prefix="sscsi-", dir="/tmp"))  # mkdtemp's folder is ours alone
    socket = folder / "provider.sock"
    server = grpc.server(ThreadPoolExecutor(servicer.threads, thread_name_prefix="serve"), options=SERVER_OPTIONS)
    provider_pb2_grpc.add_CSIDriverProviderServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    try:
        yield socket
    finally:
        server.stop(None).wait()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def dialled(socket: Path) -> Iterator[grpc.Channel]:
    """A channel to the socket, with the authority that existing drivers send."""
    options = (
        ("grpc.default_authority", "localhost"),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
    )
    with grpc.insecure_channel(f"unix:{socket}", options=options) as channel:
        yield channel
