"""What every cloud under faults has: a clock, legs (login and reads) behind fronts, the words of its refusals."""

import base64
import json
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Self
from urllib.parse import urlsplit

from sscsi_emulators.authority import Authority
from sscsi_emulators.faults import Fault, Faults
from sscsi_emulators.front import Front
from sscsi_emulators.google import PROJECT
from sscsi_emulators.tokens import TokenExpired, TokenInvalid

SECRETS: Final = ("s0", "s1", "s2")
ACCOUNTS: Final = 1000
ROLE: Final = "arn:aws:iam::123456789012:role/{}"
POOL: Final = f"{PROJECT}.svc.id.goog"
CLIENT: Final = "0b2f3c5e-6a53-4d8e-9c11-0a6d3c1f7b21"
ISSUER: Final = "https://issuer.example"


class Clock:
    """The backend's, which may be wrong."""

    def __init__(self, early: type[ValueError]) -> None:
        self.wrong_by = 0.0
        self._early = early

    def __call__(self) -> float:
        """Seconds since 1970, as wrong as it was set."""
        return time.time() + self.wrong_by

    def claims(self, token: str, audience: str) -> Mapping[str, Any]:
        """Of a token that nobody has signed, whose times count."""
        del audience
        body = token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if claims["exp"] <= self():
            raise TokenExpired("token is expired")
        if claims["nbf"] > self() + 60:
            raise self._early("token is not valid yet (nbf)")
        return claims


class Leg:
    """A login, or reads: a name, a front and what is shown there.

    Args:
        name: of the host.
        target: port of the backend.
        authority: of its certificates.
        more: see Front.
    """

    def __init__(self, name: str, target: int, authority: Authority, **more: bool) -> None:
        self.name: Final = name
        self._contexts: dict[str, ssl.SSLContext] = {}
        stranger = Authority()
        for word, one in (
            ("right", authority.server([name])),
            ("wrong authority", stranger.server([name])),
            ("expired", authority.server([name], ended=True)),
            ("wrong name", authority.server(["elsewhere.test"])),
        ):
            with tempfile.TemporaryDirectory(prefix="fire-", dir="/tmp") as folder:
                self._contexts[word] = one.context(Path(folder))
        self._shown = "right"
        self.front: Final = Front(target, lambda: self._contexts[self._shown], **more)

    @property
    def place(self) -> str:
        """Host and port."""
        return f"{self.name}:{self.front.port}"

    def show(self, word: str) -> None:
        """Show this certificate, to everybody who comes from now on; old connections end."""
        self._shown = word
        self.front.renew()


@dataclass(frozen=True, slots=True)
class Words:
    """How a backend says things; faults of the leg's operations.

    Attributes:
        operations: that belong to the leg, for Faults.
        busy: its words for too many requests: status, code, message.
        broken: for a mistake of its own.
        refused: for credentials that have ended.
        skewed: what a wrong clock leads to, where the backend's clock alone does not do it.
    """

    operations: str
    busy: tuple[int, str, str]
    broken: tuple[int, str, str]
    refused: tuple[int, str, str]
    skewed: tuple[int, str, str] | None = None


class Cloud:
    """From `with` to its end; see the four below.

    Attributes:
        name: of the provider.
        audience: of the pods' tokens.
        login: where tokens are got.
        reads: where secrets are.
        clock: the backend's.
        words: of login and reads.
    """

    name: ClassVar[str]
    audience: ClassVar[str]
    words: ClassVar[Mapping[str, Words]]
    early: ClassVar[type[ValueError]] = TokenInvalid
    """What the emulator takes for a token whose time has not come."""

    def __init__(self, host: Callable[[str], str]) -> None:
        self._host = host
        self.resolve: Callable[[str, bool], None] = lambda _name, _good: None
        self._stack = ExitStack()
        self.clock = Clock(self.early)
        self.authority = Authority()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="fire-", dir="/tmp")))
        self.ca_file = self.folder / "ca.pem"
        self.authority.save(self.ca_file)
        self.login: Leg
        self.reads: Leg
        self._lock = threading.Lock()
        self._accounts = 0

    def __enter__(self) -> Self:
        self._begin()
        for leg in {self.login, self.reads}:
            self._stack.enter_context(leg.front)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def account(self) -> int:
        """The number of a service account that nobody has used."""
        with self._lock:
            self._accounts += 1
            return self._accounts

    def leg(self, word: str) -> Leg:
        """`login` or `reads`."""
        return self.login if word == "login" else self.reads

    def fail(
        self, leg: str, said: tuple[int, str, str], retry_after: int | None = None, times: int | None = None
    ) -> None:
        """Let a leg answer this in place of its own."""
        status, code, message = said
        self.faults.add(Fault(self.words[leg].operations, status, code, message, times, retry_after))

    def resolved(self, leg: str, *, good: bool) -> None:
        """Let the leg's name lead somewhere, or nowhere; who has a connection has to make a new one."""
        self.resolve(self.leg(leg).name, good)
        self.leg(leg).front.renew()

    @property
    def asked(self) -> int:
        """How often login and reads were spoken to."""
        return sum(leg.front.asked for leg in {self.login, self.reads})

    def environ(self) -> Mapping[str, str]:
        """Of the provider."""
        return {}

    def annotations(self, account: str) -> Mapping[str, str]:
        """Of a service account."""
        del account
        return {}

    @property
    def faults(self) -> Faults:
        """The emulator's."""
        raise NotImplementedError

    def put(self, value: str) -> None:
        """Give every secret a value."""
        raise NotImplementedError

    def flags(self) -> list[str]:
        """Of the provider."""
        raise NotImplementedError

    def parameters(self) -> Mapping[str, str]:
        """Of the class."""
        raise NotImplementedError

    def handed_out(self) -> Iterable[str]:
        """What nobody may see."""
        raise NotImplementedError

    def _begin(self) -> None:
        raise NotImplementedError


def port_of(url: str) -> int:
    return urlsplit(url).port or 0
