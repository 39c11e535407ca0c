"""What most providers have in common, so that a new one says only what is its own.

A plain provider reads objects by their names, each by itself, from one place, as the pod's service account:

    objects: |
      - objectName: db-password
        path: database/password     # by default the name
        mode: "0400"                # by default what the driver says
        optional: true              # by default false; this and more: docs/object-fields.md

`docs/fifth-provider.md` is one of forty lines.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from sscsi_shared import yaml_tree
from sscsi_shared.deadline import Deadline, Instant
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    BackendUnavailable,
    MountError,
    ObjectError,
    ObjectNotFound,
)
from sscsi_shared.fetch import fetch_each
from sscsi_shared.http import Answer
from sscsi_shared.mount import MountInput, Place, PlannedRead, PodInfo, Read
from sscsi_shared.object_fields import OBJECT_FIELDS, file_mode, object_fields
from sscsi_shared.parameters import Parameters
from sscsi_shared.paths import Naming
from sscsi_shared.provider import Login
from sscsi_shared.tokens import ServiceAccountToken, ServiceAccountTokens, prove
from sscsi_shared.yaml_records import Record, records

EVERYWHERE: Final = Place("everywhere")
FIELDS: Final = ("objectName", "path", "mode", *OBJECT_FIELDS)


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Rule: every fact that changes where a call goes, as whom, or what comes back.

    Attributes:
        namespace: of the service account.
        name: of the service account.
        issuer: of its token: the cluster.
        audience: of its token: the backend.
    """

    namespace: str
    name: str
    issuer: str
    audience: str


@dataclass(frozen=True, slots=True)
class NamedObjects:
    """A class and a pod, read.

    Attributes:
        reads: what will be read, and the files that come of it.
        pod: whose volume it is.
        tokens: of its service account.
    """

    reads: tuple[PlannedRead[str], ...]
    pod: PodInfo
    tokens: ServiceAccountTokens

    @classmethod
    def of(cls, mount: MountInput, place: Place = EVERYWHERE, *known: str) -> Self:
        """Read the parameter `objects`.

        Args:
            mount: the request.
            place: where all objects are asked for.
            known: names of the provider's other parameters, so that a misspelt `objects` is told from them.

        Raises:
            InvalidParameters: they are missing or wrong.
        """
        parameters = Parameters(mount.attributes, ("objects", *known))
        text = parameters.required("objects", "Write a YAML list of objects, each with an objectName.")
        tree = yaml_tree.parse(text, yaml_tree.Dialect.CORE, where="objects")
        reads = tuple(_planned(record, place, mount.default_mode) for record in records(tree, FIELDS))
        return cls(reads, mount.pod, mount.tokens)

    def login(
        self, audience: str, now: Instant, *, backend: Hashable = None
    ) -> Login[ServiceAccount, ServiceAccountToken]:
        """The pod's service account, if its token proves that, and the token.

        Args:
            audience: what spec.tokenRequests of the CSIDriver object has for this provider.
            now: seconds since 1970.
            backend: see Login.

        Raises:
            AuthenticationFailed: there is no such token, or it is not the pod's.
        """
        token = self.tokens.for_audience(audience)
        proof = prove(token, pod=self.pod, audience=audience, now=now)
        identity = ServiceAccount(self.pod.namespace, self.pod.service_account, proof.issuer, audience)
        return Login(identity, token, proof.expires_at, backend)


class EachByItself:
    """A session that reads one object at a time, in parallel, and holds nothing that must be given back.

    Args:
        read: reads one object; raises ObjectError for that object alone, AuthenticationFailed for all.
        expires_at: when what `read` shows the backend ends; a token's end is its Login's `live_until`.
    """

    def __init__(self, read: Callable[[str, Deadline], Read], expires_at: Instant | None = None) -> None:
        self._read = read
        self.expires_at: Final = expires_at

    def fetch(self, objects: Sequence[str], deadline: Deadline) -> Mapping[str, Read | ObjectError]:
        """Read every object."""
        return fetch_each(self._read, objects, deadline)

    def close(self) -> None:
        """Nothing to give back."""


def refusal(answer: Answer, asked: str, *, hint: str = "") -> MountError:
    """What an HTTP status other than success means, in the usual words of HTTP. The body is not told.

    Args:
        answer: what the server said.
        asked: the beginning of the message: who asked whom for what, `kv: shop/web asked for db`.
        hint: what to check where it is refused or absent.
    """
    told = f"{asked}: HTTP status {answer.status}."
    if answer.status == 401:
        return AuthenticationFailed(told, hint=hint)
    if answer.status == 403:
        return AccessDenied(told, hint=hint)
    if answer.status == 404:
        return ObjectNotFound(told, hint=hint)
    if answer.status == 429:
        return BackendThrottled(told, retry_after=answer.retry_after)
    return BackendUnavailable(told, retry_after=answer.retry_after)


def _planned(record: Record, place: Place, default_mode: int) -> PlannedRead[str]:
    """One entry of `objects`."""
    name = record.required("objectName")
    mode = file_mode(record, "mode", default_mode)
    common = object_fields(record, Naming(), mode)
    outputs = common.outputs(name, record.text("path") or name, mode)
    return PlannedRead(name, ((place, name),), outputs, common.optional)
