"""The Azure Key Vault provider: the seam's four steps."""

import os
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from importlib import metadata as distribution
from pathlib import Path
from typing import Final
from urllib.request import getproxies_environment

from sscsi_provider_azure.auth import NMI, Logins
from sscsi_provider_azure.challenges import Challenges
from sscsi_provider_azure.clouds import Cloud, cloud_of, described, is_described
from sscsi_provider_azure.identity import Auth, AzureIdentity, Credentials
from sscsi_provider_azure.keyvault import KeyVaultSession
from sscsi_provider_azure.parameters import (
    WRAPPED,
    AzureRequest,
    Mode,
    Operator,
    checked_client,
    checked_tenant,
    failed,
    read_request,
)
from sscsi_provider_azure.token_proxy import TokenProxy
from sscsi_provider_azure.tokens import SharedTokens
from sscsi_provider_azure.vault_client import VaultClient
from sscsi_provider_azure.vault_objects import AzureObject
from sscsi_provider_azure.wire import Wire
from sscsi_shared.allowed_auth import check_allowed
from sscsi_shared.class_files import ClassFiles, read_file
from sscsi_shared.cluster import Cluster, ServiceAccount
from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.errors import (
    AuthenticationFailed,
    BackendUnavailable,
    InvalidParameters,
    ObjectUnusable,
    clip,
)
from sscsi_shared.fingerprint import Fingerprints
from sscsi_shared.mount import MountInput, MountPlan, Place, PlannedRead
from sscsi_shared.pod_tokens import PodToken, PodTokens
from sscsi_shared.provider import Login

RUNTIME_NAME: Final = "secrets-store-csi-driver-provider-azure"
VERSION: Final = distribution.version("sscsi-provider-azure")
EXCHANGE: Final = "api://AzureADTokenExchange"
BINDING: Final = "api://AKSIdentityBinding"
CLIENT: Final = "azure.workload.identity/client-id"
TENANT: Final = "azure.workload.identity/tenant-id"
"""Annotations of a service account (azure-workload-identity)."""
CLOUD_FILE: Final = "AZURE_ENVIRONMENT_FILEPATH"
_ID, _SECRET = "clientid", "clientsecret"


