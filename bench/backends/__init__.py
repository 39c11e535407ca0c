"""The clouds that the bench measures; a further one is a class that follows `Backend`, and its line in `ALL`."""

from typing import Final

from bench.backends.aws import AwsBackend
from bench.backends.azure import AzureBackend
from bench.backends.backend import Backend, Promises
from bench.backends.gcp import GcpBackend
from bench.backends.vault import VaultBackend

__all__ = ["ALL", "AwsBackend", "Backend", "Promises"]

ALL: Final[tuple[type[Backend], ...]] = (AwsBackend, GcpBackend, VaultBackend, AzureBackend)
