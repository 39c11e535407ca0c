"""reference/driver.md section 20b, what needs no cluster of it; the rest is tests/e2e/cluster (docs/e2e.md)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from driver_rig import POD, Driver, failure, mounts, needs_mount, status_files
from scripted_provider import ScriptedProvider, always, volume
from sscsi_driver.class_folder import FolderClasses

pytestmark = needs_mount

CLASSES = """
{apiVersion: secrets-store.csi.x-k8s.io/v1, kind: SecretProviderClass, metadata: {name: demo, namespace: shop},
 spec: {provider: test, parameters: {a: of shop}}}
---
{apiVersion: secrets-store.csi.x-k8s.io/v1, kind: SecretProviderClass, metadata: {name: demo, namespace: default},
 spec: {provider: invalid, parameters: {a: of default}}}
---
{apiVersion: secrets-store.csi.x-k8s.io/v1, kind: SecretProviderClass, metadata: {name: other, namespace: shop},
 spec: {provider: test, parameters: {a: other}}}
---
{apiVersion: secrets-store.csi.x-k8s.io/v1alpha1, kind: SecretProviderClass, metadata: {name: old, namespace: shop},
 spec: {provider: test, parameters: {a: old}}}
"""


@pytest.fixture
def classy(start: Callable[..., Driver], home: Path) -> Driver:
    (home / "classes").mkdir()
    (home / "classes" / "all.yaml").write_text(CLASSES)
    return start(classes=FolderClasses(home / "classes"))


def asked_for(provider: ScriptedProvider) -> list[str]:
    return [request.attributes.partition('"a":"')[2].partition('"')[0] for request in provider.requests]


def test_a_class_of_v1alpha1(classy: Driver, provider: ScriptedProvider, target: Path) -> None:
    classy.publish(target, volume_context={**POD, "secretProviderClass": "old"})
    assert (target / "password").read_bytes() == b"one"


def test_one_name_in_two_namespaces(classy: Driver, provider: ScriptedProvider, target: Path) -> None:
    """The one in `default` names a provider that is not there; a pod gets that of its own namespace."""
    classy.publish(target)
    assert asked_for(provider) == ["of shop"]
    context = {**POD, "csi.storage.k8s.io/pod.namespace": "default"}
    _, details = failure(lambda: classy.publish(target.parents[1] / "x" / "mount", volume_context=context))
    assert 'provider not found: provider "invalid"' in details
    assert len(provider.requests) == 1


def test_a_pod_with_two_classes(classy: Driver, provider: ScriptedProvider, home: Path, target: Path) -> None:
    """Each volume has its files and its status; one that goes takes nothing of the other's."""
    second = target.parents[1] / "second" / "mount"
    classy.publish(target)
    provider.answer = always(volume(("other", b"two")))
    more: dict[str, Any] = {"volume_id": "csi-2", "volume_context": {**POD, "secretProviderClass": "other"}}
    classy.publish(second, **more)
    assert asked_for(provider) == ["of shop", "other"]
    assert (target / "password").read_bytes() == b"one"
    assert (second / "other").read_bytes() == b"two"
    named = {body["status"]["secretProviderClassName"]: body["status"] for body in status_files(home).values()}
    assert {name: status["targetPath"] for name, status in named.items()} == {"demo": str(target), "other": str(second)}
    classy.unpublish(second)
    assert mounts(home) == [str(target)]
    assert [body["status"]["secretProviderClassName"] for body in status_files(home).values()] == ["demo"]


def test_a_pod_that_goes_leaves_no_error_in_the_log(
    classy: Driver, provider: ScriptedProvider, home: Path, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """e2e looks for `failed to clean and unmount target path`, and deletion takes less than 60 s."""
    classy.publish(target)
    for _ in range(2):
        classy.unpublish(target)
    assert mounts(home) == []
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]
