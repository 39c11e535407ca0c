"""The conformance suite of CSI (kubernetes-csi/csi-test), run against the driver's socket."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from driver_rig import Driver, needs_mount

pytestmark = needs_mount

ROOT = Path(__file__).resolve().parents[3]
TOOLS = f"{ROOT / '.tools'}{os.pathsep}{os.environ.get('PATH', '')}"
SKIPPED = "Controller Server|GroupController|should remove target path|does not exist on the specified path"
"""What needs a controller that creates volumes: inline volumes have none."""
PASSED = 13
"""With v5.6.0: Identity 3, NodeGetCapabilities 1, NodeGetInfo 1, NodePublish 3, NodeUnpublish 2, statistics 3."""


def test_identity_and_node(driver: Driver, home: Path) -> None:
    sanity = shutil.which("csi-sanity", path=TOOLS)
    if sanity is None:
        pytest.skip("csi-sanity is not installed; .ci/run installs it where Go is present")
    report = home / "report.json"

    done = subprocess.run(
        [
            sanity,
            f"--csi.endpoint=unix://{driver.socket}",
            f"--csi.mountdir={home / 'mnt'}",
            f"--csi.stagingdir={home / 'stg'}",
            f"--ginkgo.skip={SKIPPED}",
            f"--ginkgo.json-report={report}",
            "--ginkgo.no-color",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout
    states = [
        spec["State"] for spec in json.loads(report.read_text())[0]["SpecReports"] if spec["LeafNodeType"] == "It"
    ]
    assert states.count("failed") == 0
    assert states.count("passed") == PASSED, {state: states.count(state) for state in set(states)}
