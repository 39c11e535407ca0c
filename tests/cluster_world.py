"""A cluster as the suite in tests/e2e/cluster meets it: what its environment says of it, and plain JSON over HTTPS."""

import base64
import json
import secrets
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeVar

import httpx2
import pytest
import yaml
from lightkube import KubeConfig
from lightkube.config import client_adapter
from lightkube.config.client_adapter import ConnectionParams

T = TypeVar("T")

GROUP: Final = "/apis/secrets-store.csi.x-k8s.io/v1"
CORE: Final = "/api/v1"
_MOUNT: Final = "/mnt/secrets"
_LOOK_SECONDS: Final = 0.25
_READER: Final = (
    'cd "$SECRETS" && while :; do printf \'seen %s %s\\n\' "$(stat -L -c %a:%g "$FILE")" '
    '"$(base64 < "$FILE" | tr -d \'\\n\')"; printf \'variable %s\\n\' "$VARIABLE"; sleep 1; done'
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says; docs/e2e.md has the variables."""

    kubeconfig: str
    provider: str
    parameters: Mapping[str, str]
    file: str
    value: str
    image: str
    driver: str
    ours: bool
    namespace: str
    account: str
    annotations: Mapping[str, str]
    rotate: str
    secret_objects: bool
    seconds: float
    without: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Read them.

        Raises:
            KeyError: one that has no default is missing.
        """
        return cls(
            kubeconfig=environ["KUBECONFIG"],
            provider=environ["E2E_PROVIDER"],
            parameters=yaml.safe_load(environ["E2E_PARAMETERS"]),
            file=environ["E2E_FILE"],
            value=environ["E2E_VALUE"],
            image=environ.get("E2E_IMAGE", "busybox:1.37"),
            driver=environ.get("E2E_DRIVER", "secrets-store.csi.k8s.io"),
            ours=environ.get("E2E_OURS", "true") == "true",
            namespace=environ.get("E2E_NAMESPACE", ""),
            account=environ.get("E2E_SERVICE_ACCOUNT", "sscsi-e2e"),
            annotations=yaml.safe_load(environ.get("E2E_ANNOTATIONS", "{}")),
            rotate=environ.get("E2E_ROTATE", ""),
            secret_objects=environ.get("E2E_SECRET_OBJECTS", "") == "true",
            seconds=float(environ.get("E2E_SECONDS", "300")),
            without=frozenset(filter(None, environ.get("E2E_WITHOUT", "").split(","))),
        )


class World:
    """One run in one namespace."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        config = KubeConfig.from_file(settings.kubeconfig).get()
        if config is None:
            raise ValueError(f"{settings.kubeconfig} has no current context")
        self._http = client_adapter.Client(config, ConnectionParams(trust_env=False))
        self.namespace = settings.namespace or f"sscsi-e2e-{secrets.token_hex(3)}"
        self._made: list[str] = []

    def __enter__(self) -> Self:
        self._once(f"{CORE}/namespaces", {"kind": "Namespace", "metadata": {"name": self.namespace}})
        metadata = {"name": self.settings.account, "annotations": dict(self.settings.annotations)}
        self._once(self.core("serviceaccounts"), {"kind": "ServiceAccount", "metadata": metadata})
        return self

    def __exit__(self, *_: object) -> None:
        for path in reversed(self._made):
            self._http.delete(path)
        self._http.close()

    def core(self, resource: str) -> str:
        """The path of core objects in the namespace."""
        return f"{CORE}/namespaces/{self.namespace}/{resource}"

    def ours(self, resource: str) -> str:
        """The path of the driver's objects in the namespace."""
        return f"{GROUP}/namespaces/{self.namespace}/{resource}"

    def create(self, path: str, body: Mapping[str, Any]) -> None:
        """Create an object; it is deleted at the end."""
        self._made.append(f"{path}/{body['metadata']['name']}")
        version = "secrets-store.csi.x-k8s.io/v1" if path.startswith(GROUP) else "v1"
        answer = self._http.post(path, json={"apiVersion": version, **body})
        assert answer.is_success, answer.text

    def get(self, path: str) -> Mapping[str, Any] | None:
        """An object; None where there is none."""
        answer = self._http.get(path)
        assert answer.is_success or answer.status_code == 404, answer.text
        return None if answer.status_code == 404 else answer.json()

    def delete(self, path: str) -> None:
        """Delete an object, however long it takes."""
        assert self._http.delete(path).is_success

    def annotate(self, path: str, **annotations: str) -> None:
        """Give an object annotations."""
        headers = {"Content-Type": "application/merge-patch+json"}
        patch = {"metadata": {"annotations": annotations}}
        assert self._http.patch(path, content=json.dumps(patch), headers=headers).is_success

    def a_class(self, name: str, **spec: Any) -> None:
        """A class of the settings' provider and parameters, with other fields."""
        whole = {"provider": self.settings.provider, "parameters": dict(self.settings.parameters), **spec}
        self.create(
            self.ours("secretproviderclasses"),
            {"kind": "SecretProviderClass", "metadata": {"name": name}, "spec": whole},
        )

    def a_pod(
        self, name: str, of_class: str, *, group: int | None = None, secret: tuple[str, str] | None = None
    ) -> "Pod":
        """A pod that writes into its log, each second, what it sees of the volume."""
        variable: dict[str, Any] = {"name": "VARIABLE", "value": "none"}
        if secret is not None:
            variable = {"name": "VARIABLE", "valueFrom": {"secretKeyRef": {"name": secret[0], "key": secret[1]}}}
        volume = {
            "driver": self.settings.driver,
            "readOnly": True,
            "volumeAttributes": {"secretProviderClass": of_class},
        }
        container = {
            "name": "reader",
            "image": self.settings.image,
            "command": ["sh", "-c", _READER],
            "env": [{"name": "SECRETS", "value": _MOUNT}, {"name": "FILE", "value": self.settings.file}, variable],
            "volumeMounts": [{"name": "secrets", "mountPath": _MOUNT, "readOnly": True}],
        }
        spec = {
            "serviceAccountName": self.settings.account,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "volumes": [{"name": "secrets", "csi": volume}],
            **({"securityContext": {"fsGroup": group}} if group is not None else {}),
        }
        self.create(self.core("pods"), {"kind": "Pod", "metadata": {"name": name}, "spec": spec})
        return Pod(self, name, of_class)

    def rotate(self, value: str) -> None:
        """Give the backend's secret another value, by the operator's command."""
        if not self.settings.rotate:
            pytest.skip("E2E_ROTATE is not set: nobody here can change the backend's secret")
        subprocess.run([*shlex.split(self.settings.rotate), value], check=True, timeout=self.settings.seconds)

    def needs(self, what: str) -> None:
        """Skip where this cluster is without it."""
        if what in self.settings.without:
            pytest.skip(f"this cluster is without: {what}")

    def text(self, path: str) -> str:
        """What a path answers, as text."""
        answer = self._http.get(path)
        return answer.text if answer.is_success else ""

    def until(self, what: str, look: Callable[[], T]) -> T:
        """What `look` returns, once that is true."""
        ends = time.monotonic() + self.settings.seconds
        while time.monotonic() < ends:
            try:
                if found := look():
                    return found
            except httpx2.HTTPError:
                pass
            threading.Event().wait(_LOOK_SECONDS)
        pytest.fail(f"{what}: not within {self.settings.seconds:g} s")

    def _once(self, path: str, body: Mapping[str, Any]) -> None:
        """Create what is not there yet; what is there stays at the end."""
        if self.get(f"{path}/{body['metadata']['name']}") is None:
            self.create(path, body)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a container saw last: mode and group of the file, its content, its variable."""

    mode: str
    group: str
    content: str
    variable: str


class Pod:
    """A pod of the suite."""

    def __init__(self, world: World, name: str, of_class: str) -> None:
        self._world = world
        self.name = name
        self.of_class = of_class
        self.path = f"{world.core('pods')}/{name}"
        self.status_path = f"{world.ours('secretproviderclasspodstatuses')}/{name}-{world.namespace}-{of_class}"

    def body(self) -> Mapping[str, Any]:
        """The object."""
        found = self._world.get(self.path)
        assert found is not None
        return found

    def runs(self) -> bool:
        """Whether it is in phase Running."""
        return (self.body().get("status") or {}).get("phase") == "Running"

    def seen(self) -> Seen | None:
        """What it saw last; None = nothing yet."""
        last: dict[str, list[str]] = {}
        for line in self._world.text(f"{self.path}/log").splitlines():
            word, _, rest = line.partition(" ")
            last[word] = rest.split(" ")
        if "seen" not in last or "variable" not in last:
            return None
        (access, content), variable = last["seen"], " ".join(last["variable"])
        mode, _, group = access.partition(":")
        return Seen(mode, group, base64.b64decode(content).decode(), variable)

    def versions(self) -> Mapping[str, str]:
        """The object versions of its status."""
        found = self._world.get(self.status_path) or {}
        return {one["id"]: one["version"] for one in (found.get("status") or {}).get("objects") or ()}

    def events(self, reason: str) -> list[str]:
        """Messages of its events of a reason."""
        found = self._world.get(self._world.core("events")) or {}
        return [
            one["message"]
            for one in found.get("items") or ()
            if one["involvedObject"].get("name") == self.name and one["reason"] == reason
        ]
