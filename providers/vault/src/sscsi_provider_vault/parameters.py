"""PURE: a class's parameters, as the Vault and OpenBao providers read them."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sscsi_provider_vault.dialects import Dialect
from sscsi_provider_vault.extraction import Data, Key, go_json
from sscsi_provider_vault.paths import api_path, login_path
from sscsi_shared.errors import InvalidParameters, clip
from sscsi_shared.mount import MountInput
from sscsi_shared.object_fields import OBJECT_FIELDS, ObjectFields, object_fields
from sscsi_shared.parameters import Parameters
from sscsi_shared.paths import Naming, check_mode
from sscsi_shared.transform import WHOLE, Decode, Encoding, Transform, chained
from sscsi_shared.yaml_records import Record
from sscsi_shared.yaml_tree import Dialect as Yaml
from sscsi_shared.yaml_tree import parse

SETTINGS: Final = (
    "Address", "Namespace", "AuthMountPath", "KubernetesMountPath", "CACertPath", "CADirectory", "TLSServerName",
    "SkipTLSVerify", "TLSClientCertPath", "TLSClientKeyPath",
)  # fmt: skip
"""Parameters that bear a dialect's prefix."""
PLAIN: Final = ("audience", "objects", "leaseScope")
FIELDS: Final = (
    "objectName", "secretPath", "secretKey", "method", "secretArgs", "filePermission", "encoding", "dataOnly",
    *OBJECT_FIELDS,
)  # fmt: skip
NOTHING: Final = "no secrets configured - the provider will not read any secret material"
_METHODS: Final = frozenset({"GET", "LIST", "PUT", "POST", "PATCH", "DELETE", "SCAN", "HEAD"})
_POD: Final = "pod"
_KEPT_CLASSES: Final = 64
_KEPT_CHARS: Final = 8192


