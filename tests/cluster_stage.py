"""A stage whose driver is a cluster's: objects at the API server stand-in, and no right that deploy/ does not give."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from kube_rig import kubeconfig
from sscsi.clouds.cloud import CLASS, NAMESPACE
from sscsi.daemons import Daemon
from sscsi.kubelet import Kubelet, PodVolume
from sscsi.stage import Stage

DEPLOY: Final = Path(__file__).parents[1] / "deploy"
NODE: Final = "node-1"
TAINT: Final = {"key": "secrets-store.csi.k8s.io/agent-not-ready", "effect": "NoExecute"}
ROLES: Final = ("driver/rbac.yaml", "driver/rbac-startup-taint.yaml", "driver/rbac-secretobjects.yaml")
USER: Final = "system:serviceaccount:kube-system:secrets-store-csi-driver"


def rights(manifest: str) -> set[tuple[str, str]]:
    """(verb, resource) of the roles that a manifest binds to its service account."""
    bodies = list(yaml.safe_load_all((DEPLOY / manifest).read_text()))
    bound = {body["roleRef"]["name"] for body in bodies if body["kind"].endswith("RoleBinding")}
    return {
        (verb, resource)
        for body in bodies
        if body["kind"] in {"Role", "ClusterRole"} and body["metadata"]["name"] in bound
        for rule in body["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


class ClusterStage:
    """A Stage with its objects at the API server, and the driver's own account there.

    Args:
        stage: running, without its own driver.
        roles: manifests of deploy/ whose rights the driver has.
    """

    def __init__(self, stage: Stage, roles: Sequence[str] = ROLES) -> None:
        self.stage = stage
        self.kubernetes = stage.kubernetes
        self.granted = {right for manifest in roles for right in rights(manifest)}
        for name in ("cluster", CLASS):
            self.kubernetes.apply(stage.class_file(name).read_text())
        account = {"name": "secrets-store-csi-driver", "namespace": "kube-system"}
        driver = {"name": "secrets-store.csi.k8s.io", "nodeID": NODE}
        self._apply("v1", "ServiceAccount", account)
        self._apply("v1", "Node", {"name": NODE}, {"taints": [TAINT]})
        self._apply("storage.k8s.io/v1", "CSINode", {"name": NODE}, {"drivers": [driver]})
        for verb, resource in self.granted:
            self.kubernetes.grant(USER, verb, resource)

    @contextmanager
    def driver(self, *flags: str) -> Iterator[Daemon]:
        """The driver's daemon, with flags beside those of the stage."""
        token = self.kubernetes.token("kube-system", "secrets-store-csi-driver", self.kubernetes.issuer)
        config = kubeconfig(self.stage.folder / "run", self.kubernetes.url, token)
        own = self.stage.driver
        kept = [one for one in own.arguments if not one.startswith(("--objects", "--status-dir"))]
        log = self.stage.folder / "cluster.log"
        with Daemon("sscsi_driver", [*kept, f"--kubeconfig={config}", *flags], own.socket, log) as daemon:
            yield daemon

    @contextmanager
    def kubelet(self) -> Iterator[Kubelet]:
        """A client of the driver's socket."""
        with Kubelet(self.stage.driver.socket, self.stage.kubelet_root) as kubelet:
            yield kubelet

    def with_secret(self, name: str, of_class: str = CLASS) -> None:
        """Let the class make a Secret of its one file."""
        body = yaml.safe_load(self.stage.class_file(of_class).read_text())
        entry = {"secretName": name, "type": "Opaque", "data": [{"objectName": "password", "key": "password"}]}
        body["spec"]["secretObjects"] = [entry]
        self.kubernetes.apply(body)

    def pod(self, volume: PodVolume, *owners: dict[str, Any]) -> None:
        """Let the API server know a volume's pod."""
        metadata = {"namespace": volume.namespace, "name": volume.pod, "uid": volume.pod_uid}
        self._apply("v1", "Pod", {**metadata, **({"ownerReferences": list(owners)} if owners else {})}, {})

    def secret(self, name: str) -> dict[str, Any] | None:
        """A Secret, as the API server keeps it."""
        return self.kubernetes.find("Secret", NAMESPACE, name)

    def asked(self) -> set[tuple[str, str]]:
        """(verb, resource) of what the driver has asked for."""
        return {(label.split(" ")[0], label.split(" ")[1]) for user, label in self.kubernetes.asked if user == USER}

    def _apply(self, version: str, kind: str, metadata: dict[str, Any], spec: dict[str, Any] | None = None) -> None:
        body = {"apiVersion": version, "kind": kind, "metadata": metadata}
        self.kubernetes.apply({**body, "spec": spec} if spec else body)
