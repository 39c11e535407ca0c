"""What a class may name: addresses and files."""

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscsi_shared.addresses import Addresses, AddressRefused, connect, resolve
from sscsi_shared.class_files import ClassFiles, read_file, stamp
from sscsi_shared.errors import InvalidParameters, ObjectUnusable

LOCAL = "http://127.0.0.1:8200"


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://vault.example", ("https", "vault.example", 443)),
        ("https://Vault.Example:8200/path/", ("https", "vault.example", 8200)),
        ("https://10.0.0.7:8200", ("https", "10.0.0.7", 8200)),
        ("https://[64:ff9b::a00:7]", ("https", "64:ff9b::a00:7", 443)),
        (LOCAL, ("http", "127.0.0.1", 8200)),
        ("unix:///run/agent.sock", ("unix", "/run/agent.sock", 0)),
    ],
)
def test_addresses_that_may_be_named(text: str, origin: tuple[str, str, int]) -> None:
    found = Addresses(LOCAL, ["unix:///run/agent.sock"]).read(text, "p")
    assert found.origin == origin
    assert found.trusted == (origin[0] != "https")


@pytest.mark.parametrize(
    "text",
    [
        "", "vault.example", "ftp://x", "http://vault.example", "https://", "https://u:p@x", "https://x?a=b", "https://x#a",
        "https://127.0.0.1", "https://[::1]", "https://localhost", "https://a.localhost", "https://0.0.0.0",
        "https://169.254.169.254", "https://[fe80::1]", "https://[::ffff:127.0.0.1]", "https://100.100.100.200",
        "https://[::127.0.0.1]", "https://[64:ff9b::7f00:1]", "https://[64:ff9b::a9fe:a9fe]", "https://[2002:7f00:1::]",
        "https://[64:ff9b:1::7f00:1]", "http://127.0.0.1:8201", "unix:///run/other.sock", "https://x:99999",
    ],
)  # fmt: skip
def test_addresses_that_may_not(text: str) -> None:
    with pytest.raises(InvalidParameters):
        Addresses(LOCAL, ["unix:///run/agent.sock"]).read(text, "p")


@given(st.text(max_size=40) | st.text(st.sampled_from("htps:/.[]@#?127locah"), max_size=30))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        found = Addresses(LOCAL).read(text, "p")
    except InvalidParameters:
        return
    assert found.scheme == "https" or found.trusted


def test_a_name_that_resolves_to_this_node_is_refused_when_it_is_used() -> None:
    with pytest.raises(AddressRefused):
        resolve("localhost", 443, trusted=False)
    assert resolve("localhost", 443, trusted=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect("127.0.0.1", port, trusted=True, timeout=5).close()
        with pytest.raises(AddressRefused):
            connect("127.0.0.1", port, trusted=False, timeout=5)


def test_files_below_the_folders_alone(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "ca.pem").write_bytes(b"pem")
    (inside / "link").symlink_to(outside / "ca.pem")
    (inside / "own").symlink_to(inside / "ca.pem")
    files = ClassFiles([inside])
    assert read_file(files.place(str(inside / "ca.pem"), "p")) == b"pem"
    assert read_file(files.place(str(inside / "own"), "p")) == b"pem"
    for text in (outside / "ca.pem", inside / "link", inside / ".." / "out" / "ca.pem", "ca.pem", "/etc/passwd"):
        with pytest.raises(InvalidParameters):
            files.place(str(text), "p")
    with pytest.raises(InvalidParameters, match="--class-files-dir"):
        ClassFiles().place(str(inside / "ca.pem"), "p")


def test_a_file_that_is_swapped_for_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"pem")
    files = ClassFiles([tmp_path])
    place = files.place(str(tmp_path / "ca.pem"), "p")
    before = stamp(place)
    (tmp_path / "ca.pem").unlink()
    (tmp_path / "ca.pem").symlink_to("/etc/passwd")
    with pytest.raises(ObjectUnusable, match="a link"):
        read_file(place)
    assert stamp(place) != before
    (tmp_path / "large").write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(ObjectUnusable, match="longer than"):
        read_file(files.place(str(tmp_path / "large"), "p"))
