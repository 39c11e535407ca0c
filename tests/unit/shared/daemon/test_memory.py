"""A daemon's memory is its own."""

import subprocess
import sys

SCRIPT = """
import ctypes, resource
from sscsi_shared.daemon.memory import keep_private
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
dumpable = lambda: ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE
before = dumpable()
keep_private()
print(before, dumpable(), *resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_no_core_file_and_no_tracing() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "0", "0", "0"]
