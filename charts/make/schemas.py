"""Closed schemas of the charts' values, made of the defaults and of what a default can't say."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from charts.make.values import LEAVES, Value

Schema = dict[str, Any]

_OPEN: Final[Schema] = {"type": "object"}
_TEXTS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}
_TEXT_LIST: Final[Schema] = {"type": "array", "items": {"type": "string"}}
_OBJECTS: Final[Schema] = {"type": "array", "items": {"type": "object"}}
_PORT: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 65535}
_PATH: Final[Schema] = {"type": "string", "pattern": "^/"}
_SIZE: Final[Schema] = {"type": ["string", "integer"], "pattern": "^[0-9]+(Ki|Mi|Gi)?$"}
_SIZE_OR_NONE: Final[Schema] = {"type": ["string", "integer"], "pattern": "^([0-9]+(Ki|Mi|Gi)?)?$"}
_DURATION: Final[Schema] = {
    "type": ["string", "null"],
    "pattern": "^(0|([0-9]+(\\.[0-9]*)?(ns|us|ms|s|m|h))+)?$",
    "examples": ["90s", "2m", "1h30m"],
}
_COUNT_OR_NONE: Final[Schema] = {"type": ["integer", "string"], "pattern": "^[0-9]*$", "minimum": 1}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_YES_NO_NULL: Final[Schema] = {"type": ["boolean", "null"]}
_TOKENS: Final[Schema] = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["audience"],
        "properties": {
            "audience": {"type": "string", "minLength": 1},
            "expirationSeconds": {"type": "integer", "minimum": 600},
        },
    },
}


def _words(*words: Any) -> Schema:
    return {"enum": list(words)}


KNOWN: Final[Mapping[str, Schema]] = {
    **dict.fromkeys(
        ("affinity", "updateStrategy", "dnsConfig", "seLinuxOptions", "container", "securityContext"), _OPEN
    ),
    "resources": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"requests": _OPEN, "limits": _OPEN, "claims": {"type": "array"}},
    },
    **dict.fromkeys(
        (
            "nodeSelector",
            "podLabels",
            "podAnnotations",
            "daemonsetAnnotations",
            "annotations",
            "labels",
            "commonLabels",
            "extraLabels",
        ),
        _TEXTS,
    ),
    **dict.fromkeys(
        ("tolerations", "env", "volumes", "volumeMounts", "egressTo", "ingressFrom", "extraEgress", "imagePullSecrets"),
        _OBJECTS,
    ),
    **dict.fromkeys(
        (
            "additionalProvidersDirs",
            "extraArgs",
            "namespaces",
            "requiredProviders",
            "allowedAuth",
            "allowedAddresses",
            "classFilesDirs",
        ),
        _TEXT_LIST,
    ),
    **dict.fromkeys(("providersDir", "providerVolume", "kubeletPath", "kubeletRootDir", "healthzPath"), _PATH),
    **dict.fromkeys(("base", "working", "maxBytes", "memory.volumeSize"), _SIZE),
    **dict.fromkeys(
        ("rotationPollInterval", "ttl", "sessionMaxAge", "backoff", "leaseIdle", "interval", "podIdentityHttpTimeout"),
        _DURATION,
    ),
    **dict.fromkeys(("answersAtOnce", "memory.volumes"), _COUNT),
    "volumeSize": _SIZE_OR_NONE,
    "volumeInodes": _COUNT_OR_NONE,
    "maxSessions": _COUNT_OR_NONE,
    "logFormatJSON": _YES_NO_NULL,
    "tokenRequests": _TOKENS,
    "egressPorts": {"type": "array", "items": _PORT},
    "validationActions": {"type": "array", "items": _words("Warn", "Deny", "Audit"), "minItems": 1},
    "pullPolicy": _words("", "Always", "IfNotPresent", "Never"),
    "logLevel": _words("debug", "info", "warn", "error"),
    "livenessProbe.logLevel": {"type": "integer"},
    "logFormat": _words("json", "text"),
    "sessionScope": _words("", "serviceAccount", "pod"),
    "dnsPolicy": _words("", "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "serviceAccountTokenInSecrets": _words("auto", True, False),
    "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "hash": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "repository": {"type": "string", "pattern": "^[a-z0-9][-a-z0-9._/:]*$"},
    "port": _PORT,
    "healthzPort": {"type": "integer", "minimum": 0, "maximum": 65535},
    "maxCallRecvMsgSize": {"type": "integer", "minimum": 1},
    "metricsAddr": {
        "type": "string",
        "pattern": "^(:|0\\.0\\.0\\.0:|\\[::\\]:)?[0-9]{1,5}$",
        "description": "A port on all addresses, such as :8095; Kubernetes probes it at the pod's address.",
    },
    "volumeAttributes": {"type": "string", "minLength": 1},
    "sscsi": _OPEN,
}
"""By the name of a value, or by its last two."""


def schema(values: Mapping[str, Any], described: Sequence[Value], notices: Sequence[Mapping[str, Any]]) -> str:
    """The schema of a values file, as JSON.

    Args:
        values: the defaults.
        described: what the comments say.
        notices: values of the existing charts that are known, and refused or told later.
    """
    says = {one.path: one.says for one in described if one.says}
    body = _of(values, "", says)
    properties = body["properties"]
    properties.setdefault("global", {"type": "object"})
    properties["sscsi-common"] = {"type": "object"}  # Helm's own doing: the library is a dependency
    properties.setdefault("enabled", {"type": "boolean"})
    for notice in notices:
        _admit(properties, notice["path"].split("."))
    return json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", **body}, indent=2) + "\n"


def umbrella(body: str, parts: Sequence[str]) -> str:
    """The same where some values are other charts', which have schemas of their own."""
    read: Schema = json.loads(body)
    del read["properties"]["enabled"]
    for part in parts:
        read["properties"][part] = {"type": "object", "properties": {"enabled": {"type": "boolean"}}}
    return json.dumps(read, indent=2) + "\n"


def _of(value: Any, path: str, says: Mapping[str, str]) -> Schema:
    names = path.split(".")
    known = KNOWN.get(".".join(names[-2:])) or KNOWN.get(names[-1])
    if known is not None and not (isinstance(value, dict) and value and names[-1] not in LEAVES):
        found = dict(known)
    elif isinstance(value, dict):
        below = {key: _of(one, f"{path}.{key}".lstrip("."), says) for key, one in value.items()}
        needed = [key for key, one in below.items() if value[key] != "" and _needed(one)]
        found = {"type": "object", "additionalProperties": False, "required": needed, "properties": below}
    elif isinstance(value, bool):
        found = {"type": "boolean"}
    elif isinstance(value, int):
        found = {"type": "integer"}
    elif isinstance(value, str):
        found = {"type": "string"}
    else:
        raise ValueError(f"{path}: say in KNOWN what it may be")
    if path in says:
        found = {"description": says[path], **found}
    return found


def _needed(one: Schema) -> bool:
    """Whether null, with which a user takes a default away, would leave a hole."""
    kinds = one.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return "required" in one or not {"object", "array", "null"} & set(kinds)


def _admit(properties: Schema, path: Sequence[str]) -> None:
    """Let a value through that the templates themselves say something about."""
    first, *rest = path
    if first not in properties:
        properties[first] = {}
    elif rest and "properties" in properties[first]:
        _admit(properties[first]["properties"], rest)
