"""Values that must never be printed.

A secret leaves its wrapper only by `.reveal()`, so every place that handles one in the clear can be found by that word.
repr, str, format and pickle give `<redacted>` or refuse; equality takes the same time whatever the content.
"""

import hmac
from typing import Any, ClassVar, Final, Generic, NoReturn, TypeVar

REDACTED: Final = "<redacted>"

T = TypeVar("T", str, bytes)


class _Secret(Generic[T]):
    """What secret bytes and secret text have in common."""

    __slots__ = ("_value",)
    __hash__: ClassVar[None]  # type: ignore[assignment]  # a secret is no key of a dict: see Rule "identity is the key"

    def __init__(self, value: T) -> None:
        self._value: T = value

    def reveal(self) -> T:
        """The value in the clear. Call it as late as can be."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return REDACTED

    def __str__(self) -> str:
        return REDACTED

    def __format__(self, format_spec: str) -> str:
        return REDACTED

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret can't be pickled")

    def __copy__(self) -> "_Secret[T]":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Secret[T]":
        return self


class SecretBytes(_Secret[bytes]):
    """Secret content, as bytes."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretBytes) and hmac.compare_digest(self._value, other._value)

    __hash__ = None


class SecretText(_Secret[str]):
    """A secret word: a token, a password, an access key."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None
