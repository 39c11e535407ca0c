"""The daemon as the existing manifests start it: environment, flags, both sockets, probes, metrics."""

import threading
import urllib.request
from pathlib import Path

import pytest

from sscsi.clouds import GcpCloud
from sscsi.daemons import Daemon
from sscsi.kubelet import ask_provider, mount_request
from sscsi.stage import Stage

pytestmark = pytest.mark.e2e


def test_as_the_existing_manifests_start_it(unused_port: int) -> None:
    with Stage(driver=False, clouds=(GcpCloud,)) as stage:
        folder = stage.folder / "target"
        folder.mkdir()
        kept = [one for one in stage.provider.arguments if "provider-volume" not in one and "metrics_addr" not in one]
        arguments = [*kept, "-v=5", "-log-format-json=true", f"-metrics_addr=127.0.0.1:{unused_port}"]
        arguments.append("-write_secrets=false")
        environ = {**stage.clouds["gcp"].environ(), "TARGET_DIR": str(folder), "PROVIDER_NAME": "gcp,gke"}
        with Daemon("sscsi_provider_gcp", arguments, folder / "gcp.sock", stage.folder / "again.log", environ):
            sockets = sorted(path.name for path in folder.iterdir())
            request = mount_request(stage.volume(), stage.parameters_of("gcp"), stage.kubelet_root)
            answers = [ask_provider(folder / name, request, 20) for name in ("gcp.sock", "gke.sock")]
            (folder / "gke.sock").unlink()
            assert _comes_back(folder / "gke.sock")
            assert ask_provider(folder / "gke.sock", request, 20).files
            page, live = (_page(unused_port, path) for path in ("metrics", "live"))
        assert list(folder.iterdir()) == []
    assert sockets == ["gcp.sock", "gke.sock"]
    assert answers[0] == answers[1]
    assert live == "ok\n"
    access = 'kind="secretmanager_access_secret_version_requests",status="ok"'
    assert f"outbound_rpc_count{{{access}}}" in page
    assert f"outbound_rpc_latency_count{{{access}}}" in page
    assert 'kind="gcp_iam_get_id_bind_token_requests",status="200"' in page


def _comes_back(socket: Path) -> bool:
    """A socket that vanished is made again within a look or two."""
    pause = threading.Event()
    return any(socket.exists() or pause.wait(0.05) for _ in range(200))


def _page(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
        return str(answer.read().decode())
