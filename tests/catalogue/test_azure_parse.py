"""reference/azure.md sections 2 and 12: parameters of the class, order of checks, clouds."""

import json

import pytest

from azure_catalogue import SECRET, START, array, read, refusal
from azure_stage import CLIENT
from sscsi_emulators.azure_store import TENANT
from sscsi_provider_azure.clouds import Cloud, cloud_of, described
from sscsi_provider_azure.content import Form, SecretContent
from sscsi_provider_azure.objects import Entry
from sscsi_provider_azure.parameters import Mode, Operator
from sscsi_provider_azure.vault_objects import Certificate, Key, Secret
from sscsi_shared.errors import InvalidParameters
from sscsi_shared.mount import Output
from sscsi_shared.parameters import read_mount
from sscsi_shared.testing.stage import POD
from sscsi_shared.transform import WHOLE


def test_the_least() -> None:
    request = read()
    assert (request.mode, request.tenant, request.client) == (Mode.UNSAID, TENANT, CLIENT)
    assert (request.cloud, request.cloud_file, request.mount.pod) == ("AzurePublicCloud", "", POD)
    content = SecretContent(Form.UNSAID, in_order=True)
    output = Output("secret1", 0o644, "secret/secret1", content)
    assert request.entries == (Entry(Secret("testkv", "secret1"), (output,), False, "secret1"),)


def test_every_parameter_lands_and_is_trimmed() -> None:
    request = read(
        keyvaultName=" Other-KV ",
        tenantID=f" {TENANT}\n",
        clientID=f"\t{CLIENT} ",
        cloudName=" azureChinaCloud ",
        cloudEnvFileName=" /etc/cloud.json ",
        usePodIdentity=" false ",
        resourceGroup="nothing",
        subscriptionId="of",
        syncMultipleVersions="this",
    )
    assert (request.tenant, request.client, request.cloud) == (TENANT, CLIENT, "azureChinaCloud")
    assert request.cloud_file == "/etc/cloud.json"
    assert [entry.target for entry in request.entries] == [Secret("Other-KV", "secret1")]


@pytest.mark.parametrize("cloud", ["", "AZUREGERMANCLOUD", "AzureStackCloud"])
def test_the_operators_cloud_where_a_class_names_none(cloud: str) -> None:
    assert read(cloudName=cloud, operator=Operator("AzureUSGovernment")).cloud == (cloud or "AzureUSGovernment")


@pytest.mark.parametrize(
    ("parameters", "tenant"),
    [
        ({"tenantID": "id", "tenantId": "Id"}, "id"),
        ({"tenantID": "", "tenantId": "Id"}, "Id"),
        ({"tenantID": " ", "tenantId": " Id "}, "Id"),
        ({"tenantID": "contoso.onmicrosoft.com"}, "contoso.onmicrosoft.com"),
        ({"tenantID": "adfs"}, "adfs"),
    ],
)
def test_which_tenant_wins(parameters: dict[str, str], tenant: str) -> None:
    assert read(**parameters).tenant == tenant


@pytest.mark.parametrize("key", ["usePodIdentity", "useVMManagedIdentity", "useAzureTokenProxy"])
@pytest.mark.parametrize("word", ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False", ""])
def test_booleans(key: str, word: str) -> None:
    modes = {
        "usePodIdentity": Mode.POD_IDENTITY,
        "useVMManagedIdentity": Mode.MANAGED_IDENTITY,
        "useAzureTokenProxy": Mode.BINDING,
    }
    assert read(**{key: word}).mode is (modes[key] if word[:1] in {"1", "t", "T"} else Mode.UNSAID)


def test_whose_client() -> None:
    managed = {"useVMManagedIdentity": "true", "userAssignedIdentityID": "node"}
    assert read(**managed).client == "node"
    assert read(useVMManagedIdentity="true").client == "", "the pod's client is not the node's"
    assert read(userAssignedIdentityID="node").client == CLIENT


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"csi.storage.k8s.io/pod.name": ""}, "pod name is not provided"),
        ({"csi.storage.k8s.io/pod.namespace": ""}, "pod namespace is not provided"),
        (
            {"usePodIdentity": "yes"},
            'failed to parse usePodIdentity flag, error: strconv.ParseBool: parsing "yes": invalid syntax',
        ),
        (
            {"useVMManagedIdentity": "on"},
            'failed to parse useVMManagedIdentity flag, error: strconv.ParseBool: parsing "on": invalid syntax',
        ),
        ({"useAzureTokenProxy": "invalid-value"}, "failed to parse useAzureTokenProxy flag, error: strconv.ParseBool"),
        ({"usePodIdentity": "1", "useAzureTokenProxy": "1"}, "only one identity mode can be enabled at a time: "),
        ({"usePodIdentity": "1", "useVMManagedIdentity": "1"}, "only one identity mode can be enabled at a time: "),
        ({"useVMManagedIdentity": "1", "useAzureTokenProxy": "1"}, "only one identity mode can be enabled at a time"),
        ({"keyvaultName": ""}, "keyvaultName is not provided"),
        ({"keyvaultName": "kv"}, 'failed to get vault: Invalid vault name: "kv", must be between 3 and 24 chars'),
        (
            {"keyvaultName": "k" * 25},
            f'failed to get vault: Invalid vault name: "{"k" * 25}", must be between 3 and 24',
        ),
        (
            {"keyvaultName": "kv_test"},
            'failed to get vault: Invalid vault name: "kv_test", must match [-a-zA-Z0-9]{3,24}',
        ),
        ({"useVMManagedIdentity": "1", "tenantID": ""}, "tenantId is not provided"),
        ({"tenantID": "a/../b"}, "failed to get keyvault client: invalid tenantID. "),
        ({"cloudName": "AzureWrongCloud"}, "cloudName AzureWrongCloud is not valid, error: "),
        (
            {"useAzureTokenProxy": "1", "clientID": ""},
            "failed to build auth config for mode AzureTokenProxy: clientID is required for identity binding",
        ),
        ({"objects": ""}, "objects is not set"),
        ({"objects": " \n"}, "objects is not set"),
    ],
)
def test_errors_of_the_class(parameters: dict[str, str], text: str) -> None:
    assert f"{START}{text}" in refusal(**parameters)


