"""Reading a mounted volume and the driver's status folder; usage; failures in words."""

import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import grpc
import pytest

from sscsi.__main__ import main
from sscsi.explain import explain
from sscsi.kubelet import PodVolume
from sscsi.mount import read_versions, read_volume
from sscsi.output import Entry

VOLUME = PodVolume("shop", "web-0", "web", "demo")
STATUS = "status: {objects: [{id: password, version: v1}, {id: n, version: 7}]}\n"
STATUS_NAME = "shop.web-0-shop-demo.yaml"


def test_a_volumes_files_as_readers_see_them(tmp_path: Path) -> None:
    version = tmp_path / "..2026"
    (version / "db").mkdir(parents=True)
    (version / "password").write_bytes(b"abc")
    (version / "db" / "user").write_bytes(b"\xff\n")
    (version / "db" / "user").chmod(0o400)
    (version / "password").chmod(0o644)
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "password").symlink_to("..data/password")
    (tmp_path / "db").symlink_to("..data/db")
    assert read_volume(tmp_path, reveal=False) == [Entry("db/user", 0o400, 2), Entry("password", 0o644, 3)]
    assert [one.text for one in read_volume(tmp_path, reveal=True)] == ["\\xff\n", "abc"]


def test_a_volume_that_was_never_filled(tmp_path: Path) -> None:
    assert read_volume(tmp_path, reveal=False) == []


def test_versions_of_this_volume_alone(tmp_path: Path) -> None:
    (tmp_path / STATUS_NAME).write_text(STATUS)
    (tmp_path / "shop.other-shop-demo.yaml").write_text("{ not yaml")
    assert read_versions(tmp_path, VOLUME) == {"password": "v1", "n": "7"}
    assert read_versions(tmp_path, PodVolume("shop", "web-1", "web", "demo")) == {}
    assert read_versions(None, VOLUME) == {}


@pytest.mark.parametrize(
    "text", ["{", "[]", "", "status: {}", "status: {objects: [1]}", "status: {objects: [{id: a}]}"]
)
def test_a_status_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / STATUS_NAME).write_text(text)
    with pytest.raises(ValueError, match="is not a SecretProviderClassPodStatus"):
        read_versions(tmp_path, VOLUME)


class Failed:
    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


@pytest.mark.parametrize(
    ("code", "details", "words"),
    [
        ("PERMISSION_DENIED", "role x may not", "PERMISSION_DENIED: role x may not"),
        ("UNAVAILABLE", "Socket closed", "the daemon behind /x.sock ended before it answered"),
        ("UNAVAILABLE", "recvmsg:Connection reset by peer", "the daemon behind /x.sock ended before it answered"),
        ("UNAVAILABLE", "the backend is busy", "UNAVAILABLE: the backend is busy"),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", "no answer from /x.sock within 2.5 s"),
        ("DEADLINE_EXCEEDED", "vault was slow", "DEADLINE_EXCEEDED: vault was slow"),
        ("UNIMPLEMENTED", "Method not found!", "--driver takes a CSI socket, --provider a provider's"),
    ],
)
def test_a_failure_in_words(code: str, details: str, words: str) -> None:
    assert words in explain(Failed(grpc.StatusCode[code], details), Path("/x.sock"), 2.5)


def really_failed(path: Path) -> Any:
    with grpc.insecure_channel(f"unix:{path}") as channel:
        call: Any = channel.unary_unary("/a/b")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=5)
    return caught.value


def test_a_socket_on_which_nobody_answers() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        absent, plain, dead = (Path(folder) / name for name in ("absent", "plain", "dead"))
        plain.touch()
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(dead))
        for path, why in (
            (absent, "there is no such file"),
            (plain, "it is not a socket"),
            (dead, "its daemon has ended and left it behind"),
        ):
            text = explain(really_failed(path), path, 5)
            assert text.startswith(f"nobody answers on {path}: {why}")


WHO = ["mount", "class.yaml", "--pod", "shop/web-0", "--service-account", "web"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required"),
        (["mount"], "required"),
        ([*WHO[:3], "web-0", *WHO[4:]], "write NAMESPACE/NAME"),
        ([*WHO, "--timeout", "0"], "seconds above 0"),
        ([*WHO, "--audience", "sts"], "--audience needs --kube-api-url"),
        ([*WHO, "--kube-api-url", "https://x"], "--kube-api-url needs --audience"),
        ([*WHO, "--unmount", "--provider", "x"], "--unmount is for the driver"),
        ([*WHO, "--unmount", "--reveal"], "--reveal has nothing to show"),
    ],
)
def test_a_command_line_that_makes_no_sense(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_the_tool_starts_without_grpc() -> None:
    """Before the demo enters its namespace no thread may run, so nothing may be imported that starts one."""
    script = "import sys, sscsi.__main__, sscsi.demo; sys.exit('grpc' in sys.modules or 'sscsi.stage' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
