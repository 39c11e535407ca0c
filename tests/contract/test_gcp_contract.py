"""The contract suite on the Google Cloud provider."""

from collections.abc import Iterator

import pytest

from gcp_stage import GcpStage
from sscsi_shared.testing.contract import ProviderContract
from sscsi_shared.testing.economy_contract import EconomyContract


class TestGcpProvider(ProviderContract):
    @pytest.fixture
    def stage(self) -> Iterator[GcpStage]:
        with GcpStage() as stage:
            yield stage


class TestGcpEconomy(EconomyContract):
    @pytest.fixture
    def stage(self) -> Iterator[GcpStage]:
        with GcpStage() as stage:
            yield stage
