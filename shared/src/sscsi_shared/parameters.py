"""From the texts of a MountRequest to typed values; every mistake is named.

The driver sends three JSON texts: `attributes` (text to text), `secrets` (text to text, or null) and `permission`
(a number). Keys that start `csi.storage.k8s.io/` are kubelet's: the pod and its tokens come out of `attributes` into
fields of their own, and both mappings lose them, so that no provider can take a token for a parameter or for an entry
of a Secret. No message repeats any of the content, since it may hold a token.
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Final, NoReturn

from sscsi_shared.errors import InvalidParameters, clip
from sscsi_shared.mount import CSI_PREFIX, MountInput, PodInfo
from sscsi_shared.paths import check_mode
from sscsi_shared.secret import SecretText
from sscsi_shared.tokens import read_tokens

MAX_JSON_BYTES: Final = 4 << 20
MAX_KEYS: Final = 10_000
MAX_LIKENESSES: Final = 1000
MAX_TARGET_PATH_BYTES: Final = 4096
MAX_CURRENT_VERSIONS: Final = 10_000

SESSION_SCOPE: Final = "sessionScope"
_TOKENS: Final = CSI_PREFIX + "serviceAccount.tokens"
_NUMBER: Final = re.compile(r"[ \t\r\n]*(0|[1-9][0-9]{0,9})[ \t\r\n]*")
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def read_mount(
    attributes: str, secrets: str, permission: str, target_path: str, current_versions: Iterable[tuple[str, str]]
) -> MountInput:
    """Read a MountRequest of the v1alpha1 provider contract.

    Args:
        attributes: a JSON object of text to text.
        secrets: such an object or `null`; an empty text counts as null too, though the Azure and GCP providers refuse
            it, since a hand-written request (grpcurl) leaves it away.
        permission: a JSON number: decimal permission bits, `420` for 0644.
        target_path: the volume's path on the host.
        current_versions: pairs of object id and version; the last of an id counts.

    Raises:
        InvalidParameters: one of them is not so; checked in the order target path, attributes, secrets, permission.
    """
    if not target_path:
        raise InvalidParameters("Missing mount path: target_path is empty.", hint="Only the driver can mend this.")
    if len(target_path) > MAX_TARGET_PATH_BYTES:
        raise InvalidParameters(f"Wrong mount path: target_path is longer than {MAX_TARGET_PATH_BYTES} characters.")
    sent = _object(attributes, "attributes")
    entries = _object(secrets, "secrets") if secrets.strip() not in {"", "null"} else {}
    return MountInput(
        attributes={key: value for key, value in sent.items() if not key.startswith(CSI_PREFIX)},
        secrets={key: SecretText(value) for key, value in entries.items() if not key.startswith(CSI_PREFIX)},
        pod=PodInfo(
            namespace=sent.get(CSI_PREFIX + "pod.namespace", ""),
            name=sent.get(CSI_PREFIX + "pod.name", ""),
            uid=sent.get(CSI_PREFIX + "pod.uid", ""),
            service_account=sent.get(CSI_PREFIX + "serviceAccount.name", ""),
        ),
        tokens=read_tokens(sent.get(_TOKENS)),
        target_path=target_path,
        default_mode=_permission(permission),
        current_versions=_versions(current_versions),
    )


def shares_nothing(mount: MountInput) -> bool:
    """Whether the class asks that its pod shares logins and contents with no other pod: `sessionScope: pod`.

    That is for backends with policies on the pod itself, not only on its service account.

    Raises:
        InvalidParameters: another word than `pod` or `serviceAccount`.
    """
    word = mount.attributes.get(SESSION_SCOPE, "")
    if word not in {"", "serviceAccount", "pod"}:
        raise InvalidParameters(
            f"{SESSION_SCOPE} is {json.dumps(clip(word, 64), ensure_ascii=False)}.",
            path=f"parameters.{SESSION_SCOPE}",
            hint='Write "serviceAccount" (as by default) or "pod".',
        )
    return word == "pod"


class Parameters:
    """Typed reading of a mount's attributes.

    Args:
        attributes: MountInput.attributes.
        known: all parameters of the provider, by which a misspelt one is recognised.
    """

    def __init__(self, attributes: Mapping[str, str], known: Iterable[str] = ()) -> None:
        self._attributes = attributes
        self._known = frozenset(known) | {SESSION_SCOPE}

    def __contains__(self, key: str) -> bool:
        return key in self._attributes

    def text(self, key: str, default: str = "") -> str:
        """The parameter as it stands; `default` where it is absent."""
        return self._attributes.get(key, default)

    def required(self, key: str, hint: str = "", *, message: str = "") -> str:
        """A parameter that may not be absent or empty.

        Args:
            key: its name.
            hint: what the author should write; a misspelt key that is there is named before it.
            message: the sentence for this case, where a provider's wire text asks for one.

        Raises:
            InvalidParameters: it is absent or empty.
        """
        value = self._attributes.get(key, "")
        if not value.strip():
            raise InvalidParameters(
                message or f"The parameter `{key}` is {'empty' if key in self._attributes else 'missing'}.",
                path=f"parameters.{key}",
                hint=" ".join(part for part in (self.misspelt(key), hint) if part),
            )
        return value

    def boolean(self, key: str, default: bool = False, *, message: str = "") -> bool:
        """Yes or no in Go's words (strconv.ParseBool): 1 t T TRUE true True, 0 f F FALSE false False.

        Args:
            key: its name.
            default: where it is absent or empty.
            message: the beginning of the message, such as `failed to parse usePodIdentity value, error: `.

        Raises:
            InvalidParameters: any other word.
        """
        value = self._attributes.get(key, "")
        if not value:
            return default
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        start = message or f"failed to parse {key} value, error: "
        shown = json.dumps(clip(value, 64), ensure_ascii=False)
        raise InvalidParameters(
            f"{start}strconv.ParseBool: parsing {shown}: invalid syntax.",
            path=f"parameters.{key}",
            hint='Write "true" or "false", in quotation marks.',
        )

    def misspelt(self, key: str) -> str:
        """A sentence that names a key which is there and was perhaps meant to be `key`; empty if there is none."""
        others = [name for name in self._attributes if name not in self._known and name != key and len(name) <= 64]
        folded = {name.strip().casefold(): name for name in sorted(others)[:MAX_LIKENESSES]}
        near = difflib.get_close_matches(key.casefold(), folded, n=1, cutoff=0.75)
        return f"There is `{clip(folded[near[0]], 64)}`: did you mean `{key}`?" if near else ""


def _object(text: str, field: str) -> dict[str, str]:
    """A JSON object of text to text."""
    start = f"failed to unmarshal {field}, error: "
    if len(text) > MAX_JSON_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_JSON_BYTES:
        raise InvalidParameters(f"{start}longer than {MAX_JSON_BYTES >> 20} MiB.")
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        # `from None`, and not the library's words: both hold the content.
        raise InvalidParameters(f"{start}not valid JSON at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise InvalidParameters(f"{start}nested too deeply.") from None
    except ValueError:
        raise InvalidParameters(f"{start}not valid JSON.") from None
    if not isinstance(document, dict):
        raise InvalidParameters(f"{start}must be a JSON object of text to text.")
    if len(document) > MAX_KEYS:
        raise InvalidParameters(f"{start}more than {MAX_KEYS} keys.")
    for key, value in document.items():
        if not isinstance(value, str):
            shown = json.dumps(clip(key, 64), ensure_ascii=False)
            raise InvalidParameters(
                f"{start}the value of {shown} is not text.",
                hint=f"Put it in quotation marks, or under `{clip(key, 64)}: |` where it is a list or an object.",
            )
    return {_sound(key): _sound(value) for key, value in document.items()}


def _permission(text: str) -> int:
    """The permission bits in a JSON number."""
    start = "failed to unmarshal file permission, error: "
    found = _NUMBER.fullmatch(text)
    if not found:
        raise InvalidParameters(
            f"{start}must be a JSON number, decimal and not negative.", hint="420 stands for 0644 (octal)."
        )
    try:
        return check_mode(int(found[1]))
    except InvalidParameters as error:
        raise InvalidParameters(f"{start}{error.message}", hint="420 stands for 0644 (octal).") from error


def _versions(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Object versions by id."""
    versions: dict[str, str] = {}
    for count, (object_id, version) in enumerate(pairs):
        if count == MAX_CURRENT_VERSIONS:
            raise InvalidParameters(f"There are more than {MAX_CURRENT_VERSIONS} current object versions.")
        versions[object_id] = version
    return versions


def _sound(text: str) -> str:
    """`text` with half surrogate pairs, which JSON can spell, as replacement characters (as Go does)."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
