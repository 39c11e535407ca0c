"""Requests of one server's API, through hvac's adapter: tries, one redirect of the same origin, bounded answers."""

import json
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from hvac.adapters import RawAdapter

from sscsi_provider_vault.connection import CONNECT_SECONDS, session
from sscsi_provider_vault.errors import Refusal, errors_of, no_answer
from sscsi_provider_vault.identity import Endpoint
from sscsi_shared.daemon.metrics import backend_call
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import BackendUnavailable
from sscsi_shared.json_values import read_json
from sscsi_shared.secret import SecretText
from sscsi_shared.timed_sockets import until

SILENCE_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 20.0
"""For a whole answer, however slowly it comes."""
MAX_ANSWER_BYTES: Final = 8 << 20
_TRIES: Final = 3
_FIRST_PAUSE_SECONDS: Final = 0.2
_REDIRECTS: Final = (301, 302, 307, 308)
_AGAIN: Final = (412, 429, 472, 473)


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        operation: for metrics: login, read, write, renew, revoke.
        method: of HTTP.
        path: with /v1, percent-encoded.
        query: without its question mark.
        body: JSON, perhaps with a token; None = none.
        hidden: what the server may not say again in its errors.
        writes: whether it may be sent once only.
    """

    operation: str
    method: str
    path: str
    query: str = ""
    body: SecretText | None = None
    hidden: tuple[SecretText, ...] = ()
    writes: bool = False


class Server:
    """Asks one server.

    Args:
        endpoint: which.
        pause: between tries, in seconds.
    """

    def __init__(self, endpoint: Endpoint, pause: Callable[[float], object] | None = None) -> None:
        self.endpoint: Final = endpoint
        self._pause = pause or threading.Event().wait
        self._session = session(endpoint)
        scheme = endpoint.address.scheme
        self._base = "http://localhost" if scheme == "unix" else endpoint.address.url

    def ask(
        self, call: Call, namespace: str, token: SecretText | None, deadline: Deadline
    ) -> Mapping[str, Any] | Refusal:
        """The answer's JSON object; empty for an answer without content.

        A read is tried again after no answer, 5xx (but 501), 412 and 429; a write only where the server says that it
        did nothing.

        Raises:
            BackendUnavailable: no answer, or none that can be read.
        """
        pause = _FIRST_PAUSE_SECONDS
        for last in (False,) * (_TRIES - 1) + (True,):
            try:
                found = self._once(call, namespace, token, deadline)
            except BackendUnavailable:
                if last or call.writes or deadline.remaining() <= pause:
                    raise
            else:
                if not isinstance(found, Refusal) or last or not _may_try_again(found, call):
                    return found
                pause = max(pause, found.retry_after or 0.0)
                if deadline.remaining() <= pause:
                    return found
            self._pause(pause)
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def close(self) -> None:
        """Give connections back."""
        self._session.close()

    def _once(
        self, call: Call, namespace: str, token: SecretText | None, deadline: Deadline
    ) -> Mapping[str, Any] | Refusal:
        path = call.path + (f"?{call.query}" if call.query else "")
        with until(deadline.within(_ANSWER_SECONDS), SILENCE_SECONDS):
            response = self._send(call, path, namespace, token, deadline)
            if response.status_code in _REDIRECTS:
                path = self._redirected(response, path)
                response = self._send(call, path, namespace, token, deadline)
            with response:
                backend_call(f"vault.{call.operation}", str(response.status_code))
                if response.status_code in _REDIRECTS:
                    raise no_answer(call.operation, self._base, "it redirects more than once")
                body = _content(response, self._base + call.path)
        hidden = [one.reveal() for one in (*call.hidden, *([token] if token else []))]
        return self._read(response, body, call, namespace, hidden)

    def _send(
        self, call: Call, path: str, namespace: str, token: SecretText | None, deadline: Deadline
    ) -> requests.Response:
        adapter = RawAdapter(
            base_uri=self._base,
            token=token.reveal() if token else None,
            namespace=namespace or None,
            session=self._session,
            allow_redirects=False,
            request_header=True,
            verify=not self.endpoint.skip_verify,
        )
        timeout = max(0.001, deadline.at_most(CONNECT_SECONDS)), max(0.001, deadline.at_most(SILENCE_SECONDS))
        try:
            response: requests.Response = adapter.request(
                call.method,
                path,
                raise_exception=False,
                timeout=timeout,
                stream=True,
                **({"data": call.body.reveal().encode()} if call.body else {}),
            )
        except requests.RequestException as error:
            backend_call(f"vault.{call.operation}", "no answer")
            # `from None`: the library's errors hold the request, with its token.
            raise no_answer(call.operation, self._base + call.path, _why(error)) from None
        return response

    def _redirected(self, response: requests.Response, path: str) -> str:
        """The path of a redirect, which may not leave the server.

        Raises:
            BackendUnavailable: it would.
        """
        response.close()
        base = urlsplit(self._base)
        try:
            target = urlsplit(urljoin(self._base + path, response.headers.get("Location", "")))
        except ValueError:
            raise no_answer("redirect", self._base, "it redirects to what is no address") from None
        if (target.scheme, target.netloc) != (base.scheme, base.netloc):
            raise no_answer("redirect", self._base, "it redirects to another server, which is not followed")
        return target.path + (f"?{target.query}" if target.query else "")

    def _read(
        self,
        response: requests.Response,
        body: bytes,
        call: Call,
        namespace: str,
        hidden: Sequence[str],
    ) -> Mapping[str, Any] | Refusal:
        url = self._base + call.path
        try:
            document = read_json(body) if body.strip() else {}
        except ValueError:
            document = None
        if response.status_code >= 400:
            errors = errors_of(document, hidden)
            return Refusal(call.method, url, response.status_code, errors, namespace, _seconds(response.headers))
        if not isinstance(document, dict):
            raise no_answer(call.operation, url, "its answer is not JSON")
        return document


def _may_try_again(refusal: Refusal, call: Call) -> bool:
    if call.writes:
        return refusal.was_not_done
    return refusal.status in _AGAIN or (refusal.status >= 500 and refusal.status != 501)


def _content(response: requests.Response, url: str) -> bytes:
    try:
        body: bytes = response.raw.read(MAX_ANSWER_BYTES + 1, decode_content=True)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise no_answer("read", url, f"no whole answer ({type(error).__name__})") from None
    if len(body) > MAX_ANSWER_BYTES:
        raise no_answer("read", url, f"its answer is longer than {MAX_ANSWER_BYTES} bytes")
    return body


def _why(error: requests.RequestException) -> str:
    """The kind of failure, and nothing that was sent."""
    causes: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < 8:
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "the handshake failed"
            return f"TLS: {reason}"
        inner = cause.args[0] if cause.args and isinstance(cause.args[0], BaseException) else None
        cause = inner or getattr(cause, "reason", None) or cause.__cause__ or cause.__context__
        cause = cause if isinstance(cause, BaseException) else None
        if isinstance(cause, urllib3.exceptions.NewConnectionError):
            causes.append(str(cause).rpartition(": ")[2])
        elif isinstance(cause, urllib3.exceptions.NameResolutionError):
            causes.append("the name can't be resolved")
    if isinstance(error, requests.exceptions.SSLError):
        named = "match" in str(error)
        return f"TLS: {'the certificate is for another name' if named else 'the handshake failed'}"
    return f"no answer ({causes[-1] if causes else type(error).__name__})"


def _seconds(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After", "")
    return float(text) if text.isdecimal() and len(text) < 6 else None


def json_body(value: Mapping[str, Any]) -> SecretText:
    """A body of ours."""
    return SecretText(json.dumps(value, separators=(",", ":")))
