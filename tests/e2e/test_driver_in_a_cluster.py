"""The driver as a cluster runs it: classes, the CSIDriver object and statuses by way of the API server."""

import json

import grpc
import pytest

from driver_rig import CANT_MOUNT
from sscsi.clouds.cloud import CLASS, NAMESPACE, VALUE
from sscsi.daemons import Daemon
from sscsi.kubelet import Kubelet
from sscsi.stage import Stage

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.mount,
    pytest.mark.skipif(bool(CANT_MOUNT), reason=CANT_MOUNT or "mounting works"),
]


def test_a_pod_is_served_by_the_api_servers_objects() -> None:
    with Stage(driver=False) as stage:
        for name in ("cluster", CLASS):
            stage.kubernetes.apply(stage.class_file(name).read_text())
        kubeconfig = stage.folder / "run" / "kubeconfig"
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "c",
                    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                    "clusters": [{"name": "c", "cluster": {"server": stage.kubernetes.url}}],
                    "users": [{"name": "u", "user": {"token": stage.kubernetes.admin_token}}],
                }
            )
        )
        kept = [one for one in stage.driver.arguments if not one.startswith(("--objects", "--status-dir"))]
        arguments = [*kept, f"--kubeconfig={kubeconfig}"]
        with (
            Daemon("sscsi_driver", arguments, stage.driver.socket, stage.folder / "cluster.log") as driver,
            Kubelet(driver.socket, stage.kubelet_root) as kubelet,
        ):
            volume = stage.volume()
            target = kubelet.publish(volume)
            assert (target / "password").read_text() == VALUE
            created = "create secretproviderclasspodstatuses"
            assert stage.kubernetes.calls[created] == 1
            assert stage.kubernetes.calls["get secretproviderclasses"] == 1
            before = stage.kubernetes.calls.copy()
            kubelet.publish(volume)
            assert stage.kubernetes.calls == before, "a publish that changes nothing asks nobody"
            with pytest.raises(grpc.RpcError) as caught:
                kubelet.publish(stage.volume("nope", pod="other"))
            assert f"Classes of namespace {NAMESPACE}: {CLASS}." in str(caught.value)
            kubelet.unpublish(volume)
            assert not target.exists()
        log = driver.log.read_text()
        assert VALUE not in log
        assert stage.kubernetes.admin_token not in log
