"""Log in: a proof becomes an access token of Entra's, by the credentials of azure-identity.

One credential for one login, and none of its caches is used again: who shares what is the economy's to say. Each login
asks the token endpoint once, without discovery.
"""

import random
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError

from sscsi_provider_azure.errors import login_error, login_unanswered, login_unreadable
from sscsi_provider_azure.identity import Auth, AzureIdentity, Credentials
from sscsi_provider_azure.metrics import counted
from sscsi_provider_azure.parameters import WRAPPED
from sscsi_provider_azure.wire import Bounded, Redirected, Wire
from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.errors import AuthenticationFailed, BackendThrottled, BackendUnavailable, MountError, OutOfTime, clip
from sscsi_shared.http import HttpClient, HttpFailed
from sscsi_shared.secret import SecretText

NMI: Final = "http://localhost:2579"
"""The agent of AAD Pod Identity on each node."""
ADFS: Final = "adfs"
"""The tenant of AD FS, which has its token endpoint elsewhere than Entra's ClientAssertionCredential looks for it."""
TRIES: Final = 3
_FIRST_PAUSE_SECONDS: Final = 0.2
_NAMES: Final = {
    Auth.WORKLOAD: "ClientAssertionCredential",
    Auth.BINDING: "ClientAssertionCredential",
    Auth.PRINCIPAL: "ClientSecretCredential",
    Auth.MANAGED: "ManagedIdentityCredential",
}
"""How the SDKs' error texts begin."""


class Logins:
    """Logs in.

    Args:
        wire: to Entra.
        binding: to the proxy for identity bindings, made on use; None = there is none.
        nmi: address of pod identity's agent.
        user_agent: sent with every call.
        now: seconds since 1970.
        pause: between tries, in seconds.
    """

    def __init__(
        self,
        wire: Wire,
        binding: Callable[[Deadline], Redirected] | None = None,
        *,
        nmi: str = NMI,
        user_agent: str = "",
        now: Clock = time.time,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._wire = wire
        self._direct = Wire(direct=True)
        self._binding = binding
        self._nmi = HttpClient(nmi, direct=True)
        self._user_agent = user_agent
        self._now = now
        self._pause = pause or threading.Event().wait

    def login(self, identity: AzureIdentity, credentials: Credentials, scope: str, deadline: Deadline) -> AccessToken:
        """An access token.

        Args:
            identity: as whom.
            credentials: the proof.
            scope: what the token is for.
            deadline: of all tries together.

        Raises:
            AuthenticationFailed: Entra refuses; the message says what of tenant, client, subject, issuer, audience.
            BackendThrottled: too many logins.
            BackendUnavailable: no answer, or a broken one.
        """
        failure: MountError = OutOfTime(f"{WRAPPED}there was no time left to log in.")
        for turn in range(TRIES):
            if deadline.expired:
                break
            try:
                return self._once(identity, credentials, scope, deadline)
            except (BackendThrottled, BackendUnavailable) as error:
                failure = error
            seconds = failure.retry_after or _FIRST_PAUSE_SECONDS * 2**turn * random.uniform(0.5, 1.5)  # noqa: S311
            if turn == TRIES - 1 or seconds >= deadline.remaining():
                break
            self._pause(seconds)
        raise failure

    def close(self) -> None:
        """End the connections."""
        self._direct.close()

    def _once(self, identity: AzureIdentity, credentials: Credentials, scope: str, deadline: Deadline) -> AccessToken:
        if identity.auth is Auth.POD:
            return self._by_agent(identity, scope, deadline)
        with counted("entra.Token") as outcome:
            transport = self._transport(identity, deadline)
            credential = self._credential(identity, credentials, transport)
            try:
                token: AccessToken = credential.get_token(scope)
            except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
                outcome.word = "unreadable"
                raise login_unreadable(identity, _NAMES[identity.auth]) from None
            except AzureError as error:
                failure = login_error(error, transport.answer, identity, _NAMES[identity.auth])
                outcome.word = failure.reason
                raise failure from None
        return token

    def _transport(self, identity: AzureIdentity, deadline: Deadline) -> Bounded | Redirected:
        if identity.auth is Auth.MANAGED:
            return self._direct.within(deadline)
        if identity.auth is Auth.BINDING:
            if self._binding is None:
                raise AuthenticationFailed(f"{WRAPPED}proxy transport not available: there is no API server to ask.")
            return self._binding(deadline)
        transport = self._wire.within(deadline)
        return Redirected(transport, _of_adfs) if identity.tenant.lower() == ADFS else transport

    def _credential(self, identity: AzureIdentity, credentials: Credentials, transport: Bounded | Redirected) -> Any:
        """The SDK's credential; its parts are imported on use."""
        options: dict[str, Any] = {
            "transport": transport,
            "retry_total": 0,
            "permit_redirects": False,
            "user_agent": self._user_agent,
        }
        if identity.auth is Auth.MANAGED:
            from azure.identity import ManagedIdentityCredential

            # Else AZURE_TENANT_ID and others of azure-workload-identity's webhook make it the daemon's own account.
            options["_exclude_workload_identity_credential"] = True
            return ManagedIdentityCredential(client_id=identity.client or None, **options)
        options |= {"authority": identity.authority, "disable_instance_discovery": True}
        if identity.auth is Auth.PRINCIPAL:
            from azure.identity import ClientSecretCredential

            secret = credentials.secret.reveal() if credentials.secret else ""
            return ClientSecretCredential(identity.tenant, identity.client, secret, **options)
        from azure.identity import ClientAssertionCredential

        token = credentials.token or SecretText("")
        return ClientAssertionCredential(identity.tenant, identity.client, token.reveal, **options)

    def _by_agent(self, identity: AzureIdentity, scope: str, deadline: Deadline) -> AccessToken:
        """AAD Pod Identity: its agent on the node knows which identity the pod has."""
        from urllib.parse import quote

        assert identity.pod is not None  # noqa: S101  # identify's
        path = f"/host/token/?resource={quote(scope.removesuffix('/.default'), safe='')}"
        headers = {"podname": identity.pod.name, "podns": identity.pod.namespace}
        with counted("nmi.Token") as outcome:
            try:
                answer = self._nmi.request("GET", path, headers=headers, deadline=deadline)
            except HttpFailed as error:
                outcome.word = "no answer"
                raise login_unanswered("NMI, the agent of AAD Pod Identity", str(error)) from error
            outcome.word = "ok" if answer.status == 200 else str(answer.status)
        if answer.status != 200:
            body = clip(answer.body.decode("utf-8", "replace"), 256)
            text = f"{WRAPPED}nmi response failed with status code: {answer.status}, response body: {body}"
            if answer.status >= 500 or answer.status == 429:
                raise BackendUnavailable(text, retry_after=answer.retry_after)
            raise AuthenticationFailed(text, hint="Is there an AzureIdentityBinding that selects the pod?")
        document = answer.document()
        said = document.get("token")
        token = said if isinstance(said, dict) else {}
        found = token.get("access_token")
        if not isinstance(found, str) or not found or not document.get("clientid"):
            raise AuthenticationFailed(f"{WRAPPED}nmi did not return expected values in response: token and clientid")
        return AccessToken(found, _seconds(token.get("expires_on"), self._now()))


def _seconds(text: object, now: float) -> int:
    try:
        return int(str(text))
    except ValueError:
        return int(now) + 300


def _of_adfs(url: str) -> str:
    return url.replace("/adfs/oauth2/v2.0/token", "/adfs/oauth2/token", 1)
