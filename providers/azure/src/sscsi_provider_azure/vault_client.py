"""A vault's three SDK clients as one: what is named, and lists; with our retries, and errors in the house's words."""

import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError, ServiceRequestError
from azure.core.pipeline.transport import HttpTransport

from sscsi_provider_azure.challenges import Challenges
from sscsi_provider_azure.content import envelope
from sscsi_provider_azure.errors import is_worth_another_try, object_error
from sscsi_provider_azure.identity import AzureIdentity
from sscsi_provider_azure.keys import certificate_pem, public_pem
from sscsi_provider_azure.metrics import counted
from sscsi_provider_azure.parameters import WRAPPED
from sscsi_provider_azure.wire import timeouts
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed, BackendUnavailable, MountError, ObjectUnusable, OutOfTime, clip
from sscsi_shared.mount import Item
from sscsi_shared.secret import SecretBytes

AnswerT = TypeVar("AnswerT")

TRIES: Final = 4
MAX_LISTED: Final = 10_000
_OTHER: Final = "Does a proxy (HTTPS_PROXY) answer in the vault's place?"
_FIRST_PAUSE_SECONDS: Final = 0.2
_SCHEMES: Final = {"secret": "secrets", "key": "keys", "cert": "certificates"}
_OPERATIONS: Final = {"secret": "Secret", "key": "Key", "cert": "Certificate"}


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list says of an object or of a version.

    Attributes:
        name: of the object.
        version: empty in a list of objects.
        created: seconds since 1970; 0 where it is not said.
        tags: as they are.
    """

    name: str
    version: str
    created: float
    tags: dict[str, str]


class VaultClient:
    """One vault, for one identity.

    Args:
        host: the vault's.
        identity: as whom.
        token: of that identity.
        challenges: sends.
        user_agent: in front of the SDK's own.
        pause: between tries, in seconds.
    """

    def __init__(
        self,
        host: str,
        identity: AzureIdentity,
        token: AccessToken,
        scope: str,
        challenges: Challenges,
        *,
        user_agent: str = "",
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._host = host
        self._identity = identity
        self._credential = _Held(token, scope, host)
        self._challenges = challenges
        self._options = {
            "transport": _Own(challenges, host),
            "retry_total": 0,
            "permit_redirects": False,
            "user_agent": user_agent,
        }
        self._pause = pause or threading.Event().wait
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}

    def get(self, kind: str, name: str, version: str, deadline: Deadline) -> Item:
        """An object's content: of a secret as `content.envelope`, of keys and certificates as PEM.

        Args:
            kind: secret, key or cert.
            name: of the object.
            version: empty = the newest.
            deadline: of all tries together.

        Raises:
            ObjectError: what there is instead.
            AuthenticationFailed: the token was refused.
        """
        read = {"secret": _secret, "key": _key, "cert": _certificate}[kind]
        path = f"{_SCHEMES[kind]}/{name}/{version}"
        start = start_of(kind, name, version)
        try:
            return self._call(
                f"Get{_OPERATIONS[kind]}", kind, name, f"{start}GET https://{self._host}/{path}", deadline,
                lambda client, limits: read(client, name, version, limits),
            )  # fmt: skip
        except ObjectUnusable as error:
            if error.message.startswith(start):
                raise
            raise ObjectUnusable(start + error.message, hint=error.hint) from error

    def versions(self, kind: str, name: str, deadline: Deadline) -> tuple[Listed, ...]:
        """The enabled versions of an object, as the vault orders them.

        Raises:
            ObjectError: see get.
            AuthenticationFailed: see get.
        """
        method = {
            "secret": "list_properties_of_secret_versions",
            "key": "list_properties_of_key_versions",
            "cert": "list_properties_of_certificate_versions",
        }[kind]
        shown = f"{start_of(kind, name, '')}GET https://{self._host}/{_SCHEMES[kind]}/{name}/versions"
        return self._call(
            f"List{_OPERATIONS[kind]}Versions", kind, name, shown, deadline,
            lambda client, limits: _listed(getattr(client, method)(name, **limits)),
        )  # fmt: skip

    def all(self, kind: str, deadline: Deadline) -> tuple[Listed, ...]:
        """The enabled objects of a kind.

        Raises:
            ObjectError: see get.
            AuthenticationFailed: see get.
        """
        method = {
            "secret": "list_properties_of_secrets",
            "key": "list_properties_of_keys",
            "cert": "list_properties_of_certificates",
        }[kind]
        shown = f"{WRAPPED}failed to list objectType:{kind}: GET https://{self._host}/{_SCHEMES[kind]}"
        return self._call(
            f"List{_OPERATIONS[kind]}s", kind, "", shown, deadline,
            lambda client, limits: _listed(getattr(client, method)(**limits)),
        )  # fmt: skip

    def _call(
        self,
        operation: str,
        kind: str,
        name: str,
        shown: str,
        deadline: Deadline,
        ask: Callable[[Any, dict[str, float]], AnswerT],
    ) -> AnswerT:
        """Ask, and again after what may pass by itself."""
        failure: MountError = OutOfTime(f"{shown}: there was no time left to ask.")
        for turn in range(TRIES):
            if deadline.expired:
                break
            try:
                with counted(f"keyvault.{operation}", kind, name) as outcome:
                    try:
                        return self._once(kind, shown, deadline, ask)
                    except MountError as error:
                        outcome.word = error.reason
                        raise
            except MountError as error:
                if not is_worth_another_try(error):
                    raise
                failure = error
            seconds = failure.retry_after or _FIRST_PAUSE_SECONDS * 2**turn * random.uniform(0.5, 1.5)  # noqa: S311
            if turn == TRIES - 1 or seconds >= deadline.remaining():
                break
            self._pause(seconds)
        raise failure

    def _once(
        self, kind: str, shown: str, deadline: Deadline, ask: Callable[[Any, dict[str, float]], AnswerT]
    ) -> AnswerT:
        try:
            return ask(self._client(kind), timeouts(deadline))
        except MountError as error:
            if isinstance(error, AuthenticationFailed):
                self._challenges.forget(self._host)
            raise
        except AzureError as error:
            challenge = self._challenges.of(self._host)
            tenant = challenge.tenant if challenge else ""
            raise object_error(error, shown, kind, self._identity, self._host, tenant) from None
        except ValueError as error:
            self._challenges.forget(self._host)
            if "challenge" not in str(error):
                raise BackendUnavailable(f"{shown}: the answer can't be read.", hint=_OTHER) from None
            raise AuthenticationFailed(
                f"{shown}: the challenge resource doesn't match the requested domain: {clip(str(error), 160)}",
                hint=f"Is {self._host} a vault of the cloud that the class names (cloudName)?",
            ) from None
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError):
            raise BackendUnavailable(f"{shown}: the answer can't be read.", hint=_OTHER) from None

    def _client(self, kind: str) -> Any:
        """The SDK's client, made on use: who reads secrets alone does not pay for the others."""
        with self._lock:
            client = self._clients.get(kind)
            if client is None:
                client = _sdk(kind)(f"https://{self._host}", self._credential, **self._options)
                self._clients[kind] = client
            return client


