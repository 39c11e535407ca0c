import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from sscsi_driver.errors import ErrorType, PublishError
from sscsi_driver.sockets import dial, find, reach


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="sck") as folder:
        (Path(folder) / "a").mkdir()
        (Path(folder) / "b").mkdir()
        yield Path(folder)


def bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    return listener


def problem(provider: str, *folders: Path) -> str:
    with pytest.raises(PublishError) as caught:
        find(provider, folders)
    assert caught.value.code is grpc.StatusCode.UNKNOWN
    assert caught.value.error_type == ErrorType.PROVIDER_NOT_FOUND
    return caught.value.message


def test_the_first_folder_wins(home: Path) -> None:
    with bind(home / "a" / "x.sock"), bind(home / "b" / "x.sock"), bind(home / "b" / "y.sock"):
        assert find("x", [home / "a", home / "b"]).path == home / "a" / "x.sock"
        assert find("y", [home / "a", home / "b"]).path == home / "b" / "y.sock"


def test_a_dead_socket_hides_no_live_one(home: Path) -> None:
    """A provider that was replaced by one in another folder may leave its socket behind."""
    folders = [home / "a", home / "b"]
    bind(home / "a" / "x.sock").close()
    with pytest.raises(PublishError, match=f"nobody listens on {home}/a/x.sock"):
        reach("x", folders)
    with bind(home / "b" / "x.sock") as listener:
        listener.listen()
        assert reach("x", folders).path == home / "b" / "x.sock"
        (home / "a" / "x.sock").unlink()
        with bind(home / "a" / "x.sock") as first:
            first.listen()
            assert reach("x", folders).path == home / "a" / "x.sock"


def test_a_socket_made_anew_is_another_one(home: Path) -> None:
    path = home / "a" / "x.sock"
    with bind(path):
        before = find("x", [home / "a"])
        assert find("x", [home / "a"]) == before
        path.unlink()
    with bind(path):
        assert find("x", [home / "a"]) != before


@pytest.mark.parametrize("name", ["bad/name", "..", "a.b", "x" * 31, "a b", "é", "a\n", '"'])
def test_an_illegal_name_is_never_looked_for(home: Path, name: str) -> None:
    text = problem(name, home)
    assert text.startswith('error connecting to provider "')
    assert ": invalid provider: provider " in text
    assert "\n" not in text


def test_the_error_lists_folders_and_sockets(home: Path) -> None:
    sockets = [bind(home / "b" / f"{name}.sock") for name in "zyxwvutsrqpo"]
    text = problem("aws", home / "missing", home / "a", home / "b")
    for one in sockets:
        one.close()
    assert text.startswith('error connecting to provider "aws": provider not found: provider "aws". Searched: ')
    assert f"{home}/missing (no such folder); {home}/a (no sockets in it); {home}/b (sockets: o.sock, p.sock, " in text
    assert "x.sock and 2 more)" in text


def test_a_folder_that_everybody_may_write_is_refused(home: Path) -> None:
    with bind(home / "a" / "x.sock"):
        (home / "a").chmod(0o777)
        assert "refused: everybody may write it and replace sockets; chmod 1770 it, now 0777" in problem(
            "x", home / "a"
        )
        (home / "a").chmod(0o1777)
        assert find("x", [home / "a"]).path == home / "a" / "x.sock"


def test_links_may_not_leave_the_folder(home: Path) -> None:
    with bind(home / "b" / "x.sock"):
        (home / "a" / "x.sock").symlink_to(home / "b" / "x.sock")
        (home / "b" / "alias.sock").symlink_to("x.sock")
        assert "x.sock refused: a link that leaves the folder" in problem("x", home / "a")
        assert find("alias", [home / "b"]).path == home / "b" / "alias.sock"


def test_what_is_no_socket_is_refused(home: Path) -> None:
    (home / "a" / "x.sock").write_text("")
    (home / "a" / "y.sock").symlink_to("nowhere")
    assert "x.sock refused: not a socket" in problem("x", home / "a")
    assert "y.sock refused: No such file or directory" in problem("y", home / "a")
    (home / "a" / "z.sock").symlink_to("z.sock")
    assert "z.sock refused: Too many levels of symbolic links" in problem("z", home / "a")


def test_dial(home: Path) -> None:
    with bind(home / "a" / "x.sock") as listener:
        found = find("x", [home / "a"])
        with pytest.raises(PublishError) as caught:
            dial("x", found)
        assert caught.value.code is grpc.StatusCode.UNAVAILABLE
        assert f"connection refused: nobody listens on {found.path}." in caught.value.message
        listener.listen(1)
        dial("x", found)
    found.path.unlink()
    with pytest.raises(PublishError, match="has vanished"):
        dial("x", found)
    with pytest.raises(PublishError, match="after the provider was lost in the middle of the mount"):
        dial("x", found, lost=True)


def test_a_full_queue_of_connections_ends_after_a_second(home: Path) -> None:
    with bind(home / "a" / "x.sock") as listener:
        listener.listen(0)
        found = find("x", [home / "a"])
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(found.path))
            with pytest.raises(PublishError, match="no connection was accepted within 1 s"):
                dial("x", found)
