"""Of each cloud: nothing of a secret or token in any output of its provider's daemon, at debug level too."""

import json
import urllib.request

import grpc
import pytest

from sscsi.clouds import ALL, Cloud
from sscsi.clouds.cloud import VALUE
from sscsi.daemons import Daemon
from sscsi.kubelet import ask_provider, mount_request
from sscsi.stage import Stage

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("cloud", ALL, ids=lambda cloud: cloud.name)
def test_nothing_secret_in_logs_metrics_and_errors(cloud: type[Cloud], unused_port: int) -> None:
    metrics = f"127.0.0.1:{unused_port}"
    with Stage(driver=False, clouds=(cloud,)) as stage:
        stage.provider.stop()
        flags = ("--log-level=debug", "--log-format=json", f"--metrics-addr={metrics}", "--cache-ttl=0")
        arguments = [*stage.provider.arguments, *flags]
        environ = stage.clouds[cloud.name].environ()
        socket = stage.provider.socket
        with Daemon(stage.provider.module, arguments, socket, stage.folder / "again.log", environ) as provider:
            volume = stage.volume()
            parameters = dict(stage.parameters_of(cloud.name))
            answer = ask_provider(socket, mount_request(volume, parameters, stage.kubelet_root), 20)
            assert [file.contents for file in answer.files] == [VALUE.encode()]
            refused = []
            for name, text in parameters.items():
                # The same class with each parameter broken in turn: errors of every step.
                request = mount_request(volume, {**parameters, name: f"{text}canary"}, stage.kubelet_root)
                try:
                    ask_provider(socket, request, 20)
                except grpc.RpcError as error:
                    refused.append(str(error))
            page = urllib.request.urlopen(f"http://{metrics}/metrics", timeout=5).read().decode()
        log = provider.log.read_text()
        tokens = [token.reveal() for token in volume.tokens.values()]
        hidden = [VALUE, *tokens, *(token.split(".")[1] for token in tokens), *stage.handed_out()]
    assert refused
    assert 'sscsi_mounts_total{reason="OK"} 1.0' in page
    for word in hidden:
        assert word not in log + page + "".join(refused)
    assert all(json.loads(line)["level"] for line in log.splitlines())
