"""The four clouds as a fault meets them: a login and reads, each behind a front of its own, with names and TLS."""

# ruff: noqa: D102  # what Cloud says of its methods

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
from sscsi_emulators.aws import REGION, AwsEmulator
from sscsi_emulators.azure import AzureEmulator
from sscsi_emulators.azure_logins import EXCHANGE
from sscsi_emulators.azure_store import TENANT
from sscsi_emulators.faults import Fault, Faults
from sscsi_emulators.front import Front
from sscsi_emulators.google import PROJECT, GoogleEmulator
from sscsi_emulators.tokens import TokenExpired, TokenInvalid
from sscsi_emulators.vault import VaultEmulator

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


def _port(url: str) -> int:
    return urlsplit(url).port or 0


class Aws(Cloud):
    """Secrets Manager by IRSA."""

    name = "aws"
    audience = "sts.amazonaws.com"
    words: ClassVar[Mapping[str, Words]] = {
        "login": Words(
            "sts.*",
            (400, "Throttling", "Rate exceeded"),
            (503, "ServiceUnavailable", "Service is unable to handle request."),
            (400, "ExpiredTokenException", "Token expired: current date/time must be before the expiration"),
        ),
        "reads": Words(
            "secretsmanager.*",
            (400, "ThrottlingException", "Rate exceeded"),
            (500, "InternalServiceError", "An error occurred on the server side."),
            (400, "ExpiredTokenException", "The security token included in the request is expired"),
            (
                400,
                "InvalidSignatureException",
                "Signature expired: 20260101T000000Z is now earlier than 20260101T015500Z",
            ),
        ),
    }

    def _begin(self) -> None:
        self.emulator = self._stack.enter_context(AwsEmulator())
        for number in range(ACCOUNTS):
            subject = f"system:serviceaccount:shop:web-{number}"
            self.emulator.trust(ROLE.format(f"web-{number}"), self.clock.claims, subject)
        port = _port(self.emulator.url)
        self.login = Leg(self._host("sts.aws.test"), port, self.authority)
        self.reads = Leg(self._host("secrets.aws.test"), port, self.authority)

    @property
    def faults(self) -> Faults:
        return self.emulator.faults

    def put(self, value: str) -> None:
        for name in SECRETS:
            self.emulator.put_secret(name, value)

    def flags(self) -> list[str]:
        return [
            f"--region={REGION}",
            f"--ca-bundle={self.ca_file}",
            f"--sts-endpoint=https://{self.login.place}",
            f"--secretsmanager-endpoint=https://{self.reads.place}",
        ]

    def annotations(self, account: str) -> Mapping[str, str]:
        return {"eks.amazonaws.com/role-arn": ROLE.format(account)}

    def parameters(self) -> Mapping[str, str]:
        return {"objects": json.dumps([{"objectName": one, "objectType": "secretsmanager"} for one in SECRETS])}

    def handed_out(self) -> Iterable[str]:
        return self.emulator.handed_out()


