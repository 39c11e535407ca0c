"""PURE: secrets as a part of an identity, without being in it.

Credentials from nodePublishSecretRef change whom we ask as, so they belong to the key of what is kept. What enters it
is an HMAC under a key made at start: equal within this process, of no use outside of it.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from secrets import token_bytes
from typing import Final

from sscsi_shared.secret import SecretText

_KEY_BYTES: Final = 32


class Fingerprints:
    """Fingerprints of one process."""

    def __init__(self) -> None:
        self._key = token_bytes(_KEY_BYTES)

    def of(self, entries: Mapping[str, SecretText], names: Iterable[str]) -> str:
        """The fingerprint of those entries that an auth mode reads, and of no others.

        Args:
            entries: MountInput.secrets.
            names: of the entries; one that is absent counts as absent, not as empty.
        """
        told = hmac.new(self._key, digestmod=hashlib.sha256)
        for name in sorted(set(names)):
            value = entries[name].reveal().encode() if name in entries else None
            for part in (name.encode(), b"" if value is None else b"=" + value):
                told.update(len(part).to_bytes(8, "big") + part)
        return told.hexdigest()
