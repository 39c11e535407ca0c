"""TokenRequest and TokenReview (authentication.k8s.io/v1), as recorded of a real API server."""

import json
from collections.abc import Mapping
from typing import Any, Final

import jwt

from sscsi_emulators.kubernetes_objects import Objects, Resource, rfc3339
from sscsi_emulators.kubernetes_status import Status, failure
from sscsi_emulators.signing import TokenSigner
from sscsi_emulators.tokens import TokenExpired, TokenInvalid

_API: Final = "authentication.k8s.io/v1"
_MIN_SECONDS: Final = 600
_MAX_SECONDS: Final = 1 << 32
_BINDABLE: Final = {"Pod": "pod", "Secret": "secret", "Node": "node"}


class Accounts:
    """Service accounts and their tokens.

    Args:
        objects: where accounts and the objects that tokens are bound to are found.
        signer: makes and checks tokens.
    """

    def __init__(self, objects: Objects, signer: TokenSigner) -> None:
        self._objects = objects
        self._signer = signer

    def request_token(self, namespace: str, name: str, raw: bytes) -> dict[str, Any]:
        """Answer a TokenRequest.

        Raises:
            Status: as recorded: 400, 404, 409, 422.
        """
        body = _read(raw, "TokenRequest")
        account = self._objects.require(Resource.of_kind("ServiceAccount"), namespace, name)
        metadata = body.get("metadata") or {}
        if metadata.get("name", name) != name:
            raise _invalid(name, "metadata.name", metadata["name"], "must match the service account name if specified")
        if metadata.get("namespace", namespace) != namespace:
            raise failure(
                400,
                "BadRequest",
                "the namespace of the provided object does not match the namespace sent on the request",
            )
        spec = body.get("spec") or {}
        audiences, seconds = _audiences(spec), _seconds(spec)
        bound, shown = self._bound(spec.get("boundObjectRef"), namespace, name)
        identity = {"name": name, "uid": account["metadata"]["uid"]}
        audiences = audiences or [self._signer.issuer]
        token = self._signer.sign(namespace, identity, audiences, seconds=seconds, bound=bound)
        ends = jwt.decode(token, options={"verify_signature": False})["exp"]
        return {
            "kind": "TokenRequest",
            "apiVersion": _API,
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": account["metadata"]["uid"],
                "creationTimestamp": rfc3339(ends - seconds),
            },
            "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": shown},
            "status": {"token": token, "expirationTimestamp": rfc3339(ends)},
        }

    def review(self, raw: bytes) -> dict[str, Any]:
        """Answer a TokenReview; a bad token is an answer too.

        Raises:
            Status: 400 without a token.
        """
        body = _read(raw, "TokenReview")
        spec = body.get("spec") or {}
        token = spec.get("token")
        if not isinstance(token, str) or not token:
            raise failure(400, "BadRequest", "token is required for TokenReview in authentication")
        shown = {key: value for key, value in spec.items() if value}
        answer = {"kind": "TokenReview", "apiVersion": _API, "metadata": {}, "spec": shown}
        return answer | {"status": self._status(token, spec.get("audiences") or [self._signer.issuer])}

    def check_bound(self, claims: Mapping[str, Any]) -> None:
        """Whether account and bound object are still those of the token.

        Raises:
            TokenInvalid: they are not.
        """
        kubernetes = claims["kubernetes.io"]
        namespace, account = kubernetes["namespace"], kubernetes["serviceaccount"]
        found = self._objects.find(Resource.of_kind("ServiceAccount"), namespace, account["name"])
        if found is None:
            raise TokenInvalid(f'serviceaccounts "{account["name"]}" not found')
        if found["metadata"]["uid"] != account["uid"]:
            uid = found["metadata"]["uid"]
            raise TokenInvalid(f"service account UID ({uid}) does not match claim ({account['uid']})")
        if pod := kubernetes.get("pod"):
            standing = self._objects.find(Resource.of_kind("Pod"), namespace, pod["name"])
            if standing is None:
                raise TokenInvalid("service account token has been invalidated")
            if standing["metadata"]["uid"] != pod["uid"]:
                uid = standing["metadata"]["uid"]
                raise TokenInvalid(f"pod UID ({uid}) does not match service account pod ref claim ({pod['uid']})")

    def _status(self, token: str, audiences: list[str]) -> dict[str, Any]:
        try:
            claims = self._signer.verify(token, None)
        except TokenExpired:
            return {"user": {}, "error": "[invalid bearer token, service account token has expired]"}
        except TokenInvalid:
            shape = token.count(".") == 2
            broken = "[invalid bearer token, go-jose/go-jose: error in cryptographic primitive]"
            return {"user": {}, "error": broken if shape else "invalid bearer token"}
        matching = [audience for audience in audiences if audience in claims["aud"]]
        if not matching:
            held, wanted = (json.dumps(names, separators=(" ", ":")) for names in (claims["aud"], audiences))
            text = f"token audiences {held} is invalid for the target audiences {wanted}"
            return {"user": {}, "error": f"[invalid bearer token, {text}]"}
        try:
            self.check_bound(claims)
        except TokenInvalid as error:
            return {"user": {}, "error": f"[invalid bearer token, {error}]"}
        return {"authenticated": True, "user": _user(claims), "audiences": matching}

    def _bound(
        self, reference: Any, namespace: str, account: str
    ) -> tuple[dict[str, dict[str, str]], dict[str, Any] | None]:
        """The claims of the bound object, and the reference as it is answered."""
        if not reference:
            return {}, None
        kind, name = reference.get("kind", ""), reference.get("name", "")
        if kind not in _BINDABLE:
            raise failure(400, "BadRequest", f"cannot bind token to object of type /v1, Kind={kind}")
        if not name:
            raise failure(400, "BadRequest", "Name parameter required.")
        resource = Resource.of_kind(kind)
        found = self._objects.require(resource, namespace if resource.namespaced else "", name)
        if kind == "Pod" and (found.get("spec") or {}).get("serviceAccountName", "default") != account:
            raise failure(
                400,
                "BadRequest",
                f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.',
            )
        uid = found["metadata"]["uid"]
        if reference.get("uid") not in {None, "", uid}:
            raise failure(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on {kind} "{name}": the UID in the bound object reference '
                f"({reference['uid']}) does not match the UID in record. The object might have been deleted and then "
                "recreated",
                {"name": name, "kind": kind},
            )
        bound = {_BINDABLE[kind]: {"name": name, "uid": uid}}
        node_name = (found.get("spec") or {}).get("nodeName") if kind == "Pod" else None
        if node_name and (node := self._objects.find(Resource.of_kind("Node"), "", node_name)):
            bound["node"] = {"name": node_name, "uid": node["metadata"]["uid"]}
        return bound, dict(reference)


