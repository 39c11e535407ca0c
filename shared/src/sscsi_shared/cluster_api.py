"""The cluster's facts from the API server: plain HTTPS and JSON, cached, with no limiter of its own."""

import base64
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from sscsi_shared.api_status import told
from sscsi_shared.cluster import REGION_LABELS, SecretEntry, ServiceAccount, TokenRequest
from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.errors import AuthenticationFailed, BackendThrottled, BackendUnavailable, OutOfTime
from sscsi_shared.http import Answer, HttpClient, HttpFailed
from sscsi_shared.secret import SecretBytes, SecretText

T = TypeVar("T")

ACCOUNT_FOLDER: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where kubelet puts a pod's own token and the API server's authority (ServiceAccount admission)."""
ACCOUNT_SECONDS: Final = 60.0
REGION_SECONDS: Final = 600.0
_TOKEN_SECONDS: Final = 10.0
_TRIES: Final = 4
_FIRST_WAIT_SECONDS: Final = 0.2
_MAX_ENTRIES: Final = 10_000


class ApiServerCluster:
    """A Cluster at an API server, which is asked by no proxy, whatever the environment says.

    Args:
        url: scheme, host, port.
        token_file: our own token; read again every 10 s; None = none.
        ca_file: PEM file of the server's authority; None = the system's.
        clock: seconds that only grow.
        wait: sleeps between tries; returns at once in tests.
    """

    def __init__(
        self,
        url: str,
        *,
        token_file: Path | None = None,
        ca_file: Path | None = None,
        clock: Clock = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._client = HttpClient(url, ca_file, direct=True)
        self._token_file = token_file
        self._clock = clock
        self._wait = wait
        self._token: tuple[float, SecretText] | None = None
        self._accounts: _Cache[ServiceAccount] = _Cache(ACCOUNT_SECONDS, clock)
        self._regions: _Cache[str] = _Cache(REGION_SECONDS, clock)

    @classmethod
    def in_cluster(cls, environ: Mapping[str, str], folder: Path = ACCOUNT_FOLDER) -> "ApiServerCluster | None":
        """The API server of the cluster that this pod runs in; None outside of one."""
        host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
        if not host or not (folder / "token").exists():
            return None
        shown = f"[{host}]" if ":" in host else host
        return cls(f"https://{shown}:{port}", token_file=folder / "token", ca_file=folder / "ca.crt")

    def service_account(self, namespace: str, name: str, deadline: Deadline) -> ServiceAccount:
        """See Cluster; kept for 60 s."""
        what = f"failed to get service account {namespace}/{name}"

        def ask() -> ServiceAccount:
            body = self._get(_path(namespace, "serviceaccounts", name), what, "get serviceaccounts", deadline)
            metadata = _object(body, "metadata")
            annotations = {key: one for key, one in _object(metadata, "annotations").items() if isinstance(one, str)}
            return ServiceAccount(namespace, name, _text(metadata, "uid"), annotations)

        return self._accounts.get(f"{namespace}/{name}", ask, deadline)

    def node_region(self, namespace: str, pod: str, deadline: Deadline) -> str:
        """See Cluster; kept for 10 min."""

        def ask() -> str:
            found = self._get(
                _path(namespace, "pods", pod), f"failed to get pod {namespace}/{pod}", "get pods", deadline
            )
            node = _text(_object(found, "spec"), "nodeName")
            path = f"/api/v1/nodes/{quote(node, safe='')}"
            body = self._get(path, f"failed to get node {node} of pod {namespace}/{pod}", "get nodes", deadline)
            labels = _object(_object(body, "metadata"), "labels")
            return next((region for label in REGION_LABELS if (region := _text(labels, label))), "")

        return self._regions.get(f"{namespace}/{pod}", ask, deadline)

    def create_token(self, request: TokenRequest, deadline: Deadline) -> SecretText:
        """See Cluster; never kept."""
        what = f"failed to create {request}"
        pod = request.pod
        wish = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": list(request.audiences),
                "expirationSeconds": request.expiration_seconds,
                "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": pod.name, "uid": pod.uid},
            },
        }
        path = _path(pod.namespace, "serviceaccounts", pod.service_account) + "/token"
        body = self._send("POST", path, what, "create serviceaccounts/token", deadline, wish)
        token = _text(_object(body, "status"), "token")
        if not token:
            raise BackendUnavailable(f"{what}: the API server's answer has no token.")
        return SecretText(token)

    def read_or_create_secret(self, entry: SecretEntry, new: Callable[[], bytes], deadline: Deadline) -> SecretBytes:
        """See Cluster; never kept."""
        namespace = entry.namespace or _own_namespace()
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets"
        named = f"{path}/{quote(entry.name, safe='')}"
        what = f"failed to get {entry}"
        for _ in range(2):
            try:
                return _entry(self._get(named, what, "get secrets", deadline), entry)
            except _NotThere:
                pass
            body = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"namespace": namespace, "name": entry.name},
                "immutable": True,
                "type": "Opaque",
                "data": {entry.key: base64.b64encode(new()).decode()},
            }
            try:
                made = self._send("POST", path, f"failed to create {entry}", "create secrets", deadline, body)
            except _AlreadyThere:
                continue  # another one was faster: what it made counts
            return _entry(made, entry)
        raise BackendUnavailable(f"{what}: it comes and goes.")

    def _get(self, path: str, what: str, right: str, deadline: Deadline) -> dict[str, Any]:
        return self._send("GET", path, what, right, deadline)

    def _send(
        self, method: str, path: str, what: str, right: str, deadline: Deadline, body: object = None
    ) -> dict[str, Any]:
        """Send a request; again where the server is busy or breaks down, within the deadline."""
        pause = _FIRST_WAIT_SECONDS
        for last in (False,) * (_TRIES - 1) + (True,):
            if deadline.expired:
                raise OutOfTime(f"{what}: there was no time left to ask the API server.")
            try:
                answer = self._client.request(method, path, headers=self._headers(), deadline=deadline, body=body)
            except HttpFailed as error:
                if last or deadline.remaining() <= pause:
                    raise BackendUnavailable(f"{what}: the API server {error}.") from error
            else:
                if answer.status < 300:
                    return answer.document()
                delay = answer.retry_after or pause
                if (answer.status != 429 and answer.status < 500) or last or deadline.remaining() <= delay:
                    raise _refused(what, right, answer)
                pause = delay
            self._wait(pause)
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def _headers(self) -> dict[str, str]:
        if self._token_file is None:
            return {}
        now = self._clock()
        if self._token is None or now - self._token[0] >= _TOKEN_SECONDS:
            try:
                self._token = now, SecretText(self._token_file.read_text().strip())
            except OSError as error:
                raise AuthenticationFailed(
                    f"The provider's own token {self._token_file} can't be read: {error.strerror}."
                ) from error
        return {"Authorization": f"Bearer {self._token[1].reveal()}"}


class _Cache(dict[str, tuple[float, T]]):
    """Values with a time to live; equal questions at one time are asked once. Failures are not kept."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        super().__init__()
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._flights: dict[str, threading.Lock] = {}

    def get(self, key: str, ask: Callable[[], T], deadline: Deadline) -> T:  # type: ignore[override]
        with self._lock:
            flight = self._flights.setdefault(key, threading.Lock())
        if not flight.acquire(timeout=deadline.remaining()):
            raise OutOfTime(f"The API server did not answer a question about {key} in time.")
        try:
            kept = super().get(key)
            if kept is not None and self._clock() - kept[0] < self._seconds:
                return kept[1]
            value = ask()
            with self._lock:
                if len(self) >= _MAX_ENTRIES:
                    self.clear()
                    self._flights = {key: flight}
                self[key] = self._clock(), value
            return value
        finally:
            flight.release()


