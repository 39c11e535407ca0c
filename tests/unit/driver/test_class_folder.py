import os
from pathlib import Path

import pytest

from sscsi_driver.attributes import DriverObject
from sscsi_driver.class_folder import FolderClasses
from sscsi_driver.classes import SecretProviderClass
from sscsi_driver.errors import PublishError

CLASS = """\
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata:
  name: {name}
  namespace: {namespace}
spec:
  provider: aws
  parameters:
    objects: |
      - objectName: {object}
"""
DRIVER = """\
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata:
  name: secrets-store.csi.k8s.io
spec:
  podInfoOnMount: true
  serviceAccountTokenInSecrets: true
  tokenRequests:
  - audience: sts.amazonaws.com
"""


def a_class(name: str = "demo", namespace: str = "shop", content: str = "password") -> str:
    return CLASS.format(name=name, namespace=namespace, object=content)


def problem(classes: FolderClasses, namespace: str = "shop", name: str = "demo") -> str:
    with pytest.raises(PublishError) as caught:
        classes.get(namespace, name)
    return caught.value.message


def test_classes_and_the_driver_are_found(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(f"{a_class()}---\n{a_class('other')}---\n{DRIVER}")
    classes = FolderClasses(tmp_path)
    assert classes.get("shop", "demo") == SecretProviderClass(
        "shop", "demo", "aws", {"objects": "- objectName: password\n"}
    )
    assert classes.get("shop", "other").name == "other"
    assert classes.driver_object("secrets-store.csi.k8s.io") == DriverObject(True, True, True, republish=False)
    assert classes.driver_object("another") is None


def test_a_change_is_seen_at_once(tmp_path: Path) -> None:
    classes = FolderClasses(tmp_path)
    assert "Namespace shop has no class" in problem(classes)
    path = tmp_path / "class.yml"
    path.write_text(a_class())
    assert classes.get("shop", "demo").parameters["objects"] == "- objectName: password\n"
    new = tmp_path / "new"
    new.write_text(a_class(content="passworD"))
    os.utime(new, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    new.rename(path)  # of the same size and time: kubectl-like tools and ConfigMap mounts swap files
    assert classes.get("shop", "demo").parameters["objects"] == "- objectName: passworD\n"
    path.unlink()
    assert "not found" in problem(classes)


def test_the_namespace_counts(tmp_path: Path) -> None:
    (tmp_path / "class.yaml").write_text(a_class(namespace="default"))
    text = problem(FolderClasses(tmp_path))
    assert text.startswith(
        "failed to get secretproviderclass shop/demo, error: "
        'SecretProviderClass.secrets-store.csi.x-k8s.io "demo" not found.'
    )
    assert "One of that name is in: default." in text


def test_a_bad_file_spoils_only_itself_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(a_class())
    (tmp_path / "bad.yaml").write_text("a: [")
    (tmp_path / "notes.txt").write_text("no YAML: [")
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    classes = FolderClasses(tmp_path)
    assert classes.get("shop", "demo").provider == "aws"
    text = problem(classes, name="missing")
    assert "Classes of namespace shop: demo." in text
    assert "bad.yaml" in text
    assert "notes.txt" not in text


@pytest.mark.parametrize("name", ["../demo", "a/b", "", "A", "x" * 254])
def test_an_illegal_name_is_not_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "class.yaml").write_text(a_class())
    assert "not found" in problem(FolderClasses(tmp_path), name=name)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert problem(FolderClasses(tmp_path / "missing")) == (
        f"the folder of classes {tmp_path / 'missing'} can't be read: No such file or directory"
    )


def test_the_file_and_line_of_a_class_without_parameters(tmp_path: Path) -> None:
    (tmp_path / "class.yaml").write_text(f"{DRIVER}---\n{a_class().split('  parameters')[0]}")
    text = problem(FolderClasses(tmp_path))
    assert text.startswith("parameters not set in shop/demo (file class.yaml, line ")
