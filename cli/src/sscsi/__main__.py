"""The command line: `sscsi`."""

import argparse
import sys
from collections.abc import Sequence

from sscsi import demo, mount


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its status."""
    parser = argparse.ArgumentParser(prog="sscsi", description="Secrets Store CSI from the command line.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    mount.declare(commands.add_parser("mount", help="mount a SecretProviderClass as kubelet would"))
    demo.declare(commands.add_parser("demo", help="the whole line, with local backends"))
    parsed = parser.parse_args(arguments)
    sys.exit(parsed.run(parsed))


if __name__ == "__main__":
    main()
