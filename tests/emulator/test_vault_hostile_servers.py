"""A server that a class's author chose: it gets neither the provider's time nor its secrets, nor its words shown."""

import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from sscsi_emulators.authority import Authority
from sscsi_emulators.wsgi import Environ, LoopbackServer, StartResponse
from sscsi_provider_vault.endpoints import Operator, OperatorsTls, endpoint
from sscsi_provider_vault.errors import Refusal
from sscsi_provider_vault.parameters import Tls
from sscsi_provider_vault.server import Call, Server
from sscsi_shared.addresses import Addresses
from sscsi_shared.class_files import ClassFiles
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import BackendUnavailable, InvalidParameters
from sscsi_shared.secret import SecretText

READ = Call("read", "GET", "/v1/x")
TOKEN = SecretText("canary-token")


def asked(server: LoopbackServer, call: Call = READ, ca_file: Path | None = None, seconds: float = 10) -> object:
    operator = Operator(Addresses(server.url), tls=OperatorsTls(ca_file=ca_file))
    found = Server(endpoint("", Tls(), operator, "vault"), pause=lambda _: None)
    try:
        return found.ask(call, "", TOKEN, Deadline.after(seconds))
    finally:
        found.close()


@pytest.mark.parametrize("tls", [False, True])
def test_an_answer_that_never_ends_is_left_at_the_deadline(tmp_path: Path, tls: bool) -> None:
    stopped = threading.Event()

    def trickle(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        for _ in range(400):  # each is well within the patience with a silence; 20 s are more than there is
            yield b" "
            if stopped.wait(0.05):
                return
        yield b"{}"

    authority = Authority()
    authority.save(tmp_path / "ca.pem")
    with LoopbackServer(trickle, authority.server().context(tmp_path) if tls else None) as server:
        try:
            with pytest.raises(BackendUnavailable, match="no whole answer"):
                asked(server, ca_file=tmp_path / "ca.pem" if tls else None, seconds=0.5)
        finally:
            stopped.set()


def test_no_password_of_a_home_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("default login somebody password canary-password\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    seen: list[Environ] = []

    def keep(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(environ)
        start_response("200 OK", [])
        return [b"{}"]

    with LoopbackServer(keep) as server:
        asked(server)
    assert seen
    assert "HTTP_AUTHORIZATION" not in seen[0]


def test_what_was_sent_is_not_shown_where_the_server_says_it_again() -> None:
    def echo(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        errors = [f"you sent {sent} as {environ['HTTP_X_VAULT_TOKEN']}", "x" * 2000]
        start_response("403 Forbidden", [])
        return [json.dumps({"errors": errors}).encode()]

    jwt = SecretText("canary-jwt")
    with LoopbackServer(echo) as server:
        refused = asked(server, Call("login", "POST", "/v1/x", body=jwt, hidden=(jwt,), writes=True))
    assert isinstance(refused, Refusal)
    assert "you sent <redacted> as <redacted>" in refused.text
    assert "canary" not in repr(refused) + refused.text
    assert len(refused.text) < 1000


@pytest.mark.parametrize("where", ["/v1/x", "http://[", "//elsewhere.example/v1/x"])
def test_a_redirect_that_leads_nowhere(where: str) -> None:
    def redirect(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("307 .", [("Location", where)])
        return []

    with LoopbackServer(redirect) as server, pytest.raises(BackendUnavailable, match="it redirects"):
        asked(server)


def test_the_body_of_a_redirect_is_not_read() -> None:
    asked_for = 0

    def redirect(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        nonlocal asked_for
        start_response("307 .", [("Location", "/v1/y")])
        for _ in range(64):
            asked_for += 1
            yield b"x" * (1 << 20)

    with LoopbackServer(redirect) as server, pytest.raises(BackendUnavailable, match="it redirects more than once"):
        asked(server)
    assert asked_for < 64


def test_a_redirect_does_not_put_words_into_a_message() -> None:
    def redirect(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        first = environ["PATH_INFO"] == "/v1/x"
        start_response("307 ." if first else "403 .", [("Location", f"/v1/{environ['HTTP_X_VAULT_TOKEN']}")])
        return []

    with LoopbackServer(redirect) as server:
        refused = asked(server)
    assert isinstance(refused, Refusal)
    assert "canary" not in refused.text


def test_a_folder_of_authorities_leads_nowhere_else(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (tmp_path / "ca.pem").write_text("pem")
    operator = Operator(Addresses("https://vault.example"), ClassFiles([allowed]))
    (allowed / "ca.pem").symlink_to(tmp_path / "ca.pem")
    with pytest.raises(InvalidParameters, match="may not be named by a class"):
        endpoint("", Tls(ca_folder=str(allowed)), operator, "vault")
