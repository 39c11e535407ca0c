"""docs/migration.md: each row's test is there; and the ways of a provider and of a driver, there and back."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from driver_fixtures import home, start, target
from driver_rig import INTERVAL, POD, TOKENS, Driver, failure, mounts, needs_mount
from memory_stage import MemoryStage
from pages import names_a_test, text_of
from scripted_provider import ScriptedProvider, always, volume
from sscsi_driver import tmpfs
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import OFF
from sscsi_shared.mount import PodInfo
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.server.servicer import ProviderServicer
from sscsi_shared.v1alpha1 import provider_pb2_grpc

__all__ = ["home", "start", "target"]

PAGE = "docs/migration.md"
ROWS = [line for line in text_of(PAGE).split("## What is different")[1].splitlines() if line.startswith("| ")]


@pytest.mark.parametrize("row", [row for row in ROWS if not row.endswith("| test |")])
def test_each_row_names_a_test_that_is_there(row: str) -> None:
    assert names_a_test(row)


def test_each_provider_links_to_its_whole_list() -> None:
    for cloud in ("aws", "gcp", "vault", "azure"):
        assert f"(providers/{cloud}.md#where-ours-differs)" in text_of(PAGE)


# The ways


@contextmanager
def ours(stage: MemoryStage, socket: Path) -> Iterator[None]:
    """A provider of ours on its socket."""
    servicer = ProviderServicer(Pipeline(stage.provider, stage.cluster, Economy(stage.provider, OFF)), "memory", "1")
    server = grpc.server(ThreadPoolExecutor(servicer.threads))
    provider_pb2_grpc.add_CSIDriverProviderServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()


@contextmanager
def theirs(contents: bytes, socket: Path) -> Iterator[None]:
    """A stand-in of an existing provider: one file, one version; killed in the end, its socket stays."""
    scripted = ScriptedProvider(always(volume(("shop-db", contents), version="theirs")))
    kept = socket.with_name("kept")
    with scripted.serving(socket):
        os.link(socket, kept)
        yield
    if not socket.exists():
        kept.rename(socket)
    kept.unlink(missing_ok=True)


def mount_as_the_existing_driver(target: Path, contents: str) -> None:
    """A tmpfs without options, mode 1777, in the layout of kubelet's atomic writer."""
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(target)], check=True)
    version = target / f"..{time.strftime('%Y_%m_%d_%H_%M_%S')}.123456789"
    version.mkdir()
    (version / "password").write_text(contents)
    (target / "..data").symlink_to(version.name)
    (target / "password").symlink_to("..data/password")


def options_of(target: Path) -> set[str]:
    [line] = [line for line in Path("/proc/self/mounts").read_text().splitlines() if line.split()[1] == str(target)]
    return set(line.split()[3].split(","))


def pod_context(stage: MemoryStage) -> dict[str, str]:
    tokens = stage.tokens(PodInfo("shop", "web-0", "uid-1", "web"))
    return POD | {TOKENS: tokens}


@pytest.mark.mount
@needs_mount[1]
class TestWays:
    def test_a_provider_there_and_back(self, start: Callable[..., Driver], home: Path, target: Path) -> None:
        """The existing one in the first folder, ours in the second, as with Google Cloud; the dead socket stays."""
        driver, stage = start(rotation_interval=INTERVAL), MemoryStage()
        stage.put("shop-db", "ours")
        driver.classes.provider = "memory"
        driver.classes.parameters = {"objects": "- objectName: shop-db"}
        context = pod_context(stage)
        other = target.parent.with_name("other") / "mount"
        their_socket, our_socket = home / "a" / "memory.sock", home / "b" / "memory.sock"

        def rotated() -> bytes:
            driver.publish(target, volume_context=context)
            driver.now += 2 * INTERVAL
            driver.rotate()
            return (target / "shop-db").read_bytes()

        with theirs(b"theirs", their_socket):
            driver.publish(target, volume_context=context)
            assert (target / "shop-db").read_bytes() == b"theirs"
        assert rotated() == b"theirs", "nobody serves: what is mounted stays"
        _, text = failure(lambda: driver.publish(other, volume_context=context))
        assert f"nobody listens on {their_socket}" in text
        with ours(stage, our_socket):
            driver.publish(other, volume_context=context)
            assert (other / "shop-db").read_bytes() == b"ours"
            assert rotated() == b"ours"
        their_socket.unlink()
        with theirs(b"theirs again", their_socket):
            assert rotated() == b"theirs again"
        for one in (target, other):
            driver.unpublish(one)
        assert mounts(home) == []

    def test_a_driver_there_and_back(self, start: Callable[..., Driver], home: Path, target: Path) -> None:
        (home / "b").mkdir()
        scripted = ScriptedProvider(always(volume(("password", b"one"))))
        with scripted.serving(home / "b" / "test.sock"):
            mount_as_the_existing_driver(target, "zero")
            driver = start(rotation_interval=INTERVAL)
            assert (target / "password").read_text() == "zero"
            driver.publish(target)
            driver.now += 2 * INTERVAL
            driver.rotate()
            assert (target / "password").read_text() == "one"
            assert "noexec" not in options_of(target), "a volume of before keeps its mount"
            driver.stop()
        # What the existing driver then finds: the mount, and in it the layout that it writes itself.
        assert mounts(home) == [str(target)]
        data = (target / "..data").readlink()
        assert (target / data / "password").read_text() == "one"
        assert re.fullmatch(r"\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\.\d+", str(data))
        assert (target / "password").readlink() == Path("..data/password")
        subprocess.run(["umount", str(target)], check=True)
        target.rmdir()

    def test_new_volumes_are_not_executable_and_limited(
        self, start: Callable[..., Driver], home: Path, target: Path
    ) -> None:
        (home / "b").mkdir()
        with ScriptedProvider(always(volume(("run.sh", b"#!/bin/sh\n"), mode=0o755))).serving(home / "b" / "test.sock"):
            start().publish(target)
        assert {"noexec", "nosuid", "nodev"} <= options_of(target)
        with pytest.raises(PermissionError):
            subprocess.run([str(target / "run.sh")], check=True)
        assert os.statvfs(target).f_frsize * os.statvfs(target).f_blocks == 16 << 20
        tmpfs.unmount(target)
