"""A class for Azure as the catalogue's tests write it, read without a backend."""

import json
from typing import Any

import pytest

from azure_stage import CLIENT
from sscsi_emulators.azure_store import TENANT
from sscsi_provider_azure.objects import Entry
from sscsi_provider_azure.parameters import AzureRequest, Operator, read_request
from sscsi_shared.errors import InvalidParameters
from sscsi_shared.parameters import read_mount
from sscsi_shared.testing.stage import POD, pod_attributes

SECRET = "objectName: secret1\nobjectType: secret\n"
GET = "failed to get objectType:secret, objectName:secret1, objectVersion:: "
START = "failed to mount objects, error: "


def array(*entries: str) -> str:
    return "array:\n" + "".join(
        "  - |\n" + "".join(f"    {line}\n" for line in entry.splitlines()) for entry in entries
    )


def read(
    objects: str = array(SECRET), *, permission: str = "420", operator: Any = None, **parameters: Any
) -> AzureRequest:
    sent = {"keyvaultName": "testkv", "tenantID": TENANT, "clientID": CLIENT, "objects": objects}
    attributes = json.dumps(pod_attributes(POD) | sent | parameters)
    return read_request(read_mount(attributes, "null", permission, "/t", ()), operator or Operator())


def one(entry: str, **more: Any) -> Entry:
    (found,) = read(array(entry), **more).entries
    return found


def refusal(objects: str = array(SECRET), **parameters: Any) -> str:
    with pytest.raises(InvalidParameters) as caught:
        read(objects, **parameters)
    return str(caught.value)
