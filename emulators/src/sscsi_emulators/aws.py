"""AWS on loopback: moto's Secrets Manager, SSM and STS, with calls counted, tokens checked and faults injected.

moto answers what is asked of it; what it does not do stands in front of it: it looks at no token and knows no denial. A
role is known by the access key that STS handed out for it.
"""

import functools
import io
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Self, TypeAlias
from urllib.parse import parse_qs
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import boto3
from botocore.config import Config
from moto.backends import get_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from sscsi_emulators.faults import Faults
from sscsi_emulators.tokens import TokenExpired, TokenInvalid
from sscsi_emulators.wsgi import Environ, LoopbackServer, StartResponse

ACCOUNT: Final = "123456789012"
"""The account that moto plays."""
REGION: Final = "eu-central-1"
_SERVICES: Final = {"secretsmanager": "secretsmanager", "AmazonSSM": "ssm"}
_SEED: Final = "AKIASEEDSEEDSEEDSEED"
"""The access key by which the emulator's owner puts secrets; its calls are not counted."""
_MAX_BODY: Final = 1 << 20
_MAX_HOLD_SECONDS: Final = 60.0

Verify: TypeAlias = Callable[[str, str], Mapping[str, Any]]
"""(token, audience) -> claims; raises TokenExpired or TokenInvalid."""


_AWS_STAGES: Final = frozenset({"AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"})
"""Stages that Secrets Manager itself moves."""


@dataclass(frozen=True, slots=True)
class _Trust:
    verify: Verify
    subject: str
    audience: str


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int
    code: str
    message: str
    retry_after: int | None = None


@functools.cache
def _owners_session() -> Any:
    """One for the process: reading what describes the services takes longer than most tests."""
    return boto3.Session(aws_access_key_id=_SEED, aws_secret_access_key="seed")  # noqa: S106


