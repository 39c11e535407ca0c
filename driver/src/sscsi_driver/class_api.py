"""Classes from the API server: read when a pod asks for one, kept for a short while, never watched."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import grpc
import httpx2
from lightkube import ApiError, Client
from lightkube.core.exceptions import ConfigError
from lightkube.generic_resource import create_global_resource, create_namespaced_resource

from sscsi_driver.attributes import DriverObject
from sscsi_driver.classes import SecretProviderClass, class_of, driver_of, not_found
from sscsi_driver.errors import ErrorType, PublishError
from sscsi_shared.deadline import Clock

log = logging.getLogger(__name__)

T = TypeVar("T")

GROUP: Final = "secrets-store.csi.x-k8s.io"
KEPT_SECONDS: Final = 10.0
STALE_SECONDS: Final = 600.0
"""How long a class that was read serves on while the API server does not answer."""
_MAX_KEPT: Final = 1000
_MAX_NAMED: Final = 20
_NOT_FOUND: Final = 404
# The stored version first; clusters whose CRD is older serve only the other one.
_VERSIONS: Final = tuple(
    create_namespaced_resource(GROUP, version, "SecretProviderClass", "secretproviderclasses")
    for version in ("v1", "v1alpha1")
)
_DRIVER: Final = create_global_resource("storage.k8s.io", "v1", "CSIDriver", "csidrivers")


class ApiClasses:
    """A Classes at an API server; needs the rights to get and list secretproviderclasses, and to get csidrivers.

    Args:
        client: of the API server.
        clock: seconds that only grow.
    """

    def __init__(self, client: Client, clock: Clock = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._classes: OrderedDict[tuple[str, str], tuple[float, Mapping[str, Any]]] = OrderedDict()
        self._drivers: dict[str, tuple[float, DriverObject | None]] = {}

    def get(self, namespace: str, name: str) -> SecretProviderClass:
        """See Classes; a class is kept for 10 s, and for 10 min where the API server does not answer."""
        key, now = (namespace, name), self._clock()
        with self._lock:
            at, body = self._classes.get(key, (float("-inf"), {}))
        if now - at >= KEPT_SECONDS:
            try:
                body = self._read(namespace, name)
            except _Silent:
                if now - at >= STALE_SECONDS:
                    raise
                log.warning("the API server does not answer; class %s/%s is used as it was", namespace, name)
            else:
                self._keep(key, now, body)
        return class_of(body, namespace, name)

    def driver_object(self, driver_name: str) -> DriverObject | None:
        """See Classes; kept for 10 s."""
        now = self._clock()
        at, found = self._drivers.get(driver_name, (float("-inf"), None))
        if now - at >= KEPT_SECONDS:
            try:
                found = driver_of(self._ask("csidrivers", lambda: self._client.get(_DRIVER, driver_name)))
            except _Absent:
                found = None
            except _Silent:
                if now - at >= STALE_SECONDS:
                    raise
            self._drivers[driver_name] = now, found
        return found

    def _keep(self, key: tuple[str, str], now: float, body: Mapping[str, Any]) -> None:
        with self._lock:
            self._classes[key] = now, body
            self._classes.move_to_end(key)
            while len(self._classes) > _MAX_KEPT:
                self._classes.popitem(last=False)

    def _read(self, namespace: str, name: str) -> Mapping[str, Any]:
        for version in _VERSIONS:
            try:
                return self._ask("secretproviderclasses", partial(self._client.get, version, name, namespace=namespace))
            except _Absent:
                continue
        with self._lock:
            self._classes.pop((namespace, name), None)
        raise not_found(namespace, name, self._names(namespace), ())

    def _names(self, namespace: str) -> list[str]:
        """Classes of a namespace, for a message; none where we may not list them."""
        try:
            found = self._ask(
                "secretproviderclasses", lambda: list(self._client.list(_VERSIONS[0], namespace=namespace))
            )
        except PublishError:
            return []
        return sorted(one.metadata.name for one in found[:_MAX_NAMED] if one.metadata and one.metadata.name)

    def _ask(self, resource: str, ask: Callable[[], T]) -> T:
        """Ask, and say failures as ours; the API server's words are a Status's message, never a body."""
        try:
            return ask()
        except ApiError as error:
            code = error.status.code or 0
            if code == _NOT_FOUND:
                kind: type[PublishError] = _Absent
            else:
                kind = _Silent if code >= 500 or code == 429 else PublishError
            raise kind(
                f"failed to get {resource}: {(error.status.message or 'refused')[:512]}",
                code=grpc.StatusCode.UNKNOWN,
                error_type=ErrorType.CLASS_NOT_FOUND,
            ) from error
        except (httpx2.HTTPError, ConfigError, OSError, ValueError) as error:
            raise _Silent(
                f"failed to get {resource}: the API server did not answer ({type(error).__name__}). Volumes that are "
                "mounted stay; this mount is tried again by itself",
                code=grpc.StatusCode.UNKNOWN,
                error_type=ErrorType.CLASS_NOT_FOUND,
            ) from error


class _Absent(PublishError):
    """404."""


class _Silent(PublishError):
    """No answer, or one that says that the API server is in trouble."""
