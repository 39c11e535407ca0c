"""What Azure answers instead of content, in the house's errors: what failed, as whom, and what to grant.

Which of tenant, client, subject, issuer and audience is wrong stands in Entra's AADSTS codes; which of policy, role and
firewall, in Key Vault's. Trace ids and times are left out: a text that stays the same makes one event.
"""

import re
from typing import Any, Final

from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ServiceRequestTimeoutError,
    ServiceResponseTimeoutError,
)

from sscsi_provider_azure.identity import Auth, AzureIdentity
from sscsi_provider_azure.parameters import WRAPPED
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    BackendUnavailable,
    MountError,
    ObjectNotFound,
    ObjectUnusable,
    clip,
)

_AADSTS: Final = re.compile(r"AADSTS(\d{4,9})")
_CHANGING: Final = re.compile(
    r"\s*(?:Trace ID|Correlation ID|Timestamp|Current time|client-request-id):\s*[^\s,]+(?: \d{2}:\d{2}:\d{2}Z)?,?"
    r"|,?\s*(?:assertion valid from|expiry time of assertion) [^\s,]+"
)
_ADVICE: Final = " If you recently deleted this"
_ROLES: Final = {
    "secret": "Key Vault Secrets User",
    "key": "Key Vault Reader",
    "cert": "Key Vault Reader",
}
"""The least ones: Crypto User may sign and decrypt, and Certificate User reads every secret."""
_POLICIES: Final = {"secret": "--secret-permissions", "key": "--key-permissions", "cert": "--certificate-permissions"}


def login_error(error: AzureError, answer: Any, identity: AzureIdentity, name: str) -> MountError:
    """The error of a login.

    Args:
        error: what azure-identity raised.
        answer: to its last request; None where there was none.
        identity: as whom.
        name: of the SDK's credential.
    """
    response: Any = getattr(error, "response", None)
    response = answer if response is None else response
    if response is None:
        return login_unanswered(f"{name} ({_asked(identity)})", _kind(error))
    status = int(response.status_code)
    if status < 400:
        return login_unreadable(identity, name)
    code, said = _said(error, response, identity)
    text = f"{WRAPPED}{name} authentication failed: {said or f'status {status}'}."
    if status == 429:
        return BackendThrottled(
            text, hint="Entra throttles logins; the next try comes by itself.", retry_after=_wait(response)
        )
    if status >= 500:
        return BackendUnavailable(text, hint="The next try comes by itself.", retry_after=_wait(response))
    if identity.auth is Auth.MANAGED:
        return AuthenticationFailed(text, hint=_managed_hint(identity))
    return AuthenticationFailed(text, hint=_login_hint(code, identity))


def login_unreadable(identity: AzureIdentity, name: str) -> BackendUnavailable:
    """A login whose answer is no token and no refusal."""
    return BackendUnavailable(
        f"{WRAPPED}{name} ({_asked(identity)}): the answer can't be read.",
        hint="Does a proxy (HTTPS_PROXY) answer in its place?",
    )


def login_unanswered(who: str, why: str) -> BackendUnavailable:
    """A login that got no answer."""
    return BackendUnavailable(
        f"{WRAPPED}{who}: no answer: {clip(why, 200)}.",
        hint="Check the way there: DNS, proxy (HTTPS_PROXY), firewall, network policy, authorities.",
    )


def vault_unanswered(shown: str, error: AzureError, vault: str) -> BackendUnavailable:
    """A request of a vault that got no answer."""
    return BackendUnavailable(
        f"{shown}: no answer ({_kind(error)}).",
        hint=f"Is there a vault of this name? Check the way to {vault}: DNS, proxy (HTTPS_PROXY), firewall, "
        "authorities.",
    )


def object_error(
    error: AzureError, shown: str, kind: str, identity: AzureIdentity, vault: str, tenant: str
) -> MountError:
    """The error of a read.

    Args:
        error: what the SDK raised.
        shown: the object, and the request, for the text.
        kind: secret, key or cert.
        identity: as whom.
        vault: its host.
        tenant: that the vault says it belongs to; empty = unknown.

    Returns:
        An ObjectError, or AuthenticationFailed where the token itself was refused.
    """
    response: Any = getattr(error, "response", None)
    if not isinstance(error, HttpResponseError) or response is None:
        return vault_unanswered(shown, error, vault)
    status = int(response.status_code)
    code, inner, said = _vault_said(error)
    text = f"{shown}: RESPONSE {status}, ERROR CODE: {code or 'unknown'}"
    text += f": {said}" if said else "."
    if status == 401:
        told = "Authorization" in response.request.headers
        return AuthenticationFailed(text, hint=_unauthorized_hint(identity, vault, tenant, told=told))
    if status == 403:
        return _forbidden(text, inner, kind, identity, vault)
    if status == 404:
        return ObjectNotFound(text, hint=f"Check name, version, objectType and vault ({vault}).")
    if status == 429:
        return BackendThrottled(
            text, hint="The vault's limit is used up; the next try comes by itself.", retry_after=_wait(response)
        )
    if status in {408, 500, 502, 503, 504}:
        return BackendUnavailable(text, hint="The next try comes by itself.", retry_after=_wait(response))
    return ObjectUnusable(text, hint="The vault refused the request itself.")


def is_worth_another_try(error: MountError) -> bool:
    """Whether a read that failed so is tried again within its mount."""
    return isinstance(error, BackendThrottled | BackendUnavailable)


