"""Helm, as the package helm-binary brings it, beside the interpreter."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

HELM: Final = Path(sys.executable).with_name("helm")
KUBERNETES: Final = "1.32.0"
"""What charts are rendered for, where nothing else is said."""
CHARTS: Final = (
    "sscsi-common",
    "sscsi-driver",
    "sscsi-provider-aws",
    "sscsi-provider-azure",
    "sscsi-provider-gcp",
    "sscsi-provider-vault",
    "sscsi",
)
"""In the order in which they are built: each stands on those before it."""


class HelmError(Exception):
    """What Helm said."""


def helm(*arguments: str, given: str = "") -> str:
    """What Helm prints; nothing of this machine's Helm is read or written, and no repository is asked.

    Raises:
        HelmError: it refused.
    """
    with tempfile.TemporaryDirectory() as home:
        names = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("HELM_", "KUBE"))}
        environ |= {name: f"{home}/{name}" for name in names} | {"KUBECONFIG": f"{home}/none"}
        done = subprocess.run(  # noqa: S603  # our own arguments
            [HELM, *arguments], input=given, capture_output=True, text=True, check=False, env=environ
        )
    if done.returncode:
        raise HelmError(done.stderr.strip() or done.stdout.strip())
    return done.stdout


def build(charts: Path) -> None:
    """Put each chart's dependencies into it, from the folders beside it."""
    for name in CHARTS[1:]:
        (charts / name / "Chart.lock").unlink(missing_ok=True)  # of an earlier build, with other versions perhaps
        helm("dependency", "build", str(charts / name), "--skip-refresh")


def render(
    charts: Path,
    name: str,
    values: Mapping[str, Any] | None = None,
    *,
    release: str = "sscsi",
    namespace: str = "kube-system",
    kubernetes: str = KUBERNETES,
    more: Sequence[str] = (),
) -> str:
    """A chart's objects, as text, for a values file.

    Raises:
        HelmError: the values are refused.
    """
    return helm(
        "template", release, str(charts / name), f"--namespace={namespace}", f"--kube-version={kubernetes}",
        "--values=-", *more, given=yaml.safe_dump(dict(values or {})),
    )  # fmt: skip
