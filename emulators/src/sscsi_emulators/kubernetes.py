"""The one Kubernetes stand-in: an API server on loopback with objects, service account tokens, RBAC and faults.

Held against recordings of a real API server (v1.36.3) by tests. It claims the resources of kubernetes_objects.py,
TokenRequest, TokenReview and OpenID discovery; all else answers 404 in plain text, as a real one does for an unknown
path.
"""

import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any, Final, Self

import yaml
from werkzeug.wrappers import Request, Response

from sscsi_emulators.faults import Faults
from sscsi_emulators.kubernetes_apply import APPLY
from sscsi_emulators.kubernetes_lists import selected
from sscsi_emulators.kubernetes_objects import RESOURCES, SECRET, Objects, Resource
from sscsi_emulators.kubernetes_status import Status, failure
from sscsi_emulators.kubernetes_tokens import Accounts
from sscsi_emulators.signing import TokenSigner
from sscsi_emulators.tokens import TokenExpired, TokenInvalid
from sscsi_emulators.wsgi import Environ, LoopbackServer, StartResponse

ADMIN: Final = "admin"
_OPEN_PATHS: Final = {"/healthz", "/readyz", "/livez"}


class KubernetesEmulator:
    """An API server, from `with` to its end.

    Attributes:
        url: where it listens.
        admin_token: a bearer token with all rights.
        calls: how often each verb and resource was asked for: `get serviceaccounts` -> n.
        asked: who asked for what: (user, `get serviceaccounts`).
        denied: the same, of what was refused for a right that is missing.
        logs: what containers have written, by namespace and pod, for who runs them.
        faults: answers in place of ours; their operation is such a pair.
        latency_seconds: how long each answer is held back.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.url = ""
        self.admin_token = secrets.token_urlsafe(24)
        self.calls: Counter[str] = Counter()
        self.asked: set[tuple[str, str]] = set()
        self.denied: set[tuple[str, str]] = set()
        self.logs: dict[tuple[str, str], Callable[[], bytes]] = {}
        self.faults = Faults()
        self.latency_seconds = 0.0
        self._signer = TokenSigner(now)
        self._objects = Objects(now)
        self._accounts = Accounts(self._objects, self._signer)
        self._grants: set[tuple[str, str, str]] = set()
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        self.url = self._stack.enter_context(LoopbackServer(self._serve)).url
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._stack.close()

    @property
    def issuer(self) -> str:
        """The tokens' issuer."""
        return self._signer.issuer

    def apply(self, *documents: Mapping[str, Any] | str) -> None:
        """Create or replace objects, given as mappings or YAML text; kinds that we don't serve are left out."""
        for document in documents:
            bodies = yaml.safe_load_all(document) if isinstance(document, str) else [document]
            for body in bodies:
                if body:
                    self._objects.apply(body)
        self._objects.collect()

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object."""
        self._objects.delete(Resource.of_kind(kind), namespace, name)
        self._objects.collect()

    def find(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """An object as it is kept, without a request that is counted; None if there is none."""
        return self._objects.find(Resource.of_kind(kind), namespace, name)

    def every(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind, as they are kept."""
        found: list[dict[str, Any]] = self._objects.list(Resource.of_kind(kind), "")["items"]
        return found

    def grant(self, user: str, verb: str, resource: str) -> None:
        """Give a right in all namespaces: ("system:serviceaccount:kube-system:aws", "get", "serviceaccounts")."""
        self._grants.add((user, verb, resource))

    def withdraw(self, user: str, verb: str, resource: str) -> None:
        """Take it back."""
        self._grants.discard((user, verb, resource))

    def token(
        self,
        namespace: str,
        service_account: str,
        audience: str,
        pod_name: str = "",
        pod_uid: str = "",
        lifetime_seconds: int = 3600,
    ) -> str:
        """A token as kubelet gets it, without a request that is counted; bound to the pod if one is named."""
        account = self._objects.require(Resource.of_kind("ServiceAccount"), namespace, service_account)
        bound = {"pod": {"name": pod_name, "uid": pod_uid}} if pod_name else {}
        identity = {"name": service_account, "uid": account["metadata"]["uid"]}
        return self._signer.sign(namespace, identity, [audience], seconds=lifetime_seconds, bound=bound)

    def verify(self, token: str, audience: str) -> Mapping[str, Any]:
        """The claims of a token of ours.

        Raises:
            TokenExpired: its time is over.
            TokenInvalid: it is not ours, or for another audience.
        """
        return self._signer.verify(token, audience)

    def _serve(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return self._respond(Request(environ))(environ, start_response)

    def _respond(self, request: Request) -> Response:
        try:
            user = self._user(request)
            target = _Target.of(request)
            if target is None:
                return self._plain_path(request, user)
            with self._lock:
                self.calls[target.label] += 1
                self.asked.add((user, target.label))
            self._stopped.wait(self.latency_seconds)
            if fault := self.faults.take(target.label):
                headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else {}
                return Response(fault.message, fault.status, headers, mimetype="text/plain")
            self._authorize(user, target)
            if target.label == "get pods/log":
                self._objects.require(target.resource, target.namespace, target.name)
                written = self.logs.get((target.namespace, target.name), bytes)
                return Response(written(), 200, mimetype="text/plain")
            status, body = self._act(request, target, user)
            if request.method != "GET":
                self._objects.collect()
            return _json(body, status)
        except Status as error:
            return _json(error.body, error.code)

    def _user(self, request: Request) -> str:
        """Whose bearer token it is; every bad one gets the same 401."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer":
            return "system:anonymous"
        if secrets.compare_digest(token.encode(), self.admin_token.encode()):
            return ADMIN
        try:
            claims = self._signer.verify(token, self._signer.issuer)
            self._accounts.check_bound(claims)
        except (TokenInvalid, TokenExpired) as error:
            raise failure(401, "Unauthorized", "Unauthorized") from error
        return str(claims["sub"])

    def _authorize(self, user: str, target: "_Target") -> None:
        if user == ADMIN or (user, target.verb, target.right) in self._grants:
            return
        with self._lock:
            self.denied.add((user, target.label))
        where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
        named = f' "{target.name}"' if target.name else ""
        details = {"name": target.name} if target.name else {}
        if target.resource.group:
            details["group"] = target.resource.group
        raise failure(
            403,
            "Forbidden",
            f'{target.resource.qualified}{named} is forbidden: User "{user}" cannot {target.verb} resource '
            f'"{target.right}" in API group "{target.resource.group}" {where}',
            details={**details, "kind": target.resource.plural},
        )

    def _act(self, request: Request, target: "_Target", user: str) -> tuple[int, dict[str, Any]]:
        resource, namespace, name = target.resource, target.namespace, target.name
        if target.subresource == "token" or resource.plural == "tokenreviews":
            if request.method != "POST":
                raise failure(
                    405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
                )
            if resource.plural == "tokenreviews":
                return 201, self._accounts.review(request.get_data())
            return 201, self._accounts.request_token(namespace, name, request.get_data())
        if request.method == "GET":
            return 200, self._objects.require(resource, namespace, name) if name else self._list(request, target)
        if request.method == "POST":
            return 201, self._objects.create(resource, namespace, _object(request), _manager(request))
        if request.method == "PATCH" and name:
            return self._patch(request, target, user)
        if request.method == "DELETE" and name:
            found = self._objects.delete(resource, namespace, name)
            if resource.kind in {"Pod", "ServiceAccount"}:
                return 200, found
            details = {**resource.details(name), "uid": found["metadata"]["uid"]}
            status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
            return 200, {**status, "details": details}
        raise failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    def _patch(self, request: Request, target: "_Target", user: str) -> tuple[int, dict[str, Any]]:
        """An apply that makes an object needs the right to create it too (recording 07)."""
        resource, namespace, name = target.resource, target.namespace, target.name
        kind, body = request.mimetype, json.loads(request.get_data())
        manager = _manager(request)
        made = False
        if kind == APPLY and resource == SECRET:
            manager = request.args.get("fieldManager", "")
            made = self._objects.find(resource, namespace, name) is None
            if made:
                making = _Target(resource, namespace, name, "", "POST")
                self._authorize(user, making)
                self.asked.add((user, making.label))
        force = request.args.get("force") == "true"
        found = self._objects.patch(resource, namespace, name, kind, body, manager, force=force)
        return 201 if made else 200, found

    def _list(self, request: Request, target: "_Target") -> dict[str, Any]:
        found = self._objects.list(target.resource, target.namespace)
        try:
            return selected(found, request.args.get("fieldSelector", ""), request.headers.get("Accept", ""))
        except ValueError as error:
            raise failure(400, "BadRequest", str(error)) from error

    def _plain_path(self, request: Request, user: str) -> Response:
        if request.path in _OPEN_PATHS:
            return Response("ok", 200, mimetype="text/plain")
        if user == "system:anonymous":
            raise failure(403, "Forbidden", f'forbidden: User "{user}" cannot get path "{request.path}"')
        if request.path == "/.well-known/openid-configuration":
            return _json(
                {
                    "issuer": self.issuer,
                    "jwks_uri": f"{self.url}/openid/v1/jwks",
                    "response_types_supported": ["id_token"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                }
            )
        if request.path == "/openid/v1/jwks":
            if not {"*/*", "application/jwk-set+json"} & set(request.headers.get("Accept", "*/*").split(",")):
                raise failure(
                    406,
                    "NotAcceptable",
                    "406: Not Acceptable\n\nAvailable representations: application/jwk-set+json",
                )
            return Response(json.dumps(self._signer.key_set()), 200, mimetype="application/jwk-set+json")
        return Response("404 page not found\n", 404, mimetype="text/plain")


class _Target:
    """What a path names."""

    def __init__(self, resource: Resource, namespace: str, name: str, subresource: str, method: str) -> None:
        self.resource = resource
        self.namespace = namespace
        self.name = name
        self.subresource = subresource
        verbs = {
            "GET": "get" if name else "list",
            "POST": "create",
            "DELETE": "delete",
            "PUT": "update",
            "PATCH": "patch",
        }
        self.verb = verbs.get(method, method.lower())
        self.right = f"{resource.plural}/{subresource}" if subresource else resource.plural
        self.label = f"{self.verb} {self.right}"

    @classmethod
    def of(cls, request: Request) -> "_Target | None":
        """None for a path that names no resource that we serve."""
        parts = request.path.strip("/").split("/")
        if parts[:2] == ["api", "v1"]:
            group, version, rest = "", "v1", parts[2:]
        elif parts[0] == "apis" and len(parts) > 2:
            group, version, rest = parts[1], parts[2], parts[3:]
        else:
            return None
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        rest = [*rest, "", "", ""]
        resource = RESOURCES.get((group, rest[0]))
        if resource is None or version not in resource.versions:
            return None
        return cls(resource, namespace, rest[1], rest[2], request.method)


def _manager(request: Request) -> str:
    """Who writes: as the query says, or the first word of the user agent."""
    return request.args.get("fieldManager") or request.headers.get("User-Agent", "").partition("/")[0]


def _object(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.get_data())
    except ValueError as error:
        raise failure(400, "BadRequest", "the object provided is unrecognized") from error
    if not isinstance(body, dict):
        raise failure(400, "BadRequest", "the object provided is unrecognized")
    return body


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), f"{status} {HTTPStatus(status).phrase}", mimetype="application/json")
