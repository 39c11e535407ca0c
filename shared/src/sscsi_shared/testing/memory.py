"""A complete provider over a dictionary: the example of a fifth one, and what the contract suite is proven on.

A class for it:

    provider: memory
    parameters:
      objects: |
        - objectName: db-password
          path: database/password   # by default the name
          mode: "0400"              # by default what the driver says
          optional: true            # by default false; this and more: docs/object-fields.md
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sscsi_shared import yaml_tree
from sscsi_shared.cluster import Cluster
from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.errors import ObjectError, ObjectNotFound
from sscsi_shared.fetch import fetch_each
from sscsi_shared.mount import MountInput, MountPlan, Place, PlannedRead, PodInfo, Read
from sscsi_shared.object_fields import OBJECT_FIELDS, file_mode, object_fields
from sscsi_shared.parameters import Parameters
from sscsi_shared.paths import Naming
from sscsi_shared.provider import Login
from sscsi_shared.secret import SecretBytes
from sscsi_shared.tokens import ServiceAccountTokens, prove
from sscsi_shared.yaml_records import Record, records

AUDIENCE: Final = "memory"
EVERYWHERE: Final = Place("memory")
FIELDS: Final = ("objectName", "path", "mode", *OBJECT_FIELDS)


class MemoryStore:
    """The backend: named contents, each with a number that grows. Subclass it to let it fail."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[SecretBytes, int]] = {}

    def put(self, name: str, contents: bytes) -> None:
        """Let the object hold `contents`, as its next version."""
        _, version = self._objects.get(name, (None, 0))
        self._objects[name] = (SecretBytes(contents), version + 1)

    def remove(self, name: str) -> None:
        """Forget the object."""
        self._objects.pop(name, None)

    def login(self, service_account: str) -> None:
        """Let the service account in; the token was checked before.

        Raises:
            AuthenticationFailed: it may not come in.
        """

    def read(self, name: str, deadline: Deadline) -> Read:
        """The object's content.

        Raises:
            ObjectError: there is none.
        """
        del deadline  # a real backend would be asked with `timeout=deadline.remaining()`
        if name not in self._objects:
            raise ObjectNotFound(f"memory: there is no object `{name}`.", hint="Check objectName in the class.")
        contents, version = self._objects[name]
        return Read.of(contents, str(version))


@dataclass(frozen=True, slots=True)
class MemoryRequest:
    """A class and a pod, read."""

    reads: tuple[PlannedRead[str], ...]
    pod: PodInfo
    tokens: ServiceAccountTokens


@dataclass(frozen=True, slots=True)
class MemoryIdentity:
    """Rule: every fact that changes where a call goes, as whom, or what comes back."""

    namespace: str
    service_account: str
    issuer: str
    audience: str


class MemorySession:
    """Access to the store on behalf of one service account."""

    expires_at: Final = None

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def fetch(self, objects: Sequence[str], deadline: Deadline) -> Mapping[str, Read | ObjectError]:
        """Read every object."""
        return fetch_each(self._store.read, objects, deadline)

    def close(self) -> None:
        """Nothing to give back."""


class MemoryProvider:
    """The four methods of a Provider."""

    name = "memory"

    def __init__(self, store: MemoryStore, now: Clock = time.time) -> None:
        self._store = store
        self._now = now

    def parse(self, mount: MountInput) -> MemoryRequest:
        """Read `objects`."""
        parameters = Parameters(mount.attributes, ("objects",))
        text = parameters.required("objects", "Write a YAML list of objects, each with an objectName.")
        tree = yaml_tree.parse(text, yaml_tree.Dialect.CORE, where="objects")
        reads = tuple(_planned(record, mount.default_mode) for record in records(tree, FIELDS))
        return MemoryRequest(reads, mount.pod, mount.tokens)

    def identify(self, request: MemoryRequest, cluster: Cluster, deadline: Deadline) -> Login[MemoryIdentity, None]:
        """The pod's service account, if its token proves that."""
        del cluster, deadline  # a real provider may look for annotations there
        token = request.tokens.for_audience(AUDIENCE)
        proof = prove(token, pod=request.pod, audience=AUDIENCE, now=self._now())
        identity = MemoryIdentity(request.pod.namespace, request.pod.service_account, proof.issuer, AUDIENCE)
        return Login(identity, None, proof.expires_at)

    def plan(self, request: MemoryRequest, identity: MemoryIdentity) -> MountPlan[str]:
        """Read each object from the one place."""
        del identity
        return MountPlan(request.reads)

    def open(self, login: Login[MemoryIdentity, None], place: Place, deadline: Deadline) -> MemorySession:
        """Log in."""
        del place, deadline
        self._store.login(f"{login.identity.namespace}/{login.identity.service_account}")
        return MemorySession(self._store)


def _planned(record: Record, default_mode: int) -> PlannedRead[str]:
    """One entry of `objects`."""
    name = record.required("objectName")
    mode = file_mode(record, "mode", default_mode)
    common = object_fields(record, Naming(), mode)
    outputs = common.outputs(name, record.text("path") or name, mode)
    return PlannedRead(name, ((EVERYWHERE, name),), outputs, common.optional)
