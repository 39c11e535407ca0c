"""The contract suite on the Azure provider."""

from collections.abc import Iterator

import pytest

from azure_stage import AzureStage
from sscsi_shared.testing.contract import ProviderContract
from sscsi_shared.testing.economy_contract import EconomyContract


class TestAzureProvider(ProviderContract):
    @pytest.fixture
    def stage(self) -> Iterator[AzureStage]:
        with AzureStage() as stage:
            yield stage


class TestAzureEconomy(EconomyContract):
    @pytest.fixture
    def stage(self) -> Iterator[AzureStage]:
        with AzureStage() as stage:
            yield stage