class Gcp(Cloud):
    """Secret Manager by Workload Identity."""

    name = "gcp"
    audience = POOL
    words: ClassVar[Mapping[str, Words]] = {
        "login": Words(
            "sts.*",
            (429, "rate_limited", "Quota exceeded"),
            (503, "unavailable", "The service is currently unavailable."),
            (400, "invalid_grant", "The token is not valid: token is expired"),
        ),
        "reads": Words(
            "secretmanager.*",
            (429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Access requests'"),
            (503, "UNAVAILABLE", "The service is currently unavailable."),
            (401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
        ),
    }

    def _begin(self) -> None:
        self.emulator = self._stack.enter_context(GoogleEmulator(self.clock))
        cluster = f"projects/{PROJECT}/locations/europe-west1/clusters/fire"
        pool = f"identitynamespace:{POOL}:https://container.googleapis.com/v1/{cluster}"
        self.emulator.logins.trust(pool, self.clock.claims)
        self.login = Leg(self._host("sts.gcp.test"), _port(self.emulator.logins.url), self.authority, to_tls=True)
        port = int(self.emulator.target.rpartition(":")[2])
        self.reads = Leg(self._host("secrets.gcp.test"), port, self.authority, to_tls=True, http2=True)

    @property
    def faults(self) -> Faults:
        return self.emulator.faults

    def put(self, value: str) -> None:
        for name in SECRETS:
            self.emulator.store.put(name, value)

    def flags(self) -> list[str]:
        return [
            "--metrics_addr=",
            f"--ca-bundle={self.ca_file}",
            f"--secretmanager-endpoint={self.reads.place}",
            f"--token-exchange-endpoint=https://{self.login.place}/v1/token",
            f"--iam-endpoint=https://{self.login.place}",
        ]

    def environ(self) -> Mapping[str, str]:
        return {"PROJECT": PROJECT, "CLUSTER_LOCATION": "europe-west1", "CLUSTER_NAME": "fire"}

    def parameters(self) -> Mapping[str, str]:
        entries = [{"resourceName": f"projects/{PROJECT}/secrets/{n}/versions/latest", "path": n} for n in SECRETS]
        return {"secrets": json.dumps(entries)}

    def handed_out(self) -> Iterable[str]:
        return self.emulator.handed_out()


class Vault(Cloud):
    """KV version 2 by Kubernetes auth."""

    name = "vault"
    audience = "vault"
    words: ClassVar[Mapping[str, Words]] = {
        "login": Words(
            "login",
            (429, "", 'request path "auth/kubernetes/login": rate limit quota exceeded'),
            (500, "", "internal error"),
            (403, "", "permission denied: token is expired"),
        ),
        "reads": Words(
            "GET *",
            (429, "", "rate limit quota exceeded"),
            (503, "", "Vault is sealed"),
            (403, "", "permission denied"),
        ),
    }

    def _begin(self) -> None:
        self.emulator = self._stack.enter_context(VaultEmulator(self.clock))
        self.emulator.trust(self.clock.claims)
        self.emulator.role("fire", *(f"system:serviceaccount:shop:web-{number}" for number in range(ACCOUNTS)))
        self.login = self.reads = Leg(self._host("vault.test"), _port(self.emulator.url), self.authority)

    @property
    def faults(self) -> Faults:
        return self.emulator.faults

    def put(self, value: str) -> None:
        for name in SECRETS:
            self.emulator.put(f"secret/data/{name}", {"k": value})

    def flags(self) -> list[str]:
        return ["--health-addr=", f"--vault-addr=https://{self.reads.place}", f"--vault-tls-ca-cert={self.ca_file}"]

    def parameters(self) -> Mapping[str, str]:
        entries = [{"objectName": n, "secretPath": f"secret/data/{n}", "secretKey": "k"} for n in SECRETS]
        return {"roleName": "fire", "objects": json.dumps(entries)}

    def handed_out(self) -> Iterable[str]:
        return self.emulator.handed_out()


class Azure(Cloud):
    """Key Vault by workload identity, in a cloud that a file describes."""

    name = "azure"
    audience = EXCHANGE
    early = TokenExpired
    words: ClassVar[Mapping[str, Words]] = {
        "login": Words(
            "token",
            (429, "temporarily_unavailable", "AADSTS90055: The server is too busy."),
            (503, "temporarily_unavailable", "AADSTS90033: A transient error has occurred."),
            (401, "invalid_client", "AADSTS700024: Client assertion is not within its valid time range."),
        ),
        "reads": Words(
            "GET *",
            (429, "Throttled", "Too many requests"),
            (503, "ServiceUnavailable", "The service is unavailable."),
            (401, "Unauthorized", "[TokenExpired] Error validating token: 'S2S12086'."),
        ),
    }
    vault = "fire.vault.localhost"

    def _begin(self) -> None:
        self.emulator = self._stack.enter_context(AzureEmulator(self.clock))
        self.emulator.logins.trust(self.clock.claims)
        for number in range(ACCOUNTS):
            self.emulator.logins.federate(CLIENT, TENANT, ISSUER, f"system:serviceaccount:shop:web-{number}")
        port = self.emulator.host.port
        self.login = Leg(self._host("login.localhost"), port, self.authority, to_tls=True)
        self.reads = Leg(self._host(self.vault), port, self.authority, to_tls=True)
        said = {
            "name": "AzureStackCloud",
            "activeDirectoryEndpoint": f"https://{self.login.place}",
            "keyVaultDNSSuffix": f"vault.localhost:{self.reads.front.port}",
        }
        (self.folder / "cloud.json").write_text(json.dumps(said), encoding="utf-8")

    @property
    def faults(self) -> Faults:
        return self.emulator.faults

    def put(self, value: str) -> None:
        for name in SECRETS:
            self.emulator.store.put_secret(self.vault, name, value)

    def flags(self) -> list[str]:
        return [
            "--prometheus-port=0",
            "--healthz-port=0",
            f"--ca-bundle={self.ca_file}",
            f"--class-files-dir={self.folder}",
        ]

    def parameters(self) -> Mapping[str, str]:
        entries = [f"objectName: {one}\nobjectType: secret\n" for one in SECRETS]
        return {
            "keyvaultName": "fire",
            "cloudName": "AzureStackCloud",
            "cloudEnvFileName": str(self.folder / "cloud.json"),
            "tenantID": TENANT,
            "clientID": CLIENT,
            "objects": json.dumps({"array": entries}),
        }

    def handed_out(self) -> Iterable[str]:
        return self.emulator.handed_out()


CLOUDS: Final[tuple[type[Cloud], ...]] = (Aws, Gcp, Vault, Azure)
