"""Where the process moves to be able to mount: really entered, in children of ours."""

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

SCRIPT = """
import json, os
from sscsi import namespace
before = os.readlink("/proc/self/ns/mnt")
entered = namespace.enter()
print(json.dumps({
    "means": entered.means.name,
    "refused": {one.name: why for one, why in entered.refused.items()},
    "moved": os.readlink("/proc/self/ns/mnt") != before,
    "uid": os.geteuid(),
}))
"""
NO_NAMESPACES = "for one in user mnt; do echo 0 >/proc/sys/user/max_${one}_namespaces || exit 9; done; "
NO_MOUNT_NAMESPACE = "echo 0 >/proc/sys/user/max_mnt_namespaces || exit 9; "


def entered(*prefix: str) -> dict[str, Any]:
    done = subprocess.run(
        [*prefix, sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def inside(*unshare: str, script: str = "") -> tuple[str, ...]:
    """A way into namespaces of util-linux's making, with the limits that `script` sets in there."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare (util-linux) is not installed")
    prefix = ("unshare", *unshare, "sh", "-c", f'{script}exec "$@"', "sh")
    if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip(f"`unshare {' '.join(unshare)}` is refused here, or its limits can't be set")
    return prefix


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
def test_root_gets_a_mount_namespace_of_its_own() -> None:
    found = entered()
    if found["means"] != "ROOT":
        pytest.skip(f"this root may not make one: {found['refused']}")
    assert found == {"means": "ROOT", "refused": {}, "moved": True, "uid": 0}


def test_a_normal_user_gets_a_user_namespace() -> None:
    prefix = inside("--user", "--map-user=1000", "--map-group=1000")
    assert entered(*prefix) == {"means": "USER_NAMESPACE", "refused": {}, "moved": True, "uid": 0}


def test_root_that_is_refused_a_namespace_mounts_without_one() -> None:
    found = entered(*inside("--user", "--map-root-user", "--mount", script=NO_NAMESPACES))
    assert (found["means"], found["moved"], list(found["refused"])) == ("HOST", False, ["ROOT"])
    assert found["refused"]["ROOT"].startswith("unshare: ")


def test_where_nobody_may_mount_every_reason_is_told() -> None:
    found = entered(*inside("--user", "--map-root-user", script=NO_NAMESPACES))
    assert (found["means"], found["moved"]) == ("NONE", False)
    assert {name: why.partition(":")[0] for name, why in found["refused"].items()} == {
        "ROOT": "unshare",
        "HOST": "mount",
        "USER_NAMESPACE": "unshare",
    }


def test_root_without_capabilities_stays_who_and_where_it_was() -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not installed")
    found = entered(*inside("--user", "--map-root-user", script=NO_MOUNT_NAMESPACE), "setpriv", "--bounding-set=-all")
    assert (found["means"], found["moved"], found["uid"]) == ("NONE", False, 0)
    assert list(found["refused"]) == ["ROOT", "HOST", "USER_NAMESPACE"]
