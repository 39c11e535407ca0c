"""deploy/providers/azure.yaml: the daemon as it is started there, and what it may ask of the cluster."""

import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from cluster_stage import DEPLOY, rights
from sscsi.clouds import AzureCloud
from sscsi.clouds.azure import CLIENT, TENANT
from sscsi.clouds.cloud import ACCOUNT, NAMESPACE, VALUE
from sscsi.daemons import Daemon
from sscsi.kubelet import ask_provider, mount_request
from sscsi.stage import Stage
from sscsi_shared.v1alpha1.provider_pb2 import MountResponse

USER = "system:serviceaccount:kube-system:sscsi-provider-azure"
"""The stage's name for the account that the manifests name csi-secrets-store-provider-azure."""
NAMED = ("clientID", "tenantID")


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage(driver=False, clouds=(AzureCloud,)) as stage:
        yield stage


def mounted(stage: Stage, socket: Path, without: Sequence[str] = ()) -> MountResponse:
    """The article's class, without some of its parameters."""
    parameters = {key: value for key, value in stage.parameters_of("azure").items() if key not in without}
    return ask_provider(socket, mount_request(stage.volume(), parameters, stage.kubelet_root), 20)


def annotate(stage: Stage, annotations: Mapping[str, str]) -> None:
    metadata = {"namespace": NAMESPACE, "name": ACCOUNT, "annotations": dict(annotations)}
    stage.kubernetes.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})


def page(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def written() -> Mapping[str, Any]:
    """The provider's container."""
    bodies = yaml.safe_load_all((DEPLOY / "providers/azure.yaml").read_text())
    (spec,) = (body["spec"]["template"]["spec"] for body in bodies if body["kind"] == "DaemonSet")
    body: Mapping[str, Any] = spec["containers"][0]
    return body


def test_its_probes_and_its_page_answer_where_the_manifest_says(stage: Stage, unused_ports: tuple[int, int]) -> None:
    """The ports alone are others: those of the manifest may be in use on this machine."""
    body = written()
    named = {port["name"]: str(port["containerPort"]) for port in body["ports"]}
    ours = dict(zip(named, unused_ports, strict=True))
    sockets = stage.folder / "again"
    sockets.mkdir()
    flags = stage.provider_daemon(sockets, cloud="azure").arguments
    flags = tuple(flag for flag in flags if not flag.startswith(("--prometheus-port", "--healthz-port")))
    for argument in body["args"]:
        if not argument.startswith("--provider-volume"):
            name = next(name for name, port in named.items() if argument.endswith(port))
            flags += (argument.replace(named[name], str(ours[name])),)
    environ = stage.clouds["azure"].environ()
    with Daemon("sscsi_provider_azure", flags, sockets / "azure.sock", stage.folder / "again.log", environ):
        assert mounted(stage, sockets / "azure.sock").files[0].contents == VALUE.encode()
        for probe in ("livenessProbe", "readinessProbe"):
            asked = body[probe]["httpGet"]
            assert page(ours[asked["port"]], asked["path"]) == "ok\n"
        text = page(ours["metrics"], "/metrics")
    assert 'keyvault_request_count{error="",object_name="password",object_type="secret"' in text
    assert 'grpc_request_count{grpc_code="OK",grpc_message="",grpc_method="/v1alpha1.CSIDriverProvider/Mount"' in text


def test_it_asks_nothing_of_a_cluster_where_the_class_says_it_all(stage: Stage) -> None:
    assert mounted(stage, stage.provider.socket).files[0].contents == VALUE.encode()
    assert [label for user, label in stage.kubernetes.asked if user == USER] == []


def test_annotations_take_the_optional_role_and_no_more(stage: Stage) -> None:
    annotate(stage, {"azure.workload.identity/client-id": CLIENT, "azure.workload.identity/tenant-id": TENANT})
    with pytest.raises(grpc.RpcError) as caught:
        mounted(stage, stage.provider.socket, without=NAMED)
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    said = caught.value.details() or ""
    assert "Write clientID in the class, or annotate the service account with azure.workload.identity/client-id" in said
    assert 'cannot get resource "serviceaccounts"' in said
    for verb, resource in rights("providers/azure-rbac-annotations.yaml"):
        stage.kubernetes.grant(USER, verb, resource)
    assert mounted(stage, stage.provider.socket, without=NAMED).files[0].contents == VALUE.encode()
    asked = {(label.split(" ")[0], label.split(" ")[1]) for user, label in stage.kubernetes.asked if user == USER}
    assert asked == rights("providers/azure-rbac-annotations.yaml")
