"""`python -m fire [--size short|full|soak] [--seed N] [PART | PART/CASE ...]`: run cases, print what they show.

Parts that run whole, at full size, write their tables into docs/fire.md.
"""

import argparse
import random
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

from fire.case import Broken, Case, NotRun, Part
from fire.plan import Plan, Size
from fire.table import Row, page, section
from sscsi import namespace

PAGE = Path(__file__).resolve().parents[1] / "docs" / "fire.md"


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for, or all; 1 if a promise is broken."""
    namespace.enter()
    from fire.parts import PARTS, SOAKING  # grpc starts threads

    parser = argparse.ArgumentParser(prog="python -m fire", description=__doc__)
    parser.add_argument("--size", choices=[size.value for size in Size], default=Size.FULL.value)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("wanted", nargs="*", metavar="PART | PART/CASE")
    asked = parser.parse_args(arguments)
    plan = Plan(asked.seed, Size(asked.size))
    wanted = asked.wanted or ([part.name for part in SOAKING] if plan.size is Size.SOAK else [p.name for p in PARTS])
    names = {part.name for part in PARTS} | {f"{part.name}/{case.name}" for part in PARTS for case in part.cases}
    if unknown := set(wanted) - names:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(sorted(names))}")
    print(f"fire: size {plan.size.value}, seed {plan.seed}", flush=True)

    def run(part: Part, case: Case) -> Row:
        began = time.monotonic()
        print(f"{part.name}/{case.name}: {case.fault}", flush=True)
        row = _row(case, plan)
        print(f"    {row.line()}   [{time.monotonic() - began:.0f} s]", flush=True)
        if row.broken:
            print(
                f"    again: make fire FIRE={plan.size.value} FIRE_SEED={plan.seed} FIRE_PARTS={part.name}/{case.name}"
            )
        return row

    broken, sections = False, {}
    for part in PARTS:
        cases = [case for case in part.cases if part.name in wanted or f"{part.name}/{case.name}" in wanted]
        with ThreadPoolExecutor(part.at_once) as pool:
            rows = list(pool.map(run, repeat(part), cases)) if part.at_once > 1 else [run(part, one) for one in cases]
        broken = broken or any(row.broken for row in rows)
        if part.name in wanted:
            sections[part.title] = section(part, plan, rows)
    if sections and plan.size is not Size.SHORT:
        old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        PAGE.write_text(page(old, [part.title for part in PARTS], sections), encoding="utf-8")
    print("fire: a promise is broken" if broken else "fire: all held", flush=True)
    return int(broken)


def _row(case: Case, plan: Plan) -> Row:
    try:
        return Row(case.fault, case.run(plan))
    except NotRun as reason:
        return Row(case.fault, None, str(reason))
    except Broken as seen:
        return Row(case.fault, None, str(seen), broken=True)
    except Exception as error:  # noqa: BLE001  # the other cases run all the same
        traceback.print_exc()
        return Row(case.fault, None, f"{type(error).__name__}: {error}", broken=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
