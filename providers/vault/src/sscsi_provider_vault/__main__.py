"""The daemon: `sscsi-provider-vault`; with `--provider-name=openbao` it speaks the other dialect."""

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sscsi_provider_vault.dialects import DIALECTS, VAULT, Dialect
from sscsi_provider_vault.endpoints import DEFAULT_ADDRESS, Operator, OperatorsTls, tls_of
from sscsi_provider_vault.identity import TOKEN
from sscsi_provider_vault.leases import IDLE_SECONDS
from sscsi_provider_vault.provider import VERSION, VaultProvider
from sscsi_shared.addresses import Addresses
from sscsi_shared.class_files import FLAG as CLASS_FILES
from sscsi_shared.class_files import ClassFiles, folders
from sscsi_shared.daemon.flags import Flag, Values, boolean, duration, one_of
from sscsi_shared.daemon.klog import obsolete_switches, obsolete_texts
from sscsi_shared.secret import SecretText
from sscsi_shared.server.serve import PROVIDER_VOLUME, parse_options, serve_provider

NAME: Final = Flag("provider-name", VAULT.name, "The dialect: vault or openbao.", one_of(*DIALECTS), "PROVIDER_NAME")
ENDPOINT: Final = Flag("endpoint", "", "Path of the socket, where --provider-volume names no folder.", str)
HEALTH: Final = Flag("health-addr", ":8080", "As --metrics-addr, which wins; /health/ready is answered.", str)
HMAC: Final = Flag("hmac-secret-name", "", "Kubernetes Secret with the key of object versions.", str)
IDLE: Final = Flag(
    "lease-idle", IDLE_SECONDS, "How long a lease is in use after the last mount that asked for it.", duration
)
ALLOWED: Final = Flag(
    "allowed-addresses", "", "Addresses that a class may name though they are not https or local, with commas.", str
)
FILES: Final = Flag(CLASS_FILES, "", "Folders below which a class may name files, with commas.", str)
SKIP: Final = Flag("allow-skip-verify", False, "Let a class turn the verification of its server off.", boolean)
_STARTS: Final = ("vault", "openbao")


def _both(name: str, text: str) -> tuple[Flag[str], ...]:
    return tuple(Flag(f"{start}-{name}", "", text, str) for start in _STARTS)


ADDR: Final = _both("addr", "Address of the server, where a class names none.")
MOUNT: Final = _both("mount", "Path of the auth method, where a class names none.")
NAMESPACE: Final = _both("namespace", "Namespace, where a class names none.")
CA_CERT: Final = _both("tls-ca-cert", "PEM file of the server's authority.")
CA_FOLDER: Final = _both("tls-ca-directory", "Folder of such files.")
SERVER_NAME: Final = _both("tls-server-name", "Name that the server has to show.")
CLIENT_CERT: Final = _both("tls-client-cert", "PEM file of a client certificate.")
CLIENT_KEY: Final = _both("tls-client-key", "PEM file of its key.")
SKIP_VERIFY: Final = tuple(
    Flag(f"{start}-tls-skip-verify", False, "Don't verify servers.", boolean) for start in _STARTS
)
IGNORED: Final = (*obsolete_texts("cache-size", "output"), *obsolete_switches("debug"))
FLAGS: Final[tuple[Flag[Any], ...]] = (
    NAME, ENDPOINT, HEALTH, HMAC, IDLE, ALLOWED, FILES, SKIP,
    *ADDR, *MOUNT, *NAMESPACE, *CA_CERT, *CA_FOLDER, *SERVER_NAME, *CLIENT_CERT, *CLIENT_KEY, *SKIP_VERIFY, *IGNORED,
)  # fmt: skip


def _said(values: Values, flags: tuple[Flag[str], ...]) -> str:
    return next((values[flag] for flag in flags if values[flag]), "")


def _variable(environ: Mapping[str, str], dialect: Dialect, *names: str) -> str:
    found = (environ[start + name] for name in names for start in dialect.variables if start + name in environ)
    return next(found, "")


def _operator(values: Values, dialect: Dialect, environ: Mapping[str, str]) -> Operator:
    """Flags over environment."""
    tls = tls_of(environ, dialect.variables)

    def path(flags: tuple[Flag[str], ...], before: Path | None) -> Path | None:
        return Path(_said(values, flags)) if _said(values, flags) else before

    address = _said(values, ADDR) or _variable(environ, dialect, "AGENT_ADDR", "ADDR") or DEFAULT_ADDRESS
    return Operator(
        Addresses(address, [one.strip() for one in values[ALLOWED].split(",") if one.strip()]),
        ClassFiles(folders(values[FILES])),
        OperatorsTls(
            path(CA_CERT, tls.ca_file),
            path(CA_FOLDER, tls.ca_folder),
            _said(values, SERVER_NAME) or tls.server_name,
            path(CLIENT_CERT, tls.client_cert),
            path(CLIENT_KEY, tls.client_key),
            tls.skip_verify or any(values[flag] for flag in SKIP_VERIFY),
        ),
        values[SKIP],
    )


def main() -> None:
    """Serve until SIGTERM."""
    values, options = parse_options(
        "sscsi-provider-vault",
        "Vault and OpenBao for the Secrets Store CSI driver.",
        VERSION,
        FLAGS,
        sys.argv[1:],
        os.environ,
    )
    dialect = DIALECTS[values[NAME]]
    if values[ENDPOINT] and values[PROVIDER_VOLUME] == PROVIDER_VOLUME.default:
        options = replace(options, folder=Path(values[ENDPOINT]).parent)
    daemon = replace(options.daemon, metrics_address=options.daemon.metrics_address or values[HEALTH])
    own = _variable(os.environ, dialect, "TOKEN") if TOKEN in options.allowed_auth else ""
    provider = VaultProvider(
        dialect=dialect,
        operator=_operator(values, dialect, os.environ),
        mount=_said(values, MOUNT) or "kubernetes",
        namespace=_said(values, NAMESPACE) or _variable(os.environ, dialect, "NAMESPACE"),
        own_token=SecretText(own) if own else None,
        hmac_secret=values[HMAC],
        session_max_age=options.economy.max_age,
        idle_seconds=values[IDLE],
        per_pod=options.economy.per_pod,
    )
    serve_provider(
        provider,
        replace(options, daemon=daemon),
        runtime_name=dialect.runtime_name,
        version=VERSION,
        closing=provider.vault.leases.close,
    )


if __name__ == "__main__":
    main()
