"""Known weaknesses, by pip-audit."""

import json
import subprocess
import sys
from importlib.util import find_spec

from fire.case import Case, NotRun, Shown, expect
from fire.plan import Plan
from fire.supply.pins import IMAGES, file_of

_SECONDS = 300


def _run(_: Plan) -> Shown:
    if find_spec("pip_audit") is None:
        raise NotRun("pip-audit is not installed: requirements/fire.txt")
    audited: dict[str, list[str]] = {}
    unknown: set[str] = set()
    for image in IMAGES:
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--format=json"]
        done = subprocess.run(
            [*command, "-r", file_of(image)], capture_output=True, text=True, check=False, timeout=_SECONDS
        )
        if not done.stdout.startswith("{"):
            raise NotRun("the package index of this machine was not reached")
        for part in json.loads(done.stdout)["dependencies"]:
            if "skip_reason" in part:
                unknown.add(part["name"])
            else:
                audited[part["name"]] = [one["id"] for one in part["vulns"]]
    if not audited:
        raise NotRun("the package index of this machine tells no weaknesses")
    weak = {name: identities for name, identities in audited.items() if identities}
    expect(not weak, f"known weaknesses: {weak}")
    expect(not unknown, f"nobody says anything of {', '.join(sorted(unknown))}")
    return Shown("no known weakness", len(audited), "parts asked for")


ADVISORIES = Case("advisories", "a part with a known weakness", _run)
