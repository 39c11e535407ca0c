"""Files that a provider wrote into the volume itself are read without leaving it."""

import os
from pathlib import Path

from sscsi_driver.mounted_files import MAX_BYTES, read_mounted
from sscsi_shared.mount import SecretFile
from sscsi_shared.publish import publish
from sscsi_shared.secret import SecretBytes


def read(target: Path, *paths: str) -> dict[str, bytes]:
    root = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return {path: value.reveal() for path, value in read_mounted(root, paths).items()}
    finally:
        os.close(root)


def test_plain_files_and_those_of_the_atomic_writer(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "plain").write_bytes(b"1")
    publish(tmp_path, [SecretFile("nested/bar", 0o400, SecretBytes(b"2")), SecretFile("foo", 0o400, SecretBytes(b"3"))])
    assert read(tmp_path, "sub/plain", "nested/bar", "foo", "nope", "sub") == {
        "sub/plain": b"1",
        "nested/bar": b"2",
        "foo": b"3",
    }


def test_no_link_leads_out(tmp_path: Path) -> None:
    volume, outside = tmp_path / "volume", tmp_path / "outside"
    outside.mkdir()
    volume.mkdir()
    (outside / "shadow").write_bytes(b"root")
    (volume / "file").symlink_to(outside / "shadow")
    (volume / "folder").symlink_to(outside)
    (volume / "shadow").symlink_to("..data/shadow")
    for data in ("../outside", str(outside), ".", ".."):
        (volume / "..data").symlink_to(data)
        assert read(volume, "file", "folder/shadow", "shadow", "../outside/shadow", "", "/etc/passwd", "a//b") == {}
        (volume / "..data").unlink()


def test_what_is_too_large_or_no_file_is_left_out(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    assert read(tmp_path, "big") == {}
