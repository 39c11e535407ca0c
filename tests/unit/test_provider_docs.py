"""docs/providers names everything that there is, and nothing that there is not."""

from collections.abc import Collection

import pytest

import sscsi_provider_aws.__main__ as aws
import sscsi_provider_azure.__main__ as azure
import sscsi_provider_gcp.__main__ as gcp
import sscsi_provider_vault.__main__ as vault
from provider_pages import named
from sscsi_provider_aws.descriptors import FIELDS as AWS_FIELDS
from sscsi_provider_aws.parameters import KNOWN as AWS_KNOWN
from sscsi_provider_azure.objects import FIELDS as AZURE_FIELDS
from sscsi_provider_azure.parameters import KNOWN as AZURE_KNOWN
from sscsi_provider_gcp.parameters import FIELDS as GCP_FIELDS
from sscsi_provider_gcp.parameters import KNOWN as GCP_KNOWN
from sscsi_provider_vault.dialects import VAULT
from sscsi_provider_vault.parameters import FIELDS as VAULT_FIELDS
from sscsi_provider_vault.parameters import known
from sscsi_shared.daemon.flags import Flag
from sscsi_shared.daemon.klog import KLOG_FLAGS
from sscsi_shared.parameters import SESSION_SCOPE


def flags(all_of: Collection[Flag[object]]) -> set[str]:
    """Names; klog's are told together."""
    return {flag.name for flag in all_of} - {flag.name for flag in KLOG_FLAGS}


@pytest.mark.parametrize(
    ("cloud", "section", "there"),
    [
        ("aws", "Parameters of the class", {*AWS_KNOWN, SESSION_SCOPE}),
        ("aws", "Fields of an object", set(AWS_FIELDS)),
        ("aws", "Flags", flags(aws.FLAGS)),
        ("azure", "Parameters of the class", {*AZURE_KNOWN, SESSION_SCOPE}),
        ("azure", "Fields of an entry", set(AZURE_FIELDS)),
        ("azure", "Flags", flags(azure.FLAGS)),
        ("gcp", "Parameters of the class", {*GCP_KNOWN, SESSION_SCOPE}),
        ("gcp", "Fields of an entry", set(GCP_FIELDS)),
        ("gcp", "Flags", flags(gcp.FLAGS)),
        ("vault", "Parameters of the class", {*known(VAULT), SESSION_SCOPE}),
        ("vault", "Fields of an object", set(VAULT_FIELDS)),
        ("vault", "Flags", flags(vault.FLAGS)),
    ],
)
def test_everything_has_its_row(cloud: str, section: str, there: set[str]) -> None:
    rows = named(cloud, section)
    assert len(rows) == len(set(rows))
    assert set(rows) == there
