"""Charts in tests: built once in a folder of their own, rendered, and looked at as objects."""

import functools
import json
import os
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import yaml
from charts.make.helm import KUBERNETES, build, render

from sscsi_driver.options import DriverOptions, read_options
from sscsi_shared.daemon.flags import Values
from sscsi_shared.server.serve import ProviderOptions, parse_options

ROOT: Final = Path(__file__).parents[1]
CLOUDS: Final = ("aws", "azure", "gcp", "vault")
Objects = list[dict[str, Any]]
Given = Mapping[str, Any]


def built(folder: Path) -> Path:
    """A copy of charts/ whose charts have their dependencies in them."""
    charts = folder / "charts"
    shutil.copytree(ROOT / "charts", charts, ignore=shutil.ignore_patterns("*.tgz", "Chart.lock", "__pycache__"))
    build(charts)
    return charts


def objects(charts: Path, name: str, values: Given | None = None, **options: Any) -> Objects:
    """What a chart makes of a values file.

    Raises:
        HelmError: the values are refused.
    """
    text = rendered(charts, name, values, **options)
    return [body for body in yaml.load_all(text, Loader=yaml.CSafeLoader) if body]


def rendered(
    charts: Path, name: str, values: Given | None = None, namespace: str = "kube-system", kubernetes: str = KUBERNETES
) -> str:
    """The same as text; what was rendered once is not rendered again."""
    return _rendered(charts, name, json.dumps(values or {}), namespace, kubernetes)


@functools.cache
def _rendered(charts: Path, name: str, values: str, namespace: str, kubernetes: str) -> str:
    return render(charts, name, json.loads(values), namespace=namespace, kubernetes=kubernetes)


def one(bodies: Sequence[Mapping[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    """The only object of a kind, or of a kind and a name."""
    (found,) = (body for body in bodies if body["kind"] == kind and name in {"", body["metadata"]["name"]})
    return dict(found)


def kinds(bodies: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """(kind, name) of each."""
    return {(body["kind"], body["metadata"]["name"]) for body in bodies}


def pod(bodies: Sequence[Mapping[str, Any]], name: str = "") -> dict[str, Any]:
    """The pod of a DaemonSet."""
    spec: dict[str, Any] = one(bodies, "DaemonSet", name)["spec"]["template"]["spec"]
    return spec


def container(spec: Mapping[str, Any], name: str = "provider") -> dict[str, Any]:
    """One of a pod's containers."""
    (found,) = (body for body in [*spec["containers"], *spec.get("initContainers", ())] if body["name"] == name)
    return dict(found)


def environ(body: Mapping[str, Any]) -> dict[str, str]:
    """A container's variables; those that only a node can say are `node-1`."""
    return {one["name"]: one.get("value", "node-1") for one in body.get("env", ())}


def arguments(body: Mapping[str, Any]) -> list[str]:
    """A container's arguments as kubelet gives them: $(NAME) is a variable of the container."""
    texts = list(body["args"])
    for name, value in environ(body).items():
        texts = [text.replace(f"$({name})", value) for text in texts]
    return texts


def driver_options(body: Mapping[str, Any]) -> DriverOptions:
    """The driver's container, read by the driver's own parser: an unknown flag ends the test."""
    return read_options(arguments(body), environ(body), "1")


def provider_options(cloud: str, body: Mapping[str, Any]) -> tuple[Any, Values, ProviderOptions]:
    """A provider's module of flags, what its container says of them, and what every provider has."""
    module = import_module(f"sscsi_provider_{cloud}.__main__")
    values, options = parse_options(f"sscsi-provider-{cloud}", "", "1", module.FLAGS, arguments(body), environ(body))
    return module, values, options


def cloud_of(image: str) -> str:
    """The cloud of a provider's image; empty = another image."""
    name = image.rpartition("/")[2].partition(":")[0].partition("@")[0]
    return name.removeprefix("sscsi-provider-") if name.startswith("sscsi-provider-") else ""


def version_of(folder: str) -> str:
    """Of one of our distributions."""
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def mebibytes(text: str) -> int:
    """Of a quantity in Mi."""
    assert text.endswith("Mi")
    return int(text.removesuffix("Mi"))


WRITE: Final = os.environ.get("GOLDEN") == "write"
"""GOLDEN=write makes the golden files anew."""


def with_notes(charts: Path) -> Path:
    """Another copy, whose charts render their notes as an object: Helm shows them only where there is a cluster."""
    copy = charts.parent / "with-notes"
    shutil.copytree(charts, copy)
    for notes in copy.glob("*/templates/NOTES.txt"):
        shutil.copy(notes, notes.parents[1] / "NOTES.in-test")
        body = '---\nkind: Notes\ntext: |-\n{{ tpl (.Files.Get "NOTES.in-test") . | indent 2 }}\n'
        (notes.parent / "notes.yaml").write_text(body)
    return copy


def notes(copy: Path, name: str, values: Given | None = None) -> str:
    """What a chart says after an installation; of charts as `with_notes` made them."""
    shown = render(copy, name, values, more=["--show-only=templates/notes.yaml"])
    return str(next(body["text"] for body in yaml.safe_load_all(shown) if body)).strip()
