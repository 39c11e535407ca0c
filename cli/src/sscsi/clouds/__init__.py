"""The clouds that the demo plays: each a backend on this machine, and the flags of the provider that reads it.

A further one is a module here with a class that follows `cloud.Cloud`, and its line in `ALL`.
"""

from typing import Final

from sscsi.clouds.aws import AwsCloud
from sscsi.clouds.azure import AzureCloud
from sscsi.clouds.cloud import Cloud, Ground
from sscsi.clouds.gcp import GcpCloud
from sscsi.clouds.vault import VaultCloud

__all__ = ["ALL", "AwsCloud", "AzureCloud", "Cloud", "GcpCloud", "Ground", "VaultCloud"]

ALL: Final[tuple[type[Cloud], ...]] = (AwsCloud, GcpCloud, VaultCloud, AzureCloud)
"""In the order in which the demo shows them; the first is the one whose story it tells whole."""
