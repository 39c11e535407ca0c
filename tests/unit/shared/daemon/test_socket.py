"""A unix socket's place in a shared folder."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sscsi_shared.daemon.socket import (
    bound_umask,
    inode_of,
    is_live,
    prepare_folder,
    private_name,
    private_umask,
    remove_own,
    sweep_private,
    take,
)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


def bound(path: Path, *, listens: bool = True) -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with private_umask():
        server.bind(str(path))
    if listens:
        server.listen()
    return server


def test_live_and_dead(folder: Path) -> None:
    path = folder / "a.sock"
    assert not is_live(path)
    with bound(path):
        assert is_live(path)
        assert path.stat().st_mode & 0o777 == 0o600
    assert not is_live(path)


def test_a_name_is_taken_over_and_only_the_own_one_is_removed(folder: Path) -> None:
    path = folder / "a.sock"
    with bound(private_name(path, 1)), bound(private_name(path, 2)):
        first = take(private_name(path, 1), path)
        second = take(private_name(path, 2), path)
        assert inode_of(path) == second != first
        remove_own(path, first)
        assert path.exists()
        remove_own(path, second)
        assert not path.exists()
        remove_own(path, second)


def test_a_path_too_long(folder: Path) -> None:
    with pytest.raises(ValueError, match="too long for a unix socket"):
        private_name(folder / ("x" * 100), 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_the_folder_is_prepared(folder: Path) -> None:
    new = folder / "made" / "providers"
    for _ in range(2):
        prepare_folder(new)
        status = new.stat()
        assert status.st_mode & 0o7777 == 0o1770
        assert (status.st_uid, status.st_gid) in {(0, 65532), (0, 0)}
        new.chmod(0o777)


def test_sockets_of_those_who_were_killed_before_they_took_their_place_go(folder: Path) -> None:
    for name in (".aws.7.1", ".vault.7.1", ".aws.7", "aws.sock"):
        bound(folder / name, listens=False).close()
    (folder / ".aws.8.1").write_text("no socket")
    with bound(folder / ".aws.9.1"):
        sweep_private(folder / "aws.sock")
        left = sorted(path.name for path in folder.iterdir())
    assert left == [".aws.7", ".aws.8.1", ".aws.9.1", ".vault.7.1", "aws.sock"]


@pytest.mark.parametrize(("umask", "bounded"), [(0, 0o022), (0o002, 0o022), (0o027, 0o027), (0o077, 0o077)])
def test_others_never_write_what_a_daemon_makes(umask: int, bounded: int) -> None:
    before = os.umask(umask)
    try:
        bound_umask()
        assert os.umask(0) == bounded
    finally:
        os.umask(before)
