from pathlib import Path

import pytest

from sscsi_driver.attributes import OverlayRule
from sscsi_driver.options import read_options
from sscsi_driver.tmpfs import TmpfsLimits


def test_the_defaults() -> None:
    options = read_options([], {}, "1")
    assert options.socket == Path("/csi/csi.sock")
    assert options.provider_folders == (
        Path("/etc/kubernetes/secrets-store-csi-providers"),
        Path("/var/run/secrets-store-csi-providers"),
    )
    assert options.provider_volume == Path("/var/run/secrets-store-csi-providers")
    assert options.max_receive_bytes == 4194304
    assert (options.objects, options.status_folder) == (None, None)
    assert options.publish.driver_name == "secrets-store.csi.k8s.io"
    assert options.publish.limits == TmpfsLimits(16777216, 8192)
    assert options.publish.overlay == OverlayRule(None)
    assert options.publish.rotation_interval is None
    assert options.daemon.metrics_address == ":8095"
    assert options.startup_taint == "secrets-store.csi.k8s.io/agent-not-ready"
    assert options.required_providers == ()
    assert options.annotation_interval == 60.0


def test_start_up() -> None:
    options = read_options(["--required-providers=aws, vault,", "--drivername=d", "--metrics-addr="], {}, "1")
    assert options.required_providers == ("aws", "vault")
    assert options.startup_taint == "d/agent-not-ready"
    assert options.daemon.metrics_address == ""
    assert read_options(["--startup-taint=x/y"], {}, "1").startup_taint == "x/y"


def test_the_existing_manifest_is_understood() -> None:
    arguments = [
        "--endpoint=unix:///csi/x.sock", "--nodeid=node-1", "--provider-volume=/p", "--log-format-json=false",
        "--additional-provider-volume-paths=/a, /b,", "--metrics-addr=:8095", "--enable-secret-rotation=true",
        "--rotation-poll-interval=1m30s", "--provider-health-check=false", "--provider-health-check-interval=2m",
        "--max-call-recv-msg-size=8388608", "-v", "5", "-logtostderr",
    ]  # fmt: skip
    options = read_options(arguments, {}, "1")
    assert options.socket == Path("/csi/x.sock")
    assert options.provider_folders == (Path("/a"), Path("/b"), Path("/p"))
    assert options.publish.node == "node-1"
    assert options.publish.rotation_interval == 90.0
    assert options.publish.limits.size == 4 * 8388608
    assert options.daemon.metrics_address == ":8095"


@pytest.mark.parametrize(("text", "path"), [("unix://csi/a.sock", "/csi/a.sock"), ("UNIX:///a/b.sock", "/a/b.sock")])
def test_an_endpoint(text: str, path: str) -> None:
    assert read_options(["--endpoint", text], {}, "1").socket == Path(path)


def test_the_environment_stands_in() -> None:
    options = read_options([], {"KUBE_NODE_NAME": "node-2", "CSI_ENDPOINT": "unix:///x.sock"}, "1")
    assert (options.publish.node, options.socket) == ("node-2", Path("/x.sock"))


@pytest.mark.parametrize(
    "argument",
    [
        "--endpoint=tcp://127.0.0.1:1", "--endpoint=unix://", "--endpoint=/csi.sock", "--endpoint=",
        "--volume-size=1.5Mi",
        "--volume-inodes=0", "--volume-attributes=a,,b", "--provider-volume=", "--min-provider-version=1", "extra",
    ],
)  # fmt: skip
def test_a_mistake_ends_with_status_2(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        read_options([argument], {}, "1")
    assert caught.value.code == 2
    assert "Usage of sscsi-driver" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "size"), [("20Mi", 20 << 20), ("1GiB", 1 << 30), ("4096", 4096), ("64Ki", 65536)])
def test_sizes(text: str, size: int) -> None:
    assert read_options([f"--volume-size={text}"], {}, "1").publish.limits.size == size


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        read_options(["--version"], {}, "1.2.3")
    assert (caught.value.code, capsys.readouterr().out) == (0, "1.2.3\n")
