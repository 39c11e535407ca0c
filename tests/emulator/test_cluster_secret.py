"""A Secret that is read, or made where there is none (reference/vault.md section 8)."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from sscsi_emulators.kubernetes import KubernetesEmulator
from sscsi_shared.cluster import NoCluster, SecretEntry
from sscsi_shared.cluster_api import ApiServerCluster
from sscsi_shared.cluster_folder import FolderCluster
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed

ENTRY = SecretEntry("csi", "hmac", "key")


@pytest.fixture
def kubernetes() -> Iterator[KubernetesEmulator]:
    with KubernetesEmulator() as kubernetes:
        yield kubernetes


@pytest.fixture
def cluster(kubernetes: KubernetesEmulator, tmp_path: Path) -> ApiServerCluster:
    token = tmp_path / "token"
    token.write_text(kubernetes.admin_token)
    return ApiServerCluster(kubernetes.url, token_file=token, wait=lambda _: None)


def found(cluster: ApiServerCluster, new: bytes = b"new" * 10) -> bytes:
    return cluster.read_or_create_secret(ENTRY, lambda: new, Deadline.after(5)).reveal()


def put(kubernetes: KubernetesEmulator, data: dict[str, str]) -> None:
    kubernetes.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "csi", "name": "hmac"}, "data": data}
    )


def test_none_is_made_and_then_read(kubernetes: KubernetesEmulator, cluster: ApiServerCluster) -> None:
    assert found(cluster) == b"new" * 10
    assert dict(kubernetes.calls) == {"get secrets": 1, "create secrets": 1}
    assert found(cluster, b"other") == b"new" * 10
    assert kubernetes.calls["create secrets"] == 1


def test_one_that_is_there_is_read(kubernetes: KubernetesEmulator, cluster: ApiServerCluster) -> None:
    put(kubernetes, {"key": base64.b64encode(b"there").decode()})
    assert found(cluster) == b"there"
    assert dict(kubernetes.calls) == {"get secrets": 1}


def test_of_two_who_make_it_one_wins(kubernetes: KubernetesEmulator, cluster: ApiServerCluster) -> None:
    def lost() -> bytes:
        put(kubernetes, {"key": base64.b64encode(b"winner").decode()})
        return b"loser"

    assert cluster.read_or_create_secret(ENTRY, lost, Deadline.after(5)).reveal() == b"winner"
    assert dict(kubernetes.calls) == {"get secrets": 2, "create secrets": 1}


@pytest.mark.parametrize("data", [{}, {"other": "eA=="}, {"key": ""}])
def test_one_without_the_entry(kubernetes: KubernetesEmulator, cluster: ApiServerCluster, data: dict[str, str]) -> None:
    put(kubernetes, data)
    with pytest.raises(AuthenticationFailed, match='to have a key "key"'):
        found(cluster)


def test_outside_of_a_cluster(tmp_path: Path) -> None:
    folder = FolderCluster(tmp_path)
    first = folder.read_or_create_secret(ENTRY, lambda: b"a", Deadline.after(5))
    assert folder.read_or_create_secret(ENTRY, lambda: b"b", Deadline.after(5)).reveal() == first.reveal()
    with pytest.raises(AuthenticationFailed):
        NoCluster().read_or_create_secret(ENTRY, lambda: b"a", Deadline.after(5))
