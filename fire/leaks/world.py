"""A node in a cluster, with the providers of all clouds, each daemon at debug level."""

import json
import socket
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from fire.node import see_whether_mounting_works
from sscsi.clouds import ALL
from sscsi.clouds.cloud import NAMESPACE
from sscsi.daemons import Daemon
from sscsi.kubelet import PodVolume
from sscsi.stage import KEEP_NOTHING, Stage

SECRET_NAME = "made-of"


class World:
    """From `with` to its end.

    Attributes:
        stage: backends and providers.
        driver: its daemon; classes, statuses, events and Secrets are at the API server.
        temporary: TMPDIR of every daemon.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.stage: Stage
        self.driver: Daemon
        self.temporary: Path
        self._daemons: dict[str, tuple[Daemon, int]] = {}

    def __enter__(self) -> Self:
        self.stage = self._stack.enter_context(Stage(driver=False, clouds=ALL))
        try:
            self._set_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def daemons(self) -> list[Daemon]:
        """All five."""
        return [daemon for daemon, _ in self._daemons.values()]

    def page(self, daemon: str) -> bytes:
        """What a daemon serves to Prometheus."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._daemons[daemon][1]}/metrics", timeout=10) as page:
            return bytes(page.read())

    def put_class(self, name: str, cloud: str, parameters: dict[str, str]) -> None:
        """A class at the API server, whose one file becomes a Secret too."""
        file = self.stage.clouds[cloud].file
        secret = {
            "secretName": f"{SECRET_NAME}-{cloud}",
            "type": "Opaque",
            "data": [{"objectName": file, "key": "password"}],
        }
        self.stage.kubernetes.apply(
            {
                "apiVersion": "secrets-store.csi.x-k8s.io/v1",
                "kind": "SecretProviderClass",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {"provider": cloud, "parameters": parameters, "secretObjects": [secret]},
            }
        )

    def volume(self, of_class: str, pod: str) -> PodVolume:
        """A pod's volume; the pod is known to the API server."""
        return self.stage.volume(of_class, pod=pod)

    def _set_up(self) -> None:
        see_whether_mounting_works(self.stage.folder / "run")
        self.temporary = self.stage.folder / "tmp"
        self.temporary.mkdir()
        for name, provider in self.stage.providers.items():
            provider.stop()
            environ = {**self.stage.clouds[name].environ(), "TMPDIR": str(self.temporary)}
            self._start(name, provider.module, provider.arguments, provider.socket, environ, *KEEP_NOTHING)
        self.stage.kubernetes.apply((self.stage.objects / "cluster.json").read_text(encoding="utf-8"))
        own = self.stage.driver
        kept = [one for one in own.arguments if not one.startswith(("--objects", "--status-dir"))]
        rotation = ("--enable-secret-rotation=true", "--rotation-poll-interval=1h", f"--kubeconfig={self._config()}")
        environ = {"TMPDIR": str(self.temporary)}
        self.driver = self._start("driver", own.module, kept, own.socket, environ, *rotation)

    def _start(self, name: str, module: str, arguments: Any, path: Path, environ: Any, *flags: str) -> Daemon:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        debug = ("--log-level=debug", "--log-format=json", f"--metrics-addr=127.0.0.1:{port}")
        log = self.stage.folder / f"debug-{name}.log"
        daemon = Daemon(module, [*arguments, *flags, *debug], path, log, environ)
        self._daemons[name] = (self._stack.enter_context(daemon), port)
        return daemon

    def _config(self) -> Path:
        kubernetes = self.stage.kubernetes
        path = self.stage.folder / "run" / "kubeconfig"
        path.touch(mode=0o600)
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "driver"}}],
            "clusters": [{"name": "here", "cluster": {"server": kubernetes.url}}],
            "users": [{"name": "driver", "user": {"token": kubernetes.admin_token}}],
        }
        path.write_text(json.dumps(config), encoding="utf-8")
        return path
