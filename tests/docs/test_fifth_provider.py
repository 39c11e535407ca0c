"""docs/fifth-provider.md: the code on the page is a provider that works, and keeps the contract."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from kv_store import KvStore
from pages import blocks, marked
from sscsi.daemons import Daemon
from sscsi_shared.mount import PodInfo

PAGE = "docs/fifth-provider.md"
PROVIDER = marked(PAGE, "provider")
CONTRACT = f"""
import json
import pytest
from kv_store import KvStore
from sscsi_shared.cluster import NoCluster
from sscsi_shared.testing.contract import ProviderContract
from sscsi_shared.testing.economy_contract import EconomyContract
from sscsi_shared.testing.stage import Stage, tokens_text

{marked(PAGE, "contract")}"""

# What the page says, as a module of its own: pytest finds the two classes of tests by these names.
page: dict[str, Any] = {"__name__": "kv"}
exec(compile(PROVIDER, PAGE, "exec"), page)
exec(compile(CONTRACT, PAGE, "exec"), page)
TestKvContract = page["TestKvContract"]
TestKvEconomy = page["TestKvEconomy"]

POD = PodInfo("shop", "web", "6f2b5e0c-0d1b-4c55-8f0e-3a7b1d9c2e11", "web")


def test_it_takes_forty_lines() -> None:
    assert len([line for line in PROVIDER.splitlines() if line.strip()]) <= 40


@pytest.fixture
def store() -> Iterator[KvStore]:
    with KvStore() as store:
        yield store


@pytest.mark.e2e
def test_the_page_is_a_daemon_that_the_tool_mounts_from(store: KvStore) -> None:
    """The page's file, its class and its command line, word for word but for the folder."""
    store.put("db-password", "canary-value")
    with TemporaryDirectory(prefix="sscsi-", dir="/tmp") as name:
        folder = Path(name)
        (folder / "kv.py").write_text(PROVIDER)
        (folder / "class.yaml").write_text(class_on_the_page())
        (folder / "token.jwt").write_text(store.token(POD))
        environ = {"KV_ADDRESS": store.url, "PYTHONPATH": str(folder)}
        daemon = Daemon(
            "kv",
            [f"--provider-volume={folder / 'providers'}"],
            folder / "providers/kv.sock",
            folder / "log",
            environ=environ,
        )
        with daemon:
            command = [
                "mount",
                "class.yaml",
                "--pod",
                "shop/web",
                "--service-account",
                "web",
                "--token",
                "kv=token.jwt",
                "--reveal",
            ]
            done = subprocess.run(
                [sys.executable, "-m", "sscsi", *command, "--pod-uid", POD.uid, "--provider", str(daemon.socket)],
                cwd=folder,
                env=os.environ.copy(),
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
        log = (folder / "log").read_text()
    assert done.returncode == 0, done.stderr
    assert "database/password" in done.stdout
    assert "canary-value" in done.stdout
    assert "canary-value" not in log
    assert store.calls == ["db-password"]


def class_on_the_page() -> str:
    [text] = [block.text for block in blocks(PAGE, "yaml")]
    return text
