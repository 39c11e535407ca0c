"""No credentials but the pod's own, and nothing of a secret or token in any output of the daemon."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest

from sscsi.clouds.aws import SECRET
from sscsi.clouds.cloud import VALUE
from sscsi.daemons import Daemon
from sscsi.kubelet import ask_provider, mount_request
from sscsi.stage import Stage

pytestmark = pytest.mark.e2e

OBJECTS = json.dumps([{"objectName": SECRET, "objectType": "secretsmanager"}])


class Trap(BaseHTTPRequestHandler):
    """Where a metadata or container endpoint would be; nobody may come."""

    visitors: list[str] = []  # noqa: RUF012  # the class is the trap

    def do_GET(self) -> None:
        self.visitors.append(self.path)
        self.send_error(404)

    def do_PUT(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def hostile(folder: Path, trap: str) -> dict[str, str]:
    """An environment full of credentials that a default chain would find."""
    marker = folder / "marker"
    (folder / "config").write_text(
        f"[default]\ncredential_process = touch {marker}\n[profile evil]\nrole_arn = {'x' * 30}\nregion = evil-1\n"
    )
    (folder / "credentials").write_text("[default]\naws_access_key_id=AKIAFILE\naws_secret_access_key=canary-file\n")
    (folder / "token").write_text("canary-web-identity")
    return {
        "AWS_ACCESS_KEY_ID": "AKIAENVIRONMENT",
        "AWS_SECRET_ACCESS_KEY": "canary-environment",
        "AWS_SESSION_TOKEN": "canary-session",
        "AWS_PROFILE": "evil",
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "token"),
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/evil",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{trap}/container",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": trap,
    }


@pytest.fixture
def trap() -> Iterator[str]:
    Trap.visitors.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Trap)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def restarted(stage: Stage, *flags: str, environ: dict[str, str]) -> Daemon:
    """The stage's provider again, with more flags, in another environment."""
    stage.provider.stop()
    arguments = [*stage.provider.arguments, *flags]
    return Daemon("sscsi_provider_aws", arguments, stage.provider.socket, stage.folder / "again.log", environ)


def test_only_the_pods_own_credentials_are_used(trap: str, tmp_path: Path) -> None:
    with Stage(driver=False) as stage, restarted(stage, environ=hostile(tmp_path, trap)) as provider:
        request = mount_request(stage.volume(), {"objects": OBJECTS}, stage.kubelet_root)
        assert [file.contents for file in ask_provider(provider.socket, request, 20).files] == [VALUE.encode()]
        assert stage.aws.calls["sts.AssumeRoleWithWebIdentity"] == 1
        stage.aws.distrust("arn:aws:iam::123456789012:role/application-one-secrets")
        before = stage.aws.calls["secretsmanager.GetSecretValue"]
        with pytest.raises(grpc.RpcError):
            ask_provider(provider.socket, request, 20)
        assert stage.aws.calls["secretsmanager.GetSecretValue"] == before, "it went on with other credentials"
    assert Trap.visitors == []
    assert not (tmp_path / "marker").exists()


def test_nothing_secret_in_logs_metrics_and_errors(unused_port: int) -> None:
    metrics = f"127.0.0.1:{unused_port}"
    with Stage(driver=False) as stage:
        flags = ("--log-level=debug", "--log-format=json", f"--metrics-addr={metrics}")
        with restarted(stage, *flags, environ={}) as provider:
            volume = stage.volume()
            request = mount_request(volume, {"objects": OBJECTS}, stage.kubelet_root)
            ask_provider(provider.socket, request, 20)
            stage.aws.deny("arn:aws:iam::123456789012:role/application-one-secrets", "secretsmanager.GetSecretValue")
            with pytest.raises(grpc.RpcError) as caught:
                ask_provider(provider.socket, request, 20)
            page = urllib.request.urlopen(f"http://{metrics}/metrics", timeout=5).read().decode()
        log = provider.log.read_text()
        tokens = [token.reveal() for token in volume.tokens.values()]
        hidden = [VALUE, *tokens, *(token.split(".")[1] for token in tokens), *stage.aws.handed_out()]
    assert 'sscsi_mounts_total{reason="OK"} 1.0' in page
    assert 'sscsi_mounts_total{reason="AccessDenied"} 1.0' in page
    assert 'sscsi_backend_calls_total{operation="secretsmanager.GetSecretValue",outcome="ok"} 1.0' in page
    assert 'sscsi_economy_total{outcome="read"} 2.0' in page
    assert 'sscsi_economy_total{outcome="login"} 2.0' in page
    assert "sscsi_held_bytes 0.0" in page
    assert "AccessDenied" in log
    for word in hidden:
        assert word not in log + page + str(caught.value)
    assert all(json.loads(line)["level"] for line in log.splitlines())
