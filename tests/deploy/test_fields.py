"""deploy/: every field is one that Kubernetes has, and holds what it may (lightkube models of its OpenAPI)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightkube.models import apps_v1

from kubernetes_fields import mistakes, unknown

DEPLOY = Path(__file__).parents[2] / "deploy"


def documents() -> list[Any]:
    bodies = [body for path in sorted(DEPLOY.glob("**/*.yaml")) for body in yaml.safe_load_all(path.read_text())]
    return [pytest.param(body, id=f"{body['kind']}/{body['metadata']['name']}") for body in bodies]


@pytest.mark.parametrize("body", documents())
def test_every_field_is_known(body: Mapping[str, Any]) -> None:
    assert unknown(body) == []


def test_a_mistake_is_found() -> None:
    body = {
        "spec": {"selector": {}, "template": {"spec": {"containers": [{"nme": "x", "args": "a"}], "hostPID": "no"}}}
    }
    assert list(mistakes(apps_v1.DaemonSet, body, "DaemonSet")) == [
        "DaemonSet.spec.template.spec.containers[0].nme: there is no such field",
        "DaemonSet.spec.template.spec.containers[0].args: a list is needed",
        "DaemonSet.spec.template.spec.hostPID: bool is needed",
    ]
