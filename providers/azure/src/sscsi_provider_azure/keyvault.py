"""Objects of a vault, read in parallel in two steps at most: what is named, and lists; then what the lists name."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from sscsi_provider_azure.content import with_password
from sscsi_provider_azure.vault_client import Listed, VaultClient, start_of
from sscsi_provider_azure.vault_objects import WORDS, AzureObject, Found, Secret
from sscsi_shared.deadline import Deadline, Instant
from sscsi_shared.errors import AuthenticationFailed, ObjectError, ObjectNotFound, ObjectUnusable
from sscsi_shared.fetch import fetch_each
from sscsi_shared.mount import Item, Read
from sscsi_shared.object_fields import MAX_LIMIT
from sscsi_shared.secret import SecretBytes

REMEMBERED_BYTES: Final = 256 << 10
"""Of old versions, in one session."""


@dataclass(frozen=True, slots=True)
class _Get:
    kind: str
    name: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class _Versions:
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class _All:
    kind: str


_Question: TypeAlias = _Get | _Versions | _All
_Answers: TypeAlias = Mapping[_Question, Item | tuple[Listed, ...] | ObjectError]


class KeyVaultSession:
    """One identity at one vault.

    Args:
        vault: asks it.
        expires_at: when the token ends.
        closing: called at the end; with True where the token was refused.
    """

    def __init__(self, vault: VaultClient, expires_at: Instant, closing: Callable[[bool], None]) -> None:
        self._vault = vault
        self.expires_at: Final = expires_at
        self._closing = closing
        self._remembered = _Remembered(REMEMBERED_BYTES)

    def fetch(self, objects: Sequence[AzureObject], deadline: Deadline) -> Mapping[AzureObject, Read | ObjectError]:
        """See Session."""
        try:
            answers: dict[_Question, Item | tuple[Listed, ...] | ObjectError] = {}
            answers |= fetch_each(self._ask, [one for wanted in objects for one in _first(wanted)], deadline)
            chosen = {wanted: _chosen(wanted, answers) for wanted in objects}
            named = [one for names in chosen.values() if isinstance(names, tuple) for one in names]
            rest = [one for one in dict.fromkeys(named) if one not in answers]
            if rest:
                answers |= fetch_each(self._ask, rest, deadline)
        except AuthenticationFailed:
            self._closing(True)
            raise
        return {wanted: _outcome(wanted, names, answers) for wanted, names in chosen.items()}

    def close(self) -> None:
        """The connections are shared; the token is given back."""
        self._closing(False)

    def _ask(self, question: _Question, deadline: Deadline) -> Item | tuple[Listed, ...]:
        if isinstance(question, _Versions):
            return self._vault.versions(question.kind, question.name, deadline)
        if isinstance(question, _All):
            return self._vault.all(question.kind, deadline)
        if (known := self._remembered.get(question)) is not None:
            return known
        found = self._vault.get(question.kind, question.name, question.version, deadline)
        self._remembered.put(question, found)
        return found


def _first(wanted: AzureObject) -> list[_Question]:
    """What can be asked at once."""
    if isinstance(wanted, Found):
        return [_All(WORDS[wanted.kind])]
    kind = WORDS[type(wanted)]
    password: list[_Question] = [_Get("secret", wanted.password)] if wanted.password else []
    if wanted.history:
        return [_Versions(kind, wanted.name), *password]
    return [_Get(kind, wanted.name, wanted.version), *password]


def _chosen(wanted: AzureObject, answers: _Answers) -> tuple[_Get, ...] | ObjectError:
    """What an object comes to, in order, after its list is known."""
    if isinstance(wanted, Found):
        every = answers[_All(WORDS[wanted.kind])]
        return every if isinstance(every, ObjectError) else _matching(wanted, every)
    kind = WORDS[type(wanted)]
    if not wanted.history:
        return (_Get(kind, wanted.name, wanted.version),)
    listed = answers[_Versions(kind, wanted.name)]
    if isinstance(listed, ObjectError):
        return listed
    versions = [one.version for one in sorted(_of_list(listed), key=lambda one: one.created, reverse=True)]
    if wanted.version:
        versions = versions[versions.index(wanted.version) :] if wanted.version in versions else []
    if not versions:
        return ObjectNotFound(
            f"{start_of(kind, wanted.name, wanted.version)}there is no enabled version to begin with.",
            hint="Check objectVersion, and that a version is enabled.",
        )
    return tuple(_Get(kind, wanted.name, version) for version in versions[: wanted.history])


def _matching(wanted: Found, listed: "Item | tuple[Listed, ...]") -> tuple[_Get, ...] | ObjectError:
    selection = wanted.selection
    names = [
        one.name
        for one in _of_list(listed)
        if one.name.startswith(selection.prefix) and all(one.tags.get(key) == value for key, value in selection.tags)
    ]
    if len(names) > selection.limit:
        return ObjectUnusable(
            f"{selection.shown} finds more than {selection.limit} objects.",
            hint=f"Narrow it, or raise select.limit ({MAX_LIMIT} at most).",
        )
    if not names:
        return ObjectNotFound(
            f"{selection.shown} finds no {WORDS[wanted.kind]} in vault {wanted.vault}.",
            hint="`optional: true` lets the pod start without.",
        )
    return tuple(_Get(WORDS[wanted.kind], name) for name in sorted(names))


def _outcome(wanted: AzureObject, chosen: tuple[_Get, ...] | ObjectError, answers: _Answers) -> Read | ObjectError:
    if isinstance(chosen, ObjectError):
        return chosen
    items: list[Item] = []
    for index, one in enumerate(chosen):
        found = answers[one]
        if isinstance(found, ObjectError):
            return found
        assert isinstance(found, Item)  # noqa: S101  # a _Get's answer
        name = one.name if isinstance(wanted, Found) else str(index) if wanted.history else ""
        items.append(replace(found, name=name))
    if isinstance(wanted, Secret) and wanted.password:
        password = answers[_Get("secret", wanted.password)]
        if isinstance(password, ObjectError):
            return password
        assert isinstance(password, Item)  # noqa: S101  # see above
        items = [
            replace(one, contents=SecretBytes(with_password(one.contents.reveal(), password.contents.reveal())))
            for one in items
        ]
    pinned = not isinstance(wanted, Found) and bool(wanted.version) and not wanted.history and not wanted.password
    return Read(tuple(items), pinned)


def _of_list(answer: "Item | tuple[Listed, ...]") -> tuple[Listed, ...]:
    assert isinstance(answer, tuple)  # noqa: S101  # a list's answer
    return answer


class _Remembered:
    """Contents of versions, which never change; the least recently used ones go first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._size = 0
        self._items: OrderedDict[_Get, Item] = OrderedDict()

    def get(self, key: _Get) -> Item | None:
        with self._lock:
            found = self._items.get(key)
            if found is not None:
                self._items.move_to_end(key)
            return found

    def put(self, key: _Get, item: Item) -> None:
        if not key.version or len(item.contents) > self._most:
            return
        with self._lock:
            before = self._items.pop(key, None)
            self._size += len(item.contents) - (len(before.contents) if before else 0)
            self._items[key] = item
            while self._size > self._most:
                self._size -= len(self._items.popitem(last=False)[1].contents)
