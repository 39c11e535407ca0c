"""What Vault answers instead of content, in the house's errors: what failed, as whom, and what to check."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sscsi_provider_vault.identity import VaultIdentity
from sscsi_provider_vault.parameters import VaultObject
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
from sscsi_shared.secret import REDACTED

_SEALED: Final = "Vault is sealed"
_STANDBY: Final = (472, 473)
_MAX_ERRORS: Final = 4
_TIMES: Final = re.compile(r"expired|not valid yet|not yet valid|not before|\((?:exp|nbf|iat)\)", re.IGNORECASE)
"""What Vault says of a token whose times are wrong (go-jose, Kubernetes' TokenReview)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no content.

    Attributes:
        method: of the request.
        url: of the request; without query, which may hold what an author wrote.
        status: the HTTP status.
        errors: the server's own list; cut.
        namespace: of Vault's.
        retry_after: seconds; None if unsaid.
    """

    method: str
    url: str
    status: int
    errors: tuple[str, ...]
    namespace: str
    retry_after: float | None = None

    @property
    def text(self) -> str:
        """In the words of Vault's Go client."""
        space = f"[Namespace: {clip(self.namespace, 128)}] " if self.namespace else ""
        told = clip(" ".join(f"* {one}" for one in self.errors))
        return (
            f"Error making API request. {space}URL: {self.method} {clip(self.url, 300)} Code: {self.status}. "
            f"Errors: {told}"
        ).rstrip()

    @property
    def is_sealed(self) -> bool:
        """Whether the server says that it can't serve anybody yet."""
        return self.status == 503 and any(_SEALED in one for one in self.errors)

    @property
    def was_not_done(self) -> bool:
        """Whether the server says that it did nothing, so that a write may be sent again."""
        return self.status in {412, 429, *_STANDBY} or self.is_sealed


def errors_of(document: object, hidden: Sequence[str]) -> tuple[str, ...]:
    """The list `errors` of an answer, each on one line; nothing else of a body is shown.

    Args:
        document: the answer.
        hidden: what was sent and may not come back: a class's author may have chosen who answers.
    """
    listed = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        return ()
    texts = [one for one in listed[:_MAX_ERRORS] if isinstance(one, str)]
    for word in hidden:
        texts = [text.replace(word, REDACTED) for text in texts]
    return tuple(clip(text).strip() for text in texts)


def read_error(refusal: Refusal, asked: VaultObject, identity: VaultIdentity, policies: Sequence[str]) -> MountError:
    """The error of a read.

    Args:
        refusal: the answer.
        asked: what for.
        identity: as whom.
        policies: of the token, for the reader.
    """
    path = asked.path.removeprefix("/v1/")
    start = f"error requesting secret: {refusal.text}"
    if refusal.status == 403:
        capability = {"GET": "read", "LIST": "list"}.get(asked.method.upper(), "update")
        named = f" The token's policies are {', '.join(clip(one, 64) for one in policies[:10])};" if policies else ""
        hint = f'{identity.who} may not.{named} grant: path "{clip(path, 200)}" {{ capabilities = ["{capability}"] }}.'
        return AccessDenied(start, hint=hint)
    if refusal.status == 404:
        return ObjectNotFound(start, hint=_absent(path))
    return _broken(refusal, start)


def login_error(refusal: Refusal, identity: VaultIdentity) -> MountError:
    """The error of a login."""
    start = f"failed to login: {refusal.text}"
    if refusal.status in {400, 401, 403, 404}:
        return AuthenticationFailed(start, hint=_login_hint(refusal, identity))
    return _broken(refusal, start)


def no_answer(what: str, url: str, why: str) -> BackendUnavailable:
    """A request that got no answer, or none that can be read."""
    hint = _WAY.get(why.partition(" ")[0], "")
    return BackendUnavailable(f"{what}: {clip(url, 300)}: {clip(why, 200)}.", hint=hint)


def unreadable(what: str) -> ObjectUnusable:
    """An answer that says yes and holds nothing to use."""
    return ObjectUnusable(what, hint="Check the path: this endpoint answers without data.")


_WAY: Final = {
    "no": "Check the way to the server: address, DNS, port, network policy, proxy.",
    "its": "Is it the server? A proxy may answer in its place.",
    "TLS:": "Check the authority (vaultCACertPath), the server's name (vaultTLSServerName), and that it speaks TLS.",
}


def _broken(refusal: Refusal, start: str) -> MountError:
    if refusal.status == 429:
        hint = "The server limits requests; the next try comes by itself."
        return BackendThrottled(start, hint=hint, retry_after=refusal.retry_after)
    if refusal.is_sealed:
        return BackendUnavailable(start, hint="Unseal the server.", retry_after=refusal.retry_after)
    if refusal.status >= 500 or refusal.status in {412, *_STANDBY}:
        return BackendUnavailable(start, hint="The next try comes by itself.", retry_after=refusal.retry_after)
    return ObjectUnusable(start, hint="Vault refused the request itself: check path, method and secretArgs.")


def _absent(path: str) -> str:
    mount, slash, rest = path.partition("/")
    if slash and not rest.startswith(("data/", "creds/", "issue/", "metadata/")):
        return f"If {mount} is a KV version 2 mount, the path needs data/: {clip(f'{mount}/data/{rest}', 200)}."
    return "Check path and version; a deleted version is answered so too."


def _login_hint(refusal: Refusal, identity: VaultIdentity) -> str:
    said = " ".join(refusal.errors)
    where = f"{identity.login_path.removeprefix('/v1/').removesuffix('/login')}"
    account = f"{identity.namespace}/{identity.service_account}"
    issuer = clip(identity.issuer, 128)
    if "iss" in said and "invalid" in said:
        return f"The token's issuer is {issuer}: set it as the auth method's issuer, or turn disable_iss_validation on."
    if _TIMES.search(said):
        return f"The token's times don't fit the server's clock: compare the node's. It is of issuer {issuer}."
    if "aud" in said:
        return f"The token's audience is {clip(identity.audience, 128) or '(the API server)'}: compare the role's."
    if "name not authorized" in said or "namespace not authorized" in said:
        return f"The role `{identity.role}` must be bound to service account {account}."
    if refusal.status == 404 or "unsupported path" in said or "no handler" in said:
        return f"There is no auth method at {where}: set vaultAuthMountPath."
    if "role" in said:
        return f"Check the role `{identity.role}` at {where}."
    return (
        f"Logged in as service account {account} with role `{identity.role}` at {where}; the token's issuer is "
        f"{issuer}."
    )
