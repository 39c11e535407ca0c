# ruff: noqa: E501  # examples and words stay as they are
"""Answers of Vault and OpenBao: KV in both versions, dynamic credentials, PKI, logins."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from fire.hostile.answers import Fresh, Hostile, HostileServer, mounting
from fire.hostile.target import Target, words
from sscsi_provider_vault.dialects import VAULT
from sscsi_provider_vault.endpoints import Operator
from sscsi_provider_vault.provider import VaultProvider
from sscsi_shared.addresses import Addresses
from sscsi_shared.cluster import NoCluster, SecretEntry
from sscsi_shared.deadline import Deadline
from sscsi_shared.secret import SecretBytes

_LOGIN = {
    "auth": {"client_token": "hvs.x", "accessor": "a", "policies": ["p"], "lease_duration": 3600, "renewable": True}
}
_KV = {
    "data": {
        "data": {"k": "x", "n": 1.50, "o": {"a": []}},
        "metadata": {"version": 3, "created_time": "2030-01-01T00:00:00Z"},
    }
}
_LEASE = {
    "lease_id": "database/creds/x/abc",
    "lease_duration": 60,
    "renewable": True,
    "data": {"username": "u", "password": "p"},
}
_ISSUED = {"lease_id": "", "renewable": False, "lease_duration": 0, "data": {"certificate": "c", "expiration": 9e9}}
_LIST = {"data": {"keys": ["a", "b/"]}}
_CLASSES = {
    "kv": "- {objectName: a, secretPath: secret/data/a, secretKey: k}\n- {objectName: whole, secretPath: secret/data/a}",
    "leases": "- {objectName: u, secretPath: database/creds/x, secretKey: username}",
    "writes": "- {objectName: c, secretPath: pki/issue/x, secretKey: certificate, method: PUT, secretArgs: {common_name: x}}",
    "all-keys": "- {objectName: a, secretPath: secret/data/a, allKeys: true, filePrefix: x/}",
}


def _provider(url: str) -> VaultProvider:
    return VaultProvider(dialect=VAULT, operator=Operator(Addresses(url)), pause=lambda _: None)


class _Silent(NoCluster):
    """Without a key of versions, and without a word about it."""

    def read_or_create_secret(self, entry: SecretEntry, new: Any, deadline: Deadline) -> SecretBytes:
        del entry, new, deadline
        return SecretBytes(b"k" * 32)


def targets() -> Sequence[Target]:
    """One for each kind of object."""
    made = []
    sound = {"kv": _KV, "leases": _LEASE, "writes": _ISSUED, "all-keys": _KV}
    for name, objects in _CLASSES.items():
        hostile = Hostile()
        server = HostileServer(
            hostile,
            json.dumps(_LOGIN).encode(),
            lambda environ, _: "/login" in environ["PATH_INFO"],
            json.dumps(sound[name]).encode(),
        )
        server.__enter__()
        provider = Fresh(partial(_provider, server.url), lambda one: one.vault.leases.close())
        bodies = [
            json.dumps(one).encode()
            for one in (sound[name], _KV, _LEASE, _ISSUED, _LIST, _LOGIN, {"errors": ["no"], "warnings": None})
        ]
        known = words(
            "data metadata version lease_id lease_duration renewable auth client_token errors warnings keys wrap_info"
        )
        parameters = {"vaultAddress": server.url, "roleName": "app", "objects": objects}
        made.append(mounting(name, hostile, provider, _Silent(), "vault", parameters, bodies, known))
    return made
