"""Foreign files in a volume: links out of it, and everything else under the names that the writer uses."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from fire.attacks.canary import make, untouched
from fire.case import Case, Shown
from fire.generations import generation, secret_files
from fire.plan import Plan
from fire.reading import Reader, exact
from fire.tmpfs_folder import tmpfs_folder
from sscsi_shared.publish import publish

_VERSION = "..2026_01_02_03_04_05.1"


def _kinds(canary: Path) -> list[Callable[[Path], object]]:
    """What may stand under a name."""
    return [
        lambda path: path.symlink_to(canary / "mount"),
        lambda path: path.symlink_to(canary / "mount" / "precious"),
        lambda path: path.symlink_to("..data"),
        lambda path: path.symlink_to("../canary/mount"),
        lambda path: path.write_bytes(b"foreign"),
        lambda path: (path / "deep").mkdir(parents=True),
        lambda path: (path.mkdir(), (path / "escape").symlink_to(canary / "mount")),
        os.mkfifo,
        lambda path: path.hardlink_to(path.parent / "..data" / "always"),
    ]


def _foreign(plan: Plan) -> Shown:
    dice, rounds = plan.dice("foreign"), plan.count(400, 3000)
    with tmpfs_folder() as home:
        canary = make(home)
        target = home / "volume"
        target.mkdir()
        kinds = _kinds(canary)
        with untouched(canary):
            publish(target, secret_files(plan.seed, 0), pause=lambda _: None)
            for number in range(1, rounds + 1):
                version = os.readlink(target / "..data")
                for _ in range(dice.randrange(1, 4)):
                    _plant(target, version, _name(dice, plan.seed, number, version), dice.choice(kinds))
                publish(target, secret_files(plan.seed, number), pause=lambda _: None)
                Reader(target, plan.seed).read()
                exact(target, plan.seed, number)
    return Shown(
        "each rotation puts the volume right; no link is followed, nothing outside is touched", rounds, "volumes"
    )


def _name(dice: random.Random, seed: int, number: int, version: str) -> str:
    """One that the writer uses, now or next: in the volume's root, or in the version that stands."""
    tops = [path.partition("/")[0] for path in generation(seed, number)]
    inside = [f"{version}/{name}" for name in (*tops, "foreign", "tls/key")]
    return dice.choice(["..data", "..data_tmp", "..link_tmp", _VERSION, *tops, *inside])


def _plant(target: Path, version: str, name: str, kind: Callable[[Path], object]) -> None:
    path = target / name
    if path.parent.resolve() not in (target, (target / version), (target / version / "tls")):
        return  # by way of a link that was planted before: what is outside is not ours to touch either
    try:
        if path.is_dir() and not path.is_symlink():
            path.rename(target / f"{_VERSION}{time.monotonic_ns()}")
        else:
            path.unlink(missing_ok=True)
        kind(path)
    except OSError:  # an earlier one is in the way
        return


VOLUMES = Case(
    "foreign",
    "links out of the volume, files, folders, FIFOs and hard links under every name that the writer uses",
    _foreign,
)