def _forbidden(text: str, inner: str, kind: str, identity: AzureIdentity, vault: str) -> MountError:
    name = vault.partition(".")[0]
    if inner == "SecretDisabled" or "disabled" in inner.lower():
        return ObjectUnusable(text, hint="Enable the version, or ask for another one.")
    if inner == "ForbiddenByFirewall":
        hint = (
            "The vault's firewall does not let this node in: "
            f"az keyvault network-rule add --name {name} --ip-address ..., or use a private endpoint."
        )
    elif inner == "ForbiddenByPolicy":
        spn = identity.client or "(the node's identity)"
        hint = f"az keyvault set-policy --name {name} {_POLICIES[kind]} get list --spn {spn}"
    else:
        assignee = identity.client or "(the node's identity)"
        hint = (
            f"az role assignment create --role '{_ROLES[kind]}' --assignee {assignee} --scope "
            f"$(az keyvault show --name {name} --query id -o tsv); a new role takes some minutes."
        )
    return AccessDenied(text, hint=hint)


def _unauthorized_hint(identity: AzureIdentity, vault: str, tenant: str, *, told: bool) -> str:
    """What to check after a 401; `told`: a token was sent."""
    if not told:
        return f"What {vault} says of who gives tokens for it (WWW-Authenticate) can't be read: is it a vault?"
    if tenant and identity.auth is not Auth.MANAGED and tenant.lower() != identity.tenant.lower():
        return f"{vault} belongs to tenant {tenant}, but tenantID of the class is {identity.tenant}."
    return f"{vault} does not take the token of {identity.acting}: is it of another tenant or cloud?"


def _login_hint(code: int, identity: AzureIdentity) -> str:
    client, tenant = identity.client, identity.tenant
    if code in {90002, 900023}:
        return f"There is no tenant {tenant} at {identity.authority}: check tenantID and cloudName."
    if code == 700016:
        return f"There is no client {client} in tenant {tenant}: check clientID and tenantID."
    if code in {70021, 700211, 700212, 700213, 7002138}:
        wrong = {700211: "issuer", 700212: "audience", 700213: "subject"}.get(code, "issuer, subject or audience")
        return (
            f"The federated credential of client {client} has another {wrong}. It needs issuer "
            f"{clip(identity.issuer, 128)}, subject {identity.subject}, audience {identity.audience}: "
            f"az identity federated-credential create (or az ad app federated-credential create)."
        )
    if code in {50013, 50166, 500133}:
        return f"Entra can't check the token: its issuer {clip(identity.issuer, 128)} has to be public, with its keys."
    if code == 700024:
        return "The service account's token has ended; compare the clocks, kubelet sends a new one with the next try."
    if code in {7000215, 7000222}:
        return f"clientsecret of nodePublishSecretRef is wrong or has ended for client {client}."
    if code == 53003:
        return f"A conditional access policy refuses client {client} from here."
    if code == 7000112:
        return f"Client {client} is disabled."
    if code == 500011:
        return f"Tenant {tenant} does not know {identity.scope or 'the vault'}: check cloudName."
    return f"Asked as client {client} in tenant {tenant}" + (f" for {identity.subject}." if identity.subject else ".")


def _managed_hint(identity: AzureIdentity) -> str:
    if identity.client:
        return f"Is {identity.client} assigned to the node's scale set?"
    return "Has the node a system-assigned identity? With several assigned ones, userAssignedIdentityID says which."


def _asked(identity: AzureIdentity) -> str:
    return "the metadata server" if identity.auth is Auth.MANAGED else identity.authority


def _said(error: AzureError, response: Any, identity: AzureIdentity) -> tuple[int, str]:
    """Code and first sentence of Entra's answer (RFC 6749 section 5.2), or of the metadata server's.

    A body that is neither is left out: a proxy's page may differ each time.
    """
    try:
        document: Any = response.json()
    except Exception:  # noqa: BLE001  # whatever a foreign body makes of the SDK's parser
        document = None
    fields = document if isinstance(document, dict) else {}
    text = fields.get("error_description") or fields.get("error")
    if not isinstance(text, str):
        text = error.message if identity.auth is Auth.MANAGED else ""
    found = _AADSTS.search(text)
    return int(found[1]) if found else 0, _told(text)


def _vault_said(error: HttpResponseError) -> tuple[str, str, str]:
    """Code, inner code and message of Key Vault's error."""
    model: Any = error.error
    code, message = getattr(model, "code", None), getattr(model, "message", None)
    inner: Any = getattr(model, "innererror", None)
    within = inner.get("code") if isinstance(inner, dict) else None
    return clip(str(code or ""), 64), str(within or ""), _told(str(message or ""))


def _told(text: str) -> str:
    """A foreign text without what differs each time, and without advice that has nothing to do with it."""
    return clip(_CHANGING.sub("", text).partition(_ADVICE)[0], 360).rstrip(". ")


def _wait(response: Any) -> float | None:
    """Seconds that the answer asks for."""
    for header, unit in (("Retry-After-Ms", 1000), ("x-ms-retry-after-ms", 1000), ("Retry-After", 1)):
        try:
            seconds = float(response.headers.get(header, "")) / unit
        except (TypeError, ValueError):
            continue
        if 0 <= seconds < 3600:
            return seconds
    return None


def _kind(error: AzureError) -> str:
    """What kind of silence it was; the SDK's own text holds addresses that differ each time."""
    if isinstance(error, ServiceRequestTimeoutError | ServiceResponseTimeoutError):
        return "timeout"
    inner: Any = error.inner_exception
    seen = set()
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        inner_text = str(inner)
        if "CERTIFICATE_VERIFY_FAILED" in inner_text:
            return "its certificate can't be trusted"
        if "Name or service not known" in inner_text or "NameResolution" in inner_text:
            return "its name can't be resolved"
        if "ProxyError" in inner_text or "Tunnel connection failed" in inner_text:
            return "the proxy refuses"
        inner = getattr(inner, "reason", None) or inner.__cause__
    return type(error.inner_exception or error).__name__
