"""What a pod meets in a cluster, whichever driver serves whichever provider (docs/e2e.md)."""

import base64
import re

import pytest

from cluster_world import Pod, Seen, World

pytestmark = pytest.mark.cluster

MANAGED = {"secrets-store.csi.k8s.io/managed": "true", "environment": "test"}


def reading(world: World, pod: Pod) -> Seen:
    """What it sees, once it runs."""
    world.until(f"pod {pod.name} runs", pod.runs)
    seen = world.until(f"pod {pod.name} reads", pod.seen)
    assert seen is not None
    return seen


@pytest.fixture(scope="module")
def pod(world: World) -> Pod:
    world.a_class("e2e")
    return world.a_pod("e2e-reader", "e2e")


def test_a_pod_reads_its_secret(world: World, pod: Pod) -> None:
    assert reading(world, pod).content == world.settings.value


def test_the_status_says_what_is_mounted(world: World, pod: Pod) -> None:
    reading(world, pod)
    found = world.get(pod.status_path)
    assert found is not None
    status, metadata, body = found["status"], found["metadata"], pod.body()
    uid, node = body["metadata"]["uid"], body["spec"]["nodeName"]
    assert (status["podName"], status["secretProviderClassName"], status["mounted"]) == (pod.name, "e2e", True)
    assert re.search(rf"/pods/{uid}/volumes/kubernetes\.io~csi/secrets/mount$", status["targetPath"])
    assert status["objects"]
    assert status["objects"] == sorted(status["objects"], key=lambda one: one["id"])
    assert all(one["id"] and one["version"] for one in status["objects"])
    assert metadata["labels"]["internal.secrets-store.csi.k8s.io/node-name"] == node
    assert [(one["kind"], one["name"], one["uid"]) for one in metadata["ownerReferences"]] == [("Pod", pod.name, uid)]


def test_the_pod_is_told(world: World, pod: Pod) -> None:
    if not world.settings.ours:
        pytest.skip("the existing driver writes no events")
    reading(world, pod)
    (text,) = world.until("the event Mounted", lambda: pod.events("Mounted"))
    assert text.startswith(f"SecretProviderClass e2e is mounted by provider {world.settings.provider}")


@pytest.mark.parametrize(
    ("name", "spec", "text"),
    [
        ("e2e-absent", None, r"failed to get secretproviderclass {namespace}/e2e-absent.*not found"),
        ("e2e-nobody", {"provider": "e2e-nobody"}, r'provider not found: provider "e2e-nobody"'),
        ("e2e-silent", {"provider": ""}, r"provider not set in {namespace}/e2e-silent"),
        ("e2e-empty", {"parameters": {}}, r"parameters not set in {namespace}/e2e-empty"),
    ],
)
def test_a_pod_that_can_not_start_says_why(world: World, name: str, spec: dict[str, object] | None, text: str) -> None:
    if spec is not None:
        world.a_class(name, **spec)
    pod = world.a_pod(name, name)
    events = world.until("the event FailedMount", lambda: pod.events("FailedMount"))
    assert re.search(text.format(namespace=world.namespace), events[0])
    assert not pod.runs()
    world.delete(pod.path)
    world.until("the pod is gone", lambda: world.get(pod.path) is None)


def test_the_pods_group_may_read(world: World) -> None:
    if not world.settings.ours:
        pytest.skip("the existing driver gives files to nobody's group")
    world.a_class("e2e-group")
    assert reading(world, world.a_pod("e2e-group", "e2e-group", group=4321)).group == "4321"


def test_a_secret_is_made_before_the_pod_starts_and_goes_with_it(world: World) -> None:
    if not world.settings.secret_objects:
        pytest.skip("E2E_SECRET_OBJECTS is not set: the driver has no right to write Secrets")
    entry = {
        "secretName": "e2e-secret",
        "type": "Opaque",
        "labels": {"environment": "test"},
        "data": [{"objectName": world.settings.file, "key": "password"}],
    }
    world.a_class("e2e-secret", secretObjects=[entry])
    pod = world.a_pod("e2e-secret", "e2e-secret", secret=("e2e-secret", "password"))
    assert reading(world, pod).variable == world.settings.value
    path = f"{world.core('secrets')}/e2e-secret"
    found = world.get(path)
    assert found is not None
    assert base64.b64decode(found["data"]["password"]).decode() == world.settings.value
    assert found["metadata"]["labels"].items() >= MANAGED.items()
    assert world.until("the Secret has an owner", lambda: (world.get(path) or {})["metadata"].get("ownerReferences"))
    world.delete(pod.path)
    world.needs("garbage collection")
    world.until("the Secret is gone", lambda: world.get(path) is None)


class TestRotation:
    """The last ones: they change the backend's secret."""

    def test_new_content_comes_by_itself(self, world: World, pod: Pod) -> None:
        before = reading(world, pod).content, pod.versions()
        world.rotate("rotated-1")
        world.until("new content", lambda: reading(world, pod).content == "rotated-1")
        assert before[0] != "rotated-1"
        assert world.until("new versions", lambda: pod.versions() != before[1])
        if world.settings.ours:
            assert world.until("the event Rotated", lambda: pod.events("Rotated"))

    def test_new_content_comes_at_once_if_the_pod_asks(self, world: World) -> None:
        if not world.settings.ours:
            pytest.skip("the existing driver can't be asked")
        parameters = {**world.settings.parameters, "rotationPollInterval": "never"}
        world.a_class("e2e-asks", parameters=parameters)
        pod = world.a_pod("e2e-asks", "e2e-asks")
        reading(world, pod)
        world.rotate("rotated-2")
        world.annotate(pod.path, **{"sscsi.dev/refresh": "1"})
        world.until("new content", lambda: reading(world, pod).content == "rotated-2")


def test_a_pod_that_goes_takes_its_status_with_it(world: World) -> None:
    world.a_class("e2e-goes")
    pod = world.a_pod("e2e-goes", "e2e-goes")
    reading(world, pod)
    assert world.get(pod.status_path) is not None
    world.delete(pod.path)
    world.until("the pod is gone", lambda: world.get(pod.path) is None)
    world.needs("garbage collection")
    world.until("the status is gone", lambda: world.get(pod.status_path) is None)
