"""From what the operator and the class say to the server that is asked."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.request import getproxies_environment

from sscsi_provider_vault.identity import Endpoint
from sscsi_provider_vault.parameters import Tls
from sscsi_shared.addresses import Addresses
from sscsi_shared.class_files import ClassFiles, files_below, stamp
from sscsi_shared.errors import InvalidParameters, ObjectUnusable

DEFAULT_ADDRESS: Final = "https://127.0.0.1:8200"


@dataclass(frozen=True, slots=True)
class OperatorsTls:
    """What the operator says of TLS.

    Attributes:
        ca_file: of authorities; None = the system's.
        ca_folder: of such files.
        server_name: that is asked for and verified.
        client_cert: of a client certificate.
        client_key: its key.
        skip_verify: whether the server is not verified; a class can't undo it.
    """

    ca_file: Path | None = None
    ca_folder: Path | None = None
    server_name: str = ""
    client_cert: Path | None = None
    client_key: Path | None = None
    skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class Operator:
    """What the operator says of servers.

    Attributes:
        addresses: the default, and those that a class may name.
        files: those that a class may name.
        tls: for every server.
        skip_allowed: whether a class may turn verification off.
        proxy: what the environment says of proxies.
    """

    addresses: Addresses = field(default_factory=lambda: Addresses(DEFAULT_ADDRESS))
    files: ClassFiles = field(default_factory=ClassFiles)
    tls: OperatorsTls = field(default_factory=OperatorsTls)
    skip_allowed: bool = False
    proxy: tuple[tuple[str, str], ...] = field(default_factory=lambda: tuple(sorted(getproxies_environment().items())))


def endpoint(address: str, tls: Tls, operator: Operator, prefix: str) -> Endpoint:
    """The server of a class.

    Args:
        address: that the class names; empty = the operator's.
        tls: what the class says.
        operator: what the operator says.
        prefix: of parameters, for messages.

    Raises:
        InvalidParameters: the class names what it may not.
    """
    where = operator.addresses.read(address or operator.addresses.default, f"parameters.{prefix}Address")
    if tls.skip_verify and not operator.skip_allowed and not operator.tls.skip_verify:
        raise InvalidParameters(
            f"{prefix}SkipTLSVerify would send the pod's token to a server that nobody has verified.",
            path=f"parameters.{prefix}SkipTLSVerify",
            hint=f"Name its authority in {prefix}CACertPath; an operator can allow this with --allow-skip-verify.",
        )
    ca_files = _authorities(tls, operator, prefix)
    cert, key = _followed(operator.tls.client_cert), _followed(operator.tls.client_key)
    if tls.client_cert:
        cert = operator.files.place(tls.client_cert, f"parameters.{prefix}TLSClientCertPath")
        key = operator.files.place(tls.client_key, f"parameters.{prefix}TLSClientKeyPath")
    read = [path for path in (*ca_files, cert, key) if path is not None]
    return Endpoint(
        address=where,
        ca_files=tuple(map(str, ca_files)),
        server_name=tls.server_name or operator.tls.server_name,
        client_cert=str(cert or ""),
        client_key=str(key or ""),
        skip_verify=tls.skip_verify or operator.tls.skip_verify,
        stamps=tuple(map(stamp, read)),
        proxy=operator.proxy,
    )


def _authorities(tls: Tls, operator: Operator, prefix: str) -> tuple[Path, ...]:
    """The file wins over the folder, the class over the operator."""
    if tls.ca_file:
        return (operator.files.place(tls.ca_file, f"parameters.{prefix}CACertPath"),)
    if tls.ca_folder:
        path = f"parameters.{prefix}CADirectory"
        folder = operator.files.place(tls.ca_folder, path)
        return _some(folder, operator.files.below(folder, path))
    if operator.tls.ca_file is not None:
        return tuple(filter(None, [_followed(operator.tls.ca_file)]))
    folder_of_all = operator.tls.ca_folder
    if folder_of_all is None:
        return ()
    return _some(folder_of_all, tuple(filter(None, map(_followed, files_below(folder_of_all)))))


def _followed(path: Path | None) -> Path | None:
    """An operator's file with its links followed, so that a mounted ConfigMap's new version is another file."""
    return None if path is None else Path(os.path.realpath(path))


def _some(folder: Path, found: tuple[Path, ...]) -> tuple[Path, ...]:
    if not found:
        raise ObjectUnusable(f"the folder {folder} of authorities has no file.")
    return found


def tls_of(environ: Mapping[str, str], variables: tuple[str, ...]) -> OperatorsTls:
    """What the environment says, under the first of some beginnings that is set: VAULT_CACERT, BAO_CACERT, ..."""

    def said(name: str) -> str:
        return next((environ[start + name] for start in variables if start + name in environ), "")

    def path(name: str) -> Path | None:
        return Path(said(name)) if said(name) else None

    return OperatorsTls(
        path("CACERT"),
        path("CAPATH"),
        said("TLS_SERVER_NAME"),
        path("CLIENT_CERT"),
        path("CLIENT_KEY"),
        said("SKIP_VERIFY").lower() in {"1", "t", "true"},
    )
