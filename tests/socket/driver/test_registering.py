"""What node-driver-registrar and livenessprobe ask (csi-lib-utils: Probe, GetPluginInfo), and when they are refused."""

import grpc
import pytest

from driver_rig import Driver, failure, needs_mount
from sscsi_driver.attributes import DriverObject, refusal
from sscsi_driver.csi import csi_pb2

pytestmark = needs_mount
OFF = DriverObject(token_requests=True, tokens_in_secrets=False, pod_info=False)
ON = DriverObject(token_requests=True, tokens_in_secrets=False, pod_info=True)


def test_the_driver_is_registered_by_its_name(driver: Driver) -> None:
    assert driver.identity.Probe(csi_pb2.ProbeRequest(), timeout=5).ready.value
    answer = driver.identity.GetPluginInfo(csi_pb2.GetPluginInfoRequest(), timeout=5)
    assert answer.name == "driver"
    assert answer.vendor_version.startswith("v")


def test_without_pod_info_it_is_not_registered_until_that_is_mended(driver: Driver) -> None:
    driver.classes.driver = OFF
    code, details = failure(lambda: driver.identity.GetPluginInfo(csi_pb2.GetPluginInfoRequest(), timeout=5))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "kubectl patch csidriver driver" in details
    assert driver.identity.Probe(csi_pb2.ProbeRequest(), timeout=5).ready.value, "a restart would not help"

    driver.classes.driver = ON
    assert driver.identity.GetPluginInfo(csi_pb2.GetPluginInfoRequest(), timeout=5).name == "driver"


@pytest.mark.parametrize(("driver_object", "refused"), [(None, False), (ON, False), (OFF, True)])
def test_what_the_object_says(driver_object: DriverObject | None, refused: bool) -> None:
    assert bool(refusal("driver", driver_object)) == refused
