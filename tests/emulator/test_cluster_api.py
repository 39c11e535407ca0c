"""The cluster's facts from an API server."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sscsi_emulators.faults import Fault
from sscsi_emulators.kubernetes import KubernetesEmulator
from sscsi_emulators.wsgi import Environ, LoopbackServer, StartResponse
from sscsi_shared.cluster import SecretEntry, TokenRequest
from sscsi_shared.cluster_api import ApiServerCluster
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed, BackendThrottled, BackendUnavailable, MountError, OutOfTime
from sscsi_shared.mount import PodInfo

GET = "get serviceaccounts"
USER = "system:serviceaccount:kube-system:provider"
OBJECTS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: ns, uid: u-web, annotations: {role: r}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: provider, namespace: kube-system}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: ns, uid: u-p}
spec: {serviceAccountName: web, nodeName: n}
---
apiVersion: v1
kind: Node
metadata: {name: n, labels: {failure-domain.beta.kubernetes.io/region: eu-west-1}}
"""


class Rig:
    def __init__(self, kubernetes: KubernetesEmulator, folder: Path) -> None:
        self.kubernetes = kubernetes
        self.token = folder / "token"
        self.secret = kubernetes.token("kube-system", "provider", kubernetes.issuer)
        self.token.write_text(self.secret + "\n")
        self.now = 0.0
        self.waits: list[float] = []
        self.cluster = ApiServerCluster(
            kubernetes.url, token_file=self.token, clock=lambda: self.now, wait=self.waits.append
        )

    def account(self, name: str = "web", seconds: float = 30) -> str:
        return self.cluster.service_account("ns", name, Deadline.after(seconds)).uid

    def refusal(self, name: str = "web", seconds: float = 30) -> MountError:
        with pytest.raises(MountError) as caught:
            self.account(name, seconds)
        assert self.secret not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
        return caught.value


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with KubernetesEmulator() as kubernetes:
        kubernetes.apply(OBJECTS)
        for verb, resource in [("get", "serviceaccounts"), ("get", "pods"), ("get", "nodes")]:
            kubernetes.grant(USER, verb, resource)
        yield Rig(kubernetes, tmp_path)


def test_an_account_is_asked_for_once_a_minute(rig: Rig) -> None:
    found = rig.cluster.service_account("ns", "web", Deadline.after(30))
    assert (found.uid, dict(found.annotations)) == ("u-web", {"role": "r"})
    rig.now = 59
    rig.account()
    assert rig.kubernetes.calls[GET] == 1
    rig.now = 61
    rig.account()
    assert rig.kubernetes.calls[GET] == 2


