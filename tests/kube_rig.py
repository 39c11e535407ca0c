"""An API server for unit tests: the driver's own client, in front of a function."""

from collections.abc import Callable

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