class AzureProvider:
    """Key Vault.

    Args:
        name: of the socket.
        operator: what holds for all classes.
        class_files: files that a class may name.
        ca_bundle: PEM file of authorities; None = the system's.
        user_agent: sent with every call.
        allowed_auth: node identities that a class may ask for.
        token_proxy: of identity bindings; None = there is none.
        nmi: address of pod identity's agent.
        now: seconds since 1970.
        clock: seconds that only grow.
        pause: between tries, in seconds.
        environ: AZURE_ENVIRONMENT_FILEPATH.
    """

    def __init__(
        self,
        *,
        name: str = "azure",
        operator: Operator | None = None,
        class_files: ClassFiles | None = None,
        ca_bundle: Path | None = None,
        user_agent: str = f"{RUNTIME_NAME}/{VERSION}",
        allowed_auth: frozenset[str] = frozenset(),
        token_proxy: TokenProxy | None = None,
        nmi: str = NMI,
        now: Clock = time.time,
        clock: Clock = time.monotonic,
        pause: Callable[[float], object] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.name = name
        self._operator = operator or Operator()
        self._files = class_files or ClassFiles()
        self._cloud_file = Path(environ[CLOUD_FILE]) if environ.get(CLOUD_FILE) else None
        self._allowed_auth = allowed_auth
        self._user_agent = user_agent
        self._now = now
        self._pause = pause
        self._wire = Wire(ca_bundle)
        self._challenges = Challenges(self._wire.transport, clock)
        binding = token_proxy.within if token_proxy is not None else None
        self._logins = Logins(self._wire, binding, nmi=nmi, user_agent=user_agent, now=now, pause=pause)
        self._tokens = SharedTokens(clock)
        self._pod_tokens = PodTokens(now)
        self._prints = Fingerprints()
        proxy = (token_proxy.url, token_proxy.server_name) if token_proxy is not None else ()
        self._facts = (proxy, str(ca_bundle or ""), tuple(sorted(getproxies_environment().items())))

    def parse(self, mount: MountInput) -> AzureRequest:
        """See Provider."""
        return read_request(mount, self._operator)

    def identify(
        self, request: AzureRequest, cluster: Cluster, deadline: Deadline
    ) -> Login[AzureIdentity, Credentials]:
        """See Provider. A token proves itself before the cluster is asked for the account's annotations."""
        cloud = self._cloud(request)
        if request.mode is Mode.POD_IDENTITY:
            return self._login(request, cloud, Auth.POD)
        if request.mode is Mode.MANAGED_IDENTITY:
            check_allowed(Auth.MANAGED.value, self._allowed_auth)
            return self._login(request, cloud, Auth.MANAGED)
        if request.mode is Mode.BINDING:
            found = self._token(request, BINDING, cluster, deadline)
            return self._login(request, cloud, Auth.BINDING, found=found)
        if _has_principal(request, EXCHANGE):
            return self._as_principal(request, cloud)
        return self._as_workload(request, cloud, cluster, deadline)

    def plan(self, request: AzureRequest, identity: AzureIdentity) -> MountPlan[AzureObject]:
        """See Provider. Each vault is a place of its own: its limits are."""
        return MountPlan(
            tuple(
                PlannedRead(
                    entry.name,
                    ((Place(f"{entry.target.vault.lower()}.{identity.suffix}"), entry.target),),
                    entry.outputs,
                    entry.optional,
                )
                for entry in request.entries
            )
        )

    def open(self, login: Login[AzureIdentity, Credentials], place: Place, deadline: Deadline) -> KeyVaultSession:
        """See Provider."""
        identity, credentials = login.identity, login.credentials
        scope = identity.scope or self._scope(place, deadline)
        key: Hashable = identity, scope, self._print(credentials)
        taken = self._tokens.take(
            key, lambda until: self._logins.login(identity, credentials, scope, until), scope, deadline
        )
        client = VaultClient(
            place, identity, taken.token, scope, self._challenges, user_agent=self._user_agent, pause=self._pause
        )
        return KeyVaultSession(
            client, taken.token.expires_on, lambda refused: self._tokens.give_back(key, taken, refused=refused)
        )

    def close(self) -> None:
        """End the connections: the process ends."""
        self._logins.close()
        self._wire.close()

    def _scope(self, place: Place, deadline: Deadline) -> str:
        """What a vault of a cloud that only a file describes asks a token for."""
        found = self._challenges.ask(place, deadline)
        if found is None:
            raise BackendUnavailable(
                f"{WRAPPED}vault {place} does not say who gives tokens for it.",
                hint="Check keyVaultDNSSuffix of the cloud's file, and the way there.",
            )
        return found.scope

    def _cloud(self, request: AzureRequest) -> Cloud:
        if not is_described(request.cloud):
            return cloud_of(request.cloud)
        start = f"{WRAPPED}cloudName {clip(request.cloud, 64)} is not valid, error: "
        path = "parameters.cloudEnvFileName"
        if request.cloud_file:
            place = self._files.place(request.cloud_file, path)
        elif self._cloud_file is not None:
            place = self._cloud_file.resolve()
        else:
            raise InvalidParameters(f"{start}cloudEnvFileName is not set.", path=path)
        try:
            return described(read_file(place), request.cloud)
        except ObjectUnusable as error:
            shown = clip(request.cloud_file or str(place), 200)
            why = "no such file or directory" if not place.exists() else error.message
            raise InvalidParameters(f"{start}open {shown}: {why}", path=path) from error
        except InvalidParameters as error:
            raise InvalidParameters(WRAPPED + error.message, path=path, hint=error.hint) from error

    def _as_principal(self, request: AzureRequest, cloud: Cloud) -> Login[AzureIdentity, Credentials]:
        start = failed(request.mode)
        entries = {key.lower(): (key, value) for key, value in request.mount.secrets.items()}
        for name in (_ID, _SECRET):
            if name not in entries:
                raise AuthenticationFailed(
                    f"{start}could not find {name} in secrets", hint="nodePublishSecretRef names a Secret without it."
                )
        client = checked_client(entries[_ID][1].reveal().strip(), "nodePublishSecretRef")
        principal = self._prints.of(request.mount.secrets, [entries[_ID][0], entries[_SECRET][0]])
        login = self._login(replace(request, client=client), cloud, Auth.PRINCIPAL, principal=principal)
        return replace(login, credentials=Credentials(secret=entries[_SECRET][1]))

    def _as_workload(
        self, request: AzureRequest, cloud: Cloud, cluster: Cluster, deadline: Deadline
    ) -> Login[AzureIdentity, Credentials]:
        uid = ""
        if not request.client and not request.mount.tokens.present and not request.mount.tokens.problem:
            # Nothing says that workload identity is meant: what the existing provider says then.
            raise _unsaid(request, "and the CSIDriver object with tokenRequests")
        found = self._token(request, EXCHANGE, cluster, deadline)
        if not (request.client and request.tenant):
            account = _account(request, cluster, deadline)
            uid = account.uid
            request = _annotated(request, account)
        return self._login(request, cloud, Auth.WORKLOAD, found=found, uid=uid)

    def _token(self, request: AzureRequest, audience: str, cluster: Cluster, deadline: Deadline) -> PodToken:
        """The pod's token, with the existing provider's words where there is none."""
        tokens, start = request.mount.tokens, failed(request.mode)
        needs = f'The CSIDriver object needs spec.tokenRequests: [{{audience: "{audience}"}}].'
        doing = (
            "parse workload identity tokens"
            if audience == EXCHANGE
            else "parse service account token for identity binding"
        )
        if tokens.problem:
            raise AuthenticationFailed(f"{start}failed to unmarshal service account tokens, error: {tokens.problem}.")
        if tokens.present and not tokens.find(audience):
            raise AuthenticationFailed(
                f"{start}failed to {doing}, error: token for audience {audience} not found", hint=needs
            )
        try:
            context = f"{start}failed to {doing}, error"
            return self._pod_tokens.token(request.mount, (audience,), cluster, deadline, context=context)
        except AuthenticationFailed as error:
            if tokens.present:
                raise
            what = (
                f"failed to {doing}, error: service account tokens not found"
                if audience == EXCHANGE
                else "service account tokens are required for identity binding"
            )
            raise AuthenticationFailed(start + what, hint=f"{needs} {error.message}") from error

    def _login(
        self,
        request: AzureRequest,
        cloud: Cloud,
        auth: Auth,
        *,
        found: PodToken | None = None,
        uid: str = "",
        principal: str = "",
    ) -> Login[AzureIdentity, Credentials]:
        pod = request.mount.pod
        of_account = found is not None
        identity = AzureIdentity(
            auth=auth,
            namespace=pod.namespace if of_account else "",
            service_account=pod.service_account if of_account else "",
            uid=(uid or found.proof.account_uid) if found is not None else "",
            issuer=found.proof.issuer if found is not None else "",
            audience=found.audience if found is not None else "",
            tenant=request.tenant,
            client=request.client,
            authority=cloud.authority,
            suffix=cloud.suffix,
            scope=cloud.scope,
            principal=principal,
            pod=pod if auth is Auth.POD else None,
            operator=self._facts,
        )
        credentials = Credentials(token=found.token if found is not None else None)
        live_until = found.proof.expires_at if found is not None else None
        return Login(identity, credentials, live_until, backend=cloud.authority)

    def _print(self, credentials: Credentials) -> str:
        proofs = {"token": credentials.token, "secret": credentials.secret}
        return self._prints.of({name: one for name, one in proofs.items() if one is not None}, proofs)


def _has_principal(request: AzureRequest, audience: str) -> bool:
    """Whether a service principal is meant: a client and a token for it win."""
    if not request.mount.secrets:
        return False
    return not request.client or not request.mount.tokens.find(audience)


def _account(request: AzureRequest, cluster: Cluster, deadline: Deadline) -> ServiceAccount:
    pod = request.mount.pod
    try:
        return cluster.service_account(pod.namespace, pod.service_account, deadline)
    except AuthenticationFailed as error:
        raise _unsaid(request, error.message) from error


def _annotated(request: AzureRequest, account: ServiceAccount) -> AzureRequest:
    """What the class leaves open, from the service account's annotations."""
    client = request.client or account.annotations.get(CLIENT, "").strip()
    tenant = request.tenant or account.annotations.get(TENANT, "").strip()
    where = f"service account {account.namespace}/{account.name}"
    if not client or not tenant:
        raise _unsaid(replace(request, client=client, tenant=tenant), f"{where} has no such annotation")
    return replace(request, client=checked_client(client, where), tenant=checked_tenant(tenant, where))


def _unsaid(request: AzureRequest, why: str) -> AuthenticationFailed:
    """The existing provider's words for what is missing, and where it can stand."""
    if not request.client:
        text = f"{failed(request.mode)}failed to get credentials, nodePublishSecretRef secret is not set"
        hint = f"Write clientID in the class, or annotate the service account with {CLIENT} ({why})."
    else:
        text = f"{WRAPPED}tenantId is not provided"
        hint = f"Write tenantID in the class, or annotate the service account with {TENANT} ({why})."
    return AuthenticationFailed(text, hint=hint)
