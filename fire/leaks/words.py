"""What is looked for: each word as it is, and as others might have written it down."""

import base64
import hashlib
import json
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping

_LEAST = 8
"""Shorter pieces are found in anything."""
_UNALIGNED = 3
"""Base64 of a text differs with where in a longer one it begins."""


def forms(word: str) -> set[bytes]:
    """The word, its encodings, and its digests, by which one could guess it."""
    raw = word.encode()
    found = {raw, json.dumps(word)[1:-1].encode(), urllib.parse.quote(word, safe="").encode(), raw.hex().encode()}
    for skipped in range(_UNALIGNED):
        middle = raw[skipped : skipped + (len(raw) - skipped) // 3 * 3]
        found |= {base64.b64encode(middle), base64.urlsafe_b64encode(middle)}
    for digest in (hashlib.sha256, hashlib.sha1, hashlib.md5):
        found |= {digest(raw).hexdigest().encode(), base64.b64encode(digest(raw).digest())}
    return {form for form in found if len(form) >= _LEAST}


def of_token(token: str) -> list[str]:
    """A token as a whole; of a JWT also its claims and its signature, which somebody might print by themselves."""
    parts = token.split(".")
    jwt_parts = 3
    return [token, *parts[1:]] if len(parts) == jwt_parts else [token]


class Search:
    """Looks for all forms of some words in texts.

    Attributes:
        places: how many texts were looked at.
    """

    def __init__(self, words: Mapping[str, Iterable[str]]) -> None:
        """With what each group of words is called; the name alone is ever shown."""
        self._forms = {name: set().union(*map(forms, group)) for name, group in words.items()}
        self.places = 0

    def found_in(self, text: bytes) -> Iterator[str]:
        """The names of what stands in a text."""
        self.places += 1
        for name, group in self._forms.items():
            if any(form in text for form in group):
                yield name
