"""Mounts from before: kept, taken down when half-made, swept when their pod is gone."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from driver_rig import INTERVAL, LIMITS, Driver, mounts, needs_mount, status_files
from scripted_provider import ScriptedProvider
from sscsi_driver import tmpfs
from sscsi_driver.recovery import ORPHAN_SECONDS, NobodyKnows, PodsOfNode, Recovery

pytestmark = needs_mount


class MemoryPods:
    def __init__(self, *uids: str) -> None:
        self.alive: frozenset[str] | None = frozenset(uids)
        self.asked = 0

    def uids(self) -> frozenset[str] | None:
        self.asked += 1
        return self.alive


def note(target: Path, driver: str = "driver") -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    (target.parent / "vol_data.json").write_text(json.dumps({"driverName": driver}))


def recovery(driver: Driver, pods: PodsOfNode) -> Recovery:
    return Recovery(
        volumes=driver.volumes,
        publisher=driver.publisher,
        pods=pods,
        driver_name="driver",
        clock=lambda: driver.now,
    )


@pytest.fixture
def before(start: Callable[..., Driver], provider: ScriptedProvider, target: Path) -> None:
    """A volume that an earlier driver filled."""
    note(target)
    first = start()
    first.publish(target)
    first.stop()


@pytest.mark.usefixtures("before")
class TestFilled:
    def test_of_a_living_pod_stays_and_rotates_with_its_next_publish(
        self, rotating: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        pods = MemoryPods("uid-1")
        recovering = recovery(rotating, pods)
        recovering.look()
        rotating.now += 10 * ORPHAN_SECONDS
        recovering.look()
        assert mounts(home) == [str(target)]
        assert pods.asked == 1, "whoever is known to live is not asked for again"
        assert rotating.rotate() == 0, "its tokens were in the memory of the driver that died"
        rotating.publish(target)
        assert rotating.rotate() == 1
        rotating.now += INTERVAL
        assert rotating.rotate() == 1

    def test_of_a_pod_that_is_gone_is_swept_after_a_while(self, driver: Driver, home: Path, target: Path) -> None:
        recovering = recovery(driver, MemoryPods("uid-2"))
        recovering.look()
        driver.now += ORPHAN_SECONDS - 1
        recovering.look()
        assert mounts(home) == [str(target)]
        driver.now += 1
        recovering.look()
        assert mounts(home) == []
        assert not target.parent.exists(), "kubelet's clean-up would fail for ever on vol_data.json"
        assert status_files(home) == {}

    def test_of_a_pod_that_comes_back_stays(self, driver: Driver, home: Path, target: Path) -> None:
        pods = MemoryPods()
        recovering = recovery(driver, pods)
        recovering.look()
        pods.alive = frozenset({"uid-1"})
        driver.now += ORPHAN_SECONDS
        recovering.look()
        pods.alive = frozenset()
        driver.now += ORPHAN_SECONDS
        recovering.look()
        assert mounts(home) == [str(target)]

    def test_published_meanwhile_stays(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        pods = MemoryPods()
        recovering = recovery(driver, pods)
        recovering.look()
        driver.publish(target)
        driver.now += ORPHAN_SECONDS
        recovering.look()
        assert mounts(home) == [str(target)]
        assert pods.asked == 1

    def test_with_the_api_server_away_nothing_is_lost(self, driver: Driver, home: Path, target: Path) -> None:
        pods = MemoryPods()
        pods.alive = None
        recovering = recovery(driver, pods)
        for _ in range(3):
            recovering.look()
            driver.now += ORPHAN_SECONDS
        assert mounts(home) == [str(target)]
        pods.alive = frozenset()
        recovering.look()
        assert mounts(home) == [str(target)], "its time begins when it is known to be gone"

    def test_of_another_driver_is_none_of_ours(self, driver: Driver, home: Path, target: Path) -> None:
        note(target, "secrets.example.com")
        recovering = recovery(driver, MemoryPods())
        for _ in range(2):
            recovering.look()
            driver.now += ORPHAN_SECONDS
        assert mounts(home) == [str(target)]

    def test_outside_of_a_cluster_nothing_is_swept(self, driver: Driver, home: Path, target: Path) -> None:
        recovering = recovery(driver, NobodyKnows())
        for _ in range(2):
            recovering.look()
            driver.now += ORPHAN_SECONDS
        assert mounts(home) == [str(target)]


class TestHalfMade:
    @pytest.fixture(autouse=True)
    def half(self, target: Path) -> None:
        note(target)
        target.mkdir(parents=True)
        tmpfs.mount(target, LIMITS)
        (target / "..unfinished").touch()
        (target / "password").write_bytes(b"half")

    def test_is_taken_down_at_once(
        self, driver: Driver, home: Path, target: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        recovery(driver, MemoryPods("uid-1")).look()
        assert mounts(home) == []
        assert target.exists(), "kubelet publishes it again"
        assert "took the half-made volume" in caplog.text

    def test_and_its_folder_goes_with_its_pod(self, driver: Driver, home: Path, target: Path) -> None:
        recovering = recovery(driver, MemoryPods())
        recovering.look()
        driver.now += ORPHAN_SECONDS
        recovering.look()
        assert not target.parent.exists()
