"""The catalogue of reference/aws.md section 13 as cases: one for each of its lines, run through the whole provider.

A case has the line's words. Where ours does better than the existing provider, it says what and why (`better`).
"""

import json
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from driver_rig import CANT_MOUNT
from sscsi_driver import tmpfs
from sscsi_driver.tmpfs import TmpfsLimits
from sscsi_emulators.canned_aws import CannedAws
from sscsi_emulators.tokens import unsigned_token
from sscsi_provider_aws.clients import Endpoints
from sscsi_provider_aws.podidentity import AgentAddresses, PodIdentityAgent
from sscsi_provider_aws.provider import AwsProvider
from sscsi_shared.cluster_folder import FolderCluster
from sscsi_shared.deadline import Deadline
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import OFF
from sscsi_shared.errors import MountError
from sscsi_shared.mount import MountResult, PodInfo
from sscsi_shared.parameters import read_mount
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.server.servicer import Mounter
from sscsi_shared.server.writing import WritingMounter
from sscsi_shared.testing.stage import pod_attributes, tokens_text

REGION, OTHER = "us-east-1", "us-west-2"
AUDIENCES = ("sts.amazonaws.com", "pods.eks.amazonaws.com")
SM, SSM = {"objectType": "secretsmanager"}, {"objectType": "ssmparameter"}
CLUSTER = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: app, namespace: ns, annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::123456789012:role/app'}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: plain, namespace: ns}
---
apiVersion: v1
kind: Pod
metadata: {name: pod, namespace: ns, uid: uid}
spec: {nodeName: node}
---
apiVersion: v1
kind: Pod
metadata: {name: nodeless, namespace: ns}
spec: {nodeName: gone}
---
apiVersion: v1
kind: Pod
metadata: {name: regionless, namespace: ns}
spec: {nodeName: bare}
---
apiVersion: v1
kind: Node
metadata: {name: node, labels: {topology.kubernetes.io/region: us-east-1}}
---
apiVersion: v1
kind: Node
metadata: {name: bare}
"""


def arn(service: str, resource: str, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:123456789012:{resource}"


def entries(*objects: Mapping[str, Any]) -> str:
    """`objects`, which as JSON is YAML too."""
    return json.dumps(objects)


class World:
    """One provider, asked through everything but the socket.

    Args:
        folder: for the cluster's objects, and for pods' volumes.
        options: of the provider.

    Attributes:
        aws: what it asks.
        writes: whether the provider writes the files itself.
    """

    def __init__(self, folder: Path, aws: CannedAws, *, writes: bool = False, **options: Any) -> None:
        (folder / "cluster").mkdir(parents=True)
        (folder / "cluster" / "objects.yaml").write_text(CLUSTER)
        self.aws = aws
        self.writes = writes
        self._folder = folder
        endpoints = Endpoints(aws.url, aws.url, aws.url)
        agent = PodIdentityAgent(AgentAddresses(aws.url, aws.url), pause=lambda _: None)
        provider = AwsProvider(endpoints=endpoints, agent=agent, environ={"AWS_MAX_ATTEMPTS": "1"}, **options)
        pipeline: Mounter = Pipeline(provider, FolderCluster(folder / "cluster"), Economy(provider, OFF))
        self._mounter = WritingMounter(pipeline, folder) if writes else pipeline

    def mount(
        self,
        attributes: str,
        *,
        permission: str = "420",
        target: str | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> tuple[MountResult, dict[str, tuple[bytes, int]]]:
        """The answer, and the volume's content: files with their modes."""
        with self._volume() as volume:
            current = list((versions or {}).items())
            request = read_mount(attributes, "null", permission, str(volume) if target is None else target, current)
            result = self._mounter.mount(request, Deadline.after(30))
            if self.writes:
                assert not result.files
                return result, dict(_files(volume))
            return result, {file.path: (file.contents.reveal(), file.mode) for file in result.files}

    @contextmanager
    def _volume(self) -> Iterator[Path]:
        volume = self._folder / "pods" / "uid" / "volumes" / "secrets" / "mount"
        if not self.writes:
            yield volume
            return
        volume.mkdir(parents=True, exist_ok=True)
        tmpfs.mount(volume, TmpfsLimits(4 << 20, 1024))
        try:
            yield volume
        finally:
            tmpfs.unmount(volume)


