"""deploy/: every field is one that Kubernetes has, and holds what it may (lightkube models of its OpenAPI)."""

import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from lightkube.models import (
    admissionregistration_v1,
    apiextensions_v1,
    apps_v1,
    core_v1,
    rbac_v1,
    storage_v1,
)

MODULES = {
    "v1": core_v1,
    "apps/v1": apps_v1,
    "storage.k8s.io/v1": storage_v1,
    "rbac.authorization.k8s.io/v1": rbac_v1,
    "apiextensions.k8s.io/v1": apiextensions_v1,
    "admissionregistration.k8s.io/v1": admissionregistration_v1,
}
DEPLOY = Path(__file__).parents[2] / "deploy"


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


def documents() -> list[Any]:
    bodies = [body for path in sorted(DEPLOY.glob("**/*.yaml")) for body in yaml.safe_load_all(path.read_text())]
    return [pytest.param(body, id=f"{body['kind']}/{body['metadata']['name']}") for body in bodies]


@pytest.mark.parametrize("body", documents())
def test_every_field_is_known(body: Mapping[str, Any]) -> None:
    kind = getattr(MODULES[body["apiVersion"]], body["kind"])
    assert list(mistakes(kind, body, body["kind"])) == []


def test_a_mistake_is_found() -> None:
    body = {
        "spec": {"selector": {}, "template": {"spec": {"containers": [{"nme": "x", "args": "a"}], "hostPID": "no"}}}
    }
    assert list(mistakes(apps_v1.DaemonSet, body, "DaemonSet")) == [
        "DaemonSet.spec.template.spec.containers[0].nme: there is no such field",
        "DaemonSet.spec.template.spec.containers[0].args: a list is needed",
        "DaemonSet.spec.template.spec.hostPID: bool is needed",
    ]
