"""Plays the driver against a provider's socket, and remembers every word but the files' contents."""

# ruff: noqa: S101  # asserts are what a test suite is made of

import base64
import json
import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import grpc
from prometheus_client import generate_latest

from sscsi_shared.daemon import metrics
from sscsi_shared.errors import MAX_MESSAGE_BYTES
from sscsi_shared.mount import CSI_PREFIX, PodInfo
from sscsi_shared.testing.stage import POD, STRANGER, Stage, Wanted, pod_attributes
from sscsi_shared.v1alpha1 import provider_pb2, provider_pb2_grpc

FORBIDDEN: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
    }
)
"""Kubelet takes these for unfinished, and the existing driver then says OK over an empty volume on the retry."""
TARGET: Final = "/var/lib/kubelet/pods/6f2b/volumes/kubernetes.io~csi/secrets/mount"
_OWN: Final = "\0the stage's own"


@dataclass(frozen=True, slots=True)
class Volume:
    """An answer: contents and permission bits by path, versions by id."""

    files: Mapping[str, bytes]
    modes: Mapping[str, int]
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status: its code, its text, and the trailing metadata that speak of the reason."""

    code: grpc.StatusCode
    text: str
    reason: str
    retry_after: str | None


class Caller:
    """Calls one provider, whose backend is the stage's.

    Attributes:
        contents: what the stage's objects hold.
        heard: whatever came back, apart from the files' contents.
        observed: what the servicer's observer was told.
        records: whatever was logged, from DEBUG on.
    """

    def __init__(
        self, channel: grpc.Channel, stage: Stage, records: list[logging.LogRecord], observed: list[str]
    ) -> None:
        self._stub = provider_pb2_grpc.CSIDriverProviderStub(channel)  # type: ignore[no-untyped-call]  # generated
        self._stage = stage
        self._secrets: list[str] = []
        self.contents: dict[str, str] = {}
        self.heard: list[str] = []
        self.observed = observed
        self.records = records

    def put(self, *names: str, contents: str = "") -> list[Wanted]:
        """Let each object hold contents that nobody could guess, or those given."""
        for name in names:
            self.contents[name] = contents or f"canary-{secrets.token_hex(16)}"
            self._secrets.append(self.contents[name])
            self._stage.put(name, self.contents[name])
        return [Wanted(name) for name in names]

    def tokens(self, pod: PodInfo = POD, lifetime_seconds: int = 3600) -> str | None:
        """The stage's tokens for a pod, which from now on may stand nowhere."""
        tokens = self._stage.tokens(pod, lifetime_seconds)
        for entry in json.loads(tokens or "{}").values():
            # Any part of a JWT but the header, which all of them share.
            self._secrets += [part for part in entry["token"].split(".")[1:] if part]
        return tokens

    def attributes(self, *wanted: Wanted, tokens: str | None = _OWN) -> dict[str, str]:
        """What the driver sends as attributes: the class's parameters, then what kubelet says of the pod."""
        attributes = self._stage.attributes(*wanted) | {
            "secretProviderClass": "web",
            CSI_PREFIX + "ephemeral": "true",
        }
        return attributes | pod_attributes(POD, self.tokens() if tokens == _OWN else tokens)

    def version(self, seconds: float = 5) -> provider_pb2.VersionResponse:
        """Call Version."""
        answer: provider_pb2.VersionResponse = self._stub.Version(
            provider_pb2.VersionRequest(version="v1alpha1"), timeout=seconds
        )
        self.heard.append(str(answer))
        return answer

    def mount(
        self,
        *wanted: Wanted,
        tokens: str | None = _OWN,
        attributes: str | None = None,
        secrets: str = "null",  # JSON's null
        permission: str = "420",
        target_path: str = TARGET,
        seconds: float = 30,
    ) -> Volume | Refusal:
        """Call Mount.

        Args:
            wanted: the objects.
            tokens: the attribute of service account tokens; None = none.
            attributes: the whole JSON text, in place of what the stage would say.
            secrets: JSON text.
            permission: JSON text.
            target_path: the volume's path on the host.
            seconds: until the call's deadline.
        """
        if attributes is None:
            attributes = json.dumps(self.attributes(*wanted, tokens=tokens))
        request = provider_pb2.MountRequest(
            attributes=attributes, secrets=secrets, permission=permission, target_path=target_path
        )
        try:
            answer: provider_pb2.MountResponse = self._stub.Mount(request, timeout=seconds)
        except grpc.RpcError as error:
            return self._refusal(error)
        self.heard += [f"{version.id} {version.version}" for version in answer.object_version]
        self.heard += [file.path for file in answer.files]
        return _volume(answer)

    def volume(self, *wanted: Wanted, **request: str) -> Volume:
        """Call Mount, which must succeed."""
        answer = self.mount(*wanted, **request)  # type: ignore[arg-type]  # texts only
        assert isinstance(answer, Volume), answer
        return answer

    def refusal(self, reason: str, code: grpc.StatusCode, *wanted: Wanted, **request: str | None) -> Refusal:
        """Call Mount, which must fail so."""
        answer = self.mount(*wanted, **request)  # type: ignore[arg-type]  # texts only
        assert isinstance(answer, Refusal), answer
        assert (answer.reason, answer.code) == (reason, code), answer
        return answer

    def assert_silent(self, *more: object) -> None:
        """Nothing secret stands in what was heard, logged, counted or in `more`."""
        told = [*self.heard, *self.observed, generate_latest(metrics.REGISTRY).decode(), *map(str, more)]
        told += [f"{record.getMessage()} {vars(record)}" for record in self.records]
        self.tokens(STRANGER)
        for secret in [*self._secrets, *self._stage.canaries()]:
            encoded = base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]
            for text in told:
                for spelling in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], encoded):
                    assert spelling not in text, f"a secret is in: {text[:200]}"

    def _refusal(self, error: grpc.RpcError) -> Refusal:
        """Read a status, and hold it against what every refusal must be."""
        assert isinstance(error, grpc.Call)
        code, text = error.code(), error.details() or ""
        metadata = {str(key): str(value) for key, value in error.trailing_metadata() or ()}
        self.heard += [text, *metadata.values()]
        assert code not in FORBIDDEN, f"{code}: {text}"
        assert code is not grpc.StatusCode.INTERNAL, f"a bug: {text}; logged: {[r.getMessage() for r in self.records]}"
        assert text, f"{code} without a text"
        assert text.isprintable()
        assert len(text.encode()) <= MAX_MESSAGE_BYTES
        assert metadata.get("sscsi-reason"), f"{code} without a reason in its trailing metadata: {text}"
        return Refusal(code, text, metadata["sscsi-reason"], metadata.get("sscsi-retry-after"))


