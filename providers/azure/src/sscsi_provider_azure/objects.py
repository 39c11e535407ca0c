"""PURE: the entries of `objects`, as the Azure provider reads them.

`array:` holds YAML texts, as the existing provider wants it; a plain list does as well, and so do mappings in place of
texts. Field names, order of checks and the beginnings of the messages are the existing provider's (its release 1.8).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from sscsi_provider_azure.content import PARTS, CertificateFiles, Form, SecretContent, SecretValue
from sscsi_provider_azure.vault_objects import KINDS, AzureObject, Certificate, Found, Key, Secret
from sscsi_shared.errors import InvalidParameters, clip
from sscsi_shared.mount import Output, Spread
from sscsi_shared.object_fields import OBJECT_FIELDS, SELECT, ObjectFields, object_fields
from sscsi_shared.paths import MAX_MODE, Naming, check_path
from sscsi_shared.transform import WHOLE, Decode, Transform, chained
from sscsi_shared.yaml_records import Record
from sscsi_shared.yaml_tree import Dialect, Node, parse

FIELDS: Final = (
    "objectName", "objectType", "objectAlias", "objectVersion", "objectVersionHistory", "objectFormat",
    "filePermission", "keyvaultName", "pfxPasswordSecretName", SELECT, *OBJECT_FIELDS,
)  # fmt: skip
_OF_ONE: Final = ("objectName", "objectAlias", "objectVersion", "objectVersionHistory", "pfxPasswordSecretName")
"""What says something of one object; the more than one of `select` can't have it."""
LATEST: Final = "latest"
MAX_HISTORY: Final = 500
_OCTAL: Final = re.compile(r"[0-7]{1,4}")
_NAME: Final = re.compile(r"[-a-zA-Z0-9]{1,127}")
_VERSION: Final = re.compile(r"[a-zA-Z0-9]{1,64}")
_VAULT: Final = re.compile(r"[-a-zA-Z0-9]{3,24}")
_GET: Final = "failed to get objectType:"
_LOAD: Final = "failed to yaml unmarshal objects, error: "


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `objects`.

    Attributes:
        target: what is read.
        outputs: the files that it becomes.
        optional: whether the mount goes on without it where it does not exist.
        name: for messages.
    """

    target: AzureObject
    outputs: tuple[Output | Spread, ...]
    optional: bool
    name: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator, and the class as a whole, say of all entries.

    Attributes:
        vault: where an entry names none.
        default_mode: permission bits of files that name none.
        in_order: whether the certificates of a PKCS#12 file are put in order.
        separate_files: whether certificate and key are written to files of their own, too.
    """

    vault: str
    default_mode: int
    in_order: bool
    separate_files: bool


def read_entries(text: str, rules: Rules) -> tuple[Entry, ...]:
    """Read `objects`.

    Raises:
        InvalidParameters: with the beginning of the existing provider's message, and the place in the class.
    """
    tree = parse(text, Dialect.TEXT, where="objects", prefix=_LOAD)
    taken: dict[str, AzureObject] = {}
    return tuple(_read(index, record, rules, taken) for index, record in enumerate(_records(tree)))


def check_vault(name: str, path: str, at: Callable[..., InvalidParameters] = InvalidParameters) -> str:
    """Give back a vault's name; its case is kept.

    Raises:
        InvalidParameters: it is none.
    """
    if not 3 <= len(name) <= 24:
        why = "must be between 3 and 24 chars"
    elif not _VAULT.fullmatch(name):
        why = "must match [-a-zA-Z0-9]{3,24}"
    else:
        return name
    raise at(f'failed to get vault: Invalid vault name: "{clip(name, 64)}", {why}.', path=path)


def _records(tree: Node) -> Iterator[Record]:
    if tree.is_null:
        raise tree.error("there is nothing in it.", hint=_SHAPE)
    if tree.kind == "a list":
        array = tree
    else:
        found = tree.entries().get("array")
        if found is None:
            near = next((key for key in tree.entries() if key.strip().lower().rstrip("s") == "array"), "")
            told = f" There is `{clip(near, 64)}`: did you mean `array`?" if near else ""
            raise tree.error("`array` is missing.", hint=f"{told} {_SHAPE}".strip())
        array = found
    for index, node in enumerate(array.items()):
        start = f"unmarshal failed for keyVaultObjects at index {index}, error: "
        if node.kind == "a mapping":
            yield Record(node, FIELDS)
            continue
        inner = parse(node.text(), Dialect.TEXT, where=node.path, prefix=start)
        if inner.is_null:
            raise node.error("the list entry is empty.", hint="Indent the entry's fields under `- |`.")
        inner.entries()  # a load error, with that beginning; what is wrong within an entry has a text of its own
        yield Record(Node(inner.tree, inner.dialect, inner.path), FIELDS)


