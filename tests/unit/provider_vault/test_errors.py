"""What Vault answers to a login, in the house's words."""

import pytest

from sscsi_provider_vault.errors import Refusal, login_error, no_answer
from sscsi_provider_vault.identity import Endpoint, VaultIdentity
from sscsi_shared.addresses import Address

IDENTITY = VaultIdentity(
    "kubernetes", "shop", "web", "uid", "https://issuer.example", "vault", "app", "/v1/auth/kubernetes/login", "", "",
    Endpoint(Address("https://vault.example", "https", "vault.example", 443, False)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("permission denied: token is expired", "compare the node's"),
        ("permission denied: token is not valid yet (nbf)", "compare the node's"),
        ("error validating token: token is expired (exp)", "compare the node's"),
        ("invalid audience (aud) claim", "The token's audience is"),
        ("service account name not authorized", "must be bound to service account"),
        ("permission denied", "Logged in as service account"),
    ],
)
def test_hints_of_logins(said: str, hint: str) -> None:
    refusal = Refusal("POST", "https://vault.example/v1/auth/kubernetes/login", 403, (said,), "")
    assert hint in login_error(refusal, IDENTITY).hint


def test_a_page_of_somebody_else() -> None:
    error = no_answer("login", "https://vault.example/v1/x", "its answer is not JSON")
    assert error.hint == "Is it the server? A proxy may answer in its place."
