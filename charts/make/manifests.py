"""deploy/: plain manifests, as the charts render them, without what only Helm needs."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from charts.make.helm import render

HEADER: Final = "# Made from charts/ by `make chart`: change it there.\n"
VALUES: Final[Mapping[str, Any]] = {
    "driver": {
        "syncSecret": {"enabled": True},
        "startupTaint": {"enabled": True},
        "policy": {"enabled": True},
    },
    "aws": {"enabled": True, "tokenRequests": []},
    "azure": {"enabled": True, "tokenRequests": [], "rbac": {"readAnnotations": True}},
    "gcp": {"enabled": True, "tokenRequests": []},
    "vault": {"enabled": True, "tokenRequests": []},
}
"""Everything, each in a file of its own; no tokens, because every provider is handed those of all."""
FILES: Final[Mapping[str, str]] = {
    "templates/csidriver.yaml": "driver/csidriver.yaml",
    "charts/driver/templates/rbac.yaml": "driver/rbac.yaml",
    "charts/driver/templates/rbac-secretobjects.yaml": "driver/rbac-secretobjects.yaml",
    "charts/driver/templates/rbac-startup-taint.yaml": "driver/rbac-startup-taint.yaml",
    "charts/driver/templates/daemonset.yaml": "driver/daemonset.yaml",
    "charts/driver/templates/policy.yaml": "policy/secretproviderclasses.yaml",
    "charts/azure/templates/rbac-annotations.yaml": "providers/azure-rbac-annotations.yaml",
    "charts/vault/templates/namespace.yaml": "providers/vault.yaml",
    **{f"charts/{one}/templates/provider.yaml": f"providers/{one}.yaml" for one in ("aws", "azure", "gcp", "vault")},
}
"""Template -> manifest."""
_DOCUMENT: Final = re.compile(r"^---\n# Source: sscsi/(\S+)\n", re.MULTILINE)
_HELMS: Final = re.compile(
    r"^ +(app\.kubernetes\.io/(name|instance|version|managed-by)|helm\.sh/chart): .*\n", re.MULTILINE
)
_EMPTY: Final = re.compile(r"^( *)labels:\n(?!\1 +\S)", re.MULTILINE)


def manifests(charts: Path) -> dict[str, str]:
    """The files of deploy/ by their paths; of built charts."""
    found: dict[str, list[str]] = {}
    _, *parts = _DOCUMENT.split(render(charts, "sscsi", VALUES))
    for source, body in zip(parts[::2], parts[1::2], strict=True):
        found.setdefault(FILES[source], []).append(plain(body))
    made = {path: HEADER + "---\n".join(bodies) for path, bodies in found.items()}
    for crd in sorted((charts / "sscsi-driver" / "crds").glob("*.yaml")):
        made[f"crds/{crd.name}"] = crd.read_text(encoding="utf-8")
    return made


def plain(body: str) -> str:
    """A rendered object without Helm's labels."""
    return _EMPTY.sub("", _HELMS.sub("", body)).strip("\n") + "\n"
