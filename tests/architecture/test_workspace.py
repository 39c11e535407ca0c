"""The workspace keeps its own rules: floors of dependencies, pinned files, sizes of modules."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTIONS = sorted(path.parent for path in ROOT.glob("*/pyproject.toml")) + sorted(
    path.parent for path in ROOT.glob("providers/*/pyproject.toml")
)
GENERATED = sorted(ROOT.glob("*/src/*/*/*_pb2_grpc.py"))
MODULES = sorted(
    path
    for distribution in DISTRIBUTIONS
    for path in distribution.glob("src/**/*.py")
    if not path.stem.endswith(("_pb2", "_pb2_grpc"))
)


def project(folder: Path) -> dict[str, object]:
    table: dict[str, object] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return table


def test_shared_asks_for_the_grpc_and_protobuf_that_its_generated_code_needs() -> None:
    dependencies = project(ROOT / "shared")["dependencies"]
    assert isinstance(dependencies, list)
    assert len(GENERATED) == 2
    for module in GENERATED:
        grpcio = re.search(r"GRPC_GENERATED_VERSION = '([\d.]+)'", module.read_text())
        messages = module.with_name(module.name.replace("_pb2_grpc", "_pb2")).read_text()
        protobuf = re.search(r"# Protobuf Python Version: ([\d.]+)", messages)
        assert grpcio is not None
        assert protobuf is not None
        assert f"grpcio>={grpcio[1]}" in dependencies
        assert f"protobuf>={protobuf[1]}" in dependencies


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=lambda path: str(path.relative_to(ROOT)))
def test_one_rule_of_names(folder: Path) -> None:
    where = folder.relative_to(ROOT).as_posix()
    name = project(folder)["name"]
    expected = "sscsi" if where == "cli" else "sscsi-" + where.replace("providers/", "provider-")
    assert name == expected
    assert (folder / "src" / expected.replace("-", "_") / "py.typed").exists()


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "requirements").glob("*.txt")))
def test_pinned_files_hold_hashes_and_name_no_index(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    requirements = re.findall(r"^[a-z][\w.-]*==\S+.*$", text, re.MULTILINE)
    assert len(requirements) > 10
    assert len(re.findall(r"^    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)) >= len(requirements)
    assert all(line.endswith("\\") for line in requirements)
    assert "://" not in text
    assert "index" not in text


def test_the_demo_needs_less_than_the_tests_and_nothing_else() -> None:
    pins = {
        name: set(re.findall(r"^([a-z][\w.-]*==[^\s;]+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE))
        for name in ("demo.txt", "dev.txt")
    }
    assert pins["demo.txt"] < pins["dev.txt"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_holds_one_idea(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 350
    assert ast.get_docstring(ast.parse(text)), "a module says what it is for"
    assert not set(path.stem.split("_")) & {
        "utils",
        "util",
        "helper",
        "helpers",
        "manager",
        "handler",
        "engine",
        "data",
    }
