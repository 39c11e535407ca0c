"""When Secrets are brought up to date, by whom they are owned, and what is told where they are not."""

import base64
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from hand import Hand
from secrets_rig import NAMESPACE, ClusterOfObjects, OneClassEach, Told, entry, owner
from sscsi_driver.kube import Conflict, Forbidden, Silent
from sscsi_driver.metrics import DriverMetrics
from sscsi_driver.secret_sink import Filled
from sscsi_driver.secret_writer import SecretWriter
from sscsi_driver.status import status_name
from sscsi_driver.syncing import RECHECK_SECONDS, Syncer
from sscsi_emulators.kubernetes_objects import Objects, Resource
from sscsi_shared.deadline import Deadline
from sscsi_shared.mount import PodInfo
from sscsi_shared.secret import SecretBytes

REPLICASET = owner("ReplicaSet", "web-1", "rs-1")


class Node:
    """A node's Syncer before the stand-in's objects."""

    def __init__(self) -> None:
        self.objects = Objects(lambda: 1.0)
        self.cluster = ClusterOfObjects(self.objects)
        self.classes = OneClassEach()
        self.told = Told()
        self.clock = Hand()
        self.registry = CollectorRegistry()
        self.syncer = Syncer(
            writer=SecretWriter(self.cluster, self.classes),
            classes=self.classes,
            events=self.told,
            metrics=DriverMetrics(self.registry),
            clock=self.clock,
        )
        self.classes.add("web", entry())
        self.pod("web-1-a", REPLICASET)

    def pod(self, name: str, *owners: dict[str, str], uid: str = "", **fields: Any) -> None:
        metadata: dict[str, Any] = {"namespace": NAMESPACE, "name": name, "uid": uid or f"uid-{name}"}
        if owners:
            metadata["ownerReferences"] = list(owners)
        self.objects.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, **fields})

    def fill(
        self,
        value: bytes = b"hunter2",
        at: float = 1.0,
        pod: str = "web-1-a",
        of_class: str = "web",
        seconds: float = 60,
    ) -> Filled:
        info = PodInfo(name=pod, namespace=NAMESPACE, uid=f"uid-{pod}", service_account="app")
        filled = Filled(Path("/t") / pod / of_class, info, of_class, "aws", {"password": SecretBytes(value)}, at)
        self.syncer.write(filled, self.classes.get(NAMESPACE, of_class).secret_objects, Deadline.after(seconds))
        return filled

    def secret(self, name: str = "db") -> dict[str, Any] | None:
        return self.objects.find(Resource.of_kind("Secret"), NAMESPACE, name)

    def value(self) -> bytes:
        found = self.secret()
        assert found is not None
        return base64.b64decode(found["data"]["password"])

    def sample(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, {"os_type": "linux", **labels}) or 0.0


@pytest.fixture
def node() -> Node:
    return Node()


def test_it_is_made_for_the_owner_of_the_pod(node: Node) -> None:
    node.pod("web-1-a", REPLICASET | {"controller": True, "blockOwnerDeletion": True})  # type: ignore[arg-type]
    node.fill()
    found = node.secret()
    assert found is not None
    assert node.value() == b"hunter2"
    assert found["metadata"]["ownerReferences"] == [REPLICASET]
    assert node.told.events == []
    assert node.sample("sync_k8s_secret_total", provider="aws") == 1
    assert node.sample("k8s_secret_duration_sec_count") == 1


def test_a_bare_pods_status_owns_it(node: Node) -> None:
    node.pod("bare")
    filled = node.fill(pod="bare")
    assert node.secret() is None
    assert "no SecretProviderClassPodStatus" in node.told.events[0][1].message
    name = status_name(filled.pod, "web")
    body = {"apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClassPodStatus"}
    node.objects.apply({**body, "metadata": {"namespace": NAMESPACE, "name": name, "uid": "status-1"}})
    node.clock.at += 5
    node.syncer.retry()
    found = node.secret()
    assert found is not None
    assert found["metadata"]["ownerReferences"] == [{**body, "name": name, "uid": "status-1"}]


def test_equal_content_is_not_even_looked_at_for_a_while(node: Node) -> None:
    node.fill()
    asked = node.cluster.reads
    node.fill(at=2.0)
    assert (node.cluster.reads, node.cluster.writes) == (asked, 1)
    node.clock.at += RECHECK_SECONDS
    node.objects.delete(Resource.of_kind("Secret"), NAMESPACE, "db")
    node.fill(at=3.0)
    assert node.secret() is not None, "somebody deleted it"


def test_new_content_is_written_at_once(node: Node) -> None:
    node.fill()
    node.fill(b"changed", at=2.0)
    assert node.value() == b"changed"
    assert node.cluster.writes == 2


def test_a_key_that_the_class_no_longer_names_goes(node: Node) -> None:
    node.classes.add("web", entry(password="password", extra="password"))
    node.fill()
    node.classes.add("web", entry())
    node.fill(at=2.0)
    found = node.secret()
    assert found is not None
    assert list(found["data"]) == ["password"]


