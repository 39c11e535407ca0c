"""From an object's content to a file's: small frozen steps that compare by value.

An ObjectUnusable from `apply` names the key or the expression, and lists the keys that are there; never a value. Only
the texts of JmesPath name the object, as the AWS provider words them; for the others the caller (`render.py`) says
which object and file it was.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, NoReturn, Protocol

from sscsi_shared import expression as jmes
from sscsi_shared import yaml_dialects, yaml_source
from sscsi_shared.errors import InvalidParameters, ObjectUnusable, clip

MAX_SHOWN_KEYS: Final = 10
MAX_SHOWN_KEY_BYTES: Final = 64


class Transform(Protocol):
    """A pure step."""

    def apply(self, contents: bytes) -> bytes:
        """The file's content.

        Raises:
            ObjectUnusable: the content can't be used so; the message names available keys, never values.
        """


@dataclass(frozen=True, slots=True)
class Whole:
    """The content as it is."""

    def apply(self, contents: bytes) -> bytes:
        """Give it back."""
        return contents


WHOLE: Final = Whole()


class Encoding(Enum):
    """How text in a backend stands for bytes."""

    BASE64 = "base64"
    HEX = "hex"


@dataclass(frozen=True, slots=True)
class Decode:
    """The bytes that the content is the text of.

    base64 is RFC 4648 section 4 with padding, line breaks ignored; hex in either case (Vault provider's `encoding`).
    """

    encoding: Encoding

    def apply(self, contents: bytes) -> bytes:
        """Decode it.

        Raises:
            ObjectUnusable: it is no such text.
        """
        try:
            if self.encoding is Encoding.BASE64:
                return base64.b64decode(contents.replace(b"\r", b"").replace(b"\n", b""), validate=True)
            return binascii.unhexlify(contents)
        except ValueError:
            # `from None` here and below: these errors hold the content.
            raise ObjectUnusable(
                f"the content is not valid {self.encoding.value}.",
                hint="Leave the encoding away, or store the secret encoded, without spaces around it.",
            ) from None


@dataclass(frozen=True, slots=True)
class JsonKey:
    """The text under a top-level key of a JSON object (GCP provider's `extractJSONKey`); dots are no path."""

    key: str

    def apply(self, contents: bytes) -> bytes:
        """Extract it.

        Raises:
            ObjectUnusable: no JSON object, no such key, or not text.
        """
        try:
            document = _json(contents)
        except ValueError:
            raise ObjectUnusable(
                "failed to unmarshal JSON: the content is not JSON. Invalid JSON format for key extraction."
            ) from None
        if document is not None and not isinstance(document, dict):
            raise ObjectUnusable(
                f"failed to unmarshal JSON: the content is {_kind(document)}, not an object. "
                "Invalid JSON format for key extraction."
            )
        values = document or {}
        if self.key not in values:
            raise ObjectUnusable(f"key '{clip(self.key)}' not found in JSON.", hint=_available(values))
        value = values[self.key]
        if not isinstance(value, str):
            raise ObjectUnusable(
                f"unsupported value type for key '{clip(self.key)}': it is {_kind(value)}, only text can be extracted."
            )
        return _utf8(value)


@dataclass(frozen=True, slots=True)
class YamlKey:
    """The text under a top-level key of a YAML mapping (GCP provider's `extractYAMLKey`); first document only."""

    key: str

    def apply(self, contents: bytes) -> bytes:
        """Extract it.

        Raises:
            ObjectUnusable: no YAML mapping, no such key, or not text (a number, true, a date, null, a list).
        """
        try:
            tree = yaml_source.compose(contents.decode(), where="")
        except UnicodeDecodeError:
            raise _no_yaml("the content is not UTF-8 text") from None
        except InvalidParameters as error:
            # Only the place: the parser's own words may quote the content.
            raise _no_yaml(f"the content can't be read at line {error.line or 1}, column {error.column or 1}") from None
        if isinstance(tree, yaml_source.YamlScalar) and yaml_dialects.is_null(tree):
            raise ObjectUnusable(f"key '{clip(self.key)}' not found in YAML.", hint=_available(()))
        if not isinstance(tree, yaml_source.YamlMap):
            raise _no_yaml("the content is not a mapping")
        try:
            values = {key.text: value for key, value in yaml_dialects.fields(tree, yaml_dialects.Dialect.CORE)}
        except InvalidParameters as error:
            raise _no_yaml(f"a repeated or odd key at line {error.line or 1}, column {error.column or 1}") from None
        if self.key not in values:
            raise ObjectUnusable(f"key '{clip(self.key)}' not found in YAML.", hint=_available(values))
        value = values[self.key]
        text = _yaml_text(value)
        if text is not None:
            return text.encode()
        raise ObjectUnusable(
            f"unsupported value type for key '{clip(self.key)}': only text can be extracted.",
            hint="A number, true, false, a date or null is text only in quotation marks.",
        )


@dataclass(frozen=True, slots=True)
class JmesPath:
    """The text that a JMESPath expression finds in a JSON document (AWS provider's `jmesPath`).

    Attributes:
        expression: checked before by `check_expression`.
        object_name: the object in the author's words, for messages.
        alias: the `objectAlias` of the entry, for messages.
    """

    expression: str
    object_name: str
    alias: str

    def apply(self, contents: bytes) -> bytes:
        """Search it.

        Raises:
            ObjectUnusable: no JSON, a bad expression, nothing found, or found something that is not text.
        """
        path = clip(self.expression, 256)
        try:
            document = _json(contents)
        except ValueError:
            raise ObjectUnusable(
                f"Invalid JSON used with jmesPath in secret: {clip(self.object_name)}.",
                hint="Store the secret as a JSON object, or remove jmesPath from this object.",
            ) from None
        try:
            found = jmes.search(self.expression, document)
        except jmes.ExpressionError as error:
            raise ObjectUnusable(f"Invalid JMES Path: {path}.", hint=f"Cause: {error}.{self._quoting()}") from error
        if found is None:
            raise ObjectUnusable(
                f"JMES Path - {path} for object alias - {clip(self.alias)} does not point to a valid object.",
                hint=f"{_available(document) if isinstance(document, dict) else f'The secret is {_kind(document)}.'}"
                f"{self._quoting()}",
            )
        if not isinstance(found, str):
            raise ObjectUnusable(
                f"Invalid JMES search result type for path:{path}. Only string is allowed.",
                hint=f"It found {_kind(found)}; wrap the path: to_string({path}).",
            )
        return _utf8(found)

    def _quoting(self) -> str:
        """How to write a key with a hyphen, where the expression has one outside of quotation marks."""
        bare = self.expression.strip()
        if "-" not in bare or '"' in bare or "`" in bare or "'" in bare:
            return ""
        return f" A key with a hyphen needs JMESPath's quotation marks inside YAML's: path: '\"{clip(bare, 64)}\"'."


def check_expression(expression: str) -> str:
    """Give back `expression` if it is JMESPath that JmesPath can run.

    Raises:
        InvalidParameters: it is not; the text begins as the AWS provider's.
    """
    try:
        return jmes.check(expression)
    except jmes.ExpressionError as error:
        quoting = JmesPath(expression, "", "")._quoting()
        raise InvalidParameters(
            f"Invalid JMES Path: {clip(expression, 256)}.", hint=f"Cause: {error}.{quoting}"
        ) from error


def _json(contents: bytes) -> object:
    """The JSON document in `contents`; every failure is a ValueError."""
    try:
        document: object = json.loads(contents.decode(), parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return document


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _yaml_text(tree: yaml_source.YamlTree) -> str | None:
    """The text that stands there; None if it is something else, even if its tag says text where there is none."""
    if not isinstance(tree, yaml_source.YamlScalar):
        return None
    try:
        value = yaml_dialects.typed(tree, yaml_dialects.Dialect.CORE)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _no_yaml(detail: str) -> ObjectUnusable:
    return ObjectUnusable(f"failed to unmarshal YAML: {detail}. Invalid YAML format for key extraction.")


def _utf8(text: str) -> bytes:
    """`text` as bytes; half a surrogate pair, which JSON can spell, becomes the replacement character as in Go."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _kind(value: object) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def _available(keys: Iterable[str]) -> str:
    """A sentence that lists the first keys in order."""
    ordered = sorted(keys)
    if not ordered:
        return "It has no keys."
    shown = ", ".join(clip(key, MAX_SHOWN_KEY_BYTES) for key in ordered[:MAX_SHOWN_KEYS])
    more = len(ordered) - MAX_SHOWN_KEYS
    return f"Available keys: {shown} and {more} more." if more > 0 else f"Available keys: {shown}."
