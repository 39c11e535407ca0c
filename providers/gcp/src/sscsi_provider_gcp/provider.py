"""The Google Cloud provider: the seam's four steps."""

import os
import time
from collections.abc import Mapping, Sequence
from importlib import metadata as distribution
from pathlib import Path
from typing import Final, TypeAlias
from urllib.request import getproxies_environment

from sscsi_provider_gcp import parametermanager, secretmanager
from sscsi_provider_gcp.auth import SCOPE, AccessToken, TokenService, delegates_of
from sscsi_provider_gcp.calls import ATTEMPT_SECONDS, Caller
from sscsi_provider_gcp.channels import UNIVERSE, Channels, Endpoints
from sscsi_provider_gcp.errors import WRAPPED
from sscsi_provider_gcp.federation import GKE_ENDPOINT, Federation, credentials_file
from sscsi_provider_gcp.identity import Credentials, GcpIdentity
from sscsi_provider_gcp.keyfile import ENTRY, TOKEN_URLS, KeyFiles
from sscsi_provider_gcp.metadata import HOST, Metadata, MetadataFacts
from sscsi_provider_gcp.parameters import ACCOUNT, Auth, Entry, GcpRequest, Search, read_request
from sscsi_provider_gcp.resources import Kind, Resource
from sscsi_shared.allowed_auth import check_allowed
from sscsi_shared.cluster import Cluster
from sscsi_shared.deadline import Clock, Deadline, Instant
from sscsi_shared.errors import AuthenticationFailed, ObjectError, clip
from sscsi_shared.fetch import fetch_each
from sscsi_shared.fingerprint import Fingerprints
from sscsi_shared.mount import MountInput, MountPlan, Place, PlannedRead, Read
from sscsi_shared.pod_tokens import PodTokens
from sscsi_shared.provider import Login
from sscsi_shared.secret import SecretText

RUNTIME_NAME: Final = "secrets-store-csi-driver-provider-gcp"
VERSION: Final = distribution.version("sscsi-provider-gcp")
EVERYWHERE: Final = Place("google")
TARGET: Final = "iam.gke.io/gcp-service-account"
DELEGATES: Final = "iam.gke.io/gcp-service-account-delegates"

GcpObject: TypeAlias = Resource | Search


class GcpSession:
    """One identity; its token goes with each call, over channels that all share."""

    def __init__(self, caller: Caller, expires_at: Instant) -> None:
        self._caller = caller
        self.expires_at: Final = expires_at

    def fetch(self, objects: Sequence[GcpObject], deadline: Deadline) -> Mapping[GcpObject, Read | ObjectError]:
        """See Session. What selections find is read side by side too, and what two of them find once."""
        found: dict[Search, tuple[Resource, ...]] = {}
        known: dict[GcpObject, Read | ObjectError] = {}
        for one, outcome in fetch_each(self._begin, objects, deadline).items():
            if isinstance(one, Search) and isinstance(outcome, tuple):
                found[one] = outcome
            elif not isinstance(outcome, tuple):
                known[one] = outcome
        left = [one for resources in found.values() for one in resources if one not in known]
        reads = fetch_each(self._read, left, deadline)
        known.update(reads.items())
        known |= {one: secretmanager.together(one, resources, known) for one, resources in found.items()}
        return {one: known[one] for one in objects}

    def close(self) -> None:
        """Channels are shared; there is nothing to give back."""

    def _begin(self, one: GcpObject, deadline: Deadline) -> Read | tuple[Resource, ...]:
        """A read, or what a selection finds."""
        if isinstance(one, Search):
            return secretmanager.found(self._caller, one, deadline)
        return self._read(one, deadline)

    def _read(self, one: Resource, deadline: Deadline) -> Read:
        read = secretmanager.read if one.kind is Kind.SECRET else parametermanager.read
        return read(self._caller, one, deadline)


