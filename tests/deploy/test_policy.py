"""deploy/policy: the expressions as an API server evaluates them, against good and bad classes."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import celpy
import pytest
import yaml
from celpy.adapter import json_to_cel
from celpy.celtypes import MapType, StringType

from sscsi_driver.classes import class_of
from sscsi_driver.errors import PublishError

ROOT = Path(__file__).parents[2]
POLICY, BINDING = yaml.safe_load_all((ROOT / "deploy" / "policy" / "secretproviderclasses.yaml").read_text())
RECORDED = json.loads((Path(__file__).parents[1] / "emulator/recordings/13-admission-policies.json").read_text())
GOOD: dict[str, Any] = {
    "provider": "aws",
    "parameters": {"objects": "- objectName: a", "rotationPollInterval": "1m30s", "strictGroup": "true"},
    "secretObjects": [
        {
            "secretName": "my.secret-1",
            "type": "Opaque",
            "data": [{"objectName": "a", "key": "A_.-1"}, {"objectName": "a", "key": "b"}],
        },
        {
            "secretName": "tls",
            "type": "kubernetes.io/tls",
            "data": [{"objectName": "a", "key": "tls.key"}, {"objectName": "a", "key": "tls.crt"}],
        },
    ],
}
ENVIRONMENT = celpy.Environment()


def evaluate(expression: str, variables: Mapping[str, Any]) -> Any:
    return ENVIRONMENT.program(ENVIRONMENT.compile(expression)).evaluate(dict(variables))


def warnings(body: dict[str, Any]) -> list[str]:
    """The messages that an API server would give; an expression that fails is a mistake of the policy."""
    scope: dict[str, Any] = {"object": json_to_cel(body)}
    values = {StringType(one["name"]): evaluate(one["expression"], scope) for one in POLICY["spec"]["variables"]}
    scope["variables"] = MapType(values)
    return [one["message"] for one in POLICY["spec"]["validations"] if not evaluate(one["expression"], scope)]


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(json.dumps(GOOD))
    change(spec)
    return {"spec": spec}


def entry(**fields: Any) -> Callable[[dict[str, Any]], object]:
    """The first secretObject with other fields; None = without."""

    def change(spec: dict[str, Any]) -> None:
        one = spec["secretObjects"][0] | fields
        spec["secretObjects"][0] = {key: value for key, value in one.items() if value is not None}

    return change


def parameters(**fields: str) -> Callable[[dict[str, Any]], object]:
    return lambda spec: spec["parameters"].update(fields)


def test_the_articles_and_our_classes_pass() -> None:
    paths = [
        *(ROOT / "examples" / cloud / "secretproviderclass.yaml" for cloud in ("aws", "azure", "gcp", "vault")),
        ROOT / "examples/azure/with-certificates.yaml",
        ROOT / "examples/secretobjects.yaml",
    ]
    for path in paths:
        assert warnings(yaml.safe_load(path.read_text())) == [], path
    assert warnings({"spec": GOOD}) == []


BAD: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("spec.provider is missing", lambda spec: spec.pop("provider")),
    ("spec.provider is missing", lambda spec: spec.update(provider="")),
    ("spec.provider is no name", lambda spec: spec.update(provider="../aws")),
    ("spec.provider is no name", lambda spec: spec.update(provider="a" * 31)),
    ("spec.parameters is empty", lambda spec: spec.pop("parameters")),
    ("spec.parameters is empty", lambda spec: spec.update(parameters={})),
    ("spec.parameters.objects is missing", parameters(objects="\n \t\n")),
    ("spec.parameters.objects is missing", lambda spec: spec["parameters"].pop("objects")),
    ("spec.parameters.secrets is missing", lambda spec: spec.update(provider="gcp")),
    ("spec.parameters has keys that begin", lambda spec: spec["parameters"].update({"csi.storage.k8s.io/x": "1"})),
    ("spec.parameters.rotationPollInterval", parameters(rotationPollInterval="5 minutes")),
    ("spec.parameters.strictGroup", parameters(strictGroup="yes")),
    ("spec.secretObjects has an entry whose secretName", entry(secretName=None)),
    ("spec.secretObjects has an entry whose secretName", entry(secretName="My_Secret")),
    ("spec.secretObjects has an entry whose secretName", entry(secretName="a" * 254)),
    ("spec.secretObjects has an entry without type", entry(type=None)),
    ("spec.secretObjects has an entry without type", entry(type=" ")),
    ("spec.secretObjects has an entry without data", entry(data=None)),
    ("spec.secretObjects has an entry without data", entry(data=[])),
    ("spec.secretObjects has data without", entry(data=[{"objectName": "a"}])),
    ("spec.secretObjects has data without", entry(data=[{"key": "a", "objectName": " "}])),
    ("spec.secretObjects has a key that", entry(data=[{"objectName": "a", "key": "a b"}])),
    ("spec.secretObjects has an entry with one key twice", entry(data=[{"objectName": "a", "key": "a"}] * 2)),
    ("spec.secretObjects names one Secret twice", entry(secretName="tls")),
    ("spec.secretObjects has a key other than tls", entry(type="kubernetes.io/tls")),
]


@pytest.mark.parametrize(("message", "change"), BAD, ids=range(len(BAD)))
def test_each_mistake_has_its_own_warning(message: str, change: Callable[[dict[str, Any]], object]) -> None:
    body = changed(change)
    (warning,) = warnings(body)
    assert warning.startswith(message)
    if "no pod can mount this class" in warning and "strictGroup" not in warning:
        with pytest.raises(PublishError):
            class_of(body, "shop", "demo")


def test_every_validation_is_tried() -> None:
    known = [one["message"] for one in POLICY["spec"]["validations"]]
    assert [message for message in known if not any(message.startswith(start) for start, _ in BAD)] == []


def test_a_class_without_a_spec_is_warned_of_and_breaks_nothing() -> None:
    assert [text.partition(" is ")[0] for text in warnings({})] == ["spec.provider", "spec.parameters"]


def test_the_form_is_what_a_real_api_server_took() -> None:
    """Recording 13: a policy and a binding in Warn mode; what is not in it is of admissionregistration.k8s.io/v1."""
    policy, binding = (step["request"]["body"] for step in RECORDED["steps"])
    assert POLICY.keys() == policy.keys()
    assert POLICY["apiVersion"] == policy["apiVersion"]
    assert POLICY["spec"].keys() == policy["spec"].keys() | {"variables"}
    assert [rule.keys() for rule in POLICY["spec"]["matchConstraints"]["resourceRules"]] == [
        rule.keys() for rule in policy["spec"]["matchConstraints"]["resourceRules"]
    ]
    assert BINDING.keys() == binding.keys()
    assert BINDING["spec"]["policyName"] == POLICY["metadata"]["name"]
    assert set(BINDING["spec"]["validationActions"]) < set(binding["spec"]["validationActions"])
