"""The contract suite, on the smallest provider that there is."""

import json

import pytest

from memory_stage import MemoryStage
from sscsi_shared.testing.caller import Caller
from sscsi_shared.testing.contract import ProviderContract
from sscsi_shared.testing.economy_contract import EconomyContract
from sscsi_shared.testing.stage import Stage


class TestMemoryProvider(ProviderContract):
    @pytest.fixture
    def stage(self) -> MemoryStage:
        return MemoryStage()

    def test_an_absent_optional_object_leaves_no_trace(self, caller: Caller, stage: Stage) -> None:
        caller.put("shop-db")
        entries = [{"objectName": "shop-db"}, {"objectName": "shop-gone", "optional": True}]
        attributes = caller.attributes() | {"objects": json.dumps(entries)}
        volume = caller.volume(attributes=json.dumps(attributes))
        assert (list(volume.files), list(volume.versions)) == (["shop-db"], ["shop-db"])

    def test_a_class_without_objects_mounts(self, caller: Caller) -> None:
        volume = caller.volume()
        assert (volume.files, volume.versions) == ({}, {"sscsi/empty": "0"})

    def test_a_backend_may_say_how_long_to_wait(self, caller: Caller, stage: Stage) -> None:
        wanted = caller.put("shop-db")
        stage.throttle()
        answer = caller.mount(*wanted)
        assert getattr(answer, "retry_after", None) == "3"


class TestMemoryEconomy(EconomyContract):
    @pytest.fixture
    def stage(self) -> MemoryStage:
        return MemoryStage()
