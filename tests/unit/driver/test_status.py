from pathlib import Path

import pytest
import yaml

from sscsi_driver.status import pod_status, status_name
from sscsi_driver.status_folder import NoStatus, StatusFolder
from sscsi_shared.mount import ObjectVersion, PodInfo

POD = PodInfo("shop", "web-0", "uid-1", "web")


def test_the_object_is_what_tools_know() -> None:
    versions = [ObjectVersion("b", "2"), ObjectVersion("a", "1")]
    assert pod_status(POD, "demo", "/target/mount", versions, "node-1") == {
        "apiVersion": "secrets-store.csi.x-k8s.io/v1",
        "kind": "SecretProviderClassPodStatus",
        "metadata": {
            "name": "web-0-shop-demo",
            "namespace": "shop",
            "labels": {"internal.secrets-store.csi.k8s.io/node-name": "node-1"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "web-0", "uid": "uid-1"}],
        },
        "status": {
            "podName": "web-0",
            "secretProviderClassName": "demo",
            "targetPath": "/target/mount",
            "mounted": True,
            "objects": [{"id": "a", "version": "1"}, {"id": "b", "version": "2"}],
        },
    }
    assert status_name(POD, "demo") == "web-0-shop-demo"


def write(folder: StatusFolder, target: str, version: str = "1", class_name: str = "demo") -> bool:
    return folder.write(pod_status(POD, class_name, target, [ObjectVersion("a", version)], "node-1"))


def test_a_file_is_written_only_when_it_changes(tmp_path: Path) -> None:
    folder = StatusFolder(tmp_path / "made" / "on use")
    assert write(folder, "/t")
    assert not write(folder, "/t")
    assert write(folder, "/t", "2")
    (path,) = (tmp_path / "made" / "on use").iterdir()
    assert path.name == "shop.web-0-shop-demo.yaml"
    assert yaml.safe_load(path.read_text())["status"]["objects"] == [{"id": "a", "version": "2"}]


def test_only_the_volumes_own_file_is_removed(tmp_path: Path) -> None:
    folder = StatusFolder(tmp_path)
    write(folder, "/t1", class_name="one")
    write(folder, "/t2", class_name="two")
    (tmp_path / "stranger.yaml").write_text("- a list")
    (tmp_path / "broken.yaml").write_text("a: [")

    folder.remove("/t1")
    folder.remove("/never")

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "broken.yaml",
        "shop.web-0-shop-two.yaml",
        "stranger.yaml",
    ]


def test_a_missing_folder_is_fine_for_remove_and_a_name_too_long_is_an_error(tmp_path: Path) -> None:
    StatusFolder(tmp_path / "missing").remove("/t")
    with pytest.raises(OSError, match=r"File name too long"):
        write(StatusFolder(tmp_path), "/t", class_name="x" * 253)
    with pytest.raises(OSError, match=r"no file name"):
        write(StatusFolder(tmp_path), "/t", class_name="../../etc/x")
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_nothing_is_written() -> None:
    assert not NoStatus().write({})
    NoStatus().remove("/t")


def test_what_a_killed_driver_did_not_finish_goes(tmp_path: Path) -> None:
    write(StatusFolder(tmp_path), "/t")
    (tmp_path / ".shop.web-1-shop-demo.yaml.17").write_text("half")
    (tmp_path / ".other").write_text("somebody's")
    StatusFolder(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other", "shop.web-0-shop-demo.yaml"]
