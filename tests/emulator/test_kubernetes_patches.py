"""The stand-in's patches and selections, held against what a real API server did (recordings 10 and 12)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from kube_rig import kubeconfig
from sscsi_driver.kube import Kube
from sscsi_driver.node_objects import ApiNode
from sscsi_driver.startup import removal
from sscsi_emulators.kubernetes import KubernetesEmulator
from sscsi_emulators.kubernetes_patches import PatchFailed, merged, patched

STEPS = json.loads(Path(__file__).with_name("recordings").joinpath("12-node-and-csi-objects.json").read_text())["steps"]
PATCHES = [
    number
    for number, step in enumerate(STEPS)
    if step.get("request", {}).get("path") == "/api/v1/nodes/made-up"
    and step["request"]["method"] == "PATCH"
    and step["request"]["headers"]["content-type"].split("/")[1] in {"merge-patch+json", "json-patch+json"}
    and step["response"]["status"] in {200, 422}
    and "invalid" not in step["response"]["body"].get("message", "")
]
"""Patches of the node; the stand-in does not judge what a taint may be."""


@pytest.fixture
def kubernetes() -> Iterator[KubernetesEmulator]:
    with KubernetesEmulator() as running:
        yield running


def send(kubernetes: KubernetesEmulator, method: str, path: str, body: Any, kind: str) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {kubernetes.admin_token}", "Content-Type": kind}
    with urllib3.PoolManager() as http:
        answer = http.request(method, kubernetes.url + path, body=json.dumps(body), headers=headers)
        return answer.status, answer.json()


def below(recorded: Any) -> Any:
    """What the stand-in claims of a Node: labels and spec."""
    return (recorded["metadata"].get("labels") or {}, recorded.get("spec") or {})


@pytest.mark.parametrize("number", PATCHES)
def test_a_node_is_patched_as_recorded(kubernetes: KubernetesEmulator, number: int) -> None:
    before = next(step for step in reversed(STEPS[:number]) if step["response"]["body"].get("kind") == "Node")
    kubernetes.apply({"apiVersion": "v1", **before["response"]["body"]})
    step = STEPS[number]
    request = step["request"]
    status, body = send(kubernetes, "PATCH", request["path"], request["body"], request["headers"]["content-type"])
    assert status == step["response"]["status"]
    if status == 200:
        assert below(body) == below(step["response"]["body"])
    else:
        assert body["message"] == step["response"]["body"]["message"]


def test_some_of_both_kinds_were_recorded() -> None:
    assert {STEPS[number]["response"]["status"] for number in PATCHES} == {200, 422}
    assert {STEPS[number]["request"]["headers"]["content-type"][12:17] for number in PATCHES} == {"merge", "json-"}


@pytest.mark.parametrize(
    ("patch", "result"),
    [
        ({"a": None}, {"b": {"c": [1]}}),
        ({"b": {"d": None, "c": [2]}}, {"a": 1, "b": {"c": [2]}}),
        ({"b": 3}, {"a": 1, "b": 3}),
        ({"a": {"x": 1, "y": None}}, {"a": {"x": 1}, "b": {"c": [1]}}),
    ],
)
def test_merging(patch: Any, result: Any) -> None:
    assert merged({"a": 1, "b": {"c": [1]}}, patch) == result


def test_a_json_patch_is_all_or_nothing() -> None:
    old = {"a": [1, 2], "b": {"c/d": 1}}
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/nothing", "value": None},
        {"op": "add", "path": "/a/-", "value": 3},
        {"op": "add", "path": "/a/0", "value": 0},
        {"op": "replace", "path": "/b/c~1d", "value": 2},
        {"op": "add", "path": "/e", "value": {}},
    ]
    assert patched(old, operations) == {"a": [0, 1, 2, 3], "b": {"c/d": 2}, "e": {}}
    for bad in (
        {"op": "replace", "path": "/none", "value": 1},
        {"op": "remove", "path": "/a/9"},
        {"op": "test", "path": "/a", "value": []},
        {"op": "move", "path": "/a", "from": "/b"},
    ):
        with pytest.raises(PatchFailed):
            patched(old, [*operations, bad])
    assert old == {"a": [1, 2], "b": {"c/d": 1}}


def test_the_drivers_own_questions_about_its_node(kubernetes: KubernetesEmulator, tmp_path: Path) -> None:
    """Its pods by field selector, metadata alone; its taints by JSON patch; its CSINode."""
    taint = {"key": "secrets-store.csi.k8s.io/agent-not-ready", "effect": "NoExecute"}
    for name, node, word in [("a", "node-1", "x"), ("b", "node-2", "y"), ("c", "node-1", "")]:
        annotations = {"sscsi.dev/refresh": word} if word else {}
        metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "annotations": annotations}
        kubernetes.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": node}})
    kubernetes.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}, "spec": {"taints": [taint]}})
    drivers = {"drivers": [{"name": "secrets-store.csi.k8s.io", "nodeID": "node-1"}]}
    csi_node = {"apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": {"name": "node-1"}, "spec": drivers}
    kubernetes.apply(csi_node)
    own = ApiNode(Kube.connect(str(kubeconfig(tmp_path, kubernetes.url, kubernetes.admin_token))), "node-1")
    assert own.refresh_words() == {"uid-a": "x", "uid-c": ""}
    assert own.uids() == frozenset({"uid-a", "uid-c"})
    assert own.registered() == {"secrets-store.csi.k8s.io"}
    assert own.taints() == [taint]
    assert not own.patch_taints(removal([{**taint, "effect": "NoSchedule"}], taint["key"]))
    assert own.patch_taints(removal([taint], taint["key"]))
    assert own.taints() == []


def test_what_can_not_be_selected_by(kubernetes: KubernetesEmulator) -> None:
    path = "/apis/secrets-store.csi.x-k8s.io/v1/secretproviderclasspodstatuses?fieldSelector=status.podName=p"
    status, body = send(kubernetes, "GET", path, None, "application/json")
    assert (status, body["message"]) == (400, "field label not supported: status.podName")
