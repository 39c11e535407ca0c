"""PURE: versions of files, as the existing provider makes them: HMAC of what was asked for and of what came."""

import base64
import hashlib
import hmac
from dataclasses import dataclass

from sscsi_provider_vault.extraction import Data
from sscsi_shared.secret import SecretBytes


@dataclass(frozen=True, slots=True)
class HmacStamp:
    """URL-safe base64 of HMAC-SHA256(key, settings || content).

    Attributes:
        key: None = there is none, and versions are empty.
        settings: the object's fields as Go's JSON.
        on_data: whether only the data of the content counts: a whole answer has a new request id each time.
    """

    key: SecretBytes | None
    settings: str
    on_data: bool = False

    def version(self, contents: bytes) -> str:
        """The version of a file with this content."""
        if self.key is None:
            return ""
        told = self._told(contents)
        digest = hmac.new(self.key.reveal(), self.settings.encode() + told, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode()

    def _told(self, contents: bytes) -> bytes:
        """What counts; a part of a whole answer (jmesPath, allKeys) counts as it is."""
        if not self.on_data:
            return contents
        try:
            return Data().apply(contents)
        except (ValueError, AttributeError):
            return contents
