"""A refusal of the stand-in, in the form of a real API server's."""

from collections.abc import Mapping
from typing import Any


class Status(Exception):
    """A request that is not answered with its object.

    Attributes:
        code: the HTTP status.
        body: the Status object.
    """

    def __init__(self, code: int, body: dict[str, Any]) -> None:
        super().__init__(body["message"])
        self.code = code
        self.body = body


def failure(code: int, reason: str, message: str, details: Mapping[str, Any] | None = None) -> Status:
    """A Status of the kind Failure."""
    body: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
    }
    if reason:  # a 500 has none
        body["reason"] = reason
    if details is not None or reason in {"MethodNotAllowed", "NotAcceptable"}:
        body["details"] = dict(details or {})
    return Status(code, body | {"code": code})