def _volume(answer: provider_pb2.MountResponse) -> Volume:
    """Read an answer, and hold it against what drivers ask of every one."""
    assert not answer.error.code
    assert answer.object_version, "drivers take an answer without object versions for a failure"
    volume = Volume(
        files={file.path: file.contents for file in answer.files},
        modes={file.path: file.mode for file in answer.files},
        versions={version.id: version.version for version in answer.object_version},
    )
    assert len(volume.files) == len(answer.files), "two files at one path"
    assert len(volume.versions) == len(answer.object_version), "two object versions under one id"
    assert "" not in {*volume.versions, *volume.versions.values()}, f"empty id or version: {volume.versions}"
    for path, mode in volume.modes.items():
        assert 0 <= mode <= 0o777, f"{path}: mode {mode:o}"
        elements = path.split("/")
        assert not path.startswith(("/", "..")), path
        assert not {"", ".", ".."} & set(elements), path
        assert max(len(element.encode()) for element in elements) <= 255, path
    return volume


@contextmanager
def listening() -> Iterator[list[logging.LogRecord]]:
    """Collect everything that reaches the root logger, from DEBUG on."""
    records: list[logging.LogRecord] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    root, listener = logging.getLogger(), Listener()
    level = root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    try:
        yield records
    finally:
        root.removeHandler(listener)
        root.setLevel(level)
