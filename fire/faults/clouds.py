"""The four clouds as a fault meets them: a login and reads, each behind a front of its own, with names and TLS."""

# ruff: noqa: D102  # what Cloud says of its methods
import json
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from fire.faults.cloud import ACCOUNTS, CLIENT, ISSUER, POOL, ROLE, SECRETS, Cloud, Leg, Words, port_of
from sscsi_emulators.aws import REGION, AwsEmulator
from sscsi_emulators.azure import AzureEmulator
from sscsi_emulators.azure_logins import EXCHANGE
from sscsi_emulators.azure_store import TENANT
from sscsi_emulators.faults import Faults
from sscsi_emulators.google import PROJECT, GoogleEmulator
from sscsi_emulators.tokens import TokenExpired
from sscsi_emulators.vault import VaultEmulator


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
        port = port_of(self.emulator.url)
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
        self.login = Leg(self._host("sts.gcp.test"), port_of(self.emulator.logins.url), self.authority, to_tls=True)
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
        self.login = self.reads = Leg(self._host("vault.test"), port_of(self.emulator.url), self.authority)

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
