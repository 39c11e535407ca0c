"""The driver as a cluster runs it: classes, the CSIDriver object and statuses by way of the API server."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from cluster_stage import ClusterStage
from driver_rig import CANT_MOUNT, until
from sscsi.clouds import AwsCloud
from sscsi.clouds.cloud import CLASS, NAMESPACE, VALUE
from sscsi.stage import Stage

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.mount,
    pytest.mark.skipif(bool(CANT_MOUNT), reason=CANT_MOUNT or "mounting works"),
]
STATUSES = "secretproviderclasspodstatuses"


@pytest.fixture
def cluster() -> Iterator[ClusterStage]:
    with Stage(driver=False) as stage:
        yield ClusterStage(stage)


def quiet(cluster: ClusterStage) -> dict[str, int]:
    """What was asked for, but for events: they are written out of the way of mounts."""
    return {label: number for label, number in cluster.kubernetes.calls.items() if label != "create events"}


def test_a_pod_is_served_by_the_api_servers_objects(cluster: ClusterStage) -> None:
    with cluster.driver() as driver, cluster.kubelet() as kubelet:
        volume = cluster.stage.volume()
        target = kubelet.publish(volume)
        assert (target / "password").read_text() == VALUE
        assert until(lambda: cluster.kubernetes.calls["create events"] > 0)
        assert cluster.kubernetes.calls[f"create {STATUSES}"] == 1
        assert cluster.kubernetes.calls["get secretproviderclasses"] == 1
        assert until(lambda: cluster.kubernetes.calls["patch nodes"] > 0)
        before = quiet(cluster)
        kubelet.publish(volume)
        assert quiet(cluster) == before, "a publish that changes nothing asks nobody"
        with pytest.raises(grpc.RpcError) as caught:
            kubelet.publish(cluster.stage.volume("nope", pod="other"))
        assert f"Classes of namespace {NAMESPACE}: {CLASS}." in str(caught.value)
        kubelet.unpublish(volume)
        assert not target.exists()
    log = driver.log.read_text()
    assert VALUE not in log
    assert cluster.kubernetes.admin_token not in log


def test_the_roles_are_exactly_what_the_driver_asks_for(cluster: ClusterStage) -> None:
    """A life: the startup taint, mounts, a missing class, a restart, a change. Nothing is denied, nothing is idle."""
    volume = cluster.stage.volume()
    cluster.with_secret("from-class")
    cluster.pod(volume)
    with cluster.driver() as driver, cluster.kubelet() as kubelet:
        target = kubelet.publish(volume)
        with pytest.raises(grpc.RpcError):
            kubelet.publish(cluster.stage.volume("nope", pod="other"))
        assert until(lambda: ("patch", "nodes") in cluster.asked())
        note_of_kubelet(target)
        driver.kill()
    cluster.stage.clouds[AwsCloud.name].put("changed")
    rotation = ("--enable-secret-rotation=true", "--rotation-poll-interval=1h")
    with cluster.driver(*rotation) as driver, cluster.kubelet() as kubelet:
        assert until(lambda: ("list", "pods") in cluster.asked()), "whose mounts these are"
        kubelet.publish(volume)
        assert until(lambda: (target / "password").read_text() == "changed")
        assert until(lambda: ("patch", STATUSES) in cluster.asked())
        assert until(lambda: ("create", "events") in cluster.asked())
        kubelet.unpublish(volume)
    assert cluster.kubernetes.denied == set()
    assert cluster.asked() == cluster.granted


def test_a_secret_is_there_before_the_pod_starts_and_changes_with_its_content(cluster: ClusterStage) -> None:
    volume = cluster.stage.volume()
    cluster.with_secret("from-class")
    cluster.pod(volume)
    rotation = ("--enable-secret-rotation=true", "--rotation-poll-interval=2s")
    with cluster.driver(*rotation) as driver, cluster.kubelet() as kubelet:
        kubelet.publish(volume)
        made = cluster.secret("from-class")
        assert made is not None, "it is there when kubelet has its answer"
        assert base64.b64decode(made["data"]["password"]).decode() == VALUE
        assert [owner["kind"] for owner in made["metadata"]["ownerReferences"]] == ["SecretProviderClassPodStatus"]
        assert cluster.kubernetes.calls["patch secrets"] == 1
        kubelet.publish(volume)
        assert cluster.kubernetes.calls["patch secrets"] == 1
        cluster.stage.clouds[AwsCloud.name].put("changed")
        assert until(lambda: content(cluster.secret("from-class")) == b"changed")
        kubelet.unpublish(volume)
    log = driver.log.read_text()
    assert VALUE not in log
    assert base64.b64encode(VALUE.encode()).decode() not in log


def content(secret: dict[str, Any] | None) -> bytes:
    return base64.b64decode((secret or {}).get("data", {}).get("password", ""))


def note_of_kubelet(target: Path) -> None:
    """By which the next driver knows its volume."""
    (target.parent / "vol_data.json").write_text(json.dumps({"driverName": "secrets-store.csi.k8s.io"}))
