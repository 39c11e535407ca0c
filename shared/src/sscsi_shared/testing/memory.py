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
from typing import Final, TypeAlias

from sscsi_shared.cluster import Cluster
from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.errors import ObjectNotFound
from sscsi_shared.mount import MountInput, MountPlan, Place, Read
from sscsi_shared.plain import EachByItself, NamedObjects, ServiceAccount
from sscsi_shared.provider import Login
from sscsi_shared.secret import SecretBytes

AUDIENCE: Final = "memory"
EVERYWHERE: Final = Place("memory")
MemoryRequest: TypeAlias = NamedObjects
MemoryIdentity: TypeAlias = ServiceAccount


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


class MemorySession(EachByItself):
    """Access to the store on behalf of one service account."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store.read)


class MemoryProvider:
    """The four methods of a Provider."""

    name = "memory"

    def __init__(self, store: MemoryStore, now: Clock = time.time) -> None:
        self._store = store
        self._now = now

    def parse(self, mount: MountInput) -> MemoryRequest:
        """Read `objects`."""
        return MemoryRequest.of(mount, EVERYWHERE)

    def identify(self, request: MemoryRequest, cluster: Cluster, deadline: Deadline) -> Login[MemoryIdentity, None]:
        """The pod's service account, if its token proves that."""
        del cluster, deadline  # a real provider may look for annotations there
        login = request.login(AUDIENCE, self._now())
        return Login(login.identity, None, login.live_until)

    def plan(self, request: MemoryRequest, identity: MemoryIdentity) -> MountPlan[str]:
        """Read each object from the one place."""
        del identity
        return MountPlan(request.reads)

    def open(self, login: Login[MemoryIdentity, None], place: Place, deadline: Deadline) -> MemorySession:
        """Log in."""
        del place, deadline
        self._store.login(f"{login.identity.namespace}/{login.identity.name}")
        return MemorySession(self._store)
