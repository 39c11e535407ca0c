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
