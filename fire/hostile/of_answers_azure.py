# ruff: noqa: E501  # examples and words stay as they are
"""Answers of Key Vault and Entra: secrets, keys, certificates, lists, challenges, logins."""

import base64
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

import pki
from fire.hostile.answers import Hostile, mounting
from fire.hostile.target import Target, words
from sscsi_emulators.azure import AzureEmulator
from sscsi_emulators.every_host import Answer, Request
from sscsi_provider_azure.provider import AzureProvider
from sscsi_shared.cluster import NoCluster

_TENANT = "5d3ee3f5-0a3b-4f8d-9d43-2f6f0f3f1d11"
_VAULT = "kv-hostile"
_ID = f"https://{_VAULT}.vault.azure.net/secrets/a/{'0' * 32}"
_SECRET = {"value": "x", "id": _ID, "attributes": {"enabled": True, "created": 1, "updated": 1, "recoveryLevel": "x"}}
_KEY = {
    "key": {"kid": _ID.replace("secrets", "keys"), "kty": "RSA", "n": "AQAB" * 86, "e": "AQAB", "key_ops": []},
    "attributes": {},
}
_LIST = {"value": [{"id": _ID, "attributes": {"enabled": True, "created": 1}}]}
_CERT = {
    "id": _ID.replace("secrets", "certificates"),
    "cer": base64.b64encode(pki.chain("ec")[0].public_bytes(Encoding.DER)).decode(),
    "attributes": {},
    "kid": _ID,
    "sid": _ID,
}
_TOKEN = {"token_type": "Bearer", "expires_in": 3600, "ext_expires_in": 3600, "access_token": "t"}
_CLASSES = {
    "secret": ["objectName: a\nobjectType: secret"],
    "key": ["objectName: a\nobjectType: key"],
    "cert": ["objectName: a\nobjectType: cert"],
    "history": ["objectName: a\nobjectType: secret\nobjectVersionHistory: 5"],
}
_SOUND = {"secret": _SECRET, "key": _KEY, "cert": _CERT, "history": _LIST}


@dataclass(frozen=True, slots=True)
class _Odd:
    """An Answer of any bytes."""

    hostile: Hostile
    status: int

    def encoded(self) -> bytes:
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Content-Length: {len(self.hostile.body)}",
        ]
        lines += [f"{name}: {value}" for name, value in self.hostile.headers()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + self.hostile.body


class _Azure(AzureEmulator):
    """Asks for a token first, as a vault does; then all is as the input says."""

    def __init__(self, hostile: Hostile) -> None:
        super().__init__()
        self._hostile = hostile

    def _answer(self, request: Request) -> Any:
        vault = self.store.find(request.host) if request.server_name is not None else None
        login = vault is None and self._word(request) == "token"
        if not login and (vault is None or "authorization" not in request.headers):
            return super()._answer(request)
        rest = "-history." in request.host and not request.path.endswith("/versions")  # what the list has named
        if login == self._hostile.login and not rest:
            return _Odd(self._hostile, self._hostile.status)
        return Answer(200, _TOKEN if login else _SECRET)


def targets() -> Sequence[Target]:
    """One for each kind of object."""
    logging.getLogger("azure").setLevel(logging.CRITICAL)
    made = []
    hostile = Hostile()
    azure = _Azure(hostile)
    azure.__enter__()
    os.environ.update(HTTPS_PROXY=azure.proxy_url, NO_PROXY="127.0.0.1")
    for name, entries in _CLASSES.items():
        azure.store.vault(f"{_VAULT}-{name}")
        provider = AzureProvider(ca_bundle=azure.ca_file, pause=lambda _: None, environ={})
        parameters = {
            "keyvaultName": f"{_VAULT}-{name}",
            "tenantID": _TENANT,
            "clientID": _TENANT,
            "objects": json.dumps({"array": entries}),
        }
        sound = [
            _SOUND[name],
            *_SOUND.values(),
            _TOKEN,
            {"error": {"code": "SecretNotFound", "message": "m", "innererror": {}}},
        ]
        bodies = [json.dumps(one).encode() for one in sound]
        known = words(
            "value id attributes enabled nextLink key kid kty n e crv x y cer sid contentType error code message access_token expires_in"
        )
        made.append(
            mounting(name, hostile, provider, NoCluster(), "api://AzureADTokenExchange", parameters, bodies, known)
        )
    return made
