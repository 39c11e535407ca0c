"""Azure's clouds by name, and a cloud that a file describes: whatever stands in the file."""

import json

import pytest

from sscsi_provider_azure.clouds import Cloud, cloud_of, described, is_described
from sscsi_shared.errors import InvalidParameters

PUBLIC = ("AzurePublicCloud", "https://login.microsoftonline.com", "vault.azure.net")
GOVERNMENT = ("AzureUSGovernmentCloud", "https://login.microsoftonline.us", "vault.usgovcloudapi.net")
HILL = {"name": "Hill", "activeDirectoryEndpoint": "https://login.hill/", "keyVaultDNSSuffix": "vault.hill"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AzurePublicCloud", PUBLIC),
        ("AZURECLOUD", PUBLIC),
        ("azureUSgovernmentCloud", GOVERNMENT),
        ("AzureUSGovernment", GOVERNMENT),
        ("AzureChinaCloud", ("AzureChinaCloud", "https://login.chinacloudapi.cn", "vault.azure.cn")),
        ("azuregermancloud", ("AzureGermanCloud", "https://login.microsoftonline.de", "vault.microsoftazure.de")),
    ],
)
def test_names(name: str, expected: tuple[str, str, str]) -> None:
    cloud = cloud_of(name)
    assert (cloud.name, cloud.authority, cloud.suffix) == expected
    assert (cloud.resource, cloud.scope) == (f"https://{expected[2]}", f"https://{expected[2]}/.default")


@pytest.mark.parametrize("name", ["AzureWrongCloud", "", "AzureStackCloud", "Azure Public Cloud", "x" * 5000])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(InvalidParameters, match="is not valid, error: there is no cloud of this name") as caught:
        cloud_of(name)
    assert caught.value.path == "parameters.cloudName"
    assert "AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud, AzureGermanCloud" in caught.value.hint
    assert len(str(caught.value)) < 500


def test_which_cloud_a_file_describes() -> None:
    assert is_described("AzureStackCloud")
    assert is_described("azurestackcloud")
    assert not is_described("AzurePublicCloud")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Cloud("Hill", "https://login.hill", "vault.hill")),
        ({"name": ""}, Cloud("AzureStackCloud", "https://login.hill", "vault.hill")),
        ({"name": 5}, Cloud("AzureStackCloud", "https://login.hill", "vault.hill")),
        ({"keyVaultDNSSuffix": ".vault.hill."}, Cloud("Hill", "https://login.hill", "vault.hill")),
        ({"keyVaultDNSSuffix": "vault.hill:8444"}, Cloud("Hill", "https://login.hill", "vault.hill:8444")),
        ({"activeDirectoryEndpoint": "https://h:8443//"}, Cloud("Hill", "https://h:8443", "vault.hill")),
    ],
)
def test_files(fields: dict[str, object], expected: Cloud) -> None:
    cloud = described(json.dumps(HILL | fields).encode(), "AzureStackCloud")
    assert cloud == expected
    assert cloud.scope == "", "only its vaults can say it"


@pytest.mark.parametrize("field", ["activeDirectoryEndpoint", "keyVaultDNSSuffix"])
@pytest.mark.parametrize(
    "value",
    ["", None, 5, [], "http://login.hill", "https://", "https://user@login.hill", "https://a b", "https://h:99999",
     "https://h:x", "https://[::1", "https://h?a=b", "https://h#a", "https://-h", "h/../i", "h\\i", "a b", ".",
     "h:port", "\u00e9.hill", "h\n"],
)  # fmt: skip
def test_addresses_that_are_none(field: str, value: object) -> None:
    with pytest.raises(
        InvalidParameters, match=f"cloudName AzureStackCloud is not valid, error: {field} is "
    ) as caught:
        described(json.dumps(HILL | {field: value}).encode(), "AzureStackCloud")
    assert caught.value.path == "parameters.cloudEnvFileName"


@pytest.mark.parametrize(
    ("contents", "why"),
    [(b"", "is not JSON"), (b"{", "is not JSON"), (b"\xff\xfe", "is not JSON"), (b"[" * 100_000, "is not JSON"),
     (b"[]", "holds no JSON object"), (b"null", "holds no JSON object"), (b'"x"', "holds no JSON object")],
)  # fmt: skip
def test_files_that_are_none(contents: bytes, why: str) -> None:
    with pytest.raises(InvalidParameters, match=why):
        described(contents, "AzureStackCloud")
