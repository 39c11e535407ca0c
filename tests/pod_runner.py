"""As much of a kubelet as the suite in tests/e2e/cluster asks for: inline CSI volumes, a container's command, its log.

It plays the scheduler too. Containers are plain processes: a variable that names a mount path names the volume instead.
"""

import base64
import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import grpc
import urllib3

from cluster_stage import NODE, ClusterStage
from sscsi.kubelet import Kubelet, PodVolume
from sscsi_shared.secret import SecretText

_LOOK_SECONDS: Final = 0.1
_REPUBLISH_SECONDS: Final = 2.0
_FIRST_PAUSE_SECONDS: Final = 0.5


class PodRunner:
    """Runs every pod of the API server that has a CSI volume, from `with` to its end."""

    def __init__(self, cluster: ClusterStage, driver_name: str = "secrets-store.csi.k8s.io") -> None:
        self._cluster = cluster
        self._driver_name = driver_name
        self._http = urllib3.PoolManager()
        self._stopping = threading.Event()
        self._known: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._look_after_pods)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in list(self._threads):
            thread.join()

    def _start(self, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, name="pod-runner", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _look_after_pods(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            pods = {pod["metadata"]["uid"]: pod for pod in self._ask("GET", "/api/v1/pods")["items"]}
            for uid, pod in pods.items():
                if uid not in self._known and self._volume_of(pod) is not None:
                    self._known[uid] = threading.Event()
                    self._start(self._run, pod, self._known[uid])
            for uid, gone in self._known.items():
                if uid not in pods:
                    gone.set()
        for gone in self._known.values():
            gone.set()

    def _volume_of(self, pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
        volumes = (pod.get("spec") or {}).get("volumes") or ()
        return next((one for one in volumes if (one.get("csi") or {}).get("driver") == self._driver_name), None)

    def _run(self, pod: Mapping[str, Any], gone: threading.Event) -> None:
        self._patch(pod, {"spec": {"nodeName": NODE}, "status": {"phase": "Pending"}})
        with self._cluster.kubelet() as kubelet:
            target = self._mount(kubelet, pod, gone)
            if target is None:
                return
            with contextlib.ExitStack() as stack:
                stack.callback(kubelet.unpublish, self._as_volume(pod))
                process = self._process(pod, target, gone, stack)
                while not gone.wait(_REPUBLISH_SECONDS):
                    kubelet.publish(self._as_volume(pod))
                if process is not None:
                    process.kill()
                    process.wait()

    def _mount(self, kubelet: Kubelet, pod: Mapping[str, Any], gone: threading.Event) -> Path | None:
        pause = _FIRST_PAUSE_SECONDS
        while not gone.is_set():
            try:
                return kubelet.publish(self._as_volume(pod))
            except grpc.RpcError as error:
                self._tell(pod, error)
            gone.wait(pause)
            pause *= 2
        return None

    def _process(
        self, pod: Mapping[str, Any], target: Path, gone: threading.Event, stack: contextlib.ExitStack
    ) -> "subprocess.Popen[bytes] | None":
        (container,) = pod["spec"]["containers"]
        paths = {mount["mountPath"]: str(target) for mount in container["volumeMounts"]}
        environ = {"PATH": os.environ["PATH"]}
        for variable in container["env"]:
            value = self._value(pod, variable, gone)
            environ[variable["name"]] = paths.get(value, value)
        if gone.is_set():
            return None
        metadata = pod["metadata"]
        log = self._cluster.stage.folder / f"{metadata['uid']}.log"
        output = stack.enter_context(log.open("wb"))
        process = subprocess.Popen(container["command"], env=environ, stdout=output, stderr=output)
        self._cluster.kubernetes.logs[metadata["namespace"], metadata["name"]] = log.read_bytes
        self._patch(pod, {"status": {"phase": "Running"}})
        return process

    def _value(self, pod: Mapping[str, Any], variable: Mapping[str, Any], gone: threading.Event) -> str:
        """The variable's; of a Secret once that is there."""
        reference = (variable.get("valueFrom") or {}).get("secretKeyRef")
        if reference is None:
            return str(variable["value"])
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/secrets/{reference['name']}"
        while not gone.is_set():
            data = self._ask("GET", path).get("data") or {}
            if reference["key"] in data:
                return base64.b64decode(data[reference["key"]]).decode()
            gone.wait(_LOOK_SECONDS)
        return ""

    def _as_volume(self, pod: Mapping[str, Any]) -> PodVolume:
        """With tokens made anew for the audiences of the CSIDriver object."""
        metadata, spec, volume = pod["metadata"], pod["spec"], self._volume_of(pod)
        assert volume is not None
        namespace, name, uid = metadata["namespace"], metadata["name"], metadata["uid"]
        account, attributes = spec["serviceAccountName"], dict(volume["csi"]["volumeAttributes"])
        asked = self._ask("GET", f"/apis/storage.k8s.io/v1/csidrivers/{self._driver_name}")["spec"]
        token = self._cluster.kubernetes.token
        tokens = {
            one["audience"]: SecretText(token(namespace, account, one["audience"], name, uid))
            for one in asked.get("tokenRequests") or ()
        }
        of_class = attributes.pop("secretProviderClass")
        group = (spec.get("securityContext") or {}).get("fsGroup")
        return PodVolume(namespace, name, account, of_class, volume["name"], uid, tokens, attributes, group=group)

    def _tell(self, pod: Mapping[str, Any], error: grpc.RpcError) -> None:
        """As kubelet words it; the count of one event rises there, here there are several."""
        assert isinstance(error, grpc.Call)
        metadata = pod["metadata"]
        words = error.code().name.title().replace("_", "")
        text = f'MountVolume.SetUp failed for volume "secrets" : rpc error: code = {words} desc = {error.details()}'
        named = {"kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{os.urandom(8).hex()}", "namespace": metadata["namespace"]},
            "involvedObject": named,
            "reason": "FailedMount",
            "type": "Warning",
            "message": text,
        }
        self._ask("POST", f"/api/v1/namespaces/{metadata['namespace']}/events", event)

    def _patch(self, pod: Mapping[str, Any], patch: Mapping[str, Any]) -> None:
        metadata = pod["metadata"]
        self._ask("PATCH", f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}", patch)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        kubernetes = self._cluster.kubernetes
        headers = {"Authorization": f"Bearer {kubernetes.admin_token}"}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        content = None if body is None else json.dumps(body)
        return self._http.request(method, kubernetes.url + path, headers=headers, body=content).json()
