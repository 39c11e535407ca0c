"""What an object may hold: lightkube's models of Kubernetes, and short ones of operators' kinds that charts use."""

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from lightkube.models import (
    admissionregistration_v1,
    apiextensions_v1,
    apps_v1,
    core_v1,
    meta_v1,
    networking_v1,
    rbac_v1,
    storage_v1,
)


class Endpoint(msgspec.Struct):
    """Of a PodMonitor."""

    port: str
    honorLabels: bool = False  # noqa: N815
    interval: str = ""


class PodMonitorSpec(msgspec.Struct):
    """monitoring.coreos.com/v1."""

    selector: dict  # type: ignore[type-arg]
    podMetricsEndpoints: list[Endpoint]  # noqa: N815


class PodMonitor(msgspec.Struct):
    """monitoring.coreos.com/v1."""

    apiVersion: str  # noqa: N815
    kind: str
    metadata: meta_v1.ObjectMeta
    spec: PodMonitorSpec


class RuleGroup(msgspec.Struct):
    """Alerts that are looked at together."""

    name: str
    rules: list[Any]


class PrometheusRuleSpec(msgspec.Struct):
    """monitoring.coreos.com/v1."""

    groups: list[RuleGroup]


class PrometheusRule(msgspec.Struct):
    """monitoring.coreos.com/v1."""

    apiVersion: str  # noqa: N815
    kind: str
    metadata: meta_v1.ObjectMeta
    spec: PrometheusRuleSpec


class SecurityContextConstraints(msgspec.Struct):
    """security.openshift.io/v1: its fields are beside metadata."""

    apiVersion: str  # noqa: N815
    kind: str
    metadata: meta_v1.ObjectMeta
    allowHostDirVolumePlugin: bool  # noqa: N815
    allowHostIPC: bool  # noqa: N815
    allowHostNetwork: bool  # noqa: N815
    allowHostPID: bool  # noqa: N815
    allowHostPorts: bool  # noqa: N815
    allowPrivilegeEscalation: bool  # noqa: N815
    allowPrivilegedContainer: bool  # noqa: N815
    allowedCapabilities: list[str]  # noqa: N815
    defaultAddCapabilities: list[str]  # noqa: N815
    requiredDropCapabilities: list[str]  # noqa: N815
    readOnlyRootFilesystem: bool  # noqa: N815
    fsGroup: dict  # type: ignore[type-arg]  # noqa: N815
    runAsUser: dict  # type: ignore[type-arg]  # noqa: N815
    seLinuxContext: dict  # type: ignore[type-arg]  # noqa: N815
    supplementalGroups: dict  # type: ignore[type-arg]  # noqa: N815
    seccompProfiles: list[str]  # noqa: N815
    volumes: list[str]
    users: list[str]
    groups: list[str]


MODULES: Final[Mapping[str, Any]] = {
    "v1": core_v1,
    "apps/v1": apps_v1,
    "storage.k8s.io/v1": storage_v1,
    "rbac.authorization.k8s.io/v1": rbac_v1,
    "apiextensions.k8s.io/v1": apiextensions_v1,
    "admissionregistration.k8s.io/v1": admissionregistration_v1,
    "networking.k8s.io/v1": networking_v1,
    "monitoring.coreos.com/v1": types.SimpleNamespace(PodMonitor=PodMonitor, PrometheusRule=PrometheusRule),
    "security.openshift.io/v1": types.SimpleNamespace(SecurityContextConstraints=SecurityContextConstraints),
}


def unknown(body: Mapping[str, Any]) -> list[str]:
    """What of an object Kubernetes does not know."""
    return list(mistakes(getattr(MODULES[body["apiVersion"]], body["kind"]), body, body["kind"]))


def mistakes(kind: Any, value: Any, where: str) -> Iterator[str]:
    """What of a value does not fit a model's type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or (origin in {typing.Union, types.UnionType} and Any in arguments):
        return
    if origin in {typing.Union, types.UnionType}:
        found = [list(mistakes(one, value, where)) for one in arguments if one is not type(None)]
        yield from min(found, key=len)
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if not isinstance(value, Mapping):
            yield f"{where}: a mapping is needed"
            return
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
        for name, below in value.items():
            if name not in fields:
                yield f"{where}.{name}: there is no such field"
            else:
                yield from mistakes(fields[name], below, f"{where}.{name}")
    elif origin in {list, typing.List}:  # noqa: UP006
        if not isinstance(value, list):
            yield f"{where}: a list is needed"
            return
        for number, below in enumerate(value):
            yield from mistakes(arguments[0], below, f"{where}[{number}]")
    elif kind in {str, int, bool, dict} and type(value) is not kind:
        yield f"{where}: {kind.__name__} is needed"
