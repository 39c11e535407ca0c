"""The contract suite on the Vault provider."""

from collections.abc import Iterator

import pytest

from sscsi_shared.testing.contract import ProviderContract
from sscsi_shared.testing.economy_contract import EconomyContract
from vault_stage import VaultStage


class TestVaultProvider(ProviderContract):
    @pytest.fixture
    def stage(self) -> Iterator[VaultStage]:
        with VaultStage() as stage:
            yield stage


class TestVaultEconomy(EconomyContract):
    @pytest.fixture
    def stage(self) -> Iterator[VaultStage]:
        with VaultStage() as stage:
            yield stage
