"""CSI Identity: who answers on this socket (kubelet's registrar and the livenessprobe ask)."""

# ruff: noqa: N802, ARG002 -- names and arguments are the wire's

import logging
from collections.abc import Callable
from importlib.metadata import version

import grpc
from google.protobuf import wrappers_pb2

from sscsi_driver.csi import csi_pb2, csi_pb2_grpc

log = logging.getLogger(__name__)


class IdentityServicer(csi_pb2_grpc.IdentityServicer):
    """Name, version, and that we are ready; no capabilities, for there is no controller.

    Args:
        driver_name: of the CSIDriver object.
        refusal: why this driver can't serve in this cluster; empty = it can. Asked whenever somebody registers it.
    """

    def __init__(self, driver_name: str, refusal: Callable[[], str] = lambda: "") -> None:
        self._driver_name = driver_name
        self._refusal = refusal

    def GetPluginInfo(
        self, request: csi_pb2.GetPluginInfoRequest, context: grpc.ServicerContext
    ) -> csi_pb2.GetPluginInfoResponse:
        """The driver's name and version; refused where it can't serve, so that kubelet never registers it."""
        if not self._driver_name:
            context.abort(grpc.StatusCode.UNAVAILABLE, "driver name not configured")
        if refusal := self._refusal():
            log.error("not registering: %s", refusal)
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, refusal)
        return csi_pb2.GetPluginInfoResponse(name=self._driver_name, vendor_version=f"v{version('sscsi-driver')}")

    def GetPluginCapabilities(
        self, request: csi_pb2.GetPluginCapabilitiesRequest, context: grpc.ServicerContext
    ) -> csi_pb2.GetPluginCapabilitiesResponse:
        """None."""
        return csi_pb2.GetPluginCapabilitiesResponse()

    def Probe(self, request: csi_pb2.ProbeRequest, context: grpc.ServicerContext) -> csi_pb2.ProbeResponse:
        """Ready: that depends on no provider and no backend."""
        return csi_pb2.ProbeResponse(ready=wrappers_pb2.BoolValue(value=True))
