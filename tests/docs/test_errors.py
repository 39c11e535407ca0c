"""docs/errors.md: each message that the code can raise is there, with one cause and one cure."""

from dataclasses import replace

import pytest
from docs.tools.catalogue import BEGIN, PAGE, page, problems, read, told
from docs.tools.messages import Message, messages

from sscsi_shared.server.servicer import STATUS

FAMILIES, INTERNAL = read()
FOUND = messages()


def test_every_message_has_its_one_row_and_every_row_a_message() -> None:
    assert list(problems(FAMILIES, INTERNAL, FOUND)) == []


def test_every_row_says_why_and_what_to_do() -> None:
    for family in FAMILIES:
        hints = [message.hint for message in FOUND if family.fits(message) and message.hint]
        assert family.cause, family
        assert family.cure or hints, family
        assert bool(family.where) == bool(family.says), family


def test_the_page_is_what_make_docs_writes() -> None:
    assert PAGE.read_text().split(BEGIN)[1] == "\n" + page(FAMILIES, INTERNAL, FOUND)


def test_every_message_stands_on_the_page() -> None:
    text = PAGE.read_text().replace("\\|", "|")
    assert [one.text for one in told(FOUND, INTERNAL) if not one.passes_on and one.text.strip() not in text] == []


@pytest.mark.parametrize("room", ["shared", "driver", "aws", "gcp", "vault", "azure"])
def test_the_collector_sees_each_room(room: str) -> None:
    """By texts that are known to be there, each made in another way."""
    known = {
        "shared": "must be a list, not ….",  # by a method that makes the error
        "driver": 'missing object versions: provider "…" named no object that it has read. A class must ask for at '
        "least one object.",
        "aws": "objectName can't be combined with select.",  # by a helper that is given a tuple of words
        "gcp": "GOOGLE_APPLICATION_CREDENTIALS is not JSON.",
        "vault": "no secrets configured - the provider will not read any secret material",  # by a constant
        "azure": "file name must not be empty.",  # by a text that a helper puts something before
    }
    assert known[room] in {message.text for message in FOUND if message.room == room}


class TestAChange:
    """What fails when somebody adds, changes or removes a message."""

    NEW = Message("aws", "sscsi_provider_aws/new.py:new", frozenset({"AccessDenied"}), "the moon is full.")

    def test_a_new_message(self) -> None:
        [told_so] = problems(FAMILIES, INTERNAL, [*FOUND, self.NEW])
        assert "aws: 'the moon is full.'" in told_so
        assert "fits 0 families" in told_so

    def test_a_new_place_that_passes_on_a_text(self) -> None:
        [told_so] = problems(FAMILIES, INTERNAL, [*FOUND, replace(self.NEW, text="…")])
        assert "sscsi_provider_aws/new.py:new" in told_so

    def test_a_message_that_went(self) -> None:
        gone = "pathTranslation must be either 'False' or a single character string"
        [told_so] = problems(FAMILIES, INTERNAL, [one for one in FOUND if one.text != gone])
        assert "aws, The class: 'pathTranslation must be*' fits no message" in told_so

    def test_a_row_that_takes_anothers_message(self) -> None:
        greedy = replace(FAMILIES[0], match=("Missing mount path*",))
        assert any("fits 2 families" in one for one in problems([*FAMILIES, greedy], INTERNAL, FOUND))


def test_the_table_of_codes_is_the_servicers() -> None:
    head = PAGE.read_text().split(BEGIN)[0]
    for reason, code in STATUS.items():
        [row] = [line for line in head.splitlines() if line.startswith("| `") and f"`{reason}`" in line.split("|")[1]]
        assert code.name.replace("_", "").lower() == row.split("|")[2].strip().lower(), reason
