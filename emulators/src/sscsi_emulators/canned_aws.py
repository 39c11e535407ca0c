"""A fast AWS on loopback: canned answers, a chosen latency, exact counts, and batches that fail in every way.

For figures that are the provider's own, and for what moto can't do: the Pod Identity agent, regions that fail one by
one, partial batches. It looks at no token and no signature; whatever is asked for exists, unless it was said to fail.
"""

import base64
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs

AGENT: Final = "podidentity.GetCredentials"
AGENTS_KEY: Final = "ASIAAGENT"
"""The access key that the agent hands out."""
_SERVICES: Final = {"secretsmanager": "secretsmanager", "AmazonSSM": "ssm"}
_ACCOUNT: Final = "123456789012"
_MAX_BODY: Final = 1 << 20
_BROKEN: Final = frozenset({"InternalServiceError", "InternalServerError"})


class Refused(Exception):
    """An operation as a whole fails.

    Attributes:
        code: AWS's word.
        status: HTTP status.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code: Final = code
        self.status: Final = 500 if code in _BROKEN else 400


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    """Connections that may wait to be accepted; the default, 5, resets some of a crowd's."""


class CannedAws:
    """One endpoint for sts, secretsmanager, ssm and the Pod Identity agent, from `with` to its end.

    Operations and names may be said for one region alone: `eu-west-1/ssm.GetParameters`. Unsigned calls show none.

    Attributes:
        url: where it listens.
        calls: how often each operation was asked for: `secretsmanager.GetSecretValue` -> n.
        regions: how often each region was asked, by signed calls.
        latency_seconds: how long each answer is held back.
        refused: code of AWS by operation: `secretsmanager.BatchGetSecretValue` -> `AccessDeniedException`; of the agent
            an HTTP status.
        failing: code of AWS by secret or parameter.
        left_out: ids that a batch neither returns nor tells as errors.
        versions: how often a name was changed.
        contents: in place of the canned ones, by name; bytes make a binary secret.
        tags: of the secrets and parameters that a listing finds, by name.
        assumed: the form of each call of STS, and the access key that signed it.
    """

    def __init__(self, latency_seconds: float = 0.0) -> None:
        self.url = ""
        self.calls: Counter[str] = Counter()
        self.regions: Counter[str] = Counter()
        self.latency_seconds = latency_seconds
        self.refused: dict[str, str] = {}
        self.failing: dict[str, str] = {}
        self.left_out: set[str] = set()
        self.versions: Counter[str] = Counter()
        self.contents: dict[str, str | bytes] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.assumed: list[dict[str, str]] = []
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        aws = self

        class Page(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # http.server's name
                body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), _MAX_BODY))
                signer = self.headers.get("Authorization", "").partition("Credential=")[2]
                self._say(*aws.answer(self.headers.get("X-Amz-Target", ""), body, signer))

            def do_GET(self) -> None:  # http.server's name
                self._say(*aws.agent_answer(self.path, self.headers.get("Authorization", "")))

            def _say(self, status: int, kind: str, answer: bytes) -> None:
                head = f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {len(answer)}\r\n\r\n"
                self.wfile.write(head.encode() + answer)

            def log_message(self, *_: object) -> None:
                """Requests are counted, not printed."""

        self._server = _Server(("127.0.0.1", 0), Page)
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

    def content(self, name: str, region: str = "", selector: str = "") -> str | bytes:
        """What a name holds now."""
        canned = f"{name}:{selector}" if selector else f"{name} {self.versions[name]}"
        return self.contents.get(f"{region}/{name}", self.contents.get(name, canned))

    def agent_answer(self, path: str, token: str) -> tuple[int, str, bytes]:
        """What the Pod Identity agent says: status, content type and body; it takes whatever looks like a JWT."""
        self._count(AGENT, "")
        if AGENT in self.refused or path != "/v1/credentials" or token.count(".") != 2:  # a JWT's
            status = int(self.refused.get(AGENT, 400))
            return status, "application/json", json.dumps({"code": "Refused", "message": "said so"}).encode()
        credentials = {"AccessKeyId": AGENTS_KEY, "SecretAccessKey": "canned", "Token": "canned"}
        return 200, "application/json", json.dumps(credentials | {"Expiration": _soon()}).encode()

    def answer(self, target: str, body: bytes, signer: str = "") -> tuple[int, str, bytes]:
        """Status, content type and body for a request.

        Args:
            target: the header X-Amz-Target.
            body: JSON, or STS's form.
            signer: the credential of the signature: key/date/region/service/aws4_request.
        """
        service, _, name = target.partition(".")
        form = {} if name else {key: values[0] for key, values in parse_qs(body.decode("utf-8", "replace")).items()}
        operation = f"{_SERVICES.get(service, service)}.{name}" if name else f"sts.{form.get('Action', '?')}"
        key, _, scope = signer.partition("/")
        region = scope.split("/")[1] if "/" in scope else ""
        self._count(operation, region)
        try:
            self._check(self.refused, region, operation)
            if form:
                self.assumed.append(form | {"signed by": key})
                return 200, "text/xml", _CREDENTIALS.format(_soon(), action=form["Action"]).encode()
            answers = {
                "secretsmanager.GetSecretValue": self._secret,
                "secretsmanager.BatchGetSecretValue": self._secrets,
                "secretsmanager.ListSecrets": self._listing,
                "ssm.GetParameters": self._parameters,
                "ssm.GetParametersByPath": self._below,
            }
            answer = answers[operation](json.loads(body), region)
            return 200, "application/x-amz-json-1.1", json.dumps(answer).encode()
        except Refused as error:
            if form:
                return error.status, "text/xml", _REFUSAL.format(error.code).encode()
            told = json.dumps({"__type": error.code, "message": "said so"})
            return error.status, "application/x-amz-json-1.1", told.encode()

    def _count(self, operation: str, region: str) -> None:
        with self._lock:
            self.calls[operation] += 1
            if region:
                self.regions[region] += 1
        if self.latency_seconds:
            time.sleep(self.latency_seconds)

    @staticmethod
    def _check(said: Mapping[str, str], region: str, key: str) -> None:
        if code := _said(said, region, key):
            raise Refused(code)

    def _secret(self, asked: Mapping[str, Any], region: str) -> Mapping[str, Any]:
        self._check(self.failing, region, asked["SecretId"])
        return self._entry(asked["SecretId"], region) | (
            {"VersionId": asked["VersionId"]} if "VersionId" in asked else {}
        )

    def _secrets(self, asked: Mapping[str, Any], region: str) -> Mapping[str, Any]:
        names = asked["SecretIdList"]
        if not 1 <= len(names) <= 20 or len(set(names)) != len(names):  # the API's own bounds
            raise Refused("InvalidParameterException")
        failing = {name: code for name in names if (code := _said(self.failing, region, name))}
        return {
            "SecretValues": [
                self._entry(name, region)
                for name in reversed(names)
                if name not in failing and name not in self.left_out
            ],
            "Errors": [{"SecretId": name, "ErrorCode": code, "Message": "said so"} for name, code in failing.items()],
        }

    def _listing(self, asked: Mapping[str, Any], region: str) -> Mapping[str, Any]:
        """What the filters find, as AWS's do: a tag's key and value may be of two tags, each the beginning of them."""
        del region
        found = sorted(name for name, tags in self.tags.items() if _all_filters(asked.get("Filters", ()), name, tags))
        entries = [
            {"Name": name, "Tags": [{"Key": key, "Value": value} for key, value in self.tags[name].items()]}
            for name in found
        ]
        return _page(entries, "SecretList", asked)

    def _below(self, asked: Mapping[str, Any], region: str) -> Mapping[str, Any]:
        start = asked["Path"].rstrip("/") + "/"
        label = next((value for one in asked.get("ParameterFilters", ()) for value in one["Values"]), "")
        names = sorted(name for name in self.tags if name.startswith(start))
        return _page([self._parameter(name, label, region) for name in names], "Parameters", asked)

    def _parameters(self, asked: Mapping[str, Any], region: str) -> Mapping[str, Any]:
        if not 1 <= len(asked["Names"]) <= 10:  # the API's own bounds
            raise Refused("ValidationException")
        failing = [name for name in asked["Names"] if _said(self.failing, region, name)]
        return {
            "Parameters": [
                self._parameter(*_selected(name), region) for name in reversed(asked["Names"]) if name not in failing
            ],
            "InvalidParameters": failing,
        }

    def _parameter(self, name: str, selector: str, region: str) -> dict[str, Any]:
        plain = name.rpartition(":parameter")[2] if name.startswith("arn:") else name
        said = {"Name": plain, "Value": self.content(plain, region, selector), "Version": self.versions[plain] + 1}
        if selector:
            said |= {"Selector": f":{selector}", "Version": int(selector) if selector.isdecimal() else 7}
        return said | ({"ARN": name} if name.startswith("arn:") else {})

    def _entry(self, name: str, region: str) -> dict[str, Any]:
        plain = name.rpartition(":")[2].rpartition("-")[0] if name.startswith("arn:") else name
        version = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{region} {plain} {self.versions[plain]}"))
        content = self.content(plain, region)
        return {
            "ARN": name if plain != name else f"arn:aws:secretsmanager:{region}:{_ACCOUNT}:secret:{name}-AbCdEf",
            "Name": plain,
            "VersionId": version,
        } | (
            {"SecretString": content}
            if isinstance(content, str)
            else {"SecretBinary": base64.b64encode(content).decode()}
        )


