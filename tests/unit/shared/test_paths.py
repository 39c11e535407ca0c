"""Where files may lie, and their modes."""

import pytest

from sscsi_shared.errors import InvalidParameters
from sscsi_shared.paths import check_layout, check_mode, check_path, octal_mode


@pytest.mark.parametrize(
    "path",
    [
        "foo",
        ".foo",
        "a/b/c",
        "a/..x",
        "a/...",
        "a b",
        "a\\b",
        "-",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:MySecret-AbCdEf",
        "é" * 127,
        "x" * 255,
        "/".join(["x" * 255] * 16),
        "a\nb",
    ],
)
def test_good_paths(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "invalid path: must not be empty."),
        ("/etc/passwd", "invalid path: must not be absolute: `/etc/passwd`."),
        ("/", "invalid path: must not be absolute: `/`."),
        ("..", "invalid path: must not contain '..' as an element: `..`."),
        ("../x", "invalid path: must not contain '..' as an element: `../x`."),
        ("a/../b", "invalid path: must not contain '..' as an element: `a/../b`."),
        ("a/..", "invalid path: must not contain '..' as an element: `a/..`."),
        ("..data", "invalid path: must not start with '..': `..data`."),
        ("..x/y", "invalid path: must not start with '..': `..x/y`."),
        ("...", "invalid path: must not start with '..': `...`."),
        ("a//b", "invalid filepath: must be in its shortest form: `a//b`."),
        ("./a", "invalid filepath: must be in its shortest form: `./a`."),
        ("a/", "invalid filepath: must be in its shortest form: `a/`."),
        ("a/./b", "invalid filepath: must be in its shortest form: `a/./b`."),
        (".", "invalid filepath: must be in its shortest form: `.`."),
        ("a\0b", "invalid path: must not contain a NUL character: `a\\x00b`."),
        ("\ud800", "invalid path: must be text that UTF-8 can encode: `\\ud800`."),
    ],
)
def test_bad_paths(path: str, message: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        check_path(path)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("x" * 256, "each element must be at most 255 bytes long"),
        ("a/" + "é" * 128, "each element must be at most 255 bytes long"),
        ("a/" * 2048 + "b", "must be at most 4096 bytes long, but has 4097"),
        ("/".join(["x" * 255] * 16) + "/y", "must be at most 4096 bytes long, but has 4097"),
    ],
)
def test_long_paths(path: str, message: str) -> None:
    with pytest.raises(InvalidParameters, match=message) as caught:
        check_path(path)
    assert len(str(caught.value)) < 400


def test_an_unclean_path_names_the_clean_one() -> None:
    with pytest.raises(InvalidParameters) as caught:
        check_path("a//./b/")
    assert caught.value.hint == "Write `a/b`."


def test_a_layout() -> None:
    check_layout(["a", "b/c", "b/d/e", "ab", "b-c", "b.c"])
    check_layout([])


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["a", "b", "a"], "two outputs would be written to one file: `a`."),
        (["a/b", "a"], "`a/b` would lie under `a`, which is a file."),
        (["a", "a/b/c"], "`a/b/c` would lie under `a`, which is a file."),
        (["a", "a-", "a.", "a/b", "a!"], "`a/b` would lie under `a`, which is a file."),
        (["a", "../b"], "must not contain '..' as an element: `../b`."),
    ],
)
def test_bad_layouts(paths: list[str], message: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        check_layout(paths)
    assert caught.value.message.endswith(message)


@pytest.mark.parametrize("mode", [0, 0o400, 0o644, 0o777])
def test_good_modes(mode: int) -> None:
    assert check_mode(mode) == mode


@pytest.mark.parametrize(
    ("mode", "shown"),
    [(0o1000, "1000"), (0o4755, "4755"), (-1, "-1"), (2**32, "4294967296"), (2**64, "a number too large")],
)
def test_bad_modes(mode: int, shown: str) -> None:
    with pytest.raises(InvalidParameters, match=f"^invalid file permission {shown}: must be from 0000 to 0777"):
        check_mode(mode)


@pytest.mark.parametrize(("text", "mode"), [("0644", 420), ("0600", 384), ("0777", 511), ("0000", 0)])
def test_octal_mode(text: str, mode: int) -> None:
    # reference/aws.md section 3.5
    assert octal_mode(text) == mode


@pytest.mark.parametrize(
    "text",
    ["0900", "644", "00644", "420", "384", "", "0o64", "-644", "064 ", " 0644", "0644\n", "٠٦٤٤", "4755", "1777"],
)
def test_bad_octal_mode(text: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        octal_mode(text)
    assert caught.value.message.startswith("Invalid File Permission: ")


def test_bad_octal_mode_is_named_as_the_aws_provider_does() -> None:
    with pytest.raises(InvalidParameters) as caught:
        octal_mode("0900")
    assert caught.value.message == "Invalid File Permission: 0900."
    assert caught.value.hint == 'Write four octal digits in quotation marks, like "0400".'
