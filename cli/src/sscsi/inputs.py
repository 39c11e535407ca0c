"""What `sscsi mount` is given: the class's file, the pod's name and the tokens."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sscsi_shared.manifests import Manifest, parse_manifests
from sscsi_shared.secret import SecretText

_MAX_MANIFEST: Final = 1 << 20
_MAX_TOKEN: Final = 64 << 10
"""Bytes; a token that is longer would not pass the provider either."""


class UsageError(Exception):
    """The command line makes no sense; its text says what would."""


def pod_name(text: str) -> tuple[str, str]:
    """`NAMESPACE/NAME`, for argparse.

    Raises:
        argparse.ArgumentTypeError: it is not that.
    """
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise argparse.ArgumentTypeError("write NAMESPACE/NAME")
    return namespace, name


def seconds(text: str) -> float:
    """A number of seconds above 0, for argparse.

    Raises:
        argparse.ArgumentTypeError: it is not that.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("write a number of seconds above 0")
    return number


def read_class(path: Path, namespace: str) -> Manifest:
    """The one SecretProviderClass of a file.

    Raises:
        InvalidParameters: the file has a mistake; with its line.
        ValueError: there is not exactly one, or it is in another namespace than the pod.
        OSError: the file can't be read.
    """
    found = parse_manifests(read_text(path, _MAX_MANIFEST), str(path))
    classes = [one for one in found if one.kind == "SecretProviderClass"]
    if len(classes) != 1:
        raise ValueError(f"{path} holds {len(classes)} SecretProviderClasses; one is needed")
    if classes[0].namespace != namespace:
        raise ValueError(
            f"the class is in namespace {classes[0].namespace}, the pod in {namespace}: they must be the same"
        )
    return classes[0]


def parameters_of(of_class: Manifest) -> Mapping[str, str]:
    """`spec.parameters`, which are texts and nothing else (as the CRD says).

    Raises:
        ValueError: one is not, or there is no such field.
    """
    spec = of_class.body.get("spec")
    parameters = spec.get("parameters") if isinstance(spec, dict) else None
    if not isinstance(parameters, dict) or not parameters:
        raise ValueError(f"parameters not set in {of_class.namespace}/{of_class.name} ({of_class.source})")
    for key, value in parameters.items():
        if not isinstance(value, str):
            raise ValueError(  # noqa: TRY004  # the file's mistake, not a caller's
                f"spec.parameters.{key} of {of_class.source} is not a text: put it in quotes, or behind `|` if it is a "
                "list; the API server would refuse it as it is"
            )
    return parameters


def read_tokens(given: Sequence[str]) -> dict[str, SecretText]:
    """Tokens by audience, from `AUDIENCE=FILE`.

    Raises:
        ValueError: not of that form, or the file holds no token.
        OSError: a file can't be read.
    """
    tokens = {}
    for one in given:
        audience, equals, path = one.rpartition("=")
        if not (equals and path):
            raise ValueError("--token takes AUDIENCE=FILE")
        text = read_text(Path(path), _MAX_TOKEN).strip()
        if not text:
            raise ValueError(f"{path} is empty; a token was expected there")
        tokens[audience] = SecretText(text)
    return tokens


def read_text(path: Path, limit: int) -> str:
    """A text file of at most `limit` bytes.

    Raises:
        ValueError: it is longer, or not UTF-8; the text names the file and shows nothing of it.
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"{path} is longer than {limit >> 10} KiB")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
