"""`python -m fire.crashes.opening_process PATH`: open a file as fast as can be, until the standard input ends.

Prints how often it was opened, and how often it was not there.
"""

import os
import select
import sys

_BETWEEN_LOOKS = 2000


def main(path: str) -> None:
    """Open and close."""
    opened = missing = 0
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(_BETWEEN_LOOKS):
            try:
                os.close(os.open(path, os.O_RDONLY))
                opened += 1
            except FileNotFoundError:
                missing += 1
    print(opened, missing)


if __name__ == "__main__":
    main(sys.argv[1])
