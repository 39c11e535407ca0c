"""Files, addresses and paths that a class names, and that lead where it may not go."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import grpc

from fire.backend_process import CLOUDS
from fire.case import Case, Shown, expect
from fire.node import Node
from fire.plan import Plan
from fire.rules.trap import CANARY, ask, expect_refused, trapped
from sscsi_emulators.wsgi import Environ, LoopbackServer, StartResponse

_VAULT: Final = next(cloud for cloud in CLOUDS if cloud.name == "vault")
_AZURE: Final = next(cloud for cloud in CLOUDS if cloud.name == "azure")
_NAMED: Final = "may not be named by a class"
_REBINDING: Final = """
import socket, sys
from sscsi_shared.addresses import AddressRefused, connect
asked, opened = [], []
def answers(host, port, **more):
    asked.append(host)
    turn = "203.0.113.9" if len(asked) == 1 else "127.0.0.1"
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (turn, port))]
class Kept(socket.socket):
    def connect(self, address):
        opened.append(address[0])
socket.getaddrinfo, socket.socket = answers, Kept
connect("rebinds.example", 443, trusted=False, timeout=1)
assert (asked, opened) == (["rebinds.example"], ["203.0.113.9"]), (asked, opened)
try:
    connect("rebinds.example", 443, trusted=False, timeout=1)
except AddressRefused:
    sys.exit(0)
sys.exit("the second answer was connected to")
"""
"""A name whose second answer is this node: the system's resolver and sockets are stand-ins, in a process of its own."""


def _class_files(plan: Plan) -> Shown:
    del plan
    tried = 0
    for cloud, parameter, more in (
        (_VAULT, "vaultCACertPath", {}),
        (_VAULT, "vaultCADirectory", {}),
        (_AZURE, "cloudEnvFileName", {"cloudName": "AzureStackCloud"}),
    ):
        with tempfile.TemporaryDirectory(dir="/tmp", prefix="fire-rules-") as home, ExitStack() as stack:
            folder, outside = Path(home) / "class-files", Path(home) / "outside"
            node = stack.enter_context(Node(cloud, provider_flags=(f"--class-files-dir={folder}",)))
            for one in (folder, outside):
                one.mkdir()
            (outside / "file").write_text(CANARY, encoding="utf-8")
            (folder / "link").symlink_to(outside / "file")
            (folder / "folder").symlink_to(outside)
            (folder / "chain").symlink_to("link")
            (folder / "proc").symlink_to("/proc/self")
            node.provider.start()
            for path in (
                outside / "file",
                folder / "link",
                folder / "chain",
                folder / "folder" / "file",
                f"{folder}/../outside/file",
                f"{folder}/./folder/../../outside/file",
                f"{folder}-evil/file",
                folder / "proc" / "environ",
                "/proc/self/environ",
                "/dev/stdin",
                "/",
                "relative",
            ):
                answer = ask(node, node.volume("web-0"), {parameter: str(path), **more})
                text = _NAMED if str(path).startswith("/") else "no absolute path"
                expect_refused(answer, grpc.StatusCode.INVALID_ARGUMENT, text)
                tried += 1
    return Shown("refused, links followed first; nothing of the file is told", tried, "mounts")


