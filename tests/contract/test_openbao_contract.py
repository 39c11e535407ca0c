"""The contract suite on the Vault provider with OpenBao's own server behind it: one half in each dialect."""

from collections.abc import Iterator

import pytest

from openbao_stage import NO_SERVER, OpenBaoStage
from sscsi_emulators.openbao import OpenBao, binary
from sscsi_provider_vault.dialects import DIALECTS
from sscsi_shared.testing.contract import ProviderContract
from sscsi_shared.testing.economy_contract import EconomyContract


@pytest.fixture(scope="module")
def server() -> Iterator[OpenBao]:
    if binary() is None:
        pytest.skip(NO_SERVER)
    with OpenBao() as server:
        yield server


class TestOpenBaoProvider(ProviderContract):
    @pytest.fixture
    def stage(self, server: OpenBao) -> Iterator[OpenBaoStage]:
        with OpenBaoStage(server, DIALECTS["openbao"]) as stage:
            yield stage


class TestOpenBaoEconomy(EconomyContract):
    @pytest.fixture
    def stage(self, server: OpenBao) -> Iterator[OpenBaoStage]:
        with OpenBaoStage(server, DIALECTS["vault"]) as stage:
            yield stage
