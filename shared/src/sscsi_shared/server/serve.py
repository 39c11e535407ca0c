"""From a Provider to a daemon: what stands between a cloud's `__main__` and the socket."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from sscsi_shared.allowed_auth import FLAG, allowed_auth
from sscsi_shared.cluster import Cluster, NoCluster
from sscsi_shared.cluster_api import ApiServerCluster
from sscsi_shared.cluster_folder import FolderCluster
from sscsi_shared.daemon import metrics
from sscsi_shared.daemon.flags import Flag, Values, boolean, parse, whole_number
from sscsi_shared.daemon.options import COMMON, VERSION, DaemonOptions
from sscsi_shared.daemon.serving import Service, serve
from sscsi_shared.daemon.socket import bound_umask, prepare_folder
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import ECONOMY_FLAGS, EconomyOptions
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.provider import Provider
from sscsi_shared.render import MAX_RESULT_BYTES
from sscsi_shared.server.servicer import Mounter, ProviderServicer
from sscsi_shared.server.writing import WritingMounter
from sscsi_shared.v1alpha1 import provider_pb2, provider_pb2_grpc

SERVICE_NAME: Final = provider_pb2.DESCRIPTOR.services_by_name["CSIDriverProvider"].full_name

PROVIDER_VOLUME: Final = Flag(
    "provider-volume", "/var/run/secrets-store-csi-providers", "Folder of the providers' sockets.", str
)
PREPARE: Final = Flag(
    "prepare-folder",
    False,
    "Make that folder, root's for the group 65532, and end: for an init container that runs as root.",
    boolean,
)
OBJECTS: Final = Flag("objects", "", "Read service accounts, pods and nodes from this folder of YAML.", str)
KUBE_API_URL: Final = Flag("kube-api-url", "", "API server; by default the one of the cluster we run in.", str)
KUBE_TOKEN_FILE: Final = Flag("kube-token-file", "", "File with our token for --kube-api-url.", str)
MAX_RESPONSE: Final = Flag(
    "max-response-bytes",
    MAX_RESULT_BYTES,
    "The most that an answer may come to; the driver has its own limit.",
    whole_number,
)
KUBE_CA_FILE: Final = Flag("kube-ca-file", "", "PEM file with the API server's authority.", str)
ALLOWED_AUTH: Final[Flag[frozenset[str]]] = Flag(
    FLAG, frozenset(), "Node identities that a class may ask for, with commas between; by default none.", allowed_auth
)

PROVIDER_FLAGS: Final[tuple[Flag[Any], ...]] = (
    PROVIDER_VOLUME,
    PREPARE,
    OBJECTS,
    KUBE_API_URL,
    KUBE_TOKEN_FILE,
    KUBE_CA_FILE,
    ALLOWED_AUTH,
    MAX_RESPONSE,
    *ECONOMY_FLAGS,
    *COMMON,
)


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """What an operator says of any provider.

    Attributes:
        folder: of the sockets.
        daemon: of any daemon.
        cluster: where service accounts come from.
        max_response_bytes: the most that an answer may come to.
        economy: what is kept, and for how long.
        allowed_auth: node identities that a class may ask for.
    """

    folder: Path
    daemon: DaemonOptions
    cluster: Cluster
    max_response_bytes: int = MAX_RESULT_BYTES
    economy: EconomyOptions = field(default_factory=EconomyOptions)
    allowed_auth: frozenset[str] = frozenset()


def parse_options(
    program: str,
    summary: str,
    version: str,
    flags: Sequence[Flag[Any]],
    arguments: Sequence[str],
    environ: Mapping[str, str],
) -> tuple[Values, ProviderOptions]:
    """Read a provider's command line: its own flags and those that every provider has.

    Prints the version, or makes the folder of sockets, and ends the process where a flag asks for it.
    """
    values = parse(program, summary, [*flags, *PROVIDER_FLAGS], arguments, environ)
    if values[VERSION]:
        print(version)  # noqa: T201
        raise SystemExit(0)
    if values[PREPARE]:
        _prepare(program, Path(values[PROVIDER_VOLUME]))
    options = ProviderOptions(
        Path(values[PROVIDER_VOLUME]),
        DaemonOptions.of(values),
        _cluster(values, environ),
        values[MAX_RESPONSE],
        EconomyOptions.of(values),
        values[ALLOWED_AUTH],
    )
    return values, options


def serve_provider(
    provider: Provider[Any, Any, Any, Any],
    options: ProviderOptions,
    *,
    runtime_name: str,
    version: str,
    writes_below: Path | None = None,
    aliases: Sequence[str] = (),
    closing: Callable[[], None] | None = None,
    observe: Callable[[str, float], None] = lambda _reason, _seconds: None,
) -> None:
    """Serve a provider on `<folder>/<provider.name>.sock` until SIGTERM; does not return.

    Args:
        provider: the cloud.
        options: what the operator said.
        runtime_name: for Version.
        version: for Version.
        writes_below: kubelet's folder, where the provider is to write the files itself; None = the driver does.
        aliases: other values of `spec.provider` that this provider answers to.
        closing: called at the end, after the sessions were closed; None = nothing.
        observe: told the reason and the seconds of each Mount, beside our own metrics.
    """
    economy: Economy[Any, Any, Any, Any] = Economy(provider, options.economy, count=metrics.economy)
    metrics.economy_holds(lambda: economy.held_bytes, lambda: economy.held_sessions)
    mounter: Mounter = Pipeline(provider, options.cluster, economy, max_bytes=options.max_response_bytes)
    if writes_below is not None:
        mounter = WritingMounter(mounter, writes_below)

    def observed(reason: str, seconds: float) -> None:
        metrics.observe_mount(reason, seconds)
        observe(reason, seconds)

    servicer = ProviderServicer(mounter, runtime_name, version, observe=observed)

    def close() -> None:
        economy.close()
        if closing is not None:
            closing()

    serve(
        Service(
            name=runtime_name,
            version=version,
            socket=options.folder / f"{provider.name}.sock",
            register=lambda server: provider_pb2_grpc.add_CSIDriverProviderServicer_to_server(servicer, server),  # type: ignore[no-untyped-call]
            services=(SERVICE_NAME,),
            slots=servicer.long_calls,
            aliases=[options.folder / f"{name}.sock" for name in aliases],
            closing=close,
        ),
        options.daemon,
    )


def _prepare(program: str, folder: Path) -> NoReturn:
    bound_umask()
    try:
        prepare_folder(folder)
    except OSError as error:
        sys.exit(f"{program}: the folder of providers {folder} can't be made: {error.strerror}")
    raise SystemExit(0)


def _cluster(values: Values, environ: Mapping[str, str]) -> Cluster:
    if values[OBJECTS]:
        return FolderCluster(Path(values[OBJECTS]))
    if values[KUBE_API_URL]:
        return ApiServerCluster(
            values[KUBE_API_URL],
            token_file=Path(values[KUBE_TOKEN_FILE]) if values[KUBE_TOKEN_FILE] else None,
            ca_file=Path(values[KUBE_CA_FILE]) if values[KUBE_CA_FILE] else None,
        )
    return ApiServerCluster.in_cluster(environ) or NoCluster()
