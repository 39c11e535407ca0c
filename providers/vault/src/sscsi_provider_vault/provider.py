"""The Vault and OpenBao provider: the seam's four steps."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from typing import Any, Final

from sscsi_provider_vault.dialects import VAULT, Dialect
from sscsi_provider_vault.endpoints import Operator, endpoint
from sscsi_provider_vault.extraction import Data
from sscsi_provider_vault.identity import KUBERNETES, TOKEN, Credentials, VaultIdentity
from sscsi_provider_vault.leases import IDLE_SECONDS
from sscsi_provider_vault.parameters import Entry, VaultObject, VaultRequest, read_request
from sscsi_provider_vault.paths import login_path
from sscsi_provider_vault.sessions import Vault, VaultSession
from sscsi_provider_vault.stamps import HmacStamp
from sscsi_shared.cluster import Cluster, SecretEntry
from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.economy.options import EconomyOptions
from sscsi_shared.errors import MountError
from sscsi_shared.mount import MountInput, MountPlan, Place, PlannedRead
from sscsi_shared.parameters import shares_nothing
from sscsi_shared.pod_tokens import PodTokens
from sscsi_shared.provider import Login
from sscsi_shared.secret import SecretBytes, SecretText

log = logging.getLogger(__name__)

VERSION: Final = metadata.version("sscsi-provider-vault")
SHARED: Final = Place("vault")
_OF_POD: Final = "vault, pod "
HMAC_ENTRY: Final = "key"
_HMAC_BYTES: Final = 32
_HMAC_SECONDS: Final = 5.0
"""For reading or making the key: a mount does not fail without it."""
_HMAC_AGAIN_SECONDS: Final = 30.0


class VaultProvider:
    """Reads of a server's API.

    Args:
        dialect: how it is spoken to.
        operator: what the operator says of servers.
        mount: of the auth method, where a class names none.
        namespace: of Vault's, likewise.
        own_token: VAULT_TOKEN; None = none, or not allowed.
        hmac_secret: name of the Kubernetes Secret with the key of versions; empty = the dialect's.
        session_max_age: seconds after which a login no longer proves the pod's trust.
        idle_seconds: how long a lease counts as in use after the last Mount that asked for it.
        per_pod: whether no pod shares with another, whatever its class says.
        clock: seconds that only grow.
        now: seconds since 1970.
        pause: between tries; returns at once in tests.
        jitter: a number from 0 to 1.
    """

    def __init__(
        self,
        *,
        dialect: Dialect = VAULT,
        operator: Operator | None = None,
        mount: str = "kubernetes",
        namespace: str = "",
        own_token: SecretText | None = None,
        hmac_secret: str = "",
        session_max_age: float = EconomyOptions().max_age,
        idle_seconds: float = IDLE_SECONDS,
        per_pod: bool = False,
        clock: Clock = time.monotonic,
        now: Clock = time.time,
        pause: Callable[[float], object] | None = None,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self.name = dialect.name
        self._dialect = dialect
        self._operator = operator or Operator()
        self._login_path = login_path(mount)
        self._namespace = namespace
        self._own_token = own_token
        self._per_pod = per_pod
        self._clock = clock
        self._pod_tokens = PodTokens(now)
        self._stamp_key = _StampKey(SecretEntry("", hmac_secret or dialect.hmac_secret, HMAC_ENTRY), clock)
        self.vault: Final = Vault(
            own_token=own_token,
            session_max_age=session_max_age,
            idle_seconds=idle_seconds,
            clock=clock,
            now=now,
            pause=pause,
            jitter=jitter,
        )

    def parse(self, mount: MountInput) -> VaultRequest:
        """See Provider."""
        return read_request(mount, self._dialect)

    def identify(
        self, request: VaultRequest, cluster: Cluster, deadline: Deadline
    ) -> Login[VaultIdentity, Credentials]:
        """See Provider. The key of versions is read by the way, once."""
        server = endpoint(request.address, request.tls, self._operator, self._dialect.prefixes[0])
        pod = request.mount.pod
        common: dict[str, Any] = {
            "namespace": pod.namespace,
            "service_account": pod.service_account,
            "role": request.role,
            "login_path": request.login_path or self._login_path,
            "pod": pod.uid if self._per_pod or shares_nothing(request.mount) else "",
            "vault_namespace": self._namespace if request.namespace is None else request.namespace,
            "endpoint": server,
        }
        found = self._pod_tokens.token(
            request.mount,
            [request.audience or self._dialect.name],
            cluster,
            deadline,
            context="failed to login",
            instead=request.audience,
        )
        self._stamp_key.find(cluster, deadline)
        proof = found.proof
        mode = TOKEN if self._own_token is not None else KUBERNETES
        identity = VaultIdentity(
            mode=mode, uid=proof.account_uid, issuer=proof.issuer, audience=found.audience, **common
        )
        # One server is one backend for all who ask it, whatever their role.
        return Login(identity, Credentials(found.token), proof.expires_at, (server.address.origin, mode))

    def plan(self, request: VaultRequest, identity: VaultIdentity) -> MountPlan[VaultObject]:
        """See Provider. What turns out to be lent to each pod for itself is asked for again in the pod's own place."""
        del identity
        places = [SHARED]
        if request.leases_by_pod:
            places.append(Place(_OF_POD + request.mount.pod.uid))
        key = self._stamp_key.value
        return MountPlan(tuple(_planned(entry, places, key, by_pod=request.leases_by_pod) for entry in request.entries))

    def open(self, login: Login[VaultIdentity, Credentials], place: Place, deadline: Deadline) -> VaultSession:
        """See Provider; the login itself waits until something has to be asked for."""
        del deadline
        owner = "" if place == SHARED else place.removeprefix(_OF_POD)
        return VaultSession(self.vault, login.identity, login.credentials, owner)


class _StampKey:
    """The key of versions: read once; where that fails versions are empty, as with the existing provider."""

    def __init__(self, entry: SecretEntry, clock: Clock) -> None:
        self._entry = entry
        self._clock = clock
        self._lock = threading.Lock()
        self._not_before = float("-inf")
        self.value: SecretBytes | None = None

    def find(self, cluster: Cluster, deadline: Deadline) -> None:
        if self._is_settled() or not self._lock.acquire(timeout=deadline.at_most(_HMAC_SECONDS)):
            return
        try:
            if not self._is_settled():
                self.value = cluster.read_or_create_secret(
                    self._entry, lambda: secrets.token_bytes(_HMAC_BYTES), deadline.within(_HMAC_SECONDS)
                )
        except MountError as error:
            self._not_before = self._clock() + _HMAC_AGAIN_SECONDS
            log.warning("object versions are empty, because their key can't be read: %s", error)
        finally:
            self._lock.release()

    def _is_settled(self) -> bool:
        return self.value is not None or self._clock() < self._not_before


def _planned(entry: Entry, places: list[Place], key: SecretBytes | None, *, by_pod: bool) -> PlannedRead[VaultObject]:
    asked = replace(entry.asked, by_pod=by_pod)
    stamp = HmacStamp(key, entry.settings, on_data=entry.whole)
    outputs = entry.common.outputs(
        entry.name, entry.name, entry.mode, version_id=entry.name, extract=entry.extract, document=Data(), stamp=stamp
    )
    name = f'couldn\'t read secret "{entry.name}"'
    # What a write makes is nobody else's: it is not made first for all to see that it is not for all.
    where = places[-1:] if asked.writes else places
    return PlannedRead(name, tuple((place, asked) for place in where), outputs, entry.common.optional, in_turn=True)
