"""A backend that answers as the input says: status, kind and body; and mounts that ask it.

The first octet of an input chooses which call gets it and how it is dressed, the second the status; the body follows.
"""

import gzip
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fire.hostile.target import Target, words
from sscsi_emulators.tokens import unsigned_token
from sscsi_emulators.wsgi import Environ, LoopbackServer, StartResponse
from sscsi_shared.cluster import Cluster
from sscsi_shared.deadline import Deadline
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import OFF
from sscsi_shared.errors import MountError
from sscsi_shared.mount import MountInput
from sscsi_shared.parameters import read_mount
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.testing.stage import POD, pod_attributes, tokens_text

STATUSES: Final = (200, 200, 200, 200, 400, 403, 404, 500)
_KINDS: Final = ("application/json", "text/html", "application/x-amz-json-1.1; charset=x", "\xff")
_BOMB: Final = gzip.compress(b"[" * (256 << 20), 1)
"""A quarter of a MiB that is a thousand times as much."""
_SECONDS: Final = 20.0
MAX_TOLD: Final = 20_000
"""The most that an error may say; the status text is cut at 2 KiB."""
JSON_WORDS: Final = (
    *words('{ } [ ] " : , null true false 0 -1 1e999 NaN \\u0000 \\ud800 \\ [[ {"a": \xff <html> 2030-01-01T00:00:00Z'),
    b'": [',
    b'": {',
    b'": null',
)


@dataclass(slots=True)
class Hostile:
    """What is answered next.

    Attributes:
        login: whether the hostile answer is the login's; else it is the read's.
        status: of HTTP.
        kind: its content type.
        body: its bytes.
        encoding: its content encoding; empty = none.
    """

    login: bool = False
    status: int = 200
    kind: str = _KINDS[0]
    body: bytes = b""
    encoding: str = ""

    def read(self, data: bytes) -> None:
        """Take what an input says."""
        how, status, self.body = (data[0], data[1], data[2:]) if len(data) > 1 else (0, 0, b"")
        self.login, self.encoding = bool(how & 1), ""
        self.status = STATUSES[status % len(STATUSES)]
        self.kind = _KINDS[(how >> 1) % len(_KINDS)] if how & 0x18 == 0x18 else _KINDS[0]
        if how & 0xE0 == 0xE0:
            self.encoding, self.body = "gzip", _BOMB

    def headers(self) -> list[tuple[str, str]]:
        """Of HTTP."""
        return [("Content-Type", self.kind)] + ([("Content-Encoding", self.encoding)] if self.encoding else [])


class Fresh:
    """A provider that has never logged in, for each mount.

    Args:
        make: makes one.
        end: ends it.
    """

    def __init__(self, make: Callable[[], Any], end: Callable[[Any], object]) -> None:
        self._make, self._end = make, end
        self._now = make()
        self.name: str = self._now.name

    def parse(self, mount: MountInput) -> Any:
        """See Provider; the beginning of a mount."""
        self._end(self._now)
        self._now = self._make()
        return self._now.parse(mount)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._now, name)


class HostileServer(LoopbackServer):
    """Answers logins and reads over plain HTTP.

    Args:
        hostile: what to answer.
        login: body of a sound answer to a login.
        is_login: whether a request is one.
        read: body of a sound answer to a read.
    """

    def __init__(self, hostile: Hostile, login: bytes, is_login: Callable[[Environ, bytes], bool], read: bytes) -> None:
        super().__init__(self._answer)
        self._hostile, self._sound, self._is_login, self._read = hostile, login, is_login, read

    def _answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        login = self._is_login(environ, sent)
        if login == self._hostile.login:
            start_response(f"{self._hostile.status} .", self._hostile.headers())
            return [self._hostile.body]
        body = self._sound if login else self._read
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


def mounting(
    name: str,
    hostile: Hostile,
    provider: Any,
    cluster: Cluster,
    audience: str,
    attributes: Mapping[str, str],
    seeds: Iterable[bytes],
    more_words: Iterable[bytes] = (),
    seconds: float = _SECONDS,
) -> Target:
    """Mounts whose backend answers as the input says; a refusal is one of our errors, and short.

    Args:
        name: of the target.
        hostile: gets the inputs.
        provider: asks.
        cluster: its service accounts.
        audience: of the pod's token.
        attributes: of the class.
        seeds: bodies of sound answers to reads.
        more_words: what such bodies are made of.
        seconds: until the deadline of a mount.
    """
    token = unsigned_token(POD.namespace, POD.service_account, audience)
    sent = json.dumps({**attributes, **pod_attributes(POD, tokens_text({audience: token}))})
    # Each mount is hours after the one before: nothing keeps it from asking.
    pipeline = Pipeline(provider, cluster, Economy(provider, OFF, clock=itertools.count(0, 10_000).__next__))

    def read(data: bytes) -> None:
        hostile.read(data)
        try:
            pipeline.mount(read_mount(sent, "null", "420", "/t", ()), Deadline.after(seconds))
        except MountError as error:
            if len(str(error)) > MAX_TOLD:
                raise AssertionError("an answer's body is told") from error
            raise

    bodies = list(seeds)
    starts = (b"\0\0", b"\0\5", b"\1\0")
    kept = [start + body for body in bodies for start in starts] + [b"\xe0\0", b"\xe1\0"]
    return Target(name, read, (MountError,), kept, (*JSON_WORDS, *more_words), most=4 << 20, seconds=12, costly=20)
