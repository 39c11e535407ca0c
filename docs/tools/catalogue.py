"""The error catalogue: docs/errors.md, of the messages in the code and of docs/errors.toml.

python -m docs.tools.catalogue           write the page
python -m docs.tools.catalogue --check   say what is wrong, and whether the page is old
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
from docs.tools.messages import ROOT, Message, messages

from sscsi_driver.errors import ErrorType

PAGE: Final = ROOT / "docs" / "errors.md"
BEGIN: Final = "<!-- from here on written by `make docs` -->\n"
TITLES: Final = {
    "driver": "The driver",
    "shared": "Every provider",
    "aws": "AWS",
    "gcp": "Google Cloud",
    "vault": "Vault and OpenBao",
    "azure": "Azure Key Vault",
}
_CODES: Final = {
    "InvalidRequest": "InvalidArgument",
    "SyncProblem": "event SyncFailed",
    "ValueError": "ends the daemon",
    "SystemExit": "ends the daemon",
    "Unpublished": "tried again",
    "Silent": "tried again",
}
_UNNAMED: Final = {"PublishError", "UnpublishFailed", "_Lost"}
"""Classes of the driver whose `error_type` and code say more."""


@dataclass(frozen=True, slots=True)
class Family:
    """Messages with one cause and one cure.

    Attributes:
        room: see messages.ROOMS.
        part: title of its table.
        match: patterns of messages, `*` for anything.
        where: functions that pass on somebody else's text.
        says: what that looks like.
        cause: why it is said.
        cure: what to do; empty = what the code's hint says.
    """

    room: str
    part: str
    match: tuple[str, ...]
    where: tuple[str, ...]
    says: tuple[str, ...]
    cause: str
    cure: str

    def fits(self, message: Message) -> list[str]:
        """The patterns that a message fits."""
        if message.room != self.room:
            return []
        if message.passes_on:
            return [where for where in self.where if where == message.where]
        return [one for one in self.match if re.fullmatch(re.escape(one).replace(r"\*", ".*"), message.text)]


def read() -> tuple[list[Family], Mapping[str, str]]:
    """The families, and the classes and texts that nobody reads by themselves, of docs/errors.toml."""
    document = tomllib.loads((ROOT / "docs" / "errors.toml").read_text(encoding="utf-8"))
    families = [_family(part, entry) for part in document["part"] for entry in part["family"]]
    return families, document["internal"] | document["inner"]


def problems(families: Sequence[Family], internal: Mapping[str, str], found: Sequence[Message]) -> Iterator[str]:
    """What does not fit: messages without a family or with several, patterns and classes without a message."""
    used: set[tuple[str, str, str]] = set()
    for message in told(found, internal):
        fitting = [(family, one) for family in families for one in family.fits(message)]
        used |= {(family.room, family.part, one) for family, one in fitting}
        if len(fitting) != 1:
            what = message.where if message.passes_on else repr(message.text)
            fits = ", ".join(repr(one) for _, one in fitting) or "docs/errors.toml has none for it"
            yield f"{message.room}: {what} ({message.where}) fits {len(fitting)} families: {fits}"
    for family in families:
        for one in (*family.match, *family.where):
            if (family.room, family.part, one) not in used:
                yield f"{family.room}, {family.part}: {one!r} fits no message"
    known = {kind for message in found for kind in (*message.kinds, message.text)}
    yield from (f"internal: there is no message {name}" for name in internal if name not in known)


def told(found: Sequence[Message], internal: Mapping[str, str]) -> list[Message]:
    """Messages that somebody may read."""
    hidden = {*internal, "AssertionError"}
    return [message for message in found if not message.kinds <= hidden and message.text not in hidden]


def page(families: Sequence[Family], internal: Mapping[str, str], found: Sequence[Message]) -> str:
    """The tables."""
    lines = []
    for room, title in TITLES.items():
        lines += [f"## {title}", ""]
        for part in dict.fromkeys(family.part for family in families if family.room == room):
            lines += [f"### {part}", "", "| message | reason | cause | what to do |", "|---|---|---|---|"]
            for family in families:
                if (family.room, family.part) == (room, part):
                    lines.append(_row(family, [one for one in told(found, internal) if family.fits(one)]))
            lines.append("")
    return "\n".join(lines)


def _row(family: Family, of_it: Sequence[Message]) -> str:
    texts = dict.fromkeys(message.text for message in of_it if not message.passes_on)
    kinds = sorted({_CODES.get(kind, kind) for message in of_it for kind in message.kinds} - _UNNAMED)
    kinds += sorted({_mark(mark) for message in of_it for mark in message.marks})
    cure = family.cure or next((message.hint for message in of_it if message.hint), "")
    shown = "<br>".join(_code(text.strip()) for text in (*texts, *family.says))
    return f"| {shown} | {', '.join(kinds)} | {_cell(family.cause)} | {_cell(cure)} |"


def _mark(mark: str) -> str:
    """`PROVIDER_NOT_FOUND UNKNOWN` as the driver's metrics and gRPC spell it."""
    known = {one.name: one.value for one in ErrorType} | {one.name: _camel(one.name) for one in grpc.StatusCode}
    return ", ".join(known[word] for word in mark.split())


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _code(text: str) -> str:
    """As code, whatever is in it."""
    return f"`` {_cell(text)} ``" if "`" in text else f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _family(part: Mapping[str, Any], entry: Mapping[str, Any]) -> Family:
    known = {"match", "where", "says", "cause", "cure"}
    if unknown := set(entry) - known:
        raise ValueError(f"{part['title']}: {unknown}")
    return Family(
        part["room"],
        part["title"],
        tuple(entry.get("match", ())),
        tuple(entry.get("where", ())),
        tuple(entry.get("says", ())),
        entry["cause"],
        entry.get("cure", ""),
    )


def main(arguments: Sequence[str]) -> int:
    """Write or check the page; its exit status."""
    families, internal = read()
    found = messages()
    wrong = list(problems(families, internal, found))
    before = PAGE.read_text(encoding="utf-8")
    head = before.split(BEGIN)[0]
    text = f"{head}{BEGIN}\n{page(families, internal, found)}"
    if "--check" in arguments:
        wrong += ["docs/errors.md is old: make docs"] if text != before else []
    elif not wrong:
        PAGE.write_text(text, encoding="utf-8")
    sys.stderr.writelines(f"{one}\n" for one in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
