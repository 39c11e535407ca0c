"""A fast AWS on loopback: canned answers, a chosen latency, exact counts, and batches that fail in every way.

For figures that are the provider's own, and for what moto can't do. It looks at no token and no signature; whatever is
asked for exists, unless it was said to fail.
"""

import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs

_SERVICES: Final = {"secretsmanager": "secretsmanager", "AmazonSSM": "ssm"}
_ACCOUNT: Final = "123456789012"
_MAX_BODY: Final = 1 << 20


class Refused(Exception):
    """An operation as a whole fails.

    Attributes:
        code: AWS's word.
        status: HTTP status.
    """

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code: Final = code
        self.status: Final = status


class CannedAws:
    """One endpoint for sts, secretsmanager and ssm, from `with` to its end.

    Attributes:
        url: where it listens.
        calls: how often each operation was asked for: `secretsmanager.GetSecretValue` -> n.
        latency_seconds: how long each answer is held back.
        refused: code of AWS by operation: `secretsmanager.BatchGetSecretValue` -> `AccessDeniedException`.
        failing: code of AWS by secret or parameter.
        left_out: ids that a batch neither returns nor tells as errors.
        versions: how often a name was changed.
        contents: in place of the canned ones, by name.
    """

    def __init__(self, latency_seconds: float = 0.0) -> None:
        self.url = ""
        self.calls: Counter[str] = Counter()
        self.latency_seconds = latency_seconds
        self.refused: dict[str, str] = {}
        self.failing: dict[str, str] = {}
        self.left_out: set[str] = set()
        self.versions: Counter[str] = Counter()
        self.contents: dict[str, str] = {}
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        aws = self

        class Page(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # http.server's name
                body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), _MAX_BODY))
                status, kind, answer = aws.answer(self.headers.get("X-Amz-Target", ""), body)
                head = f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {len(answer)}\r\n\r\n"
                self.wfile.write(head.encode() + answer)

            def log_message(self, *_: object) -> None:
                """Requests are counted, not printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="canned aws", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def change(self, name: str) -> None:
        """Give a secret or parameter another content and version."""
        self.versions[name] += 1

    def content(self, name: str) -> str:
        """What a name holds now."""
        return self.contents.get(name, f"{name} {self.versions[name]}")

    def answer(self, target: str, body: bytes) -> tuple[int, str, bytes]:
        """Status, content type and body for a request."""
        service, _, name = target.partition(".")
        operation = f"{_SERVICES.get(service, service)}.{name}" if name else f"sts.{_action(body)}"
        with self._lock:
            self.calls[operation] += 1
        if self.latency_seconds:
            time.sleep(self.latency_seconds)
        try:
            self._check(operation)
            if operation == "sts.AssumeRoleWithWebIdentity":
                return 200, "text/xml", _CREDENTIALS.format(_soon()).encode()
            answers = {
                "secretsmanager.GetSecretValue": self._secret,
                "secretsmanager.BatchGetSecretValue": self._secrets,
                "ssm.GetParameters": self._parameters,
            }
            return 200, "application/x-amz-json-1.1", json.dumps(answers[operation](json.loads(body))).encode()
        except Refused as error:
            if operation.startswith("sts."):
                text = (
                    f"<ErrorResponse><Error><Code>{error.code}</Code><Message>said so</Message></Error></ErrorResponse>"
                )
                return error.status, "text/xml", text.encode()
            text = json.dumps({"__type": error.code, "message": "said so"})
            return error.status, "application/x-amz-json-1.1", text.encode()

    def _check(self, operation: str) -> None:
        if (code := self.refused.get(operation)) is not None:
            raise Refused(code)

    def _secret(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        name = asked["SecretId"]
        if (code := self.failing.get(name)) is not None:
            raise Refused(code)
        return self._entry(name) | ({"VersionId": asked["VersionId"]} if "VersionId" in asked else {})

    def _secrets(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        names = asked["SecretIdList"]
        if not 1 <= len(names) <= 20 or len(set(names)) != len(names):  # the API's own bounds
            raise Refused("InvalidParameterException")
        return {
            "SecretValues": [
                self._entry(name) for name in reversed(names) if name not in self.failing and name not in self.left_out
            ],
            "Errors": [
                {"SecretId": name, "ErrorCode": self.failing[name], "Message": "said so"}
                for name in names
                if name in self.failing
            ],
        }

    def _parameters(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        names = [name.partition(":")[0] for name in asked["Names"]]
        if not 1 <= len(names) <= 10:  # the API's own bounds
            raise Refused("ValidationException")
        return {
            "Parameters": [
                {"Name": name, "Value": self.content(name), "Version": self.versions[name] + 1}
                for name in names
                if name not in self.failing
            ],
            "InvalidParameters": [name for name in names if name in self.failing],
        }

    def _entry(self, name: str) -> dict[str, Any]:
        plain = name.rpartition(":")[2].rpartition("-")[0] if name.startswith("arn:") else name
        arn = (
            name if name.startswith("arn:") else f"arn:aws:secretsmanager:eu-central-1:{_ACCOUNT}:secret:{name}-AbCdEf"
        )
        version = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{plain} {self.versions[plain]}"))
        return {"ARN": arn, "Name": plain, "VersionId": version, "SecretString": self.content(plain)}


_CREDENTIALS: Final = (
    "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
    "<AccessKeyId>ASIACANNED</AccessKeyId><SecretAccessKey>canned</SecretAccessKey>"
    "<SessionToken>canned</SessionToken><Expiration>{}</Expiration>"
    "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
)


def _soon() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _action(body: bytes) -> str:
    return parse_qs(body.decode("utf-8", "replace")).get("Action", ["?"])[0]