_CREDENTIALS: Final = (
    "<{action}Response><{action}Result><Credentials>"
    "<AccessKeyId>ASIACANNED</AccessKeyId><SecretAccessKey>canned</SecretAccessKey>"
    "<SessionToken>canned</SessionToken><Expiration>{}</Expiration>"
    "</Credentials></{action}Result></{action}Response>"
)
_REFUSAL: Final = "<ErrorResponse><Error><Code>{}</Code><Message>said so</Message></Error></ErrorResponse>"


def _all_filters(filters: Sequence[Mapping[str, Any]], name: str, tags: Mapping[str, str]) -> bool:
    words = {"name": [name], "tag-key": list(tags), "tag-value": list(tags.values())}
    return all(any(word.startswith(one["Values"][0]) for word in words[one["Key"]]) for one in filters)


def _page(entries: Sequence[Any], key: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    begin = int(asked.get("NextToken", "0"))
    end = begin + asked["MaxResults"]
    return {key: entries[begin:end]} | ({"NextToken": str(end)} if end < len(entries) else {})


def _said(said: Mapping[str, str], region: str, key: str) -> str:
    return said.get(f"{region}/{key}", said.get(key, ""))


def _selected(name: str) -> tuple[str, str]:
    """Name and selector of `name:selector`; an ARN has colons of its own."""
    start, slash, resource = name.rpartition("/") if name.startswith("arn:") else ("", "", name)
    plain, _, selector = resource.partition(":")
    return f"{start}{slash}{plain}", selector


def _soon() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