def test_conflicts_are_read_again(node: Node) -> None:
    node.cluster.refusals = [Conflict("patch secrets", "stale")] * 4
    node.fill()
    assert node.value() == b"hunter2"
    node.cluster.refusals = [Conflict("patch secrets", "stale")] * 5
    node.fill(b"changed", at=2.0)
    assert node.value() == b"hunter2"
    assert "others write to it" in node.told.events[0][1].message
    node.clock.at += 5
    node.syncer.retry()
    assert node.value() == b"changed"


def test_a_failure_is_told_once_and_tried_again_ever_more_rarely(node: Node) -> None:
    node.cluster.refusals = [Forbidden("patch secrets", 'secrets is forbidden: User "x" cannot patch')] * 3
    node.fill()
    ((pod, event),) = node.told.events
    assert (pod, event.reason, event.warning) == ("web-1-a", "SyncFailed", True)
    assert "deploy/driver/rbac-secretobjects.yaml" in event.message
    tried: list[int] = []
    for second in range(40):
        node.clock.at += 1
        left = len(node.cluster.refusals)
        node.syncer.retry()
        if len(node.cluster.refusals) < left or (node.secret() and len(tried) == 2):
            tried.append(second + 1)
        if node.secret():
            break
    assert tried == [5, 15, 35]
    assert len(node.told.events) == 1
    assert node.sample("sscsi_sync_failed_total", provider="aws") == 3


def test_a_rotation_does_not_make_its_tries_more_frequent(node: Node) -> None:
    refusal = Forbidden("patch secrets", "secrets is forbidden")
    node.cluster.refusals = [refusal] * 5000
    for round_ in range(2000):
        node.fill(b"%d" % round_, at=float(round_))
        node.clock.at += 120
        node.syncer.retry()
    tried = 5000 - len(node.cluster.refusals)
    assert 2000 <= tried < 2010, "once for each round, and at its beginning a little more often"


def test_a_silent_api_server_is_waited_for(node: Node) -> None:
    node.cluster.refusals = [Silent("patch secrets", "the API server did not answer")]
    node.fill()
    assert node.secret() is None
    node.clock.at += 5
    node.syncer.retry()
    assert node.value() == b"hunter2"


def test_a_mount_without_time_leaves_it_to_the_next_try(node: Node) -> None:
    node.fill(seconds=2)
    assert (node.secret(), node.cluster.writes) == (None, 0)
    node.clock.at += 5
    node.syncer.retry()
    assert node.value() == b"hunter2"


def test_a_volume_that_is_gone_is_not_tried_again(node: Node) -> None:
    node.cluster.refusals = [Silent("patch secrets", "x")]
    filled = node.fill()
    node.syncer.forget(filled.target)
    node.clock.at += 5
    node.syncer.retry()
    assert node.secret() is None


def test_a_retry_reads_the_class_again(node: Node) -> None:
    node.classes.add("web", entry(password="nope"))
    node.fill()
    assert "file matching objectName nope not found" in node.told.events[0][1].message
    node.classes.add("web", entry())
    node.clock.at += 5
    node.syncer.retry()
    assert node.value() == b"hunter2"


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_at_its_end_needs_none(node: Node, phase: str) -> None:
    node.pod("web-1-a", REPLICASET, status={"phase": phase})
    node.fill()
    assert (node.secret(), node.told.events) == (None, [])


def test_a_later_pod_of_the_same_name_is_another(node: Node) -> None:
    node.pod("web-1-a", REPLICASET, uid="later")
    node.fill()
    assert node.secret() is None
    assert "does not know the pod shop/web-1-a (uid uid-web-1-a)" in node.told.events[0][1].message


def test_a_static_pod_is_known_by_its_hash(node: Node) -> None:
    metadata = {
        "namespace": NAMESPACE,
        "name": "static",
        "uid": "mirror",
        "annotations": {"kubernetes.io/config.hash": "uid-static"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "node-1", "uid": "n"}],
    }
    node.objects.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
    node.fill(pod="static")
    assert node.secret() is not None


def test_two_classes_do_not_fight_for_one_name(node: Node) -> None:
    node.classes.add("other", entry())
    node.fill()
    node.fill(b"other", at=2.0, of_class="other")
    assert node.value() == b"hunter2"
    assert "class web makes it" in node.told.events[0][1].message
    node.classes.add("web", entry("elsewhere"))
    node.clock.at += 5
    node.syncer.retry()
    assert node.value() == b"other", "the first class has left it"


def test_a_class_that_is_gone_has_left_its_secrets(node: Node) -> None:
    node.fill()
    del node.classes.there["web"]
    node.classes.add("renamed", entry())
    node.fill(b"other", at=2.0, of_class="renamed")
    assert node.value() == b"other"


def test_what_the_api_server_quotes_is_told_to_nobody(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    node.classes.add("web", entry(kind="kubernetes.io/dockerconfigjson", **{".dockerconfigjson": "password"}))
    node.fill(b"hunter2-canary")
    message = node.told.events[0][1].message
    assert "422 Invalid for data[.dockerconfigjson]" in message
    assert "canary" not in message + caplog.text
    assert base64.b64encode(b"hunter2-canary").decode() not in message + caplog.text
