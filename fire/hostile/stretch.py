"""Inputs of the largest size that can come: a small piece over and over. They find what grows faster than its input."""

import random
from collections.abc import Iterator
from typing import Final

from fire.hostile.target import PARTING, Target

_SIZES: Final = (1 / 1024, 1 / 16, 1 / 4, 1)
_MAX_PIECE: Final = 24
_OF_ONE_WORD: Final = 16 << 10
_COSTLY: Final = 20


def stretched(target: Target, dice: random.Random, number: int) -> Iterator[bytes]:
    """Each word by itself over and over, and then some of all kinds.

    Args:
        target: whose.
        dice: which pieces.
        number: how many of the latter.
    """
    for word in target.words if target.costly < _COSTLY else ():
        for at in range(1 + target.seeds[0].count(PARTING)):
            parts = target.seeds[0].split(PARTING)
            parts[at] = word * (min(_OF_ONE_WORD, target.most) // max(1, len(word)))
            yield PARTING.join(parts)
    for _ in range(number):
        size = int(target.most * dice.choice(_SIZES))
        parts = dice.choice(target.seeds).split(PARTING)
        at = dice.randrange(len(parts))  # the other pieces stay sound, so that this one is looked at
        parts[at] = _long(target, parts[at], dice, size)[:size]
        yield PARTING.join(parts)


def _long(target: Target, seed: bytes, dice: random.Random, size: int) -> bytes:
    one, other = _piece(target, dice), _piece(target, dice)
    at = dice.randrange(len(seed) + 1)
    room = max(1, size - len(seed))
    kind = dice.randrange(6)
    if kind == 0:
        return one * (size // len(one))
    if kind == 1:  # opened and never, or just as often, closed
        return one * (room // 2 // len(one)) + other * (room // 2 // len(other))
    if kind == 2:
        return seed[:at] + one * (room // len(one)) + seed[at:]
    if kind == 3:  # each of them another one
        width = len(one) + 6
        return seed[:at] + b"".join(b"%b%06d" % (one, n) for n in range(room // width)) + seed[at:]
    if kind == 4:
        return seed[:at] + (one + other) * (room // (len(one) + len(other))) + seed[at:]
    return (one + seed + other) * max(1, size // (len(one) + len(other) + len(seed)))


def _piece(target: Target, dice: random.Random) -> bytes:
    if target.words and dice.random() < 0.7:
        return dice.choice(target.words) or b" "
    seed = dice.choice(target.seeds) or b" "
    at = dice.randrange(len(seed))
    return seed[at : at + dice.randint(1, _MAX_PIECE)]
