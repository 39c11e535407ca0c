"""Hostile input: every reader of what strangers write is fuzzed, and the daemons' sockets are fed garbage."""

from importlib import import_module
from typing import Any, Final

from fire.case import Case, Part, Shown
from fire.hostile.fuzzing import Group, case
from fire.plan import Plan

GROUPS: Final = (
    Group("parameters", "attributes, secrets, permission, tokens and their claims, paths, modes", 25_000, 1_000),
    Group("objects", "a class's objects for AWS, Google Cloud, Vault, OpenBao, Azure", 15_000, 500),
    Group("contents", "keys of JSON and YAML, JMESPath, base64, hex", 25_000, 1_000),
    Group("certificates", "PEM, PKCS#12, BER, the values of a Secret of type TLS", 20_000, 500),
    Group("driver", "classes, secretObjects, volume contexts, vol_data.json, mountinfo", 25_000, 1_000),
    Group("answers_aws", "what Secrets Manager, Parameter Store and STS answer", 12_000, 400),
    Group("answers_gcp", "what Secret Manager, Parameter Manager and the token exchange answer", 12_000, 400),
    Group("answers_vault", "what Vault answers", 6_000, 200),
    Group("answers_azure", "what Key Vault and Entra answer", 12_000, 400),
)
HALF_OPEN: Final = 300
"""Connections at once that say no more."""


def _sockets(name: str, *arguments: Any) -> Any:
    """A case of sockets.py, which is imported late: what is fuzzed must not be there before it can be watched."""

    def run(plan: Plan) -> Shown:
        shown: Shown = getattr(import_module("fire.hostile.sockets"), name)(*arguments, plan)
        return shown

    return run


_SOCKETS: Final = (
    *(
        Case(
            f"socket-{cloud}",
            f"messages and HTTP/2 with bytes changed, streams begun and reset, {HALF_OPEN} connections that say no "
            f"more, on the {cloud} provider's socket",
            _sockets("provider", cloud),
        )
        for cloud in ("aws", "gcp", "vault", "azure")
    ),
    Case("socket-driver", "the same on the driver's socket", _sockets("driver")),
    Case(
        "metrics", f"odd HTTP, and {HALF_OPEN} connections that say no more, on the port of metrics", _sockets("page")
    ),
)
PART: Final = Part(
    "hostile",
    "Hostile input",
    "Whatever comes is taken, or refused with one of our own errors: no other exception, no incident. An input has "
    "5 to 30 s of the processor where it is as large as can come, and a fifth of that where it is small, with the code "
    "watched; it may raise the memory of its process by 96 MiB at most. Inputs are made by grammars, stretched to the "
    "largest size that can come, and mutated as the coverage of the code leads (atheris).",
    (*(case(group) for group in GROUPS), *_SOCKETS),
)
