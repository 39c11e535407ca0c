"""Licences, by pip-licenses."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec

from fire.case import Case, NotRun, Shown, expect
from fire.plan import Plan
from fire.supply.pins import every_part

_PERMISSIVE = re.compile(
    r"apache|\bbsd\b|bsd-|\bmit\b|mit license|psf|python software foundation|isc|unlicense|zlib|0bsd", re.IGNORECASE
)
_BY_FILE = re.compile(r"mozilla public license 2|mpl-2", re.IGNORECASE)
"""Asks for the source of its own files alone, if they are changed; ours are not."""


def _run(_: Plan) -> Shown:
    if find_spec("piplicenses") is None:
        raise NotRun("pip-licenses is not installed: requirements/fire.txt")
    parts = every_part()
    command = [sys.executable, "-m", "piplicenses", "--from=mixed", "--format=json", "--with-system", "--packages"]
    done = subprocess.run([*command, *parts], capture_output=True, text=True, check=True)
    licences = {_plain(one["Name"]): one["License"] for one in json.loads(done.stdout)}
    expect(licences.keys() == set(map(_plain, parts)), f"not installed: {set(map(_plain, parts)) - licences.keys()}")
    other = {name: text for name, text in licences.items() if not _may_be_passed_on(text)}
    expect(not other, f"other licences: {other}")
    return Shown("Apache, BSD, MIT, PSF or the like; MPL 2.0 for unchanged files", len(licences), "parts")


def _may_be_passed_on(text: str) -> bool:
    """Whether each licence that binds is one of ours; of those with an OR one is enough."""
    return any(
        all(
            _PERMISSIVE.search(part) or _BY_FILE.search(part)
            for part in re.split(r"\band\b|;", choice, flags=re.IGNORECASE)
        )
        for choice in re.split(r"\bor\b", text, flags=re.IGNORECASE)
    )


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


LICENCES = Case("licences", "a part whose licence asks for more than ours", _run)
