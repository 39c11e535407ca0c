"""A certificate authority for one run: servers on loopback that a client has to verify."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import trustme

LOOPBACK = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """What a server shows.

    Attributes:
        chain_pem: its certificate, and those between it and the authority.
        key_pem: its private key.
    """

    chain_pem: bytes
    key_pem: bytes

    def context(self, folder: Path) -> ssl.SSLContext:
        """For a server of Python's ssl, which reads only files: they are written to `folder`, for the owner alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        path = folder / "server.pem"
        path.touch(mode=0o600)
        path.write_bytes(self.key_pem + self.chain_pem)
        context.load_cert_chain(path)
        return context


class Authority:
    """Makes certificates that are gone with the process.

    Attributes:
        ca_pem: its own certificate, for clients.
    """

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self.ca_pem: bytes = self._ca.cert_pem.bytes()

    def server(self, names: Sequence[str] = LOOPBACK, *, ended: bool = False) -> ServerCertificate:
        """A certificate for host names and addresses; `*.example` is one too. One that has `ended` did so yesterday."""
        now = datetime.now(UTC)
        begun, ends = (now - timedelta(days=90), now - timedelta(days=1)) if ended else (None, None)
        made = self._ca.issue_cert(*names, not_before=begun, not_after=ends)
        chain = b"".join(blob.bytes() for blob in made.cert_chain_pems)
        return ServerCertificate(chain, made.private_key_pem.bytes())

    def save(self, path: Path) -> Self:
        """Write `ca_pem` to a file."""
        path.write_bytes(self.ca_pem)
        return self
