"""docs/local-testing.md: its lines for the second terminal, as they stand, against each provider."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from driver_rig import needs_mount, until
from pages import ROOT, marked
from sscsi.clouds import ALL

pytestmark = pytest.mark.e2e

PAGE = "docs/local-testing.md"
TOOLS = f"{ROOT / '.tools'}{os.pathsep}{os.environ.get('PATH', '')}"
NAMES = {"SOCKET", "CLASS", "TOKEN", "REQUEST"}
SAMPLE = b"h+7Q?D7ydVXrzCXn"
FILES = {cloud.name: cloud.file for cloud in ALL}


@pytest.fixture(scope="module", params=sorted(FILES))
def exports(request: pytest.FixtureRequest) -> Iterator[Mapping[str, str]]:
    """What `sscsi demo --stay CLOUD` prints for the second terminal, and which cloud that is."""
    command = [sys.executable, "-m", "sscsi", "demo", "--stay", request.param]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as demo:
        assert demo.stdout is not None
        found: dict[str, str] = {}
        for line in demo.stdout:
            if match := re.match(r"\s*export (\w+)=(\S+)", line):
                found[match[1]] = match[2]
            if "Ctrl-C" in line:
                break
        yield found | {"CLOUD": request.param}
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        assert demo.wait(timeout=30) == 0
    assert set(found) == NAMES
    assert not any(Path(found[name].rpartition("=")[2]).exists() for name in NAMES), "a token stays behind"


def run(mark: str, exports: Mapping[str, str]) -> str:
    script = f"set -euo pipefail\n{marked(PAGE, mark)}".replace(".venv/bin/sscsi", f"{sys.executable} -m sscsi")
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env={**os.environ, **exports, "PATH": TOOLS},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def grpcurl() -> None:
    if shutil.which("grpcurl", path=TOOLS) is None:
        pytest.skip("grpcurl is not installed; .ci/run installs it where Go is present")


@pytest.mark.usefixtures("grpcurl")
def test_grpcurl_gets_version_and_files(exports: Mapping[str, str]) -> None:
    answers = run("grpcurl", exports)
    version, end = json.JSONDecoder().raw_decode(answers)
    mounted, _ = json.JSONDecoder().raw_decode(answers[end:].lstrip())
    assert version["version"] == "v1alpha1"
    files = {file["path"]: base64.b64decode(file["contents"]) for file in mounted["files"]}
    assert files == {FILES[exports["CLOUD"]]: SAMPLE}
    assert len(mounted["objectVersion"]) == 1


@pytest.mark.usefixtures("grpcurl")
def test_grpcurl_asks_a_daemon_what_it_is(exports: Mapping[str, str]) -> None:
    answers = run("grpcurl by reflection", exports)
    assert "v1alpha1.CSIDriverProvider\n" in answers
    assert "message MountRequest {" in answers
    assert '"status": "SERVING"' in answers


def test_the_tool_mounts_without_a_cluster(exports: Mapping[str, str]) -> None:
    shown = run("sscsi mount", exports)
    assert FILES[exports["CLOUD"]].rpartition("/")[2] in shown
    assert SAMPLE.decode() not in shown


@pytest.mark.mount
@needs_mount[1]
def test_the_driver_beside_it(exports: Mapping[str, str]) -> None:
    """The page's last commands, with the demo's folders, class and token in place of the page's."""
    if exports["CLOUD"] != "vault":
        pytest.skip("one provider is enough: the driver is the same")
    folder = Path(exports["CLASS"]).parents[1]
    there = {
        "/tmp/sscsi/cluster": str(Path(exports["CLASS"]).parent),
        "/tmp/sscsi/providers": str(Path(exports["SOCKET"]).parent),
        "/tmp/sscsi/": f"{folder}/by-hand/",
        ".venv/bin/sscsi-driver": f"{sys.executable} -m sscsi_driver",
        ".venv/bin/sscsi": f"{sys.executable} -m sscsi",
        "class.yaml": exports["CLASS"],
        "shop/web": "application-one/nginx-secrets-store-inline",
        "--service-account web": "--service-account csi-provider-user",
        f"sts.amazonaws.com={folder}/by-hand/token.jwt": exports["TOKEN"],
        "shop/shop": f"application-one/{Path(exports['CLASS']).stem}",
    }

    def here(mark: str) -> str:
        text = marked(PAGE, mark)
        for before, after in there.items():
            text = text.replace(before, after)
        return f"set -euo pipefail\n{text}"

    (folder / "by-hand").mkdir()
    with subprocess.Popen(
        ["bash", "-c", f"exec {here('driver').partition('pipefail')[2].strip()}"], cwd=ROOT
    ) as driver:
        try:
            assert until((folder / "by-hand" / "csi.sock").exists)
            done = subprocess.run(
                ["bash", "-c", here("kubelet")], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
            )
        finally:
            driver.terminate()
    assert done.returncode == 0, done.stderr
    assert FILES["vault"].rpartition("/")[2] in done.stdout
    assert "unmounted " in done.stdout
