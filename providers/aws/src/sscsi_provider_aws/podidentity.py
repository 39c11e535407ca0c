"""EKS Pod Identity: the agent on the node exchanges the pod's token for credentials.

The agent listens on a link-local address of each family (EKS documentation). A node has one of them or both, and right
after its start none: so both are tried, the second one a moment later, and what answered is remembered.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from sscsi_provider_aws.clients import AwsCredentials
from sscsi_provider_aws.identity import AwsIdentity, WebIdentity
from sscsi_provider_aws.parameters import AddressType
from sscsi_shared.daemon.metrics import backend_call
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed, BackendThrottled, BackendUnavailable, MountError, OutOfTime, clip
from sscsi_shared.fetch import leaf
from sscsi_shared.http import Answer, HttpClient, HttpFailed
from sscsi_shared.secret import SecretText

AUDIENCE: Final = "pods.eks.amazonaws.com"
OPERATION: Final = "podidentity.GetCredentials"
HEAD_START_SECONDS: Final = 0.3
REQUEST_SECONDS: Final = 5.0
_PATH: Final = "/v1/credentials"
_TRIES: Final = 5
_FIRST_PAUSE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class AgentAddresses:
    """Where the agent listens, scheme and host for each family."""

    ipv4: str = "http://169.254.170.23"
    ipv6: str = "http://[fd00:ec2::23]"


EKS_OWN: Final = AgentAddresses()


class PodIdentityAgent:
    """The node's agent.

    Args:
        addresses: where it listens.
        seconds: how long one request may take.
        head_start: seconds before the second address is tried beside the first.
        pause: sleeps between tries; returns at once in tests.
    """

    def __init__(
        self,
        addresses: AgentAddresses,
        seconds: float = REQUEST_SECONDS,
        *,
        head_start: float = HEAD_START_SECONDS,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._clients = {
            AddressType.IPV4: HttpClient(addresses.ipv4, direct=True),
            AddressType.IPV6: HttpClient(addresses.ipv6, direct=True),
        }
        self._seconds = seconds
        self._head_start = head_start
        self._pause = pause
        self._winner = AddressType.IPV4

    def credentials(self, identity: AwsIdentity, proof: WebIdentity, deadline: Deadline) -> AwsCredentials:
        """Exchange the token; tried again while the agent does not answer or is broken.

        Raises:
            AuthenticationFailed: the agent refused.
            BackendUnavailable, BackendThrottled, OutOfTime: it did not answer.
        """
        kinds = self._order(AddressType(identity.address_type))
        pause = _FIRST_PAUSE_SECONDS
        failure: MountError = OutOfTime(f"{identity.first}: there was no time left to ask the Pod Identity agent.")
        for last in (False,) * (_TRIES - 1) + (True,):
            if deadline.expired:
                break
            try:
                answer = self._race(kinds, proof.token, deadline)
            except HttpFailed as error:
                failure = BackendUnavailable(
                    f"{identity.first}: the Pod Identity agent gives no answer: {error}.",
                    hint="See whether the DaemonSet eks-pod-identity-agent runs on this node, whether network policies "
                    "let the provider reach it, and whether preferredAddressType suits the node.",
                )
                failure.__cause__ = error
            else:
                if answer.status == 200:
                    return _credentials(answer, identity)
                failure = _refused(answer, identity)
                if not failure.transient:
                    break
            if last or deadline.remaining() <= pause:
                break
            self._pause(pause)
            pause *= 2
        raise failure

    def _order(self, wanted: AddressType) -> list[AddressType]:
        if wanted is not AddressType.AUTO:
            return [wanted]
        first = self._winner
        return [first, AddressType.IPV6 if first is AddressType.IPV4 else AddressType.IPV4]

    def _race(self, kinds: Sequence[AddressType], token: SecretText, deadline: Deadline) -> Answer:
        """The first answer of any address.

        Raises:
            HttpFailed: none of them gave one.
        """
        news = threading.Event()
        flights: dict[AddressType, Future[Answer]] = {}
        for kind in kinds:
            flights[kind] = leaf(partial(self._ask, kind, token, deadline))
            flights[kind].add_done_callback(lambda _: news.set())
            ends = deadline if kind is kinds[-1] else deadline.within(self._head_start)
            while not ends.expired:
                with deadline.telling(news.set):
                    news.wait(ends.remaining())
                news.clear()
                for landed in [one for one, flight in flights.items() if flight.done() and not flight.exception()]:
                    self._winner = landed
                    return flights[landed].result()
                if all(flight.done() for flight in flights.values()):
                    break
        failures = [str(flight.exception()) for flight in flights.values() if flight.done()]
        raise HttpFailed(", ".join(failures) or "it did not answer in time")

    def _ask(self, kind: AddressType, token: SecretText, deadline: Deadline) -> Answer:
        try:
            answer = self._clients[kind].request(
                "GET", _PATH, headers={"Authorization": token.reveal()}, deadline=deadline.within(self._seconds)
            )
        except HttpFailed:
            backend_call(OPERATION, "no answer")
            raise
        backend_call(OPERATION, "ok" if answer.status == 200 else str(answer.status))
        return answer


def _credentials(answer: Answer, identity: AwsIdentity) -> AwsCredentials:
    said: dict[str, Any] = answer.document()
    try:
        parts = [said[name] for name in ("AccessKeyId", "SecretAccessKey", "Token")]
        ends = datetime.fromisoformat(str(said["Expiration"])).timestamp()
    except (KeyError, ValueError, OverflowError):
        parts, ends = [], 0.0
    if not parts or not all(isinstance(part, str) and part for part in parts):
        # No cause: it may hold a part of the credentials.
        raise BackendUnavailable(
            f"{identity.first}: the Pod Identity agent's answer holds no credentials.",
            hint="See the log of eks-pod-identity-agent on this node.",
        ) from None
    key, secret, token = (SecretText(part) for part in parts)
    return AwsCredentials(key, secret, token, ends)


def _refused(answer: Answer, identity: AwsIdentity) -> MountError:
    said = answer.document()
    words = ": ".join(clip(str(said[name]), 256) for name in ("code", "message") if said.get(name))
    text = f"{identity.first}: the Pod Identity agent refused: {words or f'HTTP status {answer.status}'}."
    if answer.status == 429:
        return BackendThrottled(text, retry_after=answer.retry_after)
    if answer.status >= 500:
        return BackendUnavailable(text, hint="See the log of eks-pod-identity-agent on this node.")
    return AuthenticationFailed(
        text,
        hint=f"Check that the cluster has a Pod Identity association for service account "
        f"{identity.namespace}/{identity.service_account}, and the trust policy of its role: pods.eks.amazonaws.com.",
    )
