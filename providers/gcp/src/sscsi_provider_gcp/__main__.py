"""The daemon: `sscsi-provider-gcp`."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sscsi_provider_gcp.channels import UNIVERSE, Endpoints
from sscsi_provider_gcp.federation import GKE_ENDPOINT
from sscsi_provider_gcp.keyfile import TOKEN_URLS
from sscsi_provider_gcp.metadata import HOST
from sscsi_provider_gcp.provider import RUNTIME_NAME, VERSION, GcpProvider
from sscsi_shared.daemon.flags import Flag, boolean
from sscsi_shared.daemon.klog import KLOG_FLAGS, obsolete_switches, obsolete_texts
from sscsi_shared.server.serve import PROVIDER_VOLUME, parse_options, serve_provider

KEYS: Final = Flag(
    "allow-node-publish-secret",
    False,
    "Let a class use the key.json of its nodePublishSecretRef.",
    boolean,
    "ALLOW_NODE_PUBLISH_SECRET",
)
EXCHANGE: Final = Flag(
    "token-exchange-endpoint",
    "",
    "URL of the token exchange instead of Google's own.",
    str,
    "GAIA_TOKEN_EXCHANGE_ENDPOINT",
)
GKE: Final = Flag(
    "gke-workload-identity-endpoint",
    GKE_ENDPOINT,
    "The beginning of the cluster's identity provider.",
    str,
    "GKE_WORKLOAD_IDENTITY_ENDPOINT",
)
IAM: Final = Flag("iam-endpoint", "", "Address of IAM Service Account Credentials instead of Google's own.", str)
SECRETS: Final = Flag("secretmanager-endpoint", "", "Host and port of Secret Manager.", str)
SECRETS_REGIONAL: Final = Flag(
    "secretmanager-regional-endpoint", "", "The same for regional secrets; {location} stands for the location.", str
)
PARAMETERS: Final = Flag("parametermanager-endpoint", "", "Host and port of Parameter Manager.", str)
PARAMETERS_REGIONAL: Final = Flag(
    "parametermanager-regional-endpoint", "", "The same for regional parameters; {location} as above.", str
)
METADATA: Final = Flag(
    "metadata-host", HOST, "Host, or host and port, of the metadata server.", str, "GCE_METADATA_HOST"
)
DOMAIN: Final = Flag(
    "universe-domain", UNIVERSE, "The domain of Google's own addresses.", str, "GOOGLE_CLOUD_UNIVERSE_DOMAIN"
)
TOKEN_URL: Final = Flag(
    "allowed-token-urls", ",".join(TOKEN_URLS), "Where a key.json may send its proof, with commas between.", str
)
AGENT: Final = Flag("user-agent", RUNTIME_NAME, "The product in the user agent.", str, "USER_AGENT")
NAME: Final = Flag("provider-name", "gcp", "Names of the sockets, with commas between: gcp,gke.", str, "PROVIDER_NAME")
FOLDER: Final = Flag("target-dir", "", "Folder of the sockets, where --provider-volume says none.", str, "TARGET_DIR")
PAGE: Final = Flag("metrics_addr", ":8095", "As --metrics-addr, which wins.", str)
IGNORED: Final = (
    *obsolete_texts("sm_connection_pool_size", "iam_connection_pool_size", "write_secrets", "kubeconfig", "debug_addr"),
    *obsolete_switches("log-format-json", "enable-pprof"),
    *KLOG_FLAGS,
)
FLAGS: Final[tuple[Flag[Any], ...]] = (
    KEYS,
    EXCHANGE,
    GKE,
    IAM,
    SECRETS,
    SECRETS_REGIONAL,
    PARAMETERS,
    PARAMETERS_REGIONAL,
    METADATA,
    DOMAIN,
    TOKEN_URL,
    AGENT,
    NAME,
    FOLDER,
    PAGE,
    *IGNORED,
)


def main() -> None:
    """Serve until SIGTERM."""
    values, options = parse_options(
        "sscsi-provider-gcp",
        "Google Cloud Secret Manager and Parameter Manager for the Secrets Store CSI driver.",
        VERSION,
        FLAGS,
        sys.argv[1:],
        os.environ,
    )
    daemon = replace(options.daemon, metrics_address=options.daemon.metrics_address or values[PAGE])
    folder = Path(values[FOLDER] or options.folder)
    if values[PROVIDER_VOLUME] != PROVIDER_VOLUME.default:
        folder = options.folder
    options = replace(options, daemon=daemon, folder=folder)
    name, *aliases = [one.strip() for one in values[NAME].split(",") if one.strip()] or ["gcp"]
    provider = GcpProvider(
        name=name,
        endpoints=Endpoints(values[SECRETS], values[SECRETS_REGIONAL], values[PARAMETERS], values[PARAMETERS_REGIONAL]),
        exchange=values[EXCHANGE],
        iam=values[IAM],
        metadata_host=values[METADATA],
        gke_endpoint=values[GKE],
        universe=values[DOMAIN],
        ca_bundle=options.daemon.ca_bundle,
        user_agent=f"{values[AGENT]}/{VERSION}",
        allowed_auth=options.allowed_auth,
        referenced_keys=values[KEYS],
        token_urls=tuple(url.strip() for url in values[TOKEN_URL].split(",") if url.strip()),
    )
    provider.begin()
    serve_provider(provider, options, runtime_name=RUNTIME_NAME, version=VERSION, aliases=aliases)


if __name__ == "__main__":
    main()