def _sdk(kind: str) -> Any:
    if kind == "secret":
        from azure.keyvault.secrets import SecretClient

        return SecretClient
    if kind == "key":
        from azure.keyvault.keys import KeyClient

        return KeyClient
    from azure.keyvault.certificates import CertificateClient

    return CertificateClient


class _Held:
    """The SDK's credential: a token that is there, of the class's tenant, whatever tenant the challenge names."""

    def __init__(self, token: AccessToken, scope: str, host: str) -> None:
        self._token = token
        self._scope = scope
        self._host = host

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """See TokenCredential.

        Raises:
            AuthenticationFailed: it is for something else than what the vault asks for.
        """
        wanted = scopes[0] if scopes else ""
        if wanted.removesuffix("/.default").rstrip("/") != self._scope.removesuffix("/.default").rstrip("/"):
            raise AuthenticationFailed(
                f"{self._host} asks for a token for {clip(wanted, 128)}, and the cloud's is for {self._scope}.",
                hint="Check cloudName.",
            )
        return self._token


class _Own(HttpTransport[Any, Any]):
    """Sends to one vault and nowhere else, whatever a page's link to the next one says."""

    def __init__(self, transport: Challenges, host: str) -> None:
        self._transport = transport
        self._host = host.removesuffix(":443")

    def send(self, request: Any, **kwargs: Any) -> Any:
        parts = urlsplit(request.url)
        if parts.scheme != "https" or parts.netloc.lower().removesuffix(":443") != self._host:
            raise ServiceRequestError("the vault's answer leads elsewhere")
        return self._transport.send(request, **kwargs)

    def open(self) -> None:
        """See Challenges."""

    def close(self) -> None:
        """See Challenges."""

    def __exit__(self, *_: object) -> None:
        """See Challenges."""


def _secret(client: Any, name: str, version: str, limits: dict[str, float]) -> Item:
    found = client.get_secret(name, version or None, **limits)
    if found.value is None:
        raise ObjectUnusable("secret value is nil.")
    if not found.id:
        raise ObjectUnusable("secret id is nil.")
    properties = found.properties
    is_certificate = bool(properties.key_id)
    contents = envelope(found.value, properties.content_type or "", is_certificate=is_certificate)
    return Item(SecretBytes(contents), found.id.rstrip("/").rpartition("/")[2])


def _key(client: Any, name: str, version: str, limits: dict[str, float]) -> Item:
    found = client.get_key(name, version or None, **limits)
    if found.key is None or not found.key.kty:
        raise ObjectUnusable("key value is nil.")
    if not found.id:
        raise ObjectUnusable("key id is nil.")
    return Item(SecretBytes(public_pem(found.key)), found.id.rstrip("/").rpartition("/")[2])


def _certificate(client: Any, name: str, version: str, limits: dict[str, float]) -> Item:
    if version:
        found = client.get_certificate_version(name, version, **limits)
    else:
        found = client.get_certificate(name, **limits)
    if not found.cer:
        raise ObjectUnusable("certificate value is nil.")
    if not found.id:
        raise ObjectUnusable("certificate id is nil.")
    return Item(SecretBytes(certificate_pem(bytes(found.cer))), found.id.rstrip("/").rpartition("/")[2])


def _listed(found: Iterable[Any]) -> tuple[Listed, ...]:
    """The enabled ones; one without attributes counts as disabled (the existing provider)."""
    every = list(islice(found, MAX_LISTED + 1))
    if len(every) > MAX_LISTED:
        raise ObjectUnusable(f"there are more than {MAX_LISTED} of them.")
    return tuple(
        Listed(
            one.name or "",
            one.version or "",
            one.created_on.timestamp() if one.created_on else 0.0,
            {str(key): str(value) for key, value in (one.tags or {}).items()},
        )
        for one in every
        if one.enabled
    )


def start_of(kind: str, name: str, version: str) -> str:
    """How the existing provider begins what it says of an object."""
    return f"{WRAPPED}failed to get objectType:{kind}, objectName:{name}, objectVersion:{version}: "
