"""What `sscsi mount` is given, and what it says of mistakes in it."""

import argparse
from pathlib import Path

import pytest

from sscsi import inputs
from sscsi_shared.errors import InvalidParameters

CLASS = """
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: {name: demo, namespace: shop}
spec: {provider: aws, parameters: {objects: "- objectName: a"}}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "class.yaml"
    path.write_text(text)
    return path


def test_one_class_of_the_pods_namespace(tmp_path: Path) -> None:
    found = inputs.read_class(written(tmp_path, CLASS), "shop")
    assert found.name == "demo"
    assert inputs.parameters_of(found) == {"objects": "- objectName: a"}


@pytest.mark.parametrize(
    ("text", "namespace", "words"),
    [
        (CLASS, "other", "the class is in namespace shop, the pod in other"),
        ("", "shop", "holds 0 SecretProviderClasses"),
        (f"{CLASS}---{CLASS.replace('demo', 'two')}", "shop", "holds 2 SecretProviderClasses"),
        ("x" * (1 << 20) + "y", "shop", "is longer than 1024 KiB"),
    ],
)
def test_not_one_class_of_the_pods_namespace(tmp_path: Path, text: str, namespace: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        inputs.read_class(written(tmp_path, text), namespace)


def test_a_mistake_in_the_class_has_its_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameters, match="line 2: the API group is"):
        inputs.read_class(written(tmp_path, CLASS.replace("x-k8s.io", "x-Kubernetes.io")), "shop")


@pytest.mark.parametrize("spec", ["{provider: aws}", "{provider: aws, parameters: {}}", "[]", "text"])
def test_no_parameters(tmp_path: Path, spec: str) -> None:
    text = f"{CLASS.partition('spec:')[0]}spec: {spec}\n"
    with pytest.raises(ValueError, match="parameters not set in shop/demo"):
        inputs.parameters_of(inputs.read_class(written(tmp_path, text), "shop"))


def test_a_parameter_that_is_no_text(tmp_path: Path) -> None:
    text = CLASS.replace('"- objectName: a"', "[{objectName: a}]")
    with pytest.raises(ValueError, match=r"spec\.parameters\.objects of .* is not a text"):
        inputs.parameters_of(inputs.read_class(written(tmp_path, text), "shop"))


def test_tokens_by_audience(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("  a.b.c\n")
    tokens = inputs.read_tokens([f"sts.amazonaws.com={path}", f"https://x/?a=b={path}", f"={path}"])
    assert {audience: token.reveal() for audience, token in tokens.items()} == {
        "sts.amazonaws.com": "a.b.c",
        "https://x/?a=b": "a.b.c",
        "": "a.b.c",
    }
    assert "a.b.c" not in repr(tokens)


def test_no_tokens(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"s3cret\xff")
    for given in ("sts", "sts="):
        with pytest.raises(ValueError, match="AUDIENCE=FILE"):
            inputs.read_tokens([given])
    with pytest.raises(ValueError, match="is empty"):
        inputs.read_tokens([f"sts={tmp_path / 'empty'}"])
    with pytest.raises(ValueError, match="is not UTF-8 text") as caught:
        inputs.read_tokens([f"sts={tmp_path / 'binary'}"])
    assert "s3cret" not in str(caught.value)
    with pytest.raises(FileNotFoundError):
        inputs.read_tokens([f"sts={tmp_path / 'absent'}"])


def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(ValueError, match="longer than 64 KiB"):
        inputs.read_text(Path("/dev/zero"), 64 << 10)


@pytest.mark.parametrize("text", ["", "a", "/a", "a/", "a/b/c"])
def test_not_a_pods_name(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="NAMESPACE/NAME"):
        inputs.pod_name(text)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon"])
def test_not_seconds(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="seconds above 0"):
        inputs.seconds(text)
    assert inputs.seconds("2.5") == 2.5
