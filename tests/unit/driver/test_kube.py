"""What is made of the API server's answers: kinds of failure, words without content, patience."""

from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from lightkube import Client
from lightkube.generic_resource import create_namespaced_resource

from hand import Hand
from kube_rig import kube_at, refused
from sscsi_driver.kube import Absent, Conflict, Forbidden, Invalid, Kube, KubeError, Silent

THING = create_namespaced_resource("example.com", "v1", "Thing", "things")
SECRET = "cGFzc3dvcmQ="
TOO_MANY = "Too many requests, please try again later.\n"


class Server:
    """Answers one after the other; the last one for ever."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)


def read(client: Client) -> Any:
    return client.get(THING, "web-0", namespace="shop")


def failure(*answers: httpx2.Response | Exception) -> KubeError:
    with pytest.raises(KubeError) as caught:
        kube_at(Server(*answers)).ask("read it", read)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (refused(404, 'pods "web-0" not found'), Absent, 'pods "web-0" not found'),
        (refused(409, 'pods "web-0" already exists'), Conflict, 'pods "web-0" already exists'),
        (refused(403, 'pods is forbidden: User "x" cannot get'), Forbidden, 'pods is forbidden: User "x" cannot get'),
        (refused(401, "Unauthorized"), KubeError, "Unauthorized"),
        (refused(403, "x" * 5000), Forbidden, "x" * 509 + "…"),
        (refused(422, SECRET, "Invalid"), Invalid, "the API server answered 422 Invalid"),
        (
            refused(422, f'data[key]: Invalid value: "{SECRET}"', "Invalid", ("data[key]", "data[key]", "type")),
            Invalid,
            "the API server answered 422 Invalid for data[key], type",
        ),
        (refused(400, SECRET, "BadRequest"), KubeError, "the API server answered 400 BadRequest"),
        (refused(500, f".data.key: expected string, got {SECRET}"), Silent, "the API server answered 500"),
        (httpx2.Response(404, text="404 page not found\n"), Absent, "the API server answered 404"),
        (httpx2.Response(502, text=f"<html>{SECRET}"), Silent, "the API server answered 502"),
        (httpx2.ConnectError(SECRET), Silent, "the API server did not answer (ConnectError)"),
        (httpx2.ReadTimeout(SECRET), Silent, "the API server did not answer (ReadTimeout)"),
        (httpx2.Response(200, text=SECRET), Silent, "the API server did not answer (DecodeError)"),
        (httpx2.Response(200, text="[" * 100_000), Silent, "the API server did not answer (RecursionError)"),
        (httpx2.Response(200, json=[SECRET]), Silent, "the API server did not answer (ValueError)"),
        (httpx2.Response(418), Silent, "the API server did not answer (KeyError)"),
    ],
)
def test_each_answer_has_its_kind_and_no_content(answer: Any, kind: type[KubeError], said: str) -> None:
    error = failure(answer)
    assert type(error) is kind
    assert error.said == said
    assert error.message == f"failed to read it: {said}"
    assert SECRET not in str(error)


def test_a_busy_server_is_asked_again_when_it_says() -> None:
    hand = Hand()
    server = Server(
        httpx2.Response(429, headers={"Retry-After": "3"}, text=TOO_MANY),
        httpx2.Response(429, text=TOO_MANY),
        httpx2.Response(503, headers={"Retry-After": "2"}, text="starting"),
        httpx2.Response(200, json={"metadata": {"name": "web-0"}}),
    )
    assert kube_at(server, hand).ask("read it", read).metadata.name == "web-0"
    assert (server.asked, hand.at) == (4, 1000 + 3 + 1 + 2)


@pytest.mark.parametrize("seconds", ["60", "86400", "9" * 400])
def test_a_server_that_stays_busy_is_left_alone_by_everybody(seconds: str) -> None:
    hand = Hand()
    server = Server(httpx2.Response(429, headers={"Retry-After": seconds}, text=TOO_MANY))
    kube = kube_at(server, hand)
    for _ in range(5):
        with pytest.raises(Silent, match="asks to be left alone"):
            kube.ask("read it", read)
    assert server.asked == 1
    hand.at += 60
    server.answers = [httpx2.Response(200, json={"metadata": {"name": "web-0"}})]
    assert kube.ask("read it", read).metadata.name == "web-0"


def test_patience_has_an_end() -> None:
    hand = Hand()
    server = Server(httpx2.Response(429, headers={"Retry-After": "6"}, text=TOO_MANY))
    with pytest.raises(Silent):
        kube_at(server, hand).ask("read it", read)
    assert hand.at <= 1000 + 20
    assert server.asked == 4


def test_a_kubeconfig_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="the API server can't be reached"):
        Kube.connect(str(tmp_path / "missing"))


def test_a_kubeconfig(tmp_path: Path) -> None:
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "http://api.invalid"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    kube = Kube.connect(str(tmp_path / "config"))
    assert kube.ask("see", lambda client: client.config.cluster.server) == "http://api.invalid"