def _user(claims: Mapping[str, Any]) -> dict[str, Any]:
    kubernetes = claims["kubernetes.io"]
    namespace = kubernetes["namespace"]
    extra = {"authentication.kubernetes.io/credential-id": [f"JTI={claims['jti']}"]}
    for kind in ("node", "pod"):
        if bound := kubernetes.get(kind):
            extra[f"authentication.kubernetes.io/{kind}-name"] = [bound["name"]]
            extra[f"authentication.kubernetes.io/{kind}-uid"] = [bound["uid"]]
    return {
        "username": claims["sub"],
        "uid": kubernetes["serviceaccount"]["uid"],
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"],
        "extra": extra,
    }


def _read(raw: bytes, kind: str) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise failure(
            400,
            "BadRequest",
            f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse "
            "error: unexpected end of JSON input (<empty>)",
        ) from error
    if body.get("apiVersion", _API) != _API:
        version = body["apiVersion"]
        raise failure(
            400,
            "BadRequest",
            f'{kind} in version "{version}" cannot be handled as a {kind}: no kind "{kind}" is registered for version '
            f'"{version}" in scheme "pkg/runtime/scheme.go:111"',
        )
    return dict(body)


def _audiences(spec: Mapping[str, Any]) -> list[str]:
    audiences = spec.get("audiences") or []
    if not isinstance(audiences, list):
        raise _mistyped("audiences", "string", "[]string")
    return audiences


def _seconds(spec: Mapping[str, Any]) -> int:
    seconds = spec.get("expirationSeconds")
    if seconds is None:
        return 3600
    if not isinstance(seconds, int):
        raise _mistyped("expirationSeconds", "string" if isinstance(seconds, str) else f"number {seconds}", "int64")
    if seconds < _MIN_SECONDS:
        raise _invalid("", "spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    if seconds > _MAX_SECONDS:
        raise _invalid("", "spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
    return seconds


def _mistyped(field: str, found: str, wanted: str) -> Status:
    return failure(
        400,
        "BadRequest",
        f'TokenRequest in version "v1" cannot be handled as a TokenRequest: json: cannot unmarshal {found} into Go '
        f"struct field TokenRequestSpec.spec.{field} of type {wanted}",
    )


def _invalid(name: str, field: str, value: object, why: str) -> Status:
    cause = f"Invalid value: {json.dumps(value)}: {why}"
    details: dict[str, Any] = {"name": name} if name else {}
    details |= {
        "group": "authentication.k8s.io",
        "kind": "TokenRequest",
        "causes": [{"reason": "FieldValueInvalid", "message": cause, "field": field}],
    }
    return failure(422, "Invalid", f'TokenRequest.authentication.k8s.io "{name}" is invalid: {field}: {cause}', details)
