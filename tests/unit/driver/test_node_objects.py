"""This node's objects, with the answers that a real API server gave (recording 12)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from kube_rig import kube_at
from sscsi_driver.errors import PublishError
from sscsi_driver.node_objects import ApiNode
from sscsi_driver.startup import removal

STEPS = json.loads(
    (Path(__file__).parents[2] / "emulator" / "recordings" / "12-node-and-csi-objects.json").read_text()
)["steps"]
REMOVED, TEST_FAILED, CSI_NODE, ABSENT, TAINTED = 37, 36, 26, 27, 35
Answer = Callable[[httpx2.Request], httpx2.Response]


class Server:
    """Answers each request with what was recorded, and keeps the requests."""

    def __init__(self) -> None:
        self.answers: list[httpx2.Response | Exception] = []
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def recorded(self, *steps: int) -> None:
        for step in steps:
            response = STEPS[step]["response"]
            self.answers.append(httpx2.Response(response["status"], json=response["body"]))


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def node(server: Server) -> ApiNode:
    return ApiNode(kube_at(server), "node1")


def test_the_drivers_that_kubelet_registered(node: ApiNode, server: Server) -> None:
    server.recorded(CSI_NODE)
    expected = {driver["name"] for driver in STEPS[CSI_NODE]["response"]["body"]["spec"]["drivers"]}
    assert expected
    assert node.registered() == expected
    assert server.requests[0].url.path == "/apis/storage.k8s.io/v1/csinodes/node1"


def test_a_node_without_csi_yet(node: ApiNode, server: Server) -> None:
    server.recorded(ABSENT)
    assert node.registered() == frozenset()


def test_a_taint_is_patched_as_it_was_read(node: ApiNode, server: Server) -> None:
    recorded = STEPS[TAINTED]["response"]["body"]["spec"]["taints"]
    server.recorded(TAINTED, REMOVED)
    taints = node.taints()
    assert taints is not None
    assert taints == recorded
    assert node.patch_taints(removal(taints, recorded[0]["key"]))
    sent = server.requests[1]
    assert sent.method == "PATCH"
    assert sent.headers["content-type"] == "application/json-patch+json"
    assert json.loads(sent.content) == STEPS[REMOVED]["request"]["body"]


def test_a_patch_whose_test_fails_is_no_error(node: ApiNode, server: Server) -> None:
    server.recorded(TEST_FAILED)
    assert not node.patch_taints(removal([{"key": "a", "effect": "NoSchedule"}], "a"))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (httpx2.Response(401, json={"kind": "Status", "code": 401, "message": "Unauthorized"}), "Unauthorized"),
        (httpx2.ConnectError("refused"), "did not answer"),
        (httpx2.ReadTimeout("slow"), "did not answer"),
        (httpx2.Response(502, text="<html>bad gateway</html>"), "answered 502"),
    ],
)
def test_failures_say_what_was_asked(node: ApiNode, server: Server, answer: Any, text: str) -> None:
    server.answers = [answer]
    with pytest.raises(PublishError) as caught:
        node.taints()
    assert caught.value.message.startswith("failed to read nodes for node node1: ")
    assert text in caught.value.message
    assert "<html>" not in caught.value.message


def test_the_pods_of_this_node(node: ApiNode, server: Server) -> None:
    mirror = {"uid": "mirror", "name": "c", "annotations": {"kubernetes.io/config.hash": "static"}}
    pages = [
        {
            "kind": "PodList",
            "apiVersion": "v1",
            "metadata": {"continue": "more"},
            "items": [{"metadata": {"uid": "a"}}],
        },
        {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [{"metadata": mirror}]},
    ]
    server.answers = [httpx2.Response(200, json=page) for page in pages]
    assert node.uids() == frozenset({"a", "mirror", "static"})
    assert server.requests[0].url.params["fieldSelector"] == "spec.nodeName=node1"
    assert server.requests[1].url.params["continue"] == "more"


def test_with_the_api_server_away_nobody_is_known_to_be_gone(
    node: ApiNode, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers = [httpx2.ConnectError("refused")] * 2
    assert node.uids() is None
    assert node.uids() is None
    assert caplog.text.count("they stay") == 1


REFRESH = "sscsi.dev/refresh"


def test_what_the_pods_say_is_one_small_request(node: ApiNode, server: Server) -> None:
    """Recording 10: a list of metadata alone; of resourceVersion 0, which the API server's memory answers."""
    pods = [
        {"metadata": {"uid": "a", "annotations": {REFRESH: "now", "other": "x"}}},
        {"metadata": {"uid": "b"}},
        {"metadata": {"uid": "mirror", "annotations": {"kubernetes.io/config.hash": "static", REFRESH: "2"}}},
    ]
    server.answers = [httpx2.Response(200, json={"kind": "PartialObjectMetadataList", "items": pods})]
    assert node.refresh_words() == {"a": "now", "b": "", "mirror": "2", "static": "2"}
    (asked,) = server.requests
    assert dict(asked.url.params) == {"fieldSelector": "spec.nodeName=node1", "resourceVersion": "0"}
    assert asked.headers["accept"].startswith("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")


def test_pods_that_can_not_be_listed_are_told_once(
    node: ApiNode, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    denied = {"kind": "Status", "code": 403, "message": 'pods is forbidden: User "x" cannot list'}
    server.answers = [httpx2.Response(403, json=denied)] * 2
    assert [node.refresh_words(), node.refresh_words()] == [None, None]
    assert caplog.text.count('failed to list pods for node node1: pods is forbidden: User "x" cannot list') == 1


def test_the_right_to_see_nodes_is_optional(node: ApiNode, server: Server) -> None:
    server.answers = [httpx2.Response(403, json={"kind": "Status", "code": 403, "message": "nodes is forbidden"})]
    assert node.taints() is None
