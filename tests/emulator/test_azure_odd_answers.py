"""What Entra and vaults answer that is neither content nor a refusal is told as that, and does not stay."""

from collections.abc import Iterator

import pytest

from azure_world import World, azure_world, entry
from sscsi_shared.errors import AuthenticationFailed, BackendUnavailable

DEEP = '{"canary":' + "[" * 100_000


def _shown(body: object) -> str:
    return str(body)[:60]


@pytest.fixture
def world() -> Iterator[World]:
    with azure_world() as world:
        world.azure.store.put_secret(world.vault, "s", "x")
        yield world
        world.azure.bodies.clear()
        world.azure.challenge("")
        assert world.files(entry("s")) == {"s": b"x"}, "nothing of it stays"


@pytest.mark.parametrize(
    "body",
    ["<html>canary", {}, {"access_token": None}, {"access_token": "canary", "expires_in": "x"},
     {"access_token": "canary"}, {"token_type": "Bearer"}, DEEP],
    ids=_shown,
)  # fmt: skip
def test_a_login(world: World, body: dict[str, object] | str) -> None:
    world.azure.bodies["token"] = body
    error = world.refusal(entry("s"))
    assert type(error) is BackendUnavailable
    assert "ClientAssertionCredential (https://login.microsoftonline.com): the answer can't be read" in str(error)
    assert "canary" not in str(error)


@pytest.mark.parametrize(
    "body",
    [
        "<html>canary",
        {"value": "canary", "id": "nonsense"},
        {"value": "canary", "id": 5},
        {"value": ["canary"], "id": {}},
        DEEP,
    ],
    ids=_shown,
)
def test_a_secret(world: World, body: dict[str, object] | str) -> None:
    world.azure.bodies["GET secret"] = body
    error = world.refusal(entry("s"))
    assert type(error) is BackendUnavailable
    assert f"https://{world.vault}.vault.azure.net/secrets/s/: the answer can't be read" in str(error)
    assert "canary" not in str(error)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Bearer", "can't be read: is it a vault?"),
        ("Basic realm=x", "can't be read: is it a vault?"),
        ('Bearer authorization="https://a/t"', "the challenge resource doesn't match the requested domain"),
        (
            'Bearer authorization="https://a/t", resource="https://vault.azure.cn"',
            "the challenge resource doesn't match the requested domain",
        ),
    ],
)
def test_a_challenge(world: World, header: str, said: str) -> None:
    world.azure.challenge(header)
    error = world.refusal(entry("s"))
    assert type(error) is AuthenticationFailed
    assert said in str(error)


@pytest.mark.parametrize("resource", ["https://[x", "https://a:b", "x"])
def test_a_challenge_for_what_is_no_address(world: World, resource: str) -> None:
    world.azure.challenge(f'Bearer authorization="https://a/t", resource="{resource}"')
    error = world.refusal(entry("s"))
    assert isinstance(error, AuthenticationFailed | BackendUnavailable)
    assert f"https://{world.vault}.vault.azure.net/secrets/s/: " in str(error)