def attributes(
    objects: str,
    *,
    pod: str = "pod",
    account: str = "app",
    audiences: tuple[str, ...] = AUDIENCES,
    **parameters: str | None,
) -> str:
    """What the driver sends; a parameter that is None is left away."""
    tokens = tokens_text({audience: unsigned_token("ns", account, audience) for audience in audiences})
    told = pod_attributes(PodInfo("ns", pod, "uid", account), tokens)
    sent = {"region": REGION} | parameters | {"objects": objects} | told
    return json.dumps({key: value for key, value in sent.items() if value is not None})


def _files(volume: Path) -> Iterator[tuple[str, tuple[bytes, int]]]:
    for path in sorted(volume.rglob("*")):
        relative = path.relative_to(volume)
        if path.is_file() and not relative.parts[0].startswith(".."):
            yield str(relative), (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
    for link in volume.iterdir():
        if link.is_dir() and not link.name.startswith(".."):
            for path in sorted(link.resolve().rglob("*")):
                name = f"{link.name}/{path.relative_to(link.resolve())}"
                if path.is_file():
                    yield name, (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))


@dataclass(frozen=True)
class Case:
    """One line.

    Attributes:
        line: in the catalogue's words.
        objects: `objects`.
        files: contents, or contents and mode, by path; None = an error.
        error: what its text holds.
        better: what ours does better, and why; empty = the same outcome.
        said: beyond `objects`: parameters, pod, account, audiences.
        sent: beyond the attributes: permission, target.
        given: prepares AWS.
        options: of the provider.
        calls: how often some operations are asked for.
    """

    line: str
    objects: str
    files: Mapping[str, str | bytes | tuple[str, int]] | None = None
    error: str = ""
    better: str = ""
    said: Mapping[str, Any] = field(default_factory=dict)
    sent: Mapping[str, Any] = field(default_factory=dict)
    given: Callable[[CannedAws], object] = lambda _: None
    options: Mapping[str, Any] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)

    def check(self, folder: Path, *, writes: bool = False) -> None:
        """Run it."""
        with CannedAws() as aws:
            self.given(aws)
            world = World(folder, aws, writes=writes, **self.options)
            sent = attributes(self.objects, **self.said)
            if self.files is None:
                assert self.error, "a case says what comes of it"
                with pytest.raises(MountError) as caught:
                    world.mount(sent, **self.sent)
                assert self.error in str(caught.value)
                return
            _, found = world.mount(sent, **self.sent)
            assert {path: _like(wanted, found.get(path)) for path, wanted in self.files.items()} == dict(self.files)
            assert set(found) == set(self.files)
            assert {operation: aws.calls[operation] for operation in self.calls} == dict(self.calls)


def _like(wanted: str | bytes | tuple[str, int], found: tuple[bytes, int] | None) -> object:
    """What was found, in the shape of what was wanted."""
    if found is None or isinstance(wanted, bytes):
        return found and found[0]
    contents, mode = found
    return (contents.decode(), mode) if isinstance(wanted, tuple) else contents.decode()


def cases(*table: Case) -> pytest.MarkDecorator:
    """The table, each case under its line's words."""
    assert len({case.line for case in table}) == len(table)
    return pytest.mark.parametrize("case", table, ids=lambda case: case.line)


both_modes = pytest.mark.parametrize(
    "writes",
    [
        pytest.param(False, id="driver writes"),
        pytest.param(
            True,
            id="provider writes",
            marks=[pytest.mark.mount, pytest.mark.skipif(bool(CANT_MOUNT), reason=CANT_MOUNT or "mounting works")],
        ),
    ],
)