@dataclass(frozen=True, slots=True)
class VaultObject:
    """One request of Vault's API.

    Attributes:
        path: with /v1, percent-encoded.
        query: without its question mark.
        method: as written; GET where there is none.
        body: JSON of secretArgs; empty = none is sent.
        by_pod: whether a lease that comes of it is one pod's own.
    """

    path: str
    query: str = ""
    method: str = "GET"
    body: str = ""
    by_pod: bool = True

    @property
    def writes(self) -> bool:
        """Whether asking twice may do twice."""
        return self.method.upper() not in {"GET", "LIST", "HEAD", "SCAN"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `objects`.

    Attributes:
        name: `objectName`.
        asked: the request.
        path: `secretPath` as written, for messages.
        mode: permission bits.
        extract: from the answer to the file.
        common: the fields that all providers have.
        settings: the object's fields as Go's JSON, for the version.
        whole: whether the file is the whole answer.
    """

    name: str
    asked: VaultObject
    path: str
    mode: int
    extract: Transform
    common: ObjectFields
    settings: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Tls:
    """What a class says of TLS; empty = what the operator says.

    Attributes:
        ca_file: of authorities.
        ca_folder: of such files.
        server_name: that is asked for and verified.
        client_cert: of a client certificate.
        client_key: its key.
        skip_verify: whether the server is not verified.
    """

    ca_file: str = ""
    ca_folder: str = ""
    server_name: str = ""
    client_cert: str = ""
    client_key: str = ""
    skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class VaultRequest:
    """A Mount, in this provider's terms.

    Attributes:
        mount: whose volume it is, and its tokens.
        role: for the login.
        address: of the server; empty = the operator's.
        namespace: of Vault's; None = the operator's.
        login_path: None = the operator's mount.
        audience: that the token is to have; empty = the dialect's own, or the API server's.
        tls: what the class says of it.
        entries: in the order of the class.
        leases_by_pod: whether a lease is a pod's own.
    """

    mount: MountInput
    role: str
    address: str
    namespace: str | None
    login_path: str | None
    audience: str
    tls: Tls
    entries: tuple[Entry, ...]
    leases_by_pod: bool = True


class Settings:
    """Parameters under any of a dialect's prefixes."""

    def __init__(self, parameters: Parameters, dialect: Dialect) -> None:
        self._parameters = parameters
        self._dialect = dialect

    def name(self, setting: str) -> str | None:
        """The first that is present, even if it is empty."""
        names = (f"{prefix}{setting}" for prefix in self._dialect.prefixes)
        return next((name for name in names if name in self._parameters), None)

    def text(self, setting: str) -> str | None:
        """Its value; None where it is absent."""
        name = self.name(setting)
        return None if name is None else self._parameters.text(name)


def known(dialect: Dialect) -> frozenset[str]:
    """All parameters of a dialect."""
    prefixed = {f"{prefix}{setting}" for prefix in dialect.prefixes for setting in SETTINGS}
    return frozenset(prefixed | {*dialect.role_names, *PLAIN})


def read_request(mount: MountInput, dialect: Dialect) -> VaultRequest:
    """Read a class's parameters, in the existing provider's order.

    Raises:
        InvalidParameters: with the existing provider's words, and the place in the class.
    """
    parameters = Parameters(mount.attributes, known(dialect))
    settings = Settings(parameters, dialect)
    login = _login_path(settings, dialect)
    tls = _tls(settings, parameters)
    text = parameters.text("objects")
    read = _entries_kept if len(text) <= _KEPT_CHARS else _entries
    entries = read(text, mount.default_mode)
    role = next((parameters.text(name) for name in dialect.role_names if name in parameters), "")
    if not role:
        parameters.required(
            "roleName", "Write the role of the Kubernetes auth method.",
            message="missing 'roleName' in SecretProviderClass definition",
        )  # fmt: skip
    if not entries:
        raise InvalidParameters(
            NOTHING, path="parameters.objects", hint=parameters.misspelt("objects") or "Write a YAML list of objects."
        )
    _refuse_duplicates(entry.name for entry in entries)
    return VaultRequest(
        mount=mount,
        role=role,
        address=settings.text("Address") or "",
        namespace=settings.text("Namespace"),
        login_path=login,
        audience=parameters.text("audience"),
        tls=tls,
        entries=entries,
        leases_by_pod=_lease_scope(parameters),
    )


def _entries(text: str, default_mode: int) -> tuple[Entry, ...]:
    tree = parse(text, Yaml.CORE, where="objects", prefix="")
    return tuple(_entry(Record(node, FIELDS), default_mode) for node in tree.items() if not node.is_null)


_entries_kept: Final = functools.lru_cache(_KEPT_CLASSES)(_entries)
"""Every pod of a class brings the same text, again and again; reading it is most of what a mount of the known costs."""


def _login_path(settings: Settings, dialect: Dialect) -> str | None:
    both = settings.name("KubernetesMountPath"), settings.name("AuthMountPath")
    if all(both):
        shown = dialect.name
        raise InvalidParameters(
            f"cannot set both {shown}KubernetesMountPath and {shown}AuthMountPath", path=f"parameters.{both[0]}"
        )
    mount = settings.text("AuthMountPath") or settings.text("KubernetesMountPath")
    return login_path(mount) if mount else None


def _tls(settings: Settings, parameters: Parameters) -> Tls:
    name = settings.name("SkipTLSVerify")
    skip = False
    if name is not None:
        if not parameters.text(name):
            raise InvalidParameters('strconv.ParseBool: parsing "": invalid syntax', path=f"parameters.{name}")
        skip = parameters.boolean(name)
    cert, key = settings.text("TLSClientCertPath") or "", settings.text("TLSClientKeyPath") or ""
    if bool(cert) != bool(key):
        raise InvalidParameters("both client cert and client key must be provided", path="parameters")
    return Tls(
        settings.text("CACertPath") or "",
        settings.text("CADirectory") or "",
        settings.text("TLSServerName") or "",
        cert,
        key,
        skip,
    )


def _lease_scope(parameters: Parameters) -> bool:
    word = parameters.text("leaseScope")
    if word not in {"", _POD, "serviceAccount"}:
        raise InvalidParameters(
            f"leaseScope is {clip(word, 64)!r}.", path="parameters.leaseScope", hint='"pod" or "serviceAccount".'
        )
    return word in {"", _POD}


def _refuse_duplicates(names: Iterable[str]) -> None:
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for name in names:
        if name in seen:
            twice[name] = None
        seen.add(name)
    if twice:
        raise InvalidParameters(
            "each `objectName` within a SecretProviderClass must be unique, but the following keys were duplicated: "
            + ", ".join(clip(name, 64) for name in twice),
            path="parameters.objects",
            hint="It is the file's name: remove one, or name it differently.",
        )


def _entry(record: Record, default_mode: int) -> Entry:
    name, path, key = record.text("objectName"), record.text("secretPath"), record.text("secretKey")
    method = record.text("method")
    arguments = _arguments(record)
    permission = record.integer("filePermission") or 0
    mode = _mode(record, permission, default_mode)
    common = object_fields(record, Naming(), mode)
    decode = _encoding(record) if key else WHOLE
    only_data = record.boolean("dataOnly")
    if only_data and key:
        raise record.error("dataOnly goes with a whole secret, without secretKey.", "dataOnly")
    if not name and not common.all_keys:
        raise record.error("invalid path: must not be empty.", "objectName", hint="It is the file's name.")
    if not path:
        hint = "It is the path of Vault's API, from its mount on: secret/data/app."
        raise record.error("secretPath is missing or empty.", "secretPath", hint=hint)
    try:
        where, query = api_path(path, name)
    except InvalidParameters as error:
        raise record.error(error.message, "secretPath", hint=error.hint) from error
    asked = VaultObject(where, query, _method(record, method), arguments or "")
    fields: dict[str, Any] = {
        "ObjectName": name, "SecretPath": path, "SecretKey": key, "Method": method, "SecretArgs": None,
        "FilePermission": permission, "Encoding": record.text("encoding"),
    }  # fmt: skip
    texts = {field: go_json(value) for field, value in fields.items()} | {"SecretArgs": arguments or "null"}
    settings = "{" + ",".join(f'"{field}":{text}' for field, text in texts.items()) + "}"
    extract: Transform = Key(key, path) if key else Data() if only_data else WHOLE
    return Entry(
        name, asked, path, mode, chained(extract, decode), common, settings,
        whole=not key and not only_data,
    )  # fmt: skip


def _arguments(record: Record) -> str | None:
    node = record.get("secretArgs")
    if node is None or node.is_null:
        return None
    node.entries()  # a list is no map of arguments
    value = node.value()
    return go_json(value)


def _method(record: Record, method: str) -> str:
    if method and method.upper() not in _METHODS:
        shown = clip(method, 32)
        raise record.error(f"{shown!r} is no method of Vault's API.", "method", hint="GET, LIST, PUT or POST.")
    return method or "GET"


def _mode(record: Record, permission: int, default: int) -> int:
    try:
        return check_mode(permission) if permission else default
    except InvalidParameters as error:
        raise record.error(error.message, "filePermission", hint=error.hint) from error


def _encoding(record: Record) -> Transform:
    word = record.text("encoding").lower()
    if word in {"", "utf-8"}:
        return WHOLE
    if word not in {one.value for one in Encoding}:
        raise record.error("invalid encoding type. Should be utf-8, base64, or hex", "encoding")
    return Decode(Encoding(word))
