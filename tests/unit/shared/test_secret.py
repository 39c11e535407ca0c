"""Secrets that don't print."""

import copy
import json
import logging
import pickle
from dataclasses import dataclass

import pytest

from sscsi_shared.secret import REDACTED, SecretBytes, SecretText

SECRETS = [SecretText("hunter2"), SecretBytes(b"hunter2")]


@pytest.mark.parametrize("secret", SECRETS, ids=["text", "bytes"])
def test_it_never_prints(secret: SecretText | SecretBytes) -> None:
    @dataclass
    class Holder:
        value: object

    for text in (
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>20}".strip(),
        f"{secret:>40}",
        "%s" % secret,  # noqa: UP031
        repr([secret]),
        repr(Holder(secret)),
        logging.LogRecord("x", 1, "", 1, "%s", (secret,), None).getMessage(),
        json.dumps({"x": secret}, default=str),
    ):
        assert "hunter2" not in text
        assert REDACTED in text


@pytest.mark.parametrize("secret", SECRETS, ids=["text", "bytes"])
def test_it_can_not_be_pickled(secret: SecretText | SecretBytes) -> None:
    with pytest.raises(TypeError, match="a secret can't be pickled"):
        pickle.dumps(secret)


@pytest.mark.parametrize("secret", SECRETS, ids=["text", "bytes"])
def test_copies_are_the_same_secret(secret: SecretText | SecretBytes) -> None:
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


@pytest.mark.parametrize("secret", SECRETS, ids=["text", "bytes"])
def test_it_is_no_key(secret: SecretText | SecretBytes) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(secret)


def test_it_reveals_its_value_and_length() -> None:
    assert SecretText("é").reveal() == "é"
    assert SecretBytes(b"\xff").reveal() == b"\xff"
    assert (len(SecretText("é")), len(SecretBytes(b""))) == (1, 0)


def test_it_compares_by_value_and_kind() -> None:
    assert SecretText("é") == SecretText("é")
    assert SecretText("a") != SecretText("b")
    assert SecretBytes(b"a") == SecretBytes(b"a")
    assert SecretBytes(b"a") != SecretBytes(b"ab")
    assert SecretText("a") != SecretBytes(b"a")
    assert SecretText("a") != "a"


def test_it_has_no_dictionary_to_look_into() -> None:
    with pytest.raises(TypeError, match="__dict__"):
        vars(SecretText("hunter2"))