def _path(namespace: str, resource: str, name: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/{resource}/{quote(name, safe='')}"


class _NotThere(AuthenticationFailed):
    """404."""


class _AlreadyThere(AuthenticationFailed):
    """409."""


def _object(of: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """An object in an answer; empty where there is none, or something else."""
    found = of.get(field)
    return found if isinstance(found, Mapping) else {}


def _text(of: Mapping[str, Any], field: str) -> str:
    """A text in an answer; empty where there is none, or something else."""
    found = of.get(field)
    return found if isinstance(found, str) else ""


def _own_namespace() -> str:
    try:
        return (ACCOUNT_FOLDER / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        return "kube-system"


def _entry(secret: Mapping[str, Any], entry: SecretEntry) -> SecretBytes:
    text = _object(secret, "data").get(entry.key)
    hint = "Delete the Kubernetes Secret to have it made anew."
    if not isinstance(text, str):
        raise AuthenticationFailed(f'expected {entry} to have a key "{entry.key}".', hint=hint)
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError:
        value = b""
    if not value:
        raise AuthenticationFailed(f'expected {entry} to have a key "{entry.key}" with a value.', hint=hint)
    return SecretBytes(value)


def _refused(what: str, right: str, answer: Answer) -> Exception:
    """The error for a status that is no success."""
    text = f"{what}: {told(answer.status, answer.document())}."
    if answer.status == 401:
        return AuthenticationFailed(text, hint="The API server does not take the provider's own token.")
    if answer.status == 403:
        return AuthenticationFailed(text, hint=f"Grant the provider's service account: {right}.")
    if answer.status == 429:
        return BackendThrottled(text, retry_after=answer.retry_after)
    if answer.status >= 500:
        return BackendUnavailable(text, retry_after=answer.retry_after)
    kinds = {404: _NotThere, 409: _AlreadyThere}
    return kinds.get(answer.status, AuthenticationFailed)(text)