def _read(index: int, record: Record, rules: Rules, taken: dict[str, AzureObject]) -> Entry:
    """One entry; a value of another kind than its field's can't be unmarshalled, in the existing provider's words."""
    try:
        return _entry(record, rules, taken)
    except InvalidParameters as error:
        if error.message.startswith(_GET):
            raise
        raise before(f"unmarshal failed for keyVaultObjects at index {index}, error: ", error) from error


def before(start: str, error: InvalidParameters) -> InvalidParameters:
    """An error with words in front of its own."""
    return InvalidParameters(
        start + error.message, path=error.path, line=error.line, column=error.column, hint=error.hint
    )


_SHAPE: Final = "Write `array:`, and under it a list of entries: `- |` with objectName and objectType below."


def _entry(record: Record, rules: Rules, taken: dict[str, AzureObject]) -> Entry:
    name, version = _text(record, "objectName"), _text(record, "objectVersion")
    kind, word = _kind(record, f"objectName:{name}, objectVersion:{version}")
    start = f"{_GET}{word}, objectName:{clip(name, 128)}, objectVersion:{clip(version, 64)}: "

    def wrong(message: str, field: str, hint: str = "") -> InvalidParameters:
        return record.error(start + message, field, hint=hint)

    mode = _mode(record, rules.default_mode, wrong)
    common = _common(record, mode, kind, start, wrong)
    vault = _text(record, "keyvaultName")
    if vault:
        check_vault(vault, "", lambda message, path: wrong(message, path or "keyvaultName"))
    else:
        vault = rules.vault
    form = _form(record, kind, wrong)
    if common.selection is not None:
        for field in _OF_ONE:
            if _text(record, field):
                raise wrong(f"{field} and select exclude each other.", field, "Write an entry for each.")
        extract: Transform = SecretContent(form, rules.in_order) if kind is Secret else WHOLE
        outputs = common.outputs("", "", mode, document=extract)
        return Entry(Found(vault, kind, common.selection), outputs, common.optional, common.selection.shown)
    path = _path(record, name, wrong)
    target = kind(
        vault,
        _checked(name, _NAME, "objectName", wrong),
        "" if version in {"", LATEST} else _checked(version, _VERSION, "objectVersion", wrong),
        _history(record, common, wrong),
        _password(record, kind, wrong),
    )
    outputs = _outputs(target, common, path, mode, form, rules, _id(word, target, taken))
    return Entry(target, outputs, common.optional, name)


def _outputs(
    target: Secret | Key | Certificate,
    common: ObjectFields,
    path: str,
    mode: int,
    form: Form,
    rules: Rules,
    version_id: str,
) -> tuple[Output | Spread, ...]:
    """One file; as many as there are versions; or certificate, key and both, where an operator wants it so."""
    is_secret = isinstance(target, Secret)
    content: Transform = SecretContent(form, rules.in_order) if is_secret else WHOLE
    decode: Transform = WHOLE if common.encoding is None else Decode(common.encoding)
    outputs = common.outputs(
        target.name,
        path,
        mode,
        version_id=version_id,
        extract=content,
        document=SecretValue(WHOLE if common.all_keys else decode) if is_secret else WHOLE,
    )
    if common.all_keys:
        return outputs
    naming = Naming(prefix=f"{path}/" if target.history else path)
    if is_secret and rules.separate_files and form.is_whole:
        split = CertificateFiles(SecretContent(form, rules.in_order), decode)
        return (Spread(naming, mode, split, id=version_id), *outputs[1:])
    if target.history:
        return (Spread(naming, mode, None, chained(content, decode), id=version_id),)
    return outputs


