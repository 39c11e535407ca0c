"""From an object's content to a file's: small frozen steps that compare by value.

An ObjectUnusable from `apply` names the key or the expression, and lists the keys that are there; never a value. Only
the texts of JmesPath name the object, as the AWS provider words them; for the others the caller (`render.py`) says
which object and file it was.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from sscsi_shared import expression as jmes
from sscsi_shared import yaml_dialects, yaml_source
from sscsi_shared.errors import InvalidParameters, ObjectUnusable, clip
from sscsi_shared.json_values import available, compact, kind, read_json, scalar_text, utf8

MAX_KEYS: Final = 1000
"""Files that one JSON object may become."""


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
class Chain:
    """Steps one after another."""

    steps: tuple[Transform, ...]

    def apply(self, contents: bytes) -> bytes:
        """Take them all.

        Raises:
            ObjectUnusable: one of them can't be taken.
        """
        for step in self.steps:
            contents = step.apply(contents)
        return contents


def chained(*steps: Transform) -> Transform:
    """Steps one after another; those that change nothing are left out."""
    kept = tuple(step for step in steps if step != WHOLE)
    return Chain(kept) if len(kept) > 1 else kept[0] if kept else WHOLE


class Split(Protocol):
    """A pure step from one content to several."""

    def apply(self, contents: bytes) -> Mapping[str, bytes]:
        """The parts by name, in an order that stays the same.

        Raises:
            ObjectUnusable: the content can't be split so; the message names available keys, never values.
        """


@dataclass(frozen=True, slots=True)
class AllKeys:
    """Every top-level key of a JSON object, in their order.

    A text as it is; a number, true or false as it is written; a list or an object as compact JSON; null not at all.
    """

    def apply(self, contents: bytes) -> Mapping[str, bytes]:
        """Take it apart.

        Raises:
            ObjectUnusable: it is no JSON object, or has too many keys.
        """
        try:
            document = read_json(contents)
        except ValueError:
            raise ObjectUnusable("the content is not JSON, so it has no keys for allKeys.") from None
        if not isinstance(document, dict):
            raise ObjectUnusable(f"the content is {kind(document)}, not a JSON object with keys for allKeys.")
        if len(document) > MAX_KEYS:
            raise ObjectUnusable(f"the JSON object has {len(document)} keys; allKeys takes {MAX_KEYS} at most.")
        texts = {key: scalar_text(value) for key, value in document.items() if value is not None}
        return {key: utf8(compact(document[key]) if text is None else text) for key, text in sorted(texts.items())}


@dataclass(frozen=True, slots=True)
class JsonKey:
    """What stands under a top-level key of a JSON object (GCP provider's `extractJSONKey`); dots are no path.

    A text, or, beyond what that provider takes, a number, true or false as it is written.
    """

    key: str

    def apply(self, contents: bytes) -> bytes:
        """Extract it.

        Raises:
            ObjectUnusable: no JSON object, no such key, or a list, an object or null.
        """
        try:
            document = read_json(contents)
        except ValueError:
            raise ObjectUnusable(
                "failed to unmarshal JSON: the content is not JSON. Invalid JSON format for key extraction."
            ) from None
        if document is not None and not isinstance(document, dict):
            raise ObjectUnusable(
                f"failed to unmarshal JSON: the content is {kind(document)}, not an object. "
                "Invalid JSON format for key extraction."
            )
        values = document or {}
        if self.key not in values:
            raise ObjectUnusable(f"key '{clip(self.key)}' not found in JSON.", hint=available(values))
        value = values[self.key]
        text = scalar_text(value)
        if text is None:
            raise ObjectUnusable(
                f"unsupported value type for key '{clip(self.key)}': it is {kind(value)}; only a text, a number, true "
                "or false can be extracted."
            )
        return utf8(text)


@dataclass(frozen=True, slots=True)
class YamlKey:
    """What stands under a top-level key of a YAML mapping (GCP provider's `extractYAMLKey`); first document only.

    A text, or, beyond what that provider takes, a number, true or false as it is written.
    """

    key: str

    def apply(self, contents: bytes) -> bytes:
        """Extract it.

        Raises:
            ObjectUnusable: no YAML mapping, no such key, or a date, null, a list or a mapping.
        """
        try:
            tree = yaml_source.compose(contents.decode(), where="")
        except UnicodeDecodeError:
            raise _no_yaml("the content is not UTF-8 text") from None
        except InvalidParameters as error:
            # Only the place: the parser's own words may quote the content.
            raise _no_yaml(f"the content can't be read at line {error.line or 1}, column {error.column or 1}") from None
        if isinstance(tree, yaml_source.YamlScalar) and yaml_dialects.is_null(tree):
            raise ObjectUnusable(f"key '{clip(self.key)}' not found in YAML.", hint=available(()))
        if not isinstance(tree, yaml_source.YamlMap):
            raise _no_yaml("the content is not a mapping")
        try:
            values = {key.text: value for key, value in yaml_dialects.fields(tree, yaml_dialects.Dialect.CORE)}
        except InvalidParameters as error:
            raise _no_yaml(f"a repeated or odd key at line {error.line or 1}, column {error.column or 1}") from None
        if self.key not in values:
            raise ObjectUnusable(f"key '{clip(self.key)}' not found in YAML.", hint=available(values))
        text = _yaml_text(values[self.key])
        if text is not None:
            return text.encode()
        raise ObjectUnusable(
            f"unsupported value type for key '{clip(self.key)}': only a text, a number, true or false can be used.",
            hint="A date is text only in quotation marks.",
        )


@dataclass(frozen=True, slots=True)
class JmesPath:
    """What a JMESPath expression finds in a JSON document (AWS provider's `jmesPath`).

    A text, or, beyond what that provider takes, a number, true or false as it is written.

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
            ObjectUnusable: no JSON, a bad expression, nothing found, or found a list or an object.
        """
        path = clip(self.expression, 256)
        try:
            document = read_json(contents)
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
                hint=available(document) if isinstance(document, dict) else f"The secret is {kind(document)}.",
            )
        text = scalar_text(found)
        if text is None:
            raise ObjectUnusable(
                f"Invalid JMES search result type for path:{path}. Only string is allowed.",
                hint=f"It found {kind(found)}; wrap the path: to_string({path}).",
            )
        return utf8(text)

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


def _yaml_text(tree: yaml_source.YamlTree) -> str | None:
    """A text, or a number, true or false as written; None for anything else, and for what is not what its tag says."""
    if not isinstance(tree, yaml_source.YamlScalar):
        return None
    try:
        value = yaml_dialects.typed(tree, yaml_dialects.Dialect.CORE)
    except ValueError:
        return None
    return tree.text if isinstance(value, str | int | float) else None


def _no_yaml(detail: str) -> ObjectUnusable:
    return ObjectUnusable(f"failed to unmarshal YAML: {detail}. Invalid YAML format for key extraction.")