def test_the_first_mistake_is_told() -> None:
    """The order of section 2: everything is wrong, and is mended one after the other."""
    wrong = {
        "csi.storage.k8s.io/pod.name": "",
        "usePodIdentity": "x",
        "useVMManagedIdentity": "1",
        "useAzureTokenProxy": "1",
        "keyvaultName": "",
        "tenantID": "",
        "cloudName": "x",
        "clientID": "",
        "objects": "",
    }
    steps: list[tuple[dict[str, str], str]] = [
        ({}, "pod name"),
        ({"csi.storage.k8s.io/pod.name": "p"}, "usePodIdentity"),
        ({"usePodIdentity": "0"}, "only one identity mode"),
        ({"useVMManagedIdentity": "0"}, "keyvaultName is not"),
        ({"keyvaultName": "kv_test"}, "tenantId"),
        ({"tenantID": TENANT}, "cloudName"),
        ({"cloudName": ""}, "clientID is required"),
        ({"clientID": CLIENT}, "objects is not set"),
        ({"objects": "- ["}, "failed to yaml unmarshal objects"),
        ({"objects": array("objectName: x")}, "Invalid vaultObjectTypes"),
        ({"objects": array(SECRET)}, "Invalid vault name"),
    ]
    for mended, text in steps:
        wrong |= mended
        assert text in refusal(**wrong)


def test_no_entries() -> None:
    """Also where the vault has no name that counts: an empty answer, as section 2 has it."""
    assert read("array:", keyvaultName="kv").entries == ()
    assert read("array: []").entries == ()


def test_entries_in_order() -> None:
    objects = array(
        SECRET,
        "objectName: key1\nobjectType: key\nobjectVersion: 0123abc\n",
        "objectName: cert1\nobjectType: cert\nobjectAlias: a/b/c.pem\n",
    )
    assert [(entry.target, entry.outputs[0]) for entry in read(objects).entries] == [
        (Secret("testkv", "secret1"), Output("secret1", 0o644, "secret/secret1", SecretContent(Form.UNSAID, True))),
        (Key("testkv", "key1", "0123abc"), Output("key1", 0o644, "key/key1", WHOLE)),
        (Certificate("testkv", "cert1"), Output("a/b/c.pem", 0o644, "cert/cert1", WHOLE)),
    ]


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("", "testkv.vault.azure.net"),
        ("AzurePublicCloud", "testkv.vault.azure.net"),
        ("azurecloud", "testkv.vault.azure.net"),
        ("AzureChinaCloud", "testkv.vault.azure.cn"),
        ("AZUREGERMANCLOUD", "testkv.vault.microsoftazure.de"),
        ("AzureUSGovernmentCloud", "testkv.vault.usgovcloudapi.net"),
        ("AzureUSGovernment", "testkv.vault.usgovcloudapi.net"),
    ],
)
def test_where_a_vault_is(name: str, host: str) -> None:
    request = read(cloudName=name)
    assert f"{request.entries[0].target.vault}.{cloud_of(request.cloud).suffix}" == host


def test_a_cloud_in_a_file_is_named_by_it() -> None:
    said = {
        "name": "Hill",
        "activeDirectoryEndpoint": "https://login.hill/",
        "keyVaultDNSSuffix": "vault.stub.test:8444",
    }
    more = {"keyVaultEndpoint": "https://vault.stub.test:8444", "managementPortalURL": 5}
    assert described(json.dumps(said | more).encode(), "AzureStackCloud") == Cloud(
        "Hill", "https://login.hill", "vault.stub.test:8444"
    )


@pytest.mark.parametrize(
    ("attributes", "secrets", "permission", "text"),
    [
        ("", "{}", "420", "failed to unmarshal attributes, error: "),
        ('{"keyvaultName": 5}', "{}", "420", "failed to unmarshal attributes, error: "),
        ("{}", "[]", "420", "failed to unmarshal secrets, error: "),
        ("{}", "null", "0644", "failed to unmarshal file permission, error: "),
        ("{}", "null", '"420"', "failed to unmarshal file permission, error: "),
    ],
)
def test_requests_that_are_none(attributes: str, secrets: str, permission: str, text: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        read_mount(attributes, secrets, permission, "/t", ())
    assert str(caught.value).startswith(text)
