"""The metadata server: which cluster this node belongs to, and the node's own token.

Facts are read once, in a thread of their own: a server that is silent costs a mount at most one short wait, and none
where the environment says the facts or a federation file is there.
"""

import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed, BackendUnavailable, clip
from sscsi_shared.http import Answer, HttpClient, HttpFailed
from sscsi_shared.secret import SecretText

log = logging.getLogger(__name__)

HOST: Final = "169.254.169.254"
"""The metadata server of Google's machines; GCE_METADATA_HOST names another."""
WAIT_SECONDS: Final = 3.0
AGAIN_SECONDS: Final = 30.0
_ASK_SECONDS: Final = 3.0
_ROOT: Final = "/computeMetadata/v1/"
_HEADERS: Final = {"Metadata-Flavor": "Google"}
_FACT: Final = re.compile(r"[a-z0-9][a-z0-9.:-]{0,62}")
"""Of a project's id, a location and a cluster's name (a domain may stand before a project's id)."""
_PATHS: Final = {
    "PROJECT": "project/project-id",
    "CLUSTER_LOCATION": "instance/attributes/cluster-location",
    "CLUSTER_NAME": "instance/attributes/cluster-name",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """A GKE cluster."""

    project: str
    location: str
    cluster: str


class Metadata:
    """Asks the metadata server.

    Args:
        host: host, or host and port.
    """

    def __init__(self, host: str = HOST) -> None:
        self._client = HttpClient(f"http://{host}", direct=True)

    def text(self, path: str, deadline: Deadline) -> str:
        """An attribute.

        Raises:
            BackendUnavailable: no answer, or another than 200.
        """
        return self._ask(path, deadline).body.decode("utf-8", "replace").strip()

    def token(self, scope: str, deadline: Deadline) -> tuple[SecretText, float]:
        """An access token of the node's service account, and the seconds that it lasts.

        Raises:
            BackendUnavailable: no answer, or none with a token.
        """
        path = f"instance/service-accounts/default/token?scopes={quote(scope, safe='')}"
        document: Mapping[str, Any] = self._ask(path, deadline).document()
        token, seconds = document.get("access_token"), document.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(seconds, int | float):
            raise BackendUnavailable("The metadata server's answer has no token.")
        return SecretText(token), float(seconds)

    def _ask(self, path: str, deadline: Deadline) -> Answer:
        try:
            answer = self._client.request("GET", _ROOT + path, headers=_HEADERS, deadline=deadline.within(_ASK_SECONDS))
        except HttpFailed as error:
            raise BackendUnavailable(f"The metadata server {error}.") from error
        if answer.status != 200:
            raise BackendUnavailable(f"The metadata server answers {answer.status} for {path.partition('?')[0]}.")
        return answer


class MetadataFacts:
    """The facts of the cluster; each from the environment, or else from the metadata server, once.

    Args:
        metadata: the server.
        environ: PROJECT, CLUSTER_LOCATION and CLUSTER_NAME; an empty one says nothing.
        wait: between tries, until it is set or the seconds have passed; returns at once in tests.
    """

    def __init__(
        self, metadata: Metadata, environ: Mapping[str, str], wait: Callable[[float], object] | None = None
    ) -> None:
        self._metadata = metadata
        self._said = {name: environ[name] for name in _PATHS if environ.get(name)}
        self._tried = threading.Event()
        self._wait = wait or threading.Event().wait
        self._lock = threading.Lock()
        self._facts: Facts | None = self._whole()
        self._problem = ""
        self._thread: threading.Thread | None = None

    @property
    def known(self) -> bool:
        """Whether they are known already."""
        return self._facts is not None

    def begin(self) -> None:
        """Start to ask, unless it was begun or there is nothing to ask."""
        with self._lock:
            if self._facts is None and self._thread is None:
                self._thread = threading.Thread(target=self._ask_until_known, name="metadata", daemon=True)
                self._thread.start()

    def get(self, deadline: Deadline) -> Facts:
        """The facts; waits at most WAIT_SECONDS, and only until the first try has ended.

        Raises:
            AuthenticationFailed: they are not known.
        """
        if self._facts is None:
            self.begin()
            self._tried.wait(deadline.at_most(WAIT_SECONDS))
        if self._facts is None:
            raise AuthenticationFailed(
                "unable to obtain workload identity auth: the cluster's project, location and name are not known: "
                f"{self._problem or 'the metadata server does not answer.'}",
                hint="On GKE, enable workload identity on the node pool. Elsewhere, set workloadIdentityProvider in "
                "the class, or GOOGLE_APPLICATION_CREDENTIALS of the provider to an external_account file.",
            )
        return self._facts

    def _ask_until_known(self) -> None:
        while not self.known:
            try:
                for name, path in _PATHS.items():
                    if name not in self._said:
                        self._said[name] = self._fact(path)
                self._facts = self._whole()
            except BackendUnavailable as error:
                self._problem = str(error)
                log.warning("the cluster's facts are not known yet: %s", error)
            finally:
                self._tried.set()
            if not self.known:
                self._wait(AGAIN_SECONDS)

    def _fact(self, path: str) -> str:
        """It becomes part of an audience: whatever answers in the metadata server's place may not write one."""
        text = self._metadata.text(path, Deadline.after(_ASK_SECONDS))
        if not _FACT.fullmatch(text):
            what = f"answers {clip(text, 64)!r}" if text else "has nothing"
            raise BackendUnavailable(f"The metadata server {what} for {path}.")
        return text

    def _whole(self) -> Facts | None:
        project, location, cluster = (self._said.get(name, "") for name in _PATHS)
        return Facts(project, location, cluster) if project and location and cluster else None
