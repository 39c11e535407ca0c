from typing import Any

import pytest

from sscsi_driver.attributes import DriverObject
from sscsi_driver.classes import SecretProviderClass, class_of, driver_of, not_found
from sscsi_driver.errors import PublishError


def test_a_class_is_read() -> None:
    body = {"spec": {"provider": "aws", "parameters": {"objects": "- objectName: a"}, "secretObjects": []}}
    assert class_of(body, "shop", "demo") == SecretProviderClass("shop", "demo", "aws", {"objects": "- objectName: a"})


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (None, "provider not set in shop/demo (file x.yaml, line 3)."),
        ([], "provider not set in shop/demo"),
        ({"parameters": {"a": "b"}}, "provider not set in shop/demo"),
        ({"provider": 7, "parameters": {"a": "b"}}, "provider not set in shop/demo"),
        ({"provider": "aws"}, "parameters not set in shop/demo"),
        ({"provider": "aws", "parameters": {}}, "parameters not set in shop/demo"),
        ({"provider": "aws", "parameters": []}, "parameters not set in shop/demo"),
        (
            {"provider": "aws", "parameters": {"a": 7}},
            "spec.parameters.a of shop/demo (file x.yaml, line 3) is no text",
        ),
        (
            {"provider": "aws", "parameters": {"a": [1]}},
            "spec.parameters.a of shop/demo (file x.yaml, line 3) is no text but a list",
        ),
        ({"provider": "aws", "parameters": {7: "a"}}, "spec.parameters.7 of shop/demo"),
    ],
)
def test_what_is_wrong_is_said(spec: Any, text: str) -> None:
    with pytest.raises(PublishError) as caught:
        class_of({"spec": spec}, "shop", "demo", "file x.yaml, line 3")
    assert caught.value.message.startswith(text)


def test_not_found_says_what_is_there() -> None:
    error = not_found("shop", "demo", [f"c{n}" for n in range(12)], ["default"])
    assert error.message == (
        'failed to get secretproviderclass shop/demo, error: SecretProviderClass.secrets-store.csi.x-k8s.io "demo" '
        "not found. Classes of namespace shop: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 2 more. "
        "One of that name is in: default."
    )
    assert "Namespace shop has no class" in not_found("shop", "demo", [], []).message
    assert "\n" not in not_found("shop", "a\nb", [], []).message


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, DriverObject(False, False, False, False)),
        ({"tokenRequests": [], "requiresRepublish": True}, DriverObject(False, False, False, True)),
        (
            {"tokenRequests": [{"audience": "a"}], "serviceAccountTokenInSecrets": True, "podInfoOnMount": True},
            DriverObject(True, True, True, False),
        ),
        ({"serviceAccountTokenInSecrets": "true", "podInfoOnMount": "true"}, DriverObject(False, False, False, False)),
    ],
)
def test_the_driver_object(spec: dict[str, Any], expected: DriverObject) -> None:
    assert driver_of({"spec": spec}) == expected
