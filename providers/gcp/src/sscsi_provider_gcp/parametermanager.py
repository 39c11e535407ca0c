"""Parameter Manager: versions, rendered. The SDK is loaded by the first class that names a parameter."""

from typing import Any

import grpc

from sscsi_provider_gcp.calls import Caller
from sscsi_provider_gcp.resources import Resource
from sscsi_shared.deadline import Deadline
from sscsi_shared.mount import Read
from sscsi_shared.secret import SecretBytes


def client(channel: grpc.Channel) -> Any:
    """The SDK's client over a channel of ours; it looks for no credentials."""
    from google.cloud.parametermanager_v1 import ParameterManagerClient
    from google.cloud.parametermanager_v1.services.parameter_manager.transports import ParameterManagerGrpcTransport

    return ParameterManagerClient(transport=ParameterManagerGrpcTransport(channel=channel))


def read(caller: Caller, resource: Resource, deadline: Deadline) -> Read:
    """RenderParameterVersion: the payload with the secrets that it refers to in their places.

    Raises:
        ObjectError: why there is nothing.
        AuthenticationFailed: the token was refused.
    """
    answer = caller.call("render_parameter_version", resource, {"name": resource.name}, deadline)
    return Read.of(SecretBytes(bytes(answer.rendered_payload)), str(answer.parameter_version))
