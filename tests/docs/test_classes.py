"""Every SecretProviderClass on a page is one that its provider takes."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

import sscsi_provider_aws.parameters as aws
import sscsi_provider_azure.parameters as azure
import sscsi_provider_gcp.parameters as gcp
import sscsi_provider_vault.parameters as vault
from pages import all_blocks, indented
from sscsi_provider_vault.dialects import VAULT
from sscsi_shared.mount import MountInput, PodInfo
from sscsi_shared.plain import NamedObjects
from sscsi_shared.tokens import ServiceAccountTokens

Class = dict[str, Any]


PARSERS: dict[str, Callable[[MountInput], object]] = {
    "aws": aws.read_request,
    "azure": lambda mount: azure.read_request(mount, azure.Operator()),
    "gcp": lambda mount: gcp.read_request(mount, keys_allowed=False),
    "vault": lambda mount: vault.read_request(mount, VAULT),
    "kv": NamedObjects.of,
}
"""Each provider's own `parse`, as its daemon has it without flags."""


def classes() -> Iterator[tuple[str, Class]]:
    for block in (*all_blocks("yaml"), *(one for one in indented() if one.text.startswith("apiVersion:"))):
        for document in yaml.safe_load_all(block.text):
            if isinstance(document, dict) and document.get("kind") == "SecretProviderClass":
                yield str(block), document


@pytest.mark.parametrize(("where", "of_class"), [pytest.param(*one, id=one[0]) for one in classes()])
def test_its_provider_takes_it(where: str, of_class: Class) -> None:
    spec = of_class["spec"]
    pod = PodInfo(of_class["metadata"]["namespace"], "web", "uid", "web")
    parameters = spec["parameters"]
    assert all(isinstance(value, str) for value in parameters.values()), "parameters are text"
    request = PARSERS[spec["provider"]](MountInput(parameters, {}, pod, ServiceAccountTokens({}), "/target"))
    assert request is not None


def test_every_provider_has_a_class_on_a_page() -> None:
    assert {of_class["spec"]["provider"] for _, of_class in classes()} == {"aws", "gcp", "vault", "azure", "kv"}
