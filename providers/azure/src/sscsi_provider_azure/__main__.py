"""The daemon: `sscsi-provider-azure`."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sscsi_provider_azure import metrics
from sscsi_provider_azure.auth import NMI
from sscsi_provider_azure.clouds import PUBLIC, cloud_of, is_described
from sscsi_provider_azure.parameters import Operator
from sscsi_provider_azure.provider import RUNTIME_NAME, VERSION, AzureProvider
from sscsi_provider_azure.token_proxy import CA_FILE, URL, TokenProxy, checked
from sscsi_shared.class_files import FLAG as CLASS_FILES
from sscsi_shared.class_files import ClassFiles, folders
from sscsi_shared.daemon.flags import Flag, boolean, one_of, whole_number
from sscsi_shared.daemon.klog import KLOG_FLAGS, obsolete_switches, obsolete_texts
from sscsi_shared.errors import InvalidParameters
from sscsi_shared.server.serve import PROVIDER_VOLUME, parse_options, serve_provider


def endpoint(text: str) -> str:
    """The path in `unix://<path>`.

    Raises:
        ValueError: it is another kind of address, or no socket's path.
    """
    scheme, _, path = text.partition("://")
    if scheme.lower() != "unix" or not path.startswith("/") or not path.endswith(".sock"):
        raise ValueError("unix:///folder/name.sock is needed; other sockets are not private to the node")
    return path


def cloud(text: str) -> str:
    """A cloud's name.

    Raises:
        ValueError: there is none of this name.
    """
    try:
        return text if is_described(text) else cloud_of(text).name
    except InvalidParameters as error:
        raise ValueError(f"{error.message} {error.hint}") from error


ENDPOINT: Final = Flag("endpoint", "", "unix://PATH of the socket, where --provider-volume names no folder.", endpoint)
PAGE: Final = Flag("prometheus-port", 8898, "Port of --metrics-addr on all interfaces; 0 = none.", whole_number)
HEALTH: Final = Flag("healthz-port", 8989, "Port where probes are answered; 0 = none.", whole_number)
HEALTH_PATH: Final = Flag("healthz-path", "/healthz", "Path that is answered while the socket answers.", str)
BACKEND: Final = Flag(
    "metrics-backend", "Prometheus", "Only Prometheus.", lambda text: one_of("prometheus")(text.lower())
)
ORDER: Final = Flag(
    "construct-pem-chain", True, "Put certificates of PKCS#12 in order: leaf first, root last.", boolean
)
SEPARATE: Final = Flag(
    "write-cert-and-key-in-separate-files", False, "Write NAME.crt and NAME.key of certificates, too.", boolean
)
CLOUD: Final = Flag("cloud-name", PUBLIC, "The cloud, where a class names none.", cloud)
AGENT: Final = Flag("custom-user-agent", "", "Added to the user agent of every call.", str)
TOKEN_PROXY: Final = Flag("token-proxy-url", URL, "https address of the proxy for identity bindings.", checked)
SNI: Final = Flag("sni-name", "", "TLS name of that proxy; by default from the API server's certificate.", str)
PROXY_CA: Final = Flag("token-proxy-ca-file", str(CA_FILE), "PEM file with its authority.", str)
AGENT_ADDRESS: Final = Flag("nmi-address", NMI, "Address of pod identity's agent.", str)
FILES: Final = Flag(CLASS_FILES, "", "Folders below which a class may name files, with commas.", str)
IGNORED: Final = (
    *obsolete_texts("healthz-timeout", "pprof-port"),
    *obsolete_switches("log-format-json", "enable-pprof"),
    *KLOG_FLAGS,
)
FLAGS: Final[tuple[Flag[Any], ...]] = (
    ENDPOINT, PAGE, HEALTH, HEALTH_PATH, BACKEND, ORDER, SEPARATE, CLOUD, AGENT, TOKEN_PROXY, SNI, PROXY_CA,
    AGENT_ADDRESS, FILES, *IGNORED,
)  # fmt: skip


def main() -> None:
    """Serve until SIGTERM."""
    values, options = parse_options(
        "sscsi-provider-azure",
        "Azure Key Vault for the Secrets Store CSI driver.",
        VERSION,
        FLAGS,
        sys.argv[1:],
        os.environ,
    )
    name = "azure"
    if values[ENDPOINT] and values[PROVIDER_VOLUME] == PROVIDER_VOLUME.default:
        socket = Path(values[ENDPOINT])
        options, name = replace(options, folder=socket.parent), socket.stem
    daemon = replace(
        options.daemon,
        metrics_address=options.daemon.metrics_address or (f":{values[PAGE]}" if values[PAGE] else ""),
        health_address=f":{values[HEALTH]}" if values[HEALTH] else "",
        health_path=values[HEALTH_PATH],
    )
    provider = AzureProvider(
        name=name,
        operator=Operator(values[CLOUD], values[ORDER], values[SEPARATE]),
        class_files=ClassFiles(folders(values[FILES])),
        ca_bundle=options.daemon.ca_bundle,
        user_agent=f"{RUNTIME_NAME}/{VERSION} {values[AGENT]}".strip(),
        allowed_auth=options.allowed_auth,
        token_proxy=TokenProxy(values[TOKEN_PROXY], values[SNI], Path(values[PROXY_CA])),
        nmi=values[AGENT_ADDRESS],
    )
    serve_provider(
        provider,
        replace(options, daemon=daemon),
        runtime_name=RUNTIME_NAME,
        version=VERSION,
        closing=provider.close,
        observe=metrics.observe_mount,
    )


if __name__ == "__main__":
    main()
