"""An identity of Azure, as tests of several rooms need one; each changes what it is about."""

from azure_stage import CLIENT
from sscsi_emulators.azure_logins import EXCHANGE
from sscsi_emulators.azure_store import TENANT
from sscsi_provider_azure.identity import Auth, AzureIdentity

IDENTITY = AzureIdentity(
    auth=Auth.WORKLOAD,
    namespace="shop",
    service_account="web",
    uid="uid",
    issuer="https://issuer.example",
    audience=EXCHANGE,
    tenant=TENANT,
    client=CLIENT,
    authority="https://login.microsoftonline.com",
    suffix="vault.azure.net",
    scope="https://vault.azure.net/.default",
    principal="",
    pod=None,
    operator=(),
)
