"""How a server of Vault's is reached: TLS of every kind, a unix socket, the provider's own token."""

import json
import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from sscsi_emulators.authority import Authority
from sscsi_emulators.wsgi import Environ, LoopbackServer, StartResponse
from sscsi_provider_vault.connection import session
from sscsi_provider_vault.endpoints import Operator, OperatorsTls, endpoint, tls_of
from sscsi_provider_vault.parameters import Tls
from sscsi_provider_vault.server import Call, Server
from sscsi_shared.addresses import Addresses
from sscsi_shared.class_files import ClassFiles
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import BackendUnavailable, InvalidParameters
from sscsi_shared.secret import SecretText
from vault_world import World, one, vault_world

READ = Call("read", "GET", "/v1/x")


def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"data": {"path": environ["PATH_INFO"]}}).encode()]


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server(authority: Authority, tmp_path: Path) -> Iterator[LoopbackServer]:
    with LoopbackServer(answer, authority.server().context(tmp_path)) as server:
        yield server


def ask(url: str, tls: Tls, operator: OperatorsTls | None = None, files: Path | None = None) -> Any:
    found = Operator(Addresses(url), ClassFiles([files] if files else ()), operator or OperatorsTls())
    where = Server(endpoint("", tls, found, "vault"), pause=lambda _: None)
    try:
        return where.ask(READ, "", SecretText("canary-token"), Deadline.after(10))
    finally:
        where.close()


def test_an_authority_in_a_file_or_a_folder(server: LoopbackServer, authority: Authority, tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "..data").mkdir()
    (folder / "..data" / "no.pem").write_text("hidden, as a mounted ConfigMap's")
    authority.save(folder / "ca.pem")
    for tls in (Tls(ca_file=str(folder / "ca.pem")), Tls(ca_folder=str(folder))):
        assert ask(server.url, tls, files=tmp_path)["data"] == {"path": "/v1/x"}
    assert ask(server.url, Tls(), OperatorsTls(ca_file=folder / "ca.pem"))["data"]
    assert ask(server.url, Tls(), OperatorsTls(ca_folder=folder))["data"]


def test_the_class_wins_over_the_operator(server: LoopbackServer, authority: Authority, tmp_path: Path) -> None:
    Authority().save(tmp_path / "other.pem")
    authority.save(tmp_path / "ca.pem")
    operator = OperatorsTls(ca_file=tmp_path / "other.pem")
    assert ask(server.url, Tls(ca_file=str(tmp_path / "ca.pem")), operator, tmp_path)["data"]


@pytest.mark.parametrize("case", ["system's", "another", "another name"])
def test_a_server_that_is_not_verified(server: LoopbackServer, authority: Authority, tmp_path: Path, case: str) -> None:
    (authority if case == "another name" else Authority()).save(tmp_path / "ca.pem")
    operator = OperatorsTls(
        ca_file=None if case == "system's" else tmp_path / "ca.pem",
        server_name="vault.example" if case == "another name" else "",
    )
    with pytest.raises(BackendUnavailable) as caught:
        ask(server.url, Tls(), operator)
    assert "TLS: " in str(caught.value)
    assert "vaultTLSServerName" in str(caught.value)
    assert "canary" not in str(caught.value)
    assert ask(server.url, Tls(), OperatorsTls(skip_verify=True))["data"]


def test_a_client_certificate_is_shown_and_a_new_one_is_taken(tmp_path: Path) -> None:
    clients = trustme.CA()
    authority = Authority()
    context = authority.server().context(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=clients.cert_pem.bytes().decode())
    authority.save(tmp_path / "ca.pem")
    operator = OperatorsTls(tmp_path / "ca.pem", client_cert=tmp_path / "c.pem", client_key=tmp_path / "k.pem")

    def write(ca: trustme.CA) -> None:
        made = ca.issue_cert("client.example")
        (tmp_path / "c.pem").write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        (tmp_path / "k.pem").write_bytes(made.private_key_pem.bytes())

    with LoopbackServer(answer, context) as server:
        write(trustme.CA())
        first = endpoint("", Tls(), Operator(Addresses(server.url), tls=operator), "vault")
        with pytest.raises(BackendUnavailable):
            ask(server.url, Tls(), operator)
        write(clients)
        assert endpoint("", Tls(), Operator(Addresses(server.url), tls=operator), "vault") != first
        assert ask(server.url, Tls(), operator)["data"]


def test_a_unix_socket_that_the_operator_names(tmp_path: Path) -> None:
    import socket
    import threading

    path = tmp_path / "agent.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"data":{"k":"x"}}')

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert ask(f"unix://{path}", Tls())["data"] == {"k": "x"}
        thread.join(5)
    with pytest.raises(InvalidParameters):
        endpoint(f"unix://{path}", Tls(), Operator(), "vault")


def test_a_name_that_resolves_to_this_node_is_not_asked() -> None:
    where = endpoint("https://localhost.example:1", Tls(), Operator(), "vault")
    assert not where.address.trusted
    made = session(where)
    assert made.verify is True
    made.close()


def test_the_environment(tmp_path: Path) -> None:
    environ = {"BAO_CACERT": "", "VAULT_CACERT": "/v.pem", "VAULT_CAPATH": "/certs", "VAULT_SKIP_VERIFY": "true"}
    assert tls_of(environ, ("VAULT_",)) == OperatorsTls(Path("/v.pem"), Path("/certs"), skip_verify=True)
    assert tls_of(environ, ("BAO_", "VAULT_")).ca_file is None, "present but empty counts"


@pytest.fixture
def world() -> Iterator[World]:
    with vault_world() as world:
        world.vault.put("secret/data/p0", {"k": "x"})
        yield world


def test_the_providers_own_token(world: World) -> None:
    world.files(one())
    token = world.vault.handed_out()[-1]
    world.vault.expire_tokens()
    world.with_provider(own_token=SecretText(token))
    before = world.vault.calls["login"]
    error = world.refusal(one())
    assert "the provider's own token may not" in str(error)
    assert world.vault.calls["login"] == before, "never a login instead"
    assert token not in str(error)
