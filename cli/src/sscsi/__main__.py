"""The command line: `sscsi`."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from sscsi import demo, mount, refresh

_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its status."""
    parser = argparse.ArgumentParser(prog="sscsi", description="Secrets Store CSI from the command line.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    mount.declare(commands.add_parser("mount", help="mount a SecretProviderClass as kubelet would"))
    refresh.declare(commands.add_parser("refresh", help="let this node's driver fetch volumes now"))
    demo.declare(commands.add_parser("demo", help="the whole line, with local backends"))
    parsed = parser.parse_args(arguments)
    try:
        status = parsed.run(parsed)
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = _INTERRUPTED
    except BrokenPipeError:  # `| head`: nobody reads on, and the end of Python would complain of that
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


if __name__ == "__main__":
    main()
