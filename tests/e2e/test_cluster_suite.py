"""The suite of tests/e2e/cluster, run here as far as the API server stand-in and a small kubelet can."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster_stage import ClusterStage
from driver_rig import CANT_MOUNT
from kube_rig import kubeconfig
from pod_runner import PodRunner
from sscsi.clouds import AwsCloud
from sscsi.clouds.cloud import ACCOUNT, NAMESPACE, VALUE
from sscsi.stage import Stage

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.mount,
    pytest.mark.skipif(bool(CANT_MOUNT), reason=CANT_MOUNT or "mounting works"),
]
ROOT = Path(__file__).parents[2]


@contextmanager
def rotating(stage: Stage, wish: Path) -> Iterator[None]:
    """Whatever is written to the file `wish` becomes the backend's secret."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.05):
            if wish.exists():
                stage.clouds[AwsCloud.name].put(wish.read_text().strip())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_the_suite_passes_here(tmp_path: Path) -> None:
    with Stage(driver=False) as stage:
        cluster, wish = ClusterStage(stage), tmp_path / "wish"
        environ = {
            "PATH": "/usr/bin:/bin",
            "KUBECONFIG": str(kubeconfig(tmp_path, stage.kubernetes.url, stage.kubernetes.admin_token)),
            "E2E_PROVIDER": AwsCloud.name,
            "E2E_PARAMETERS": json.dumps(dict(stage.parameters_of(AwsCloud.name))),
            "E2E_FILE": AwsCloud.file,
            "E2E_VALUE": VALUE,
            "E2E_NAMESPACE": NAMESPACE,
            "E2E_SERVICE_ACCOUNT": ACCOUNT,
            "E2E_ROTATE": f"sh -c 'printf %s \"$0\" > {wish}.new && mv {wish}.new {wish}'",
            "E2E_SECONDS": "30",
            "E2E_SECRET_OBJECTS": "true",
        }
        flags = ("--enable-secret-rotation=true", "--rotation-poll-interval=2s", "--annotation-poll-interval=1s")
        with cluster.driver(*flags), PodRunner(cluster), rotating(stage, wish):
            command = [sys.executable, "-m", "pytest", "-m", "cluster", "-q", "tests/e2e/cluster"]
            ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert cluster.kubernetes.denied == set()
    assert ran.returncode == 0, ran.stdout
    assert re.search(r"\d+ passed in", ran.stdout), "nothing is skipped"