class GcpProvider:
    """Secret Manager and Parameter Manager.

    Args:
        name: of the socket.
        endpoints: where they are.
        exchange: URL of the token exchange; empty = Google's own.
        iam: address of IAM Service Account Credentials; empty = Google's own.
        metadata_host: host, or host and port, of the metadata server.
        gke_endpoint: the beginning of a GKE cluster's identity provider.
        universe: the domain of Google's own addresses.
        ca_bundle: PEM file of authorities; None = the system's.
        user_agent: sent with every call.
        allowed_auth: node identities that a class may ask for.
        referenced_keys: whether `key.json` of nodePublishSecretRef may be used.
        token_urls: where such a key may send its proof.
        attempt_seconds: the most that one try of a read may take.
        now: seconds since 1970.
        environ: GOOGLE_APPLICATION_CREDENTIALS, and the cluster's facts.
    """

    def __init__(
        self,
        *,
        name: str = "gcp",
        endpoints: Endpoints | None = None,
        exchange: str = "",
        iam: str = "",
        metadata_host: str = HOST,
        gke_endpoint: str = GKE_ENDPOINT,
        universe: str = UNIVERSE,
        ca_bundle: Path | None = None,
        user_agent: str = f"{RUNTIME_NAME}/{VERSION}",
        allowed_auth: frozenset[str] = frozenset(),
        referenced_keys: bool = False,
        token_urls: tuple[str, ...] = TOKEN_URLS,
        attempt_seconds: float = ATTEMPT_SECONDS,
        now: Clock = time.time,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.name = name
        self.channels: Final = Channels(
            endpoints or Endpoints(),
            {Kind.SECRET: secretmanager.client, Kind.PARAMETER: parametermanager.client},
            universe=universe,
            ca_bundle=ca_bundle,
            user_agent=user_agent,
        )
        self._metadata = Metadata(metadata_host)
        self._file = credentials_file(environ)
        self._federation = Federation(MetadataFacts(self._metadata, environ), self._file, gke_endpoint)
        self._tokens = TokenService(exchange, iam, ca_bundle, now, universe)
        self._keys = KeyFiles(token_urls, ca_bundle, now, universe)
        self._pod_tokens = PodTokens(now)
        self._prints = Fingerprints()
        self._allowed_auth = allowed_auth
        self._referenced_keys = referenced_keys
        self._attempt_seconds = attempt_seconds
        self._now = now
        logins = *map(self._tokens.exchange_of, ("identitynamespace:", "")), self._tokens.iam
        all_endpoints = (*logins, *(self.channels.endpoints.of(k, r, universe) for k in Kind for r in ("", "x")))
        self._facts = (all_endpoints, str(ca_bundle or ""), tuple(sorted(getproxies_environment().items())))

    def begin(self) -> None:
        """Read the cluster's facts before the first mount asks for them, where they are needed at all."""
        self._federation.begin()

    def parse(self, mount: MountInput) -> GcpRequest:
        """See Provider."""
        return read_request(mount, keys_allowed=self._referenced_keys)

    def identify(self, request: GcpRequest, cluster: Cluster, deadline: Deadline) -> Login[GcpIdentity, Credentials]:
        """See Provider. The token proves itself before the cluster is asked for the account's annotations."""
        if request.auth is Auth.POD:
            return self._as_pod(request, cluster, deadline)
        if request.auth is Auth.NODE:
            check_allowed(Auth.NODE.value, self._allowed_auth)
            return Login(self._identity(request), Credentials(), backend=(Auth.NODE, self._facts))
        key = request.mount.secrets[ENTRY]
        identity = self._identity(request, key=self._prints.of(request.mount.secrets, (ENTRY,)))
        return Login(identity, Credentials(key=key))

    def plan(self, request: GcpRequest, identity: GcpIdentity) -> MountPlan[GcpObject]:
        """See Provider."""
        del identity
        return MountPlan(tuple(_planned(entry) for entry in request.entries))

    def open(self, login: Login[GcpIdentity, Credentials], place: Place, deadline: Deadline) -> GcpSession:
        """See Provider."""
        del place
        access = self._login(login.identity, login.credentials, deadline)
        return GcpSession(Caller(self.channels, login.identity, access.token, self._attempt_seconds), access.expires_at)

    def _login(self, identity: GcpIdentity, credentials: Credentials, deadline: Deadline) -> AccessToken:
        if credentials.token is not None:
            return self._tokens.login(identity, credentials.token, deadline)
        if credentials.key is not None:
            return self._keys.login(credentials.key, deadline)
        if self._file is not None:
            return self._keys.login(_read(self._file), deadline)
        token, seconds = self._metadata.token(SCOPE, deadline)
        return AccessToken(token, self._now() + seconds)

    def _as_pod(self, request: GcpRequest, cluster: Cluster, deadline: Deadline) -> Login[GcpIdentity, Credentials]:
        pod = request.mount.pod
        pool = self._federation.pool(request.pool_provider, deadline)
        context = f"{WRAPPED}unable to fetch SA token from driver"
        found = self._pod_tokens.token(request.mount, pool.audiences, cluster, deadline, context=context)
        account = cluster.service_account(pod.namespace, pod.service_account, deadline)
        target = request.target or account.annotations.get(TARGET, "").strip()
        delegates = delegates_of(account.annotations.get(DELEGATES, "")) if target else ()
        for address in (target, *delegates):
            _check_account(address, pod.namespace, pod.service_account)
        identity = self._identity(
            request,
            uid=account.uid or found.proof.account_uid,
            issuer=found.proof.issuer,
            audience=found.audience,
            exchange=pool.exchange,
            target=target,
            delegates=delegates,
        )
        # One token exchange, and one project's IAM, is one backend for all pods, whoever they are.
        backend = request.auth, pool.exchange, target.partition("@")[2], self._facts
        return Login(identity, Credentials(token=found.token), found.proof.expires_at, backend)

    def _identity(
        self,
        request: GcpRequest,
        *,
        uid: str = "",
        issuer: str = "",
        audience: str = "",
        exchange: str = "",
        target: str = "",
        delegates: tuple[str, ...] = (),
        key: str = "",
    ) -> GcpIdentity:
        endpoints, ca_bundle, proxy = self._facts
        pod = request.mount.pod
        return GcpIdentity(
            request.auth, pod.namespace, pod.service_account, uid, issuer, audience, exchange, target, delegates, key,
            endpoints, ca_bundle, proxy,
        )  # fmt: skip


def _planned(entry: Entry) -> PlannedRead[GcpObject]:
    return PlannedRead(entry.written, ((EVERYWHERE, entry.resource),), entry.outputs, entry.optional)


def _check_account(address: str, namespace: str, name: str) -> None:
    """An address becomes part of a path: nothing else may stand in it."""
    if address and not ACCOUNT.fullmatch(address):
        raise AuthenticationFailed(
            f"{WRAPPED}{clip(address, 128)!r} in an annotation of service account {namespace}/{name} is no Google "
            "service account's address.",
            hint="It looks like name@project.iam.gserviceaccount.com.",
        )


def _read(path: Path) -> SecretText:
    try:
        return SecretText(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AuthenticationFailed("GOOGLE_APPLICATION_CREDENTIALS can't be read.") from error
