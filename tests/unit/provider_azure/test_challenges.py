"""What vaults say of who gives tokens for them: read, remembered, asked for once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from azure.core.exceptions import AzureError, ServiceRequestError
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest import HttpRequest

from hand import Hand
from sscsi_provider_azure.challenges import KEPT_SECONDS, Challenge, Challenges, read_challenge
from sscsi_shared.deadline import Deadline

LOGIN = "https://login.microsoftonline.com"
TENANT = "5d3ee3f5-0a3b-4f8d-9d43-2f6f0f3f1d11"
VAULTS = "https://vault.azure.net"
GOOD = Challenge(TENANT, f"{VAULTS}/.default")
HEADER = f'Bearer authorization="{LOGIN}/{TENANT}", resource="{VAULTS}"'


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (HEADER, GOOD),
        (f'Bearer authorization="{LOGIN}/{TENANT}/", resource="{VAULTS}/"', GOOD),
        (f'Bearer authorization_uri="{LOGIN}/{TENANT}",scope="{VAULTS}/.default"', GOOD),
        (f'Bearer Authorization="{LOGIN}/{TENANT}", Resource="{VAULTS}"', GOOD),
        (f'Bearer error="x", authorization="{LOGIN}/{TENANT}/oauth2", scope="a b"', Challenge(TENANT, "a b")),
        ('Bearer authorization="https://adfs.hill/adfs", resource="https://vault.hill:8444"',
         Challenge("adfs", "https://vault.hill:8444/.default")),
        ("", None),
        ("Bearer", None),
        ("Bearer ", None),
        (HEADER.replace("Bearer", "Basic"), None),
        (HEADER.replace("Bearer", "PoP"), None),
        (f'Bearer resource="{VAULTS}"', None),
        (f'Bearer authorization="{LOGIN}/{TENANT}"', None),
        (f'Bearer authorization="{LOGIN}/{TENANT}", resource="", scope=""', None),
        (f'Bearer authorization="{LOGIN}", resource="{VAULTS}"', None),
        (f'Bearer authorization="{LOGIN}//", resource="{VAULTS}"', None),
        (f'Bearer authorization="x", resource="{VAULTS}"', Challenge("x", f"{VAULTS}/.default")),
        (f'Bearer authorization="https://[login/{TENANT}", resource="{VAULTS}"', None),
        (f'Bearer authorization="https://\u2100/{TENANT}", resource="{VAULTS}"', None),
    ],
    ids=str,
)  # fmt: skip
def test_read(header: str, expected: Challenge | None) -> None:
    assert read_challenge(header) == expected


class Reply:
    def __init__(self, status: int, header: str = "") -> None:
        self.status_code = status
        self.headers = {"WWW-Authenticate": header} if header else {}

    def read(self) -> bytes:
        return b""


class Vaults(HttpTransport[Any, Any]):
    """Answers what it is told to, and counts who asked."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def send(self, request: Any, **_: Any) -> Any:
        self.asked.append(request.url)
        return self.answer(request)

    def open(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""

    def __exit__(self, *_: object) -> None:
        """Nothing."""


def get(host: str = "kv.vault.azure.net", token: str = "") -> HttpRequest:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return HttpRequest("GET", f"https://{host}/secrets/s", headers=headers)


@pytest.fixture
def clock() -> Hand:
    return Hand(1000.0)


def test_a_vault_is_asked_once(clock: Hand) -> None:
    vaults = Vaults(lambda _: Reply(401, HEADER))
    challenges = Challenges(vaults, clock)
    for host in ("kv.vault.azure.net", "KV.vault.azure.net", "other.vault.azure.net"):
        assert challenges.send(get(host)).status_code == 401
    assert len(vaults.asked) == 2
    assert challenges.of("kv.vault.azure.net") == challenges.of("OTHER.vault.azure.net") == read_challenge(HEADER)


def test_all_who_ask_at_once_get_one_answer(clock: Hand) -> None:
    gate = threading.Barrier(2)

    def answer(_: Any) -> Reply:
        gate.wait(20)
        return Reply(401, HEADER)

    vaults = Vaults(answer)
    challenges = Challenges(vaults, clock)
    with ThreadPoolExecutor(8) as pool:
        replies = [pool.submit(challenges.send, get()) for _ in range(8)]
        gate.wait(20)
        assert {reply.result(20).status_code for reply in replies} == {401}
    assert len(vaults.asked) == 1


def test_it_is_asked_again_after_an_hour(clock: Hand) -> None:
    vaults = Vaults(lambda _: Reply(401, HEADER))
    challenges = Challenges(vaults, clock)
    for seconds in (0, KEPT_SECONDS - 1, 1):
        clock.at += seconds
        challenges.send(get())
    assert len(vaults.asked) == 2


def test_a_vault_that_moved_to_another_tenant_says_so_by_refusing_a_token(clock: Hand) -> None:
    headers = [HEADER, HEADER.replace(TENANT, "other")]
    vaults = Vaults(lambda request: Reply(401, headers["Authorization" in request.headers]))
    challenges = Challenges(vaults, clock)
    challenges.send(get())
    challenges.send(get(token="t"))
    assert challenges.of("kv.vault.azure.net") == Challenge("other", f"{VAULTS}/.default")


def test_requests_with_a_token_are_sent(clock: Hand) -> None:
    vaults = Vaults(lambda _: Reply(200))
    challenges = Challenges(vaults, clock)
    for _ in range(3):
        assert challenges.send(get(token="t")).status_code == 200
    assert len(vaults.asked) == 3
    assert challenges.of("kv.vault.azure.net") is None


@pytest.mark.parametrize("reply", [Reply(401), Reply(401, "Bearer"), Reply(403, HEADER), Reply(200, HEADER)], ids=str)
def test_what_is_no_challenge_is_not_remembered(clock: Hand, reply: Reply) -> None:
    vaults = Vaults(lambda _: reply)
    challenges = Challenges(vaults, clock)
    assert challenges.ask("kv.vault.azure.net", Deadline.after(5)) is None
    assert challenges.ask("kv.vault.azure.net", Deadline.after(5)) is None
    assert len(vaults.asked) == 2


def test_a_vault_is_asked_for_what_a_token_is_to_be_for(clock: Hand) -> None:
    vaults = Vaults(lambda _: Reply(401, HEADER))
    challenges = Challenges(vaults, clock)
    for _ in range(2):
        assert challenges.ask("kv.vault.hill:8444", Deadline.after(5)) == read_challenge(HEADER)
    assert vaults.asked == ["https://kv.vault.hill:8444/secrets?api-version=7.4&maxresults=1"]


def test_silence_is_told_to_each_and_not_remembered(clock: Hand) -> None:
    def silent(_: Any) -> Any:
        raise ServiceRequestError("nobody answers")

    vaults = Vaults(silent)
    challenges = Challenges(vaults, clock)
    errors = []
    for _ in range(2):
        with pytest.raises(AzureError, match="nobody answers") as caught:
            challenges.send(get())
        errors.append(caught.value)
    assert errors[0] is not errors[1]
    assert len(vaults.asked) == 2


def test_what_is_remembered_is_bounded(clock: Hand) -> None:
    vaults = Vaults(lambda _: Reply(401, HEADER))
    challenges = Challenges(vaults, clock)
    for number in range(1100):
        challenges.send(get(f"kv{number}.vault.azure.net"))
    known = [number for number in range(1100) if challenges.of(f"kv{number}.vault.azure.net")]
    assert known == list(range(100, 1100))
