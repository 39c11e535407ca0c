"""`python -m bench [PART...]`: measure, print, and keep the figures in bench/results/PART.txt.

A part that measures a provider is named with its cloud: `calls-aws`.
"""

import platform
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import calls, latency, memory, node, start, steady
from bench.backends import ALL, AwsBackend
from bench.figures import Table

RESULTS = Path(__file__).with_name("results")
PARTS: dict[str, Callable[[], list[Table]]] = {
    "start": start.measure,
    "steady": steady.measure,
    "node": node.measure,
    "calls-aws-batches": partial(calls.measure_batches, AwsBackend),
    **{
        f"{part}-{cloud.name}": partial(of.measure, cloud)
        for cloud in ALL
        for part, of in (("calls", calls), ("latency", latency), ("memory", memory))
    },
}


def main(arguments: list[str]) -> int:
    """Run the parts that are named, or all; 1 if a promise is broken."""
    unknown = set(arguments) - set(PARTS)
    if unknown:
        print(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    RESULTS.mkdir(exist_ok=True)
    broken = False
    for name in arguments or PARTS:
        tables = PARTS[name]()
        head = (
            f"python -m bench {name}\nPython {platform.python_version()}, {platform.machine()}; one run, no average.\n"
        )
        text = "\n".join([head, *(table.text() for table in tables)])
        print(text)
        (RESULTS / f"{name}.txt").write_text(text, encoding="utf-8")
        broken = broken or any(table.broken for table in tables)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