def _id(word: str, target: AzureObject, taken: dict[str, AzureObject]) -> str:
    """`<type>/<name>`, as reported by the existing provider; the second object of that name is told from the first."""
    assert not isinstance(target, Found)  # noqa: S101  # the caller's
    plain = f"{word}/{target.name}"
    for name in (plain, f"{plain}?vault={target.vault}", f"{plain}?vault={target.vault}&version={target.version}"):
        if taken.setdefault(name, target) == target:
            return name
    return f"{plain}?vault={target.vault}&version={target.version}&history={target.history}&{target.password}"


Wrong: TypeAlias = Callable[..., InvalidParameters]


def _text(record: Record, field: str) -> str:
    return record.text(field).strip()


def _kind(record: Record, what: str) -> tuple[type[Secret] | type[Key] | type[Certificate], str]:
    word = _text(record, "objectType")
    kind = KINDS.get(word)
    if kind is None:
        hint = f"Write `{word.lower()}`." if word.lower() in KINDS else ""
        raise record.error(
            f"{_GET}{clip(word, 64)}, {clip(what, 256)}: Invalid vaultObjectTypes. Should be secret, key, or cert.",
            "objectType",
            hint=hint,
        )
    return kind, word


def _common(record: Record, mode: int, kind: type, start: str, wrong: Wrong) -> ObjectFields:
    encoding = _text(record, "objectEncoding")
    if encoding and kind is not Secret:
        raise wrong("objectEncoding only supported for objectType: secret.", "objectEncoding")
    try:
        common = object_fields(record, Naming(), mode)
    except InvalidParameters as error:
        raise before(start, error) from error
    if kind is not Secret and (common.jmes or common.all_keys):
        raise wrong("jmesPath and allKeys only supported for objectType: secret.", "jmesPath")
    return common


def _form(record: Record, kind: type, wrong: Wrong) -> Form:
    word = _text(record, "objectFormat").lower()
    try:
        form = Form(word)
    except ValueError:
        raise wrong(
            f"invalid objectFormat: {clip(word, 64)}, should be PEM or PFX.",
            "objectFormat",
            f"Or a part of a certificate: {', '.join(PARTS)}.",
        ) from None
    if kind is not Secret and word not in {"", "pem"}:
        raise wrong(f"{word.upper()} format only supported for objectType: secret.", "objectFormat")
    return form


def _path(record: Record, name: str, wrong: Wrong) -> str:
    alias = _text(record, "objectAlias")
    path = alias or name
    if not name:
        raise wrong("parameter name cannot be empty." if alias else "file name must not be empty.", "objectName")
    field = "objectAlias" if alias else "objectName"
    if path.startswith("/"):
        raise wrong("file name must be a relative path.", field)
    if ".." in path.split("/") or path.startswith(".."):
        raise wrong("file name must not contain '..'.", field)
    try:
        return check_path(path)
    except InvalidParameters as error:
        raise wrong(error.message, field, error.hint) from error


def _mode(record: Record, default: int, wrong: Wrong) -> int:
    text = _text(record, "filePermission")
    if not text:
        return default
    if not _OCTAL.fullmatch(text) or int(text, 8) > MAX_MODE:
        raise wrong(
            f"invalid filePermission {clip(text, 32)!r}: not octal, from 0000 to 0777.",
            "filePermission",
            "Write it like 0400 or 0644.",
        )
    return int(text, 8)


def _history(record: Record, common: ObjectFields, wrong: Wrong) -> int:
    number = record.integer("objectVersionHistory", maximum=MAX_HISTORY) or 0
    if number <= 1:
        return 0
    if common.jmes or common.all_keys:
        raise wrong("objectVersionHistory can't be combined with jmesPath or allKeys.", "objectVersionHistory")
    return number


def _password(record: Record, kind: type, wrong: Wrong) -> str:
    name = _text(record, "pfxPasswordSecretName")
    if name and kind is not Secret:
        raise wrong("pfxPasswordSecretName only supported for objectType: secret.", "pfxPasswordSecretName")
    return _checked(name, _NAME, "pfxPasswordSecretName", wrong) if name else ""


def _checked(text: str, form: re.Pattern[str], field: str, wrong: Wrong) -> str:
    """What becomes a part of a URL: nothing else may stand in it."""
    if not form.fullmatch(text):
        may_be = "letters and digits" if form is _VERSION else "letters, digits and hyphens"
        raise wrong(f"{field} {clip(text, 128)!r} is none of a vault.", field, f"It has {may_be} alone.")
    return text
