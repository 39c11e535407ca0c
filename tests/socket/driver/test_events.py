"""What pods are told: once for each change of state."""

from pathlib import Path

import grpc
import pytest

from driver_rig import INTERVAL, Driver, failure, needs_mount
from scripted_provider import ScriptedProvider, always, refuse, volume
from sscsi_driver.attributes import DriverObject

pytestmark = needs_mount


def reasons(driver: Driver) -> list[str]:
    return [event.reason for event in driver.told]


def test_a_life_of_a_volume(rotating: Driver, provider: ScriptedProvider, target: Path) -> None:
    rotating.publish(target)
    rotating.publish(target)
    assert reasons(rotating) == ["Mounted"]
    assert "asked for again every 120 s" in rotating.told[0].message

    rotating.now += INTERVAL
    rotating.rotate()
    assert reasons(rotating) == ["Mounted"], "nothing has changed"

    provider.answer = always(volume(("password", b"two")))
    rotating.now += INTERVAL
    rotating.rotate()
    assert reasons(rotating) == ["Mounted", "Rotated"]

    provider.answer = refuse(grpc.StatusCode.PERMISSION_DENIED, "aws: role web may not read db. Grant it.")
    for _ in range(3):
        rotating.now += INTERVAL
        rotating.rotate()
    assert reasons(rotating) == ["Mounted", "Rotated", "RotationFailed"], "one event, not one for each try"
    assert rotating.told[-1].warning
    assert rotating.told[-1].message.endswith("aws: role web may not read db. Grant it.")

    provider.answer = refuse(grpc.StatusCode.NOT_FOUND, "aws: db is gone")
    rotating.now += INTERVAL
    rotating.rotate()
    assert reasons(rotating)[-1] == "RotationFailed"
    assert len(rotating.told) == 4, "another reason is news"


def test_a_failed_first_mount_is_kubelets_to_tell(rotating: Driver, provider: ScriptedProvider, target: Path) -> None:
    provider.answer = refuse(grpc.StatusCode.NOT_FOUND, "no such secret")
    failure(lambda: rotating.publish(target))
    assert rotating.told == []


def test_rotation_that_is_off_is_said(rotating: Driver, provider: ScriptedProvider, target: Path) -> None:
    rotating.classes.driver = DriverObject(True, False, True, republish=False)
    rotating.publish(target)
    (event,) = rotating.told
    assert event.warning
    assert "not asked for again. Rotation is off: the CSIDriver object driver has no requiresRepublish" in event.message
    assert "kubectl patch csidriver driver" in event.message


def test_where_nobody_wants_rotation_nothing_is_missing(
    driver: Driver, provider: ScriptedProvider, target: Path
) -> None:
    driver.classes.driver = DriverObject(True, False, True, republish=False)
    driver.publish(target)
    assert [(event.reason, event.warning) for event in driver.told] == [("Mounted", False)]


def test_kubelets_retries_are_one_line_of_the_log(
    driver: Driver, provider: ScriptedProvider, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    provider.answer = refuse(grpc.StatusCode.NOT_FOUND, "no such secret")
    for _ in range(4):
        failure(lambda: driver.publish(target))
    assert caplog.text.count("no such secret") == 1
    provider.answer = always(volume(("password", b"one")))
    driver.publish(target)
    driver.unpublish(target)
    provider.answer = refuse(grpc.StatusCode.NOT_FOUND, "no such secret")
    failure(lambda: driver.publish(target))
    assert caplog.text.count("no such secret") == 2