def _here(port: int) -> list[str]:
    """This node, its link and the metadata services, as somebody could write them."""
    hosts = ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "127.255.0.9", "localhost"]
    hosts += ["LOCALHOST", "a.localhost", "localhost.", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"]
    hosts += ["[fe80::1]", "[fe80::1%25lo]", "169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "192.0.0.192"]
    hosts += [
        "[::ffff:169.254.169.254]",
        "224.0.0.1",
        "[ff02::1]",
        "[64:ff9b::7f00:1]",
        "[::127.0.0.1]",
        "[2002:7f00:1::]",
    ]
    hosts += sorted(_names_of_this_node())
    return [f"https://{host}:{port}" for host in hosts]


def _names_of_this_node() -> Iterable[str]:
    for name in (socket.gethostname(), "ip6-localhost", "ip6-loopback", "localhost4"):
        try:
            if socket.getaddrinfo(name, 443)[0][4][0] in {"127.0.0.1", "127.0.1.1", "::1"}:
                yield name
        except OSError:
            continue


def _addresses(plan: Plan) -> Shown:
    del plan
    tried = 0
    with trapped() as trap, Node(_VAULT) as node:
        node.provider.start()
        odd = [trap.url, f"http://vault.example:{trap.port}", f"unix://{node.home}/providers/vault.sock"]
        odd += [
            f"https://user@127.0.0.1:{trap.port}",
            f"https://127.0.0.1:{trap.port}#@vault.example",
            "https://",
            "file:///etc/passwd",
        ]
        odd += [
            f"//127.0.0.1:{trap.port}",
            f"ftp://127.0.0.1:{trap.port}",
            "gopher://x",
            "https://[",
            "https://x:99999",
            "\nhttps://127.0.0.1",
        ]
        refusals = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNKNOWN)
        for address in (*odd, *_here(trap.port)):
            answer = ask(node, node.volume("web-0"), {"vaultAddress": address})
            expect(isinstance(answer, tuple) and answer[0] in refusals, f"{address!r}: {answer}")
            tried += 1
        done = subprocess.run([sys.executable, "-c", _REBINDING], capture_output=True, text=True, check=False)
        expect(done.returncode == 0, f"a name that rebinds: {done.stderr[-300:]}")
    return Shown(
        "refused before anything is sent; the address that was looked at is the one that is used",
        tried + 1,
        "addresses",
    )


def _redirects(plan: Plan) -> Shown:
    del plan
    tried = 0
    seen: list[str] = []
    with trapped() as trap:
        ways = [
            trap.url,
            f"//127.0.0.1:{trap.port}/v1/x",
            f"https://127.0.0.1:{trap.port}",
            f"http://localhost:{trap.port}/v1/x",
        ]
        ways += [
            f"http://127.0.0.1:{trap.port}@vault.example/",
            "file:///etc/passwd",
            "unix:///x",
            "http://[",
            "\\\\127.0.0.1",
            "/v1/loop",
        ]
        turn = 0

        def redirect(environ: Environ, start_response: StartResponse) -> list[bytes]:
            seen.append(environ["PATH_INFO"])
            start_response(f"{(301, 302, 303, 307, 308)[turn % 5]} .", [("Location", ways[turn])])
            return []

        with (
            LoopbackServer(redirect) as server,
            Node(_VAULT, provider_flags=(f"--allowed-addresses={server.url}",)) as node,
        ):
            node.provider.start()
            for turn in range(len(ways)):  # the server looks at it
                answer = ask(node, node.volume(f"web-{turn}"), {"vaultAddress": server.url, "roleName": f"r{turn}"})
                expect(isinstance(answer, tuple) and answer[0] is grpc.StatusCode.UNKNOWN, f"{ways[turn]}: {answer}")
                tried += 1
    expect(seen, "nobody asked the server that redirects")
    return Shown("not followed to another origin, nor twice; the token goes nowhere else", tried, "redirects")


def _paths(plan: Plan) -> Shown:
    del plan
    tried = 0
    with Node(_VAULT) as node:
        node.provider.start()
        climbing = [
            "../sys/raw/x",
            "secret/../../sys/seal",
            "..",
            "secret/data/..",
            "a/%2e%2e/../b",
            "/../auth/token/create",
            "./..",
        ]
        for path in climbing:
            objects = f"- {{objectName: a, secretPath: {path!r}, secretKey: k}}"
            expect_refused(ask(node, node.volume("web-0"), {"objects": objects}), grpc.StatusCode.INVALID_ARGUMENT, "")
            answer = ask(node, node.volume("web-0"), {"vaultKubernetesMountPath": path})
            expect_refused(answer, grpc.StatusCode.INVALID_ARGUMENT, "")
            tried += 2
        expect(node.backend.calls.total() == 0, f"the backend was asked: {node.backend.calls}")
    return Shown("refused before anything is asked", tried, "paths")


PLACES: Final = (
    Case(
        "class-files",
        "a class names files outside of --class-files-dir, by links, by `..`, of /proc",
        _class_files,
    ),
    Case(
        "addresses",
        "a class names this node, its link, metadata services, sockets, http, names that resolve to them or rebind",
        _addresses,
    ),
    Case("redirects", "an allowed server redirects to other origins, schemes and itself again", _redirects),
    Case("paths", "secret paths and auth mounts that climb out of /v1 and auth/", _paths),
)
