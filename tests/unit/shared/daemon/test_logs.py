"""Log lines: their form, and what never gets into them."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from sscsi_shared.daemon.logs import MAX_LINE_CHARS, configure, redact

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
CANARY = "c4nary-V4lue/With+Signs=="
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers, root.level, logging.raiseExceptions
    yield io.StringIO()
    root.handlers, root.level, logging.raiseExceptions = before


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {CANARY}",
        f"authorization={CANARY}",
        f"'X-Amz-Security-Token': '{CANARY}'",
        f'{{"X-Vault-Token": "{CANARY}"}}',
        f'{{"SecretString": "{CANARY}", "Name": "db"}}',
        f"{{'SecretBinary': b'{CANARY}'}}",
        f"client_assertion={CANARY}&grant_type=x",
        f'{{"access_token":"{CANARY}"}}',
        f"WebIdentityToken={CANARY}",
        f"SecretAccessKey: {CANARY}",
        f"aws_secret_access_key = {CANARY}",
        f"password={CANARY}",
        PEM,
        PEM.removesuffix("-----END RSA PRIVATE KEY-----"),
        f"token hvs.{'C' * 24} seen",
        f"a token {JWT} in the middle",
    ],
)
def test_what_looks_like_a_credential_is_taken_out(text: str) -> None:
    found = redact(text)
    assert CANARY not in found
    assert "C" * 24 not in found
    assert "c2lnbmF0dXJl" not in found
    assert "<redacted>" in found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "filled the volume /var/lib/kubelet/pods/x of pod ns/web",
        "Failed fetching secret shop/db as role arn:aws:iam::123456789012:role/app",
        'secret "password" not found',
        "the token's claims: sub system:serviceaccount:ns:sa",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


def test_a_json_line(stream: io.StringIO) -> None:
    configure("info", "json", stream)
    logging.getLogger("room").warning("hello %s", "you", extra={"reason": "AccessDenied", "detail": f"token={JWT}"})
    line = json.loads(stream.getvalue())
    assert line["level"] == "warning"
    assert (line["logger"], line["message"], line["reason"]) == ("room", "hello you", "AccessDenied")
    assert JWT not in line["detail"]
    assert line["ts"].endswith("Z")


def test_a_text_line_is_one_line(stream: io.StringIO) -> None:
    configure("info", "text", stream)
    logging.getLogger("room").error("one\ntwo\r\nthree")
    assert stream.getvalue().count("\n") == 1
    assert "error   room: one\\ntwo" in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_shows_frames_and_no_secret(stream: io.StringIO, form: str) -> None:
    configure("info", form, stream)

    def fails(local: str) -> None:
        raise ValueError(f"password={local}")

    try:
        fails(CANARY)
    except ValueError:
        logging.getLogger("room").exception("it failed with %s", f"Authorization: {CANARY}")
    text = stream.getvalue()
    assert CANARY not in text
    assert "in fails" in text
    assert "ValueError" in text


def test_levels_and_loud_libraries(stream: io.StringIO) -> None:
    configure("debug", "json", stream)
    logging.getLogger("room").debug("mine")
    logging.getLogger("botocore.endpoint").debug("theirs")
    logging.getLogger("urllib3.connectionpool").debug("theirs")
    assert "mine" in stream.getvalue()
    assert "theirs" not in stream.getvalue()


def test_a_long_line_is_cut(stream: io.StringIO) -> None:
    configure("info", "json", stream)
    logging.getLogger("room").info("x" * 100_000)
    assert len(json.loads(stream.getvalue())["message"]) == MAX_LINE_CHARS
