"""The README's other commands, run as they stand; where one needs a cluster or a node's path, only that is replaced."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from chart_rig import built
from sscsi.clouds import AwsCloud
from sscsi.clouds.cloud import ACCOUNT, VALUE
from sscsi.stage import Stage

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
TOOLS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


def run(script: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT, env={**os.environ, "PATH": TOOLS}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def aws() -> Iterator[Stage]:
    with Stage(driver=False) as stage:
        yield stage


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:^    |`|^)make ([a-z]+)", README, re.MULTILINE))))
def test_a_target_of_make_would_run(target: str) -> None:
    """Whether it does what it says is what CI shows: it calls them."""
    assert run(f"make -n {target}")


def test_what_helm_would_install(tmp_path: Path) -> None:
    block = re.search(r"<!-- helm -->\n```sh\nmake chart\n(.*?)```", README, re.DOTALL)
    assert block is not None
    charts = built(tmp_path / "charts")  # as `make chart` does, but outside of the sources
    install = (
        block[1].replace("helm install", "helm template --kube-version 1.32.0", 1).replace("charts/", f"{charts}/")
    )
    objects = [one for one in yaml.safe_load_all(run(install)) if one]
    images = {
        container["image"]
        for one in objects
        if one["kind"] == "DaemonSet"
        for container in one["spec"]["template"]["spec"]["containers"]
    }
    assert any(image.startswith("registry.example.com/sscsi-driver:") for image in images)
    assert any(image.startswith("registry.example.com/sscsi-provider-aws:") for image in images)
    assert not any("provider-gcp" in image for image in images)
    (driver,) = (one for one in objects if one["kind"] == "CSIDriver")
    assert [one["audience"] for one in driver["spec"]["tokenRequests"]] == [AwsCloud.audience, "pods.eks.amazonaws.com"]


def test_a_class_mounted_by_hand(aws: Stage, tmp_path: Path) -> None:
    line = re.search(r"^    \.venv/bin/(sscsi mount .*?)\n\n", README, re.DOTALL | re.MULTILINE)
    assert line is not None
    token = tmp_path / "token.jwt"
    token.write_text(aws.tokens(ACCOUNT, "web")[AwsCloud.audience].reveal())
    here = line[1].replace("/var/run/secrets-store-csi-providers/aws.sock", str(aws.provider.socket))
    shown = run(here.replace("token.jwt", str(token)))
    assert re.search(r"0644 +16 B  password", shown)
    assert VALUE not in shown
    assert VALUE in run(here.replace("token.jwt", str(token)) + " --reveal")