class AwsEmulator:
    """One endpoint for sts, secretsmanager and ssm, from `with` to its end.

    Attributes:
        url: where it listens.
        calls: how often each operation was asked for: `secretsmanager.GetSecretValue` -> n.
        latency_seconds: how long each answer is held back.
        faults: answers in place of moto's.
    """

    def __init__(self) -> None:
        self.url = ""
        self.calls: Counter[str] = Counter()
        self.latency_seconds = 0.0
        self.faults = Faults()
        self._owners: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._trusts: dict[str, _Trust] = {}
        self._denials: set[tuple[str, str, str]] = set()
        self._gate = threading.Event()
        self._gate.set()
        self._roles: dict[str, str] = {}
        self._given: list[str] = []
        self._stack = ExitStack()
        self._stopped = threading.Event()
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __enter__(self) -> Self:
        self._forget()
        self.url = self._stack.enter_context(LoopbackServer(self._answer)).url
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._gate.set()
        for client in self._owners.values():
            client.close()
        self._stack.close()
        self._forget()

    def put_secret(
        self, name: str, value: str | bytes, *, tags: Mapping[str, str] | None = None, region: str = REGION
    ) -> str:
        """Create a secret with tags, or give it a new current version; the version's id."""
        client = self._owner("secretsmanager", region)
        content = {"SecretString": value} if isinstance(value, str) else {"SecretBinary": value}
        try:
            before = client.describe_secret(SecretId=name)["VersionIdsToStages"]
            answer = client.put_secret_value(SecretId=name, **content)
            for version, stages in before.items():
                for stage in set(stages) - _AWS_STAGES:  # moto drops them from what was current
                    self.stage(name, stage, version, region=region)
        except client.exceptions.ResourceNotFoundException:
            labels = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
            answer = client.create_secret(Name=name, Tags=labels, **content)
        return str(answer["VersionId"])

    def stage(self, name: str, stage: str, version: str, *, region: str = REGION) -> None:
        """Let a stage of a secret stand for this version, and no other."""
        client = self._owner("secretsmanager", region)
        stages = client.describe_secret(SecretId=name)["VersionIdsToStages"]
        before = [{"RemoveFromVersionId": old} for old, names in stages.items() if stage in names]
        request = before[0] if before else {}
        client.update_secret_version_stage(SecretId=name, VersionStage=stage, MoveToVersionId=version, **request)

    def delete_secret(self, name: str, *, region: str = REGION) -> None:
        """Remove a secret at once."""
        self._owner("secretsmanager", region).delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    def arn(self, name: str, *, region: str = REGION) -> str:
        """A secret's ARN."""
        return str(self._owner("secretsmanager", region).describe_secret(SecretId=name)["ARN"])

    def put_parameter(
        self, name: str, value: str, *, kind: str = "SecureString", labels: Iterable[str] = (), region: str = REGION
    ) -> int:
        """Create a parameter, or give it a new version, and label that; the version's number."""
        client = self._owner("ssm", region)
        version = int(client.put_parameter(Name=name, Value=value, Type=kind, Overwrite=True)["Version"])
        if names := list(labels):
            client.label_parameter_version(Name=name, ParameterVersion=version, Labels=names)
        return version

    def trust(self, role_arn: str, verify: Verify, subject: str, audience: str = "sts.amazonaws.com") -> None:
        """Let a role be assumed with tokens of one subject that `verify` accepts."""
        self._trusts[role_arn] = _Trust(verify, subject, audience)

    def distrust(self, role_arn: str) -> None:
        """Withdraw that."""
        self._trusts.pop(role_arn, None)

    def admit(self, access_key: str, role_arn: str) -> None:
        """Let an access key that STS did not hand out stand for a role, as one of the Pod Identity agent does."""
        self._roles[access_key] = role_arn

    def deny(self, role_arn: str, operation: str, name: str = "*") -> None:
        """Take a right away from a role: `secretsmanager.GetSecretValue`, for one secret or all."""
        self._denials.add((role_arn, operation, name))

    def allow(self, role_arn: str, operation: str, name: str = "*") -> None:
        """Give it back."""
        self._denials.discard((role_arn, operation, name))

    def handed_out(self) -> tuple[str, ...]:
        """The access keys, secret keys and session tokens that STS gave away; no log may hold one."""
        with self._lock:
            return tuple(self._given)

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self._gate.clear()

    def release(self) -> None:
        """Answer again, what waits first."""
        self._gate.set()

    def _owner(self, service: str, region: str) -> Any:
        with self._lock:
            if (client := self._owners.get((service, region))) is None:
                config = Config(proxies={}, retries={"total_max_attempts": 1})
                client = _owners_session().client(service, region_name=region, endpoint_url=self.url, config=config)
                self._owners[service, region] = client
            return client

    def _forget(self) -> None:
        for service in ("secretsmanager", "ssm", "sts"):
            get_backend(service).reset()

    def _answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), _MAX_BODY))
        environ["wsgi.input"] = io.BytesIO(body)
        key = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition("/")[0]
        if key == _SEED:
            return self._moto(environ, start_response)  # type: ignore[no-any-return]
        form = parse_qs(body.decode("utf-8", "replace")) if "HTTP_X_AMZ_TARGET" not in environ else {}
        operation = _operation(environ, form)
        with self._lock:
            self.calls[operation] += 1
        self._stopped.wait(self.latency_seconds)
        self._gate.wait(_MAX_HOLD_SECONDS)
        if fault := self.faults.take(operation):
            if fault.status == 0:
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                return []
            if fault.page is not None:
                start_response(f"{fault.status} .", [("Content-Type", "text/html")])
                return [fault.page.encode()]
            refusal = _Refusal(fault.status, fault.code, fault.message, fault.retry_after)
            return _refuse(refusal, operation, start_response)
        if operation == "sts.AssumeRoleWithWebIdentity":
            return self._assume(form, environ, start_response)
        if (denied := self._denied(operation, key, body)) is not None:
            return _refuse(denied, operation, start_response)
        if operation == "secretsmanager.BatchGetSecretValue":
            return self._batch(key, body, environ, start_response)
        return self._moto(environ, start_response)  # type: ignore[no-any-return]

    def _assume(
        self, form: Mapping[str, list[str]], environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Check the token as STS does, let moto make credentials, and remember whose they are."""
        operation = "sts.AssumeRoleWithWebIdentity"
        role = form.get("RoleArn", [""])[0]
        refusal = self._distrusts(role, form.get("WebIdentityToken", [""])[0])
        if refusal is not None:
            return _refuse(refusal, operation, start_response)
        answer = b"".join(self._moto(environ, start_response))
        parsed = ElementTree.fromstring(answer)  # noqa: S314  # moto's own answer
        given = [
            parsed.findtext(f".//{{*}}{name}") or "" for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
        ]
        with self._lock:
            self._roles[given[0]] = role
            self._given += given
        return [answer]

    def _batch(self, key: str, body: bytes, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Each secret of a batch takes the right to read it; those denied are told among the answer's Errors."""
        asked = json.loads(body)
        denials = {
            name: denial
            for name in asked["SecretIdList"]
            if (denial := self._denial(self._roles[key], "secretsmanager.GetSecretValue", name))
        }
        told = [
            {"SecretId": name, "ErrorCode": denial.code, "Message": denial.message} for name, denial in denials.items()
        ]
        allowed = [name for name in asked["SecretIdList"] if name not in denials]
        if not allowed:
            start_response("200 OK", [("Content-Type", "application/x-amz-json-1.1")])
            return [json.dumps({"SecretValues": [], "Errors": told}).encode()]
        rest = json.dumps({"SecretIdList": allowed}).encode()
        environ |= {"wsgi.input": io.BytesIO(rest), "CONTENT_LENGTH": str(len(rest))}
        return self._moto_with(environ, start_response, told)

    def _moto_with(
        self, environ: Environ, start_response: StartResponse, told: Sequence[Mapping[str, str]]
    ) -> Iterable[bytes]:
        """Moto's answer with more Errors."""
        begun: list[Any] = []
        body = b"".join(self._moto(environ, lambda *said: begun.extend(said)))
        status, headers = begun[:2]
        if status.startswith("200"):
            answer = json.loads(body)
            answer["Errors"] = [*answer.get("Errors", ()), *told]
            body = json.dumps(answer).encode()
        start_response(status, [pair for pair in headers if pair[0].lower() != "content-length"])
        return [body]

    def _distrusts(self, role: str, token: str) -> _Refusal | None:
        refused = _Refusal(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        trust = self._trusts.get(role)
        if trust is None:
            return refused
        try:
            claims = trust.verify(token, trust.audience)
        except TokenExpired:
            return _Refusal(
                400, "ExpiredTokenException", "Token expired: current date/time must be before the expiration"
            )
        except TokenInvalid as error:
            return _Refusal(400, "InvalidIdentityToken", str(error))
        return None if claims.get("sub") == trust.subject else refused

    def _denied(self, operation: str, key: str, body: bytes) -> _Refusal | None:
        role = self._roles.get(key)
        if role is None:
            return _Refusal(
                400, "UnrecognizedClientException", "The security token included in the request is invalid."
            )
        asked = str(json.loads(body).get("SecretId", "*")) if body.startswith(b"{") else "*"
        return self._denial(role, operation, asked)

    def _denial(self, role: str, operation: str, asked: str) -> _Refusal | None:
        if not self._denials & {(role, operation, "*"), (role, operation, asked)}:
            return None
        who = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/session"
        action = operation.replace(".", ":")
        return _Refusal(
            400,
            "AccessDeniedException",
            f"User: {who} is not authorized to perform: {action} because no identity-based policy allows the "
            f"{action} action",
        )


def _operation(environ: Environ, form: Mapping[str, list[str]]) -> str:
    service, dot, name = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
    if dot:
        return f"{_SERVICES.get(service, service)}.{name}"
    return f"sts.{form.get('Action', ['?'])[0]}"


def _refuse(refusal: _Refusal, operation: str, start_response: StartResponse) -> Iterable[bytes]:
    """An error in the service's own protocol: query (XML) for STS, JSON 1.1 for the others."""
    headers = [("Retry-After", str(refusal.retry_after))] if refusal.retry_after is not None else []
    if operation.startswith("sts."):
        text = (
            "<ErrorResponse><Error><Type>Sender</Type>"
            f"<Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message></Error></ErrorResponse>"
        )
        headers.append(("Content-Type", "text/xml"))
    else:
        text = json.dumps({"__type": refusal.code, "message": refusal.message})
        headers.append(("Content-Type", "application/x-amz-json-1.1"))
    start_response(f"{refusal.status} {HTTPStatus(refusal.status).phrase}", headers)
    return [text.encode()]
