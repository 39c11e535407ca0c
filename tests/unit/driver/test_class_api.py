"""Classes and statuses at an API server: what is asked, what is kept, what is written."""

import json
from typing import Any

import httpx2
import pytest

from hand import Hand
from kube_rig import kube_at, refused
from sscsi_driver.class_api import ApiClasses
from sscsi_driver.errors import PublishError
from sscsi_driver.kube import Kube
from sscsi_driver.status import pod_status, status_name
from sscsi_driver.status_api import ApiStatuses
from sscsi_shared.mount import ObjectVersion, PodInfo

GROUP = "/apis/secrets-store.csi.x-k8s.io/v1"
CLASSES = "/namespaces/shop/secretproviderclasses"
STATUSES = f"{GROUP}/namespaces/shop/secretproviderclasspodstatuses"
POD = PodInfo("shop", "web-0", "uid-0", "web")
CLASS = {
    "apiVersion": "secrets-store.csi.x-k8s.io/v1",
    "kind": "SecretProviderClass",
    "metadata": {"name": "db", "namespace": "shop", "annotations": {"sscsi.dev/refresh": "now"}},
    "spec": {"provider": "aws", "parameters": {"objects": "[]"}},
}


class Server:
    """Objects by path, with the answers that recordings 01, 02 and 05 show for what is asked here."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.silent = False
        self.refusal = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        if self.silent:
            raise httpx2.ConnectError("refused")
        if self.refusal:
            return refused(self.refusal, 'secrets is forbidden: User "x" cannot get')
        path = request.url.path
        if request.method == "POST":
            body = json.loads(request.content)
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                return refused(409, "already exists")
            self.objects[path] = body
            return httpx2.Response(201, json=body)
        if path in self.objects and request.method == "PATCH":
            assert request.headers["content-type"] == "application/merge-patch+json"
            self.objects[path] = _merged(self.objects[path], json.loads(request.content))
        if path in self.objects:
            return httpx2.Response(200, json=self.objects[path])
        below = [body for name, body in self.objects.items() if name.rpartition("/")[0] == path]
        if below or path.endswith("secretproviderclasses"):
            return httpx2.Response(200, json={"kind": "List", "apiVersion": "v1", "metadata": {}, "items": below})
        return refused(404, "not found")

    def writes(self) -> int:
        return sum(not line.startswith("GET") for line in self.asked)


def _merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(old, dict):
        return patch
    return {**old, **{key: _merged(old.get(key), value) for key, value in patch.items()}}


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def kube(server: Server) -> Kube:
    return kube_at(server)


def test_a_class_is_read_once_in_ten_seconds(server: Server, kube: Kube) -> None:
    server.objects[f"{GROUP}{CLASSES}/db"] = CLASS
    clock = Hand()
    classes = ApiClasses(kube, clock)
    found = classes.get("shop", "db")
    assert (found.provider, found.parameters, found.refresh) == ("aws", {"objects": "[]"}, "now")
    clock.at += 9
    classes.get("shop", "db")
    assert len(server.asked) == 1
    clock.at += 2
    server.objects[f"{GROUP}{CLASSES}/db"] = {**CLASS, "spec": {"provider": "gcp", "parameters": {"secrets": ""}}}
    assert classes.get("shop", "db").provider == "gcp"


def test_an_older_version_of_the_group(server: Server, kube: Kube) -> None:
    server.objects[f"{GROUP}alpha1{CLASSES}/db"] = CLASS
    assert ApiClasses(kube).get("shop", "db").provider == "aws"


def test_none_names_those_there_are(server: Server, kube: Kube) -> None:
    server.objects[f"{GROUP}{CLASSES}/db"] = CLASS
    with pytest.raises(PublishError) as caught:
        ApiClasses(kube).get("shop", "bd")
    assert "failed to get secretproviderclass shop/bd, error: SecretProviderClass" in caught.value.message
    assert "Classes of namespace shop: db." in caught.value.message


def test_a_silent_api_server(server: Server, kube: Kube) -> None:
    server.objects[f"{GROUP}{CLASSES}/db"] = CLASS
    clock = Hand()
    classes = ApiClasses(kube, clock)
    classes.get("shop", "db")
    server.silent = True
    clock.at += 300
    assert classes.get("shop", "db").provider == "aws", "as it was"
    clock.at += 400
    for name in ("db", "other"):
        with pytest.raises(PublishError, match="the API server did not answer"):
            classes.get("shop", name)


def test_a_class_that_is_not_there_is_asked_for_once_in_two_seconds(server: Server, kube: Kube) -> None:
    """A failed publish asks for its class again, to count the provider; and kubelet tries after 0.5 and 1 s."""
    clock = Hand()
    classes = ApiClasses(kube, clock)
    for _ in range(4):
        with pytest.raises(PublishError, match="shop/db"):
            classes.get("shop", "db")
        clock.at += 0.5
    assert len(server.asked) == 3, "in v1, in v1alpha1, and the names of the others"
    server.objects[f"{GROUP}{CLASSES}/db"] = CLASS
    assert classes.get("shop", "db").provider == "aws"


def test_a_right_that_is_missing_is_told(server: Server, kube: Kube) -> None:
    server.refusal = 403
    with pytest.raises(PublishError, match='secrets is forbidden: User "x" cannot get'):
        ApiClasses(kube).get("shop", "db")


def test_the_csidriver_object(server: Server, kube: Kube) -> None:
    classes = ApiClasses(kube, Hand())
    assert classes.driver_object("none") is None
    server.objects["/apis/storage.k8s.io/v1/csidrivers/d"] = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSIDriver",
        "metadata": {"name": "d"},
        "spec": {"podInfoOnMount": True, "requiresRepublish": True, "tokenRequests": [{"audience": "x"}]},
    }
    found = classes.driver_object("d")
    assert found is not None
    assert (found.pod_info, found.republish, found.token_requests) == (True, True, True)


def test_a_csidriver_object_that_can_not_be_read_is_old_for_ten_minutes_at_most(server: Server, kube: Kube) -> None:
    clock = Hand()
    classes = ApiClasses(kube, clock)
    assert classes.driver_object("d") is None
    server.silent = True
    for _ in range(59):
        clock.at += 10
        assert classes.driver_object("d") is None
    clock.at += 10
    with pytest.raises(PublishError, match="did not answer"):
        classes.driver_object("d")


def status(version: str = "1", node: str = "node-1", pod: PodInfo = POD) -> dict[str, Any]:
    return pod_status(pod, "db", "/target", [ObjectVersion("a", version)], node)


def test_a_status_is_created_and_then_only_written_when_it_changes(server: Server, kube: Kube) -> None:
    statuses = ApiStatuses(kube)
    assert statuses.write(status())
    assert server.objects[f"{STATUSES}/web-0-shop-db"] == status()
    for _ in range(3):
        assert not statuses.write(status())
    assert server.asked == [f"POST {STATUSES}"], "0 calls where nothing changed"
    assert statuses.write(status("2"))
    assert server.objects[f"{STATUSES}/web-0-shop-db"]["status"]["objects"] == [{"id": "a", "version": "2"}]


def test_a_restarted_driver_finds_what_it_wrote(server: Server, kube: Kube) -> None:
    ApiStatuses(kube).write(status())
    before = server.writes()
    assert not ApiStatuses(kube).write(status())
    assert server.writes() - before == 1, "the attempt to create it; nothing was changed"


def test_a_pod_that_moved_to_another_node(server: Server, kube: Kube) -> None:
    """A StatefulSet's pod: the same name, another uid, another node's label."""
    ApiStatuses(kube).write(status())
    moved = status(node="node-2", pod=PodInfo("shop", "web-0", "uid-1", "web"))
    assert ApiStatuses(kube).write(moved)
    found = server.objects[f"{STATUSES}/web-0-shop-db"]
    assert found["metadata"]["labels"] == {"internal.secrets-store.csi.k8s.io/node-name": "node-2"}
    assert [owner["uid"] for owner in found["metadata"]["ownerReferences"]] == ["uid-1"]


@pytest.mark.parametrize("labels", [None, {}, {"team": "a"}])
def test_what_others_wrote_into_a_status_stays(server: Server, kube: Kube, labels: dict[str, str] | None) -> None:
    """reference/driver.md, section 22: a PUT that wipes what is foreign, and panics where there are no labels."""
    there = status("1")
    there["metadata"] |= {"labels": labels, "annotations": {"x": "y"}, "finalizers": ["f"]}
    server.objects[f"{STATUSES}/web-0-shop-db"] = there
    assert ApiStatuses(kube).write(status("2"))
    found = server.objects[f"{STATUSES}/web-0-shop-db"]
    assert found["metadata"]["labels"] == {**(labels or {}), **status()["metadata"]["labels"]}
    assert (found["metadata"]["annotations"], found["metadata"]["finalizers"]) == ({"x": "y"}, ["f"])
    assert found["status"] == status("2")["status"]


def test_an_unpublished_volumes_status_is_left_to_the_garbage_collector(server: Server, kube: Kube) -> None:
    statuses = ApiStatuses(kube)
    statuses.write(status())
    statuses.remove("/target")
    assert server.writes() == 1
    assert not statuses.write(status()), "looked at again, and the same"


@pytest.mark.parametrize("trouble", ["silent", "refused"])
def test_a_status_that_can_not_be_written(server: Server, kube: Kube, trouble: str) -> None:
    server.silent, server.refusal = trouble == "silent", 422 if trouble == "refused" else 0
    with pytest.raises(OSError, match=r"did not answer|answered 422"):
        ApiStatuses(kube).write(status())


def test_names_that_are_too_long() -> None:
    pod = PodInfo("n" * 63, "p" * 200, "uid", "web")
    name, other = status_name(pod, "c" * 253), status_name(pod, "c" * 252 + "d")
    assert len(name) == len(other) == 253
    assert name != other
    labels = pod_status(pod, "c", "/t", [], "n" * 100)["metadata"]["labels"]
    assert [len(value) for value in labels.values()] == [63]
    assert status_name(POD, "db") == "web-0-shop-db"
