"""The API server as the driver asks it: a limit of time, 429 obeyed, and failures in words that hold no object."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Self, TypeVar

import grpc
import httpx2
from lightkube import ApiError, Client, KubeConfig
from lightkube.config import client_adapter
from lightkube.config.client_adapter import ConnectionParams
from lightkube.core.exceptions import ConfigError

from sscsi_driver.errors import ErrorType, PublishError
from sscsi_shared.api_status import told
from sscsi_shared.deadline import Clock, Deadline

T = TypeVar("T")

TIMEOUT_SECONDS: Final = 10.0
"""For each step of one request."""
ASK_SECONDS: Final = 20.0
"""For a question with all its tries."""
_FIRST_PAUSE_SECONDS: Final = 1.0
_MAX_PAUSE_SECONDS: Final = 60.0
"""Whatever stands between us and the API server may ask for more; nobody could mount meanwhile."""
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_INVALID: Final = 422
_TOO_MANY: Final = 429


class KubeError(PublishError):
    """A question that the API server did not answer with what was asked for.

    Attributes:
        said: why, without what was asked.
    """

    def __init__(self, doing: str, said: str) -> None:
        super().__init__(
            f"failed to {doing}: {said}", code=grpc.StatusCode.UNKNOWN, error_type=ErrorType.API_SERVER_ERROR
        )
        self.said = said


class Forbidden(KubeError):
    """403: a right is missing."""


class Absent(KubeError):
    """404."""


class Conflict(KubeError):
    """409: it is there already, or somebody else has changed it."""


class Invalid(KubeError):
    """422: the object is wrong, or a JSON patch's test failed."""


class Silent(KubeError):
    """No answer, or one that says that the API server is in trouble: it may pass by itself."""


_NO_ANSWER: Final = (
    *(httpx2.HTTPError, ConfigError, OSError),
    # without a type, broken JSON, JSON that is no object, or nested beyond measure
    *(AttributeError, KeyError, ValueError, TypeError, RecursionError),
)
_KINDS: Final[dict[int, type[KubeError]]] = {
    _FORBIDDEN: Forbidden,
    _NOT_FOUND: Absent,
    _CONFLICT: Conflict,
    _INVALID: Invalid,
}


class Kube:
    """Asks the API server.

    When it asks to be left alone for a while (429), all questions wait for it: they count as one flow (recording 16).

    Args:
        client: of the API server, for objects.
        http: of the same, for what that client can't ask for.
        clock: seconds that only grow.
        wait: sleeps; returns at once in tests.
    """

    def __init__(
        self,
        client: Client,
        http: httpx2.Client,
        clock: Clock = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._client = client
        self._http = http
        self._clock = clock
        self._wait = wait
        self._lock = threading.Lock()
        self._closed_until = float("-inf")

    @classmethod
    def connect(cls, kubeconfig: str) -> Self:
        """The API server of a kubeconfig file, or of the cluster that this pod runs in.

        Raises:
            OSError: the kubeconfig, or the pod's own token, can't be used.
        """
        timeout = httpx2.Timeout(TIMEOUT_SECONDS)
        try:
            config = KubeConfig.from_file(kubeconfig) if kubeconfig else KubeConfig.from_service_account()
            client = Client(config=config, timeout=timeout, trust_env=False)
            http = client_adapter.Client(client.config, ConnectionParams(timeout=timeout, trust_env=False))
        except ConfigError as error:
            raise OSError(f"the API server can't be reached: {error}") from error
        return cls(client, http)

    def ask(self, doing: str, question: Callable[[Client], T]) -> T:
        """Ask, for at most 20 s with all tries; a request that has begun may take up to 10 s more.

        Args:
            doing: what, for messages: `get secretproviderclasses`.
            question: sends requests, and returns what came.

        Raises:
            KubeError: Forbidden, Absent, Conflict, Invalid, Silent, or plainly refused.
        """
        deadline = Deadline.after(ASK_SECONDS, self._clock)
        while True:
            self._hold_back(doing, deadline)
            try:
                return question(self._client)
            except httpx2.HTTPStatusError as error:
                pause = _retry_after(error.response)
                if pause is None:
                    raise _refusal(doing, error) from error
                self._close_for(pause)
            except _NO_ANSWER as error:
                raise Silent(doing, f"the API server did not answer ({type(error).__name__})") from error

    def read(self, doing: str, path: str, query: Mapping[str, str], accept: str) -> Mapping[str, Any]:
        """GET; a JSON object.

        Args:
            doing: see ask.
            path: `/api/v1/pods`.
            query: parameters.
            accept: content types.

        Raises:
            KubeError: see ask.
        """

        def question(_: Client) -> Mapping[str, Any]:
            answer = self._http.get(path, params=query, headers={"Accept": accept})
            if answer.is_error and answer.headers.get("Content-Type") == "application/json":
                raise ApiError(request=answer.request, response=answer)
            return dict(answer.raise_for_status().json())

        return self.ask(doing, question)

    def _hold_back(self, doing: str, deadline: Deadline) -> None:
        """Wait until the API server may be asked."""
        while (pause := self._closed_until - self._clock()) > 0:
            if pause >= deadline.remaining():
                raise Silent(doing, "the API server has too much to do, and asks to be left alone")
            self._wait(pause)

    def _close_for(self, seconds: float) -> None:
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds after which to ask again; None = it would answer the same.

    The header is a whole number (recording 16); 429 counts without it too.
    """
    text = response.headers.get("Retry-After", "")
    if response.status_code != _TOO_MANY and not (response.status_code >= 500 and text):
        return None
    wish = float(text) if text.isascii() and text.isdecimal() else 0.0
    return min(max(wish, _FIRST_PAUSE_SECONDS), _MAX_PAUSE_SECONDS)


def _refusal(doing: str, error: httpx2.HTTPStatusError) -> KubeError:
    code = error.response.status_code
    kind = _KINDS.get(code, Silent if code >= 500 else KubeError)
    return kind(doing, told(code, error.status.to_dict() if isinstance(error, ApiError) else {}))
