"""The contract suite on the AWS provider."""

from collections.abc import Iterator

import pytest

from aws_stage import AwsStage
from sscsi_shared.testing.contract import ProviderContract
from sscsi_shared.testing.economy_contract import EconomyContract


class TestAwsProvider(ProviderContract):
    @pytest.fixture
    def stage(self) -> Iterator[AwsStage]:
        with AwsStage() as stage:
            yield stage


class TestAwsEconomy(EconomyContract):
    @pytest.fixture
    def stage(self) -> Iterator[AwsStage]:
        with AwsStage() as stage:
            yield stage