def test_equal_questions_are_asked_once(rig: Rig) -> None:
    rig.kubernetes.latency_seconds = 0.2
    threads = [threading.Thread(target=rig.account) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rig.kubernetes.calls[GET] == 1


def test_refusals_name_object_and_right(rig: Rig) -> None:
    error = rig.refusal("gone")
    assert isinstance(error, AuthenticationFailed)
    assert str(error) == 'failed to get service account ns/gone: serviceaccounts "gone" not found.'
    rig.kubernetes.withdraw(USER, "get", "serviceaccounts")
    error = rig.refusal()
    assert isinstance(error, AuthenticationFailed)
    assert "is forbidden: User" in str(error)
    assert str(error).endswith("Grant the provider's service account: get serviceaccounts.")
    rig.token.write_text("nonsense")
    rig.now = 11
    error = rig.refusal()
    assert isinstance(error, AuthenticationFailed)
    assert "does not take the provider's own token" in str(error)


@pytest.mark.parametrize("status", [400, 422, 500])
def test_what_the_api_server_quotes_of_an_object_is_told_to_nobody(rig: Rig, status: int) -> None:
    """A 422 quotes what was sent, and a 500 of a webhook whatever it likes (recordings 02, 03)."""
    canary = "cGFzc3dvcmQ="
    rig.kubernetes.faults.add(Fault(GET, status, "", f'data[k]: Invalid value: "{canary}": not base64'))
    error = rig.refusal()
    said = f"failed to get service account ns/web: the API server answered {status}."
    assert str(error).startswith(said)
    assert canary not in f"{error!r} {error.__cause__!r}"


def test_a_422_names_the_field(rig: Rig) -> None:
    rig.kubernetes.grant(USER, "create", "serviceaccounts/token")
    pod = PodInfo("ns", "p", "u-p", "web")
    with pytest.raises(AuthenticationFailed) as caught:
        rig.cluster.create_token(TokenRequest(pod, ("aud",), 5), Deadline.after(30))
    assert "the API server answered 422 Invalid for spec.expirationSeconds." in str(caught.value)


def test_the_own_token_is_read_again(rig: Rig) -> None:
    rig.account()
    rig.token.write_text("nonsense")
    rig.now = 5
    rig.cluster.node_region("ns", "p", Deadline.after(30))
    rig.now = 70
    assert isinstance(rig.refusal(), AuthenticationFailed)
    rig.token.unlink()
    rig.now = 90
    assert "can't be read" in str(rig.refusal())


def test_a_busy_server_is_asked_again_when_it_says(rig: Rig) -> None:
    rig.kubernetes.faults.add(Fault(GET, 429, "", "slow down", times=1, retry_after=7))
    rig.account()
    assert rig.waits == [7]
    rig.now = 100
    rig.kubernetes.faults.add(Fault(GET, 429, "", "slow down", retry_after=900))
    error = rig.refusal()
    assert isinstance(error, BackendThrottled)
    assert error.retry_after == 900
    assert rig.waits == [7]


def test_a_failing_server_is_asked_a_few_times(rig: Rig) -> None:
    rig.kubernetes.faults.add(Fault(GET, 500, "", "oops", times=2))
    rig.account()
    assert len(rig.waits) == 2
    rig.now = 100
    rig.kubernetes.faults.add(Fault(GET, 503, "", "oops"))
    assert isinstance(rig.refusal(), BackendUnavailable)
    assert rig.kubernetes.calls[GET] == 3 + 4


def test_no_server() -> None:
    waits: list[float] = []
    cluster = ApiServerCluster("http://127.0.0.1:1", wait=waits.append)
    began = time.monotonic()
    with pytest.raises(BackendUnavailable, match=r"127\.0\.0\.1 does not answer"):
        cluster.service_account("ns", "web", Deadline.after(30))
    assert time.monotonic() - began < 5
    assert len(waits) == 3


def test_it_is_asked_by_no_proxy(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    cluster = ApiServerCluster(rig.kubernetes.url, token_file=rig.token, wait=rig.waits.append)
    assert cluster.service_account("ns", "web", Deadline.after(30)).uid == "u-web"
    assert not rig.waits


def test_no_time(rig: Rig) -> None:
    assert isinstance(rig.refusal(seconds=0), OutOfTime)
    assert rig.kubernetes.calls.total() == 0


def test_the_region_of_a_node(rig: Rig) -> None:
    for _ in range(2):
        assert rig.cluster.node_region("ns", "p", Deadline.after(30)) == "eu-west-1"
    assert dict(rig.kubernetes.calls) == {"get pods": 1, "get nodes": 1}


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        "[]",
        "5",
        '{"metadata": [], "spec": 5, "status": "x", "data": []}',
        '{"metadata": {"uid": 5, "annotations": ["x"], "labels": 7}, "status": {"token": {}}}',
    ],
)
def test_answers_of_other_types_hold_nothing(body: str) -> None:
    def answer(environ: Environ, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        return [body.encode()]

    with LoopbackServer(answer) as server:
        cluster = ApiServerCluster(server.url)
        found = cluster.service_account("ns", "web", Deadline.after(10))
        assert (found.uid, found.annotations) == ("", {})
        assert cluster.node_region("ns", "p", Deadline.after(10)) == ""
        pod = PodInfo("ns", "p", "u-p", "web")
        with pytest.raises(BackendUnavailable, match="has no token"):
            cluster.create_token(TokenRequest(pod, ("a",)), Deadline.after(10))
        with pytest.raises(AuthenticationFailed, match="to have a key"):
            cluster.read_or_create_secret(SecretEntry("ns", "s", "k"), lambda: b"x", Deadline.after(10))


def test_a_token_bound_to_the_pod(rig: Rig) -> None:
    rig.kubernetes.grant(USER, "create", "serviceaccounts/token")
    token = rig.cluster.create_token(TokenRequest(PodInfo("ns", "p", "u-p", "web"), ("aud",), 600), Deadline.after(30))
    claims = rig.kubernetes.verify(token.reveal(), "aud")
    assert claims["sub"] == "system:serviceaccount:ns:web"
    assert claims["kubernetes.io"]["pod"] == {"name": "p", "uid": "u-p"}
    assert claims["exp"] - claims["iat"] == 600
    with pytest.raises(AuthenticationFailed, match="UID in the bound object reference"):
        rig.cluster.create_token(TokenRequest(PodInfo("ns", "p", "other", "web"), ("aud",), 600), Deadline.after(30))


def test_inside_a_cluster(tmp_path: Path) -> None:
    assert ApiServerCluster.in_cluster({}, tmp_path) is None
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    assert ApiServerCluster.in_cluster(environ, tmp_path) is None
