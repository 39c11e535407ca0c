"""What a person on the node may ask of the driver, on the CSI socket beside CSI: fetch volumes now (`sscsi refresh`).

The service is so small that it needs no messages of its own: a class as `namespace/name`, or nothing for all, and the
number of volumes in answer. Only root may open the socket.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import grpc
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from sscsi_driver.schedule import Group

SERVICE: Final = "sscsi.driver.v1.Driver"
METHOD: Final = "Refresh"


def add_to_server(force: Callable[[Callable[[Path, Group], bool]], int], server: grpc.Server) -> None:
    """Serve Refresh.

    Args:
        force: lets the volumes of the groups that are wanted be fetched now; how many.
        server: not started yet.
    """

    def refresh(request: StringValue, context: grpc.ServicerContext) -> Int32Value:
        namespace, slash, name = request.value.partition("/")
        if request.value and not (namespace and slash and name):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a class is namespace/name")
        return Int32Value(
            value=force(lambda _, group: not request.value or (group.namespace, group.of_class) == (namespace, name))
        )

    method = grpc.unary_unary_rpc_method_handler(
        refresh, request_deserializer=StringValue.FromString, response_serializer=Int32Value.SerializeToString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: method}),))


def refresh(channel: grpc.Channel, of_class: str, timeout: float) -> int:
    """Ask a driver for it.

    Args:
        channel: to its socket.
        of_class: `namespace/name`; empty = all.
        timeout: seconds.

    Returns:
        How many volumes it will fetch now.

    Raises:
        grpc.RpcError: it does not answer.
    """
    call = channel.unary_unary(
        f"/{SERVICE}/{METHOD}",
        request_serializer=StringValue.SerializeToString,
        response_deserializer=Int32Value.FromString,
    )
    answer: Int32Value = call(StringValue(value=of_class), timeout=timeout)
    return answer.value
