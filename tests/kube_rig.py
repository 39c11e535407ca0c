"""An API server for unit tests: the driver's own client, in front of a function."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx2
from lightkube import Client, KubeConfig
from lightkube.config.models import Cluster, User

from hand import Hand
from sscsi_driver.kube import Kube

Answer = Callable[[httpx2.Request], httpx2.Response]


def kube_at(serve: Answer, hand: Hand | None = None) -> Kube:
    """A Kube whose requests `serve` answers; its clock is `hand`, and waiting turns it."""
    config = KubeConfig.from_one(cluster=Cluster(server="http://api.invalid"), user=User(token="t"))
    client = Client(config=config, transport=httpx2.MockTransport(serve), trust_env=False)
    turned = hand or Hand()

    def wait(seconds: float) -> None:
        turned.at += seconds

    http = httpx2.Client(base_url="http://api.invalid", transport=httpx2.MockTransport(serve))
    return Kube(client, http, turned, wait)


def refused(code: int, message: str, reason: str = "", fields: tuple[str, ...] = ()) -> httpx2.Response:
    """A Status, as a real API server answers it (recordings 02, 07)."""
    details = {"causes": [{"reason": "FieldValueInvalid", "message": message, "field": field} for field in fields]}
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code}
    return httpx2.Response(code, json=body | {"message": message, "reason": reason, "details": details})


def kubeconfig(folder: Path, url: str, token: str) -> Path:
    """A kubeconfig file for an API server on this machine."""
    path = folder / "kubeconfig"
    path.touch(mode=0o600)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": token}}],
    }
    path.write_text(json.dumps(config), encoding="utf-8")
    return path
