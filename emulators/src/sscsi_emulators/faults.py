"""Faults that an emulator injects: what is matched, what is answered, how often."""

import threading
from dataclasses import dataclass


@dataclass(slots=True)
class Fault:
    """An answer in place of the backend's.

    Attributes:
        operation: such as `secretsmanager.GetSecretValue`; with `*` at its end all that begin so.
        status: HTTP status; 0 = the connection is dropped without an answer.
        code: the backend's error code.
        message: its message.
        times: how often; None = until cleared.
        retry_after: the Retry-After header in seconds; None = none.
        page: what is answered as HTML, as a proxy in between would, by AWS's emulator alone; None = in the backend's
            form.
    """

    operation: str
    status: int
    code: str
    message: str
    times: int | None = None
    retry_after: int | None = None
    page: str | None = None

    def matches(self, operation: str) -> bool:
        """Whether it is for this operation."""
        start = self.operation.removesuffix("*")
        return operation == start or (start != self.operation and operation.startswith(start))


class Faults:
    """The faults in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """From now on."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """No more faults."""
        with self._lock:
            self._faults.clear()

    def take(self, operation: str) -> Fault | None:
        """The fault for this request, counted; None = let it through."""
        with self._lock:
            for fault in self._faults:
                if not fault.matches(operation):
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times == 0:
                        self._faults.remove(fault)
                return fault
        return None
