"""The Vault provider's stage for the contract suite: hvac's adapter against the emulator."""

import json
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any, Self

from sscsi_emulators.faults import Fault
from sscsi_emulators.kubernetes import KubernetesEmulator
from sscsi_emulators.vault import VaultEmulator
from sscsi_provider_vault.dialects import VAULT, Dialect
from sscsi_provider_vault.endpoints import Operator
from sscsi_provider_vault.provider import VaultProvider
from sscsi_shared.addresses import Addresses
from sscsi_shared.cluster import NoCluster, SecretEntry, TokenRequest
from sscsi_shared.deadline import Deadline
from sscsi_shared.mount import PodInfo
from sscsi_shared.secret import SecretBytes, SecretText
from sscsi_shared.testing.stage import POD, STRANGER, Stage, Wanted

ROLE = "app"
SUBJECT = f"system:serviceaccount:{POD.namespace}:{POD.service_account}"


class OneCluster(NoCluster):
    """Has the key of versions, and makes tokens."""

    def __init__(self, kubernetes: KubernetesEmulator) -> None:
        self.signs = False
        self.key: SecretBytes | None = SecretBytes(b"A" * 32)
        self.asked = 0
        self.made: list[TokenRequest] = []
        self._kubernetes = kubernetes

    def read_or_create_secret(self, entry: SecretEntry, new: Any, deadline: Deadline) -> SecretBytes:
        self.asked += 1
        return self.key or super().read_or_create_secret(entry, new, deadline)

    def create_token(self, request: TokenRequest, deadline: Deadline) -> SecretText:
        if not self.signs:
            return super().create_token(request, deadline)
        self.made.append(request)
        audience = request.audiences[0] if request.audiences else self._kubernetes.issuer
        pod = request.pod
        return SecretText(self._kubernetes.token(pod.namespace, pod.service_account, audience, pod.name, pod.uid))


def provider_of(vault: VaultEmulator, dialect: Dialect = VAULT, **more: Any) -> VaultProvider:
    settings: dict[str, Any] = {"dialect": dialect, "operator": Operator(Addresses(vault.url)), "pause": lambda _: None}
    return VaultProvider(**(settings | more))


class VaultStage(Stage):
    """From `with` to its end."""

    def __init__(self, dialect: Dialect = VAULT) -> None:
        self._stack = ExitStack()
        self.vault = VaultEmulator()
        self.kubernetes = KubernetesEmulator()
        self.accounts = self.cluster = OneCluster(self.kubernetes)
        self.dialect = dialect

    def __enter__(self) -> Self:
        self._stack.enter_context(self.vault)
        self._stack.enter_context(self.kubernetes)
        for pod in (POD, STRANGER):
            self.kubernetes.apply(
                {
                    "apiVersion": "v1",
                    "kind": "ServiceAccount",
                    "metadata": {"namespace": pod.namespace, "name": pod.service_account},
                }
            )
        self.vault.trust(self.kubernetes.verify)
        self.vault.role(ROLE, SUBJECT, audience=self.dialect.name)
        self.provider = provider_of(self.vault, self.dialect)
        return self

    def __exit__(self, *_: object) -> None:
        self.provider.vault.leases.close()  # type: ignore[attr-defined]
        self._stack.close()

    def attributes(self, *wanted: Wanted) -> dict[str, str]:
        entries = [
            {"objectName": one.path or one.name, "secretPath": f"secret/data/{one.name}", "secretKey": "k"}
            | ({} if one.mode is None else {"filePermission": one.mode})
            for one in wanted
        ]
        return {"roleName": ROLE, "objects": json.dumps(entries)}

    def tokens(self, pod: PodInfo, lifetime_seconds: int = 3600) -> str:
        audience = self.dialect.name
        token = self.kubernetes.token(pod.namespace, pod.service_account, audience, pod.name, pod.uid, lifetime_seconds)
        return json.dumps({audience: {"token": token, "expirationTimestamp": "2030-01-01T00:00:00Z"}})

    def put(self, name: str, contents: str) -> None:
        self.vault.put(f"secret/data/{name}", {"k": contents})

    def remove(self, name: str) -> None:
        self.vault.remove(f"secret/data/{name}")

    def deny(self, name: str) -> None:
        self.vault.deny(ROLE, f"secret/data/{name}")

    def break_down(self) -> None:
        self.vault.faults.add(Fault("*", 503, "", "come back later"))

    def throttle(self) -> None:
        self.vault.faults.add(Fault("*", 429, "", "rate limit quota exceeded"))

    def refuse_login(self) -> None:
        self.vault.faults.add(Fault("login", 403, "", "service account name not authorized"))

    def hang(self) -> None:
        self.vault.hold()

    def mend(self) -> None:
        self.vault.faults.clear()
        self.vault.release()

    def canaries(self) -> Iterable[str]:
        return self.vault.handed_out()
