"""The one seam: what a cloud must say so that the rest of the house can serve it.

A Mount goes through a provider in four steps. `parse` and `plan` are pure and total: the same values in, the same
values or the same InvalidParameters out. `identify` says on whose behalf we ask; `open` logs in.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from sscsi_shared.cluster import Cluster
from sscsi_shared.deadline import Deadline, Instant
from sscsi_shared.errors import ObjectError
from sscsi_shared.mount import MountInput, MountPlan, Place, Read

RequestT = TypeVar("RequestT")
ObjectT = TypeVar("ObjectT")
IdentityT = TypeVar("IdentityT")
CredentialT = TypeVar("CredentialT")
ObjectT_contra = TypeVar("ObjectT_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Login(Generic[IdentityT, CredentialT]):
    """On whose behalf we ask, and the proof.

    Attributes:
        identity: hashable; every fact that changes where a call goes, as whom, or what comes back; no token.
        credentials: unhashable and redacted; the token or password to log in with.
        live_until: when the credentials end.
        backend: whose limits a call counts against (an account at an address, say): once it throttles or fails, all who
            share it hold back. None = the identity's own.
    """

    identity: IdentityT
    credentials: CredentialT
    live_until: Instant | None = None
    backend: Hashable = None


class Session(Protocol[ObjectT]):
    """Authenticated access to one place on behalf of one identity.

    An object may say in an attribute `lane` (hashable) whose limits a read of it counts against, beside the login's
    `backend`: once those of one lane fail, they alone are held back. By default a kind of object is a lane.
    """

    @property
    def expires_at(self) -> Instant | None:
        """When the backend ends it; None if it does not."""

    def fetch(self, objects: Sequence[ObjectT], deadline: Deadline) -> Mapping[ObjectT, Read | ObjectError]:
        """Read every object: exactly one outcome for each.

        Raises:
            AuthenticationFailed: the session itself was refused.
        """

    def close(self) -> None:
        """Give back what the session holds."""


class Provider(Protocol[RequestT, ObjectT, IdentityT, CredentialT]):
    """A cloud.

    Attributes:
        name: `spec.provider` of a class, and the socket's stem.
    """

    name: str

    def parse(self, mount: MountInput) -> RequestT:
        """Read the author's words.

        Raises:
            InvalidParameters: they are wrong.
        """

    def identify(self, request: RequestT, cluster: Cluster, deadline: Deadline) -> Login[IdentityT, CredentialT]:
        """Find whom the pod's service account stands for, and choose the token.

        Raises:
            AuthenticationFailed: there is no such identity, or no proof of it.
        """

    def plan(self, request: RequestT, identity: IdentityT) -> MountPlan[ObjectT]:
        """Say what will be read and which files come of it.

        Raises:
            InvalidParameters: what the identity adds (a region, say) contradicts the request.
        """

    def open(self, login: Login[IdentityT, CredentialT], place: Place, deadline: Deadline) -> Session[ObjectT]:
        """Log in.

        Raises:
            AuthenticationFailed: the backend refused.
        """
