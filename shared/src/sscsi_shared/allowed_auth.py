"""PURE: node identities are off unless the operator lists them.

A node identity (the provider's own credentials, a machine's managed identity, a token in the environment) is the same
for every pod of the node: whoever may write a class could read with it what is another namespace's.
"""

from sscsi_shared.errors import AuthenticationFailed

FLAG = "allowed-auth"


def allowed_auth(text: str) -> frozenset[str]:
    """Modes in a comma-separated list: the value of `--allowed-auth`."""
    return frozenset(word.strip() for word in text.split(",") if word.strip())


def check_allowed(mode: str, allowed: frozenset[str]) -> None:
    """Let a node identity pass only where the operator listed it.

    Args:
        mode: its word, such as `provider-adc`.
        allowed: what the operator listed.

    Raises:
        AuthenticationFailed: it is not listed.
    """
    if mode not in allowed:
        raise AuthenticationFailed(
            f"The class asks for the node's own identity ({mode}), which this provider does not allow.",
            hint=f"Whoever may write a class could use it. An operator can allow it with --{FLAG}={mode}.",
        )
