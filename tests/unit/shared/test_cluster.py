"""The cluster's facts from a folder, and where there is none."""

from pathlib import Path

import pytest

from sscsi_shared.cluster import Cluster, NoCluster, TokenRequest
from sscsi_shared.cluster_folder import FolderCluster
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed, BackendUnavailable
from sscsi_shared.mount import PodInfo
from sscsi_shared.object_folder import ObjectFolder

SOON = Deadline.after(60)


def account(name: str, **metadata: str) -> str:
    more = "".join(f"  {key}: {value}\n" for key, value in metadata.items())
    return f"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n  namespace: ns\n{more}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text(account("web", annotations="{role: r}"))
    (tmp_path / "b.yml").write_text(account("api", uid="u-1"))
    (tmp_path / "notes.txt").write_text("not yaml: [")
    return tmp_path


def test_accounts(folder: Path) -> None:
    cluster = FolderCluster(folder)
    web = cluster.service_account("ns", "web", SOON)
    assert dict(web.annotations) == {"role": "r"}
    assert web.uid == FolderCluster(folder).service_account("ns", "web", SOON).uid != ""
    assert cluster.service_account("ns", "api", SOON).uid == "u-1"


def test_an_absent_account_names_those_that_are_there(folder: Path) -> None:
    (folder / "broken.yaml").write_text("kind: [")
    with pytest.raises(AuthenticationFailed) as caught:
        FolderCluster(folder).service_account("ns", "wbe", SOON)
    text = str(caught.value)
    assert text.startswith("failed to get service account ns/wbe: not found.")
    assert "api, web" in text
    assert "broken.yaml" in text


def test_a_changed_file_is_seen(folder: Path) -> None:
    cluster = FolderCluster(folder)
    cluster.service_account("ns", "web", SOON)
    (folder / "c.yaml").write_text(account("late"))
    assert cluster.service_account("ns", "late", SOON).name == "late"
    (folder / "c.yaml").unlink()
    with pytest.raises(AuthenticationFailed):
        cluster.service_account("ns", "late", SOON)


@pytest.mark.parametrize("label", ["topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"])
def test_the_region_of_a_pods_node(folder: Path, label: str) -> None:
    (folder / "pod.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: ns}\nspec: {nodeName: node-1}\n---\n"
        f"apiVersion: v1\nkind: Node\nmetadata: {{name: node-1, labels: {{{label}: eu-west-1}}}}\n"
    )
    cluster = FolderCluster(folder)
    assert cluster.node_region("ns", "p", SOON) == "eu-west-1"
    with pytest.raises(AuthenticationFailed, match="failed to get pod ns/q"):
        cluster.node_region("ns", "q", SOON)


def ask_for_token(cluster: Cluster) -> None:
    cluster.create_token(TokenRequest(PodInfo("ns", "p", "u", "web"), ("a",)), SOON)


def test_a_folder_signs_nothing(folder: Path) -> None:
    with pytest.raises(AuthenticationFailed, match="a folder can't sign"):
        ask_for_token(FolderCluster(folder))


def test_a_folder_that_went_away(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match="can't be read"):
        FolderCluster(tmp_path / "gone").service_account("ns", "web", SOON)


def test_no_cluster_names_the_remedy() -> None:
    cluster = NoCluster()
    with pytest.raises(AuthenticationFailed, match="--objects DIR"):
        cluster.service_account("ns", "web", SOON)
    with pytest.raises(AuthenticationFailed, match="--kube-api-url"):
        cluster.node_region("ns", "p", SOON)
    with pytest.raises(AuthenticationFailed, match="outside of a cluster"):
        ask_for_token(cluster)


def test_a_bad_file_spoils_only_itself(folder: Path) -> None:
    (folder / "huge.yaml").write_text("#" * (1 << 20) + "\n\n")
    (folder / "latin.yaml").write_bytes(b"kind: \xff")
    snapshot = ObjectFolder(folder).read()
    assert snapshot.names("ServiceAccount", "ns") == ["api", "web"]
    assert [problem.partition(":")[0] for problem in snapshot.problems] == ["huge.yaml", "latin.yaml"]
