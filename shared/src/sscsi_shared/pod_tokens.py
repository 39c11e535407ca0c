"""The service account token of a mount: the request's own, and only without one a token that we ask the API server for.

A token that was asked for is kept for its pod until a fifth of its life is left, so that a rotation costs no call.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sscsi_shared.cluster import Cluster, TokenRequest
from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.errors import AuthenticationFailed
from sscsi_shared.mount import MountInput, PodInfo
from sscsi_shared.secret import SecretText
from sscsi_shared.tokens import Proof, audiences_of, prove

TOKEN_SECONDS: Final = 900
"""Asked for (TokenRequest takes no less than 600)."""
_MAX_KEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class PodToken:
    """A token that proves whose it is.

    Attributes:
        token: the JWT.
        audience: whom it is for.
        proof: what it says of itself.
    """

    token: SecretText
    audience: str
    proof: Proof


class PodTokens:
    """Finds tokens.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, now: Clock = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[PodInfo, str], PodToken] = OrderedDict()

    def token(
        self,
        mount: MountInput,
        audiences: Sequence[str],
        cluster: Cluster,
        deadline: Deadline,
        *,
        context: str = "",
        instead: str | None = None,
    ) -> PodToken:
        """The token for the first of some audiences that the request has; else a new one, for the first audience.

        Args:
            mount: the request.
            audiences: any of them will do; the one that is preferred first.
            cluster: asked only where the request has no tokens at all.
            deadline: of that question.
            context: the beginning of messages, without a colon.
            instead: audience of a token that is made where the request has none that fits; empty = the API server's
                own. None = where the request has any, one of them must fit.

        Raises:
            AuthenticationFailed: the request's tokens can't be read, whatever `instead` says; it has tokens and none
                fits; its token proves nothing; or none can be made.
        """
        absent = not mount.tokens.present and not mount.tokens.problem
        if absent and instead is None:
            return self._made(mount.pod, audiences[0], cluster, deadline, context)
        for audience in audiences:
            if found := mount.tokens.find(audience):
                proof = prove(found, pod=mount.pod, audience=audience, now=self._now(), context=context)
                return PodToken(found.token, audience, proof)
        if instead is not None and not mount.tokens.problem:
            return self._made(mount.pod, instead, cluster, deadline, context)
        mount.tokens.for_audience(audiences[0], context=context)
        raise AssertionError("for_audience raises where find finds nothing")

    def _made(self, pod: PodInfo, audience: str, cluster: Cluster, deadline: Deadline, context: str) -> PodToken:
        if not pod.uid or not pod.service_account:
            raise AuthenticationFailed(
                "The request does not say which pod it is for.",
                hint="The CSIDriver object needs spec.podInfoOnMount: true.",
            )
        key = pod, audience
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and kept.proof.expires_at - self._now() > TOKEN_SECONDS / 5:
            return kept
        wanted = (audience,) if audience else ()
        token = cluster.create_token(TokenRequest(pod, wanted, TOKEN_SECONDS), deadline)
        for_whom = audience or audiences_of(token)[0]
        made = PodToken(token, for_whom, prove(token, pod=pod, audience=for_whom, now=self._now(), context=context))
        with self._lock:
            self._kept[key] = made
            self._kept.move_to_end(key)
            while len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)
        return made
