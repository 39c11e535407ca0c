"""A provider's `--prepare-folder`: for an init container beside another driver than ours."""

import os
import socket
import tempfile
from pathlib import Path

import pytest

from sscsi_shared.server.serve import parse_options


def prepare(folder: Path) -> object:
    arguments = [f"--provider-volume={folder}", "--prepare-folder"]
    with pytest.raises(SystemExit) as caught:
        parse_options("sscsi-provider-x", "", "1", (), arguments, {})
    return caught.value.code


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_the_folder_is_made_and_the_process_ends(tmp_path: Path) -> None:
    assert prepare(tmp_path / "made" / "providers") == 0
    assert (tmp_path / "made" / "providers").stat().st_mode & 0o7777 == 0o1770


def test_sockets_on_which_nobody_listens_are_removed() -> None:
    """Another user's dead socket could not be replaced by the provider itself: the folder is sticky."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="sck") as name:
        folder = Path(name)
        (folder / "file.sock").touch()
        for stem in ("dead", "live"):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(folder / f"{stem}.sock"))
            if stem == "dead":
                listener.close()
        listener.listen()
        prepare(folder)
        listener.close()
        assert sorted(path.name for path in folder.iterdir()) == ["file.sock", "live.sock"]


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    text = f"sscsi-provider-x: the folder of providers {tmp_path}/file/x can't be made: Not a directory"
    assert prepare(tmp_path / "file" / "x") == text
