"""reference/driver.md section 22, first list: what the existing driver gets wrong on the node, and ours does not.

Those of objects in the API server are in the tests of status and sync; success without a mount, and setuid bits, in
test_driver_kubelet.py and test_driver_writer.py.
"""

import json
import socket
import stat
import time
from concurrent import futures
from pathlib import Path

import grpc

from driver_rig import INTERVAL, POD, TOKENS, Driver, failure, mounts, needs_mount, status_files
from scripted_provider import ScriptedProvider, always, volume
from sscsi_driver.attributes import DriverObject

pytestmark = needs_mount


def test_poll_interval_is_kept_after_a_quiet_one(rotating: Driver, provider: ScriptedProvider, target: Path) -> None:
    rotating.publish(target)
    for _ in range(10):  # kubelet publishes each minute; content does not change
        rotating.now += INTERVAL / 2
        rotating.publish(target)
        rotating.rotate()
    assert len(provider.requests) == 1 + 5


def test_no_write_where_nothing_changed(rotating: Driver, provider: ScriptedProvider, home: Path, target: Path) -> None:
    rotating.publish(target)
    (status,) = (home / "status").iterdir()
    before = status.stat().st_mtime_ns, status.stat().st_ino
    for _ in range(3):
        rotating.now += INTERVAL
        assert rotating.rotate() == 1
    assert (status.stat().st_mtime_ns, status.stat().st_ino) == before
    assert len(status_files(home)) == 1


def test_a_stale_temporary_link_stops_nothing(rotating: Driver, provider: ScriptedProvider, target: Path) -> None:
    rotating.publish(target)
    (target / "..data_tmp").symlink_to("nowhere")
    provider.answer = always(volume(("password", b"two")))
    rotating.now += INTERVAL
    rotating.rotate()
    assert (target / "password").read_bytes() == b"two"


def test_a_change_of_mode_alone_is_applied(rotating: Driver, provider: ScriptedProvider, target: Path) -> None:
    rotating.publish(target)
    provider.answer = always(volume(("password", b"one"), mode=0o400))
    rotating.now += INTERVAL
    rotating.rotate()
    assert stat.S_IMODE((target / "password").stat().st_mode) == 0o400


def test_ten_publishes_at_once_make_one_tmpfs(
    driver: Driver, provider: ScriptedProvider, home: Path, target: Path
) -> None:
    with futures.ThreadPoolExecutor(10) as pool:
        for call in [pool.submit(driver.publish, target) for _ in range(10)]:
            call.result()
    assert mounts(home) == [str(target)]
    driver.unpublish(target)
    assert mounts(home) == []


def test_a_dead_socket_does_not_hang_for_two_minutes(driver: Driver, home: Path, target: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home / "b" / "test.sock"))
    began = time.monotonic()
    code, _ = failure(lambda: driver.publish(target, timeout=120))
    assert code is grpc.StatusCode.UNAVAILABLE
    assert time.monotonic() - began < 30, "far from kubelet's deadline, however slow this machine"


def test_a_failed_look_up_has_an_error_type(driver: Driver, target: Path) -> None:
    failure(lambda: driver.publish(target))
    assert driver.counted("node_publish_error_total", provider="test", error_type="ProviderNotFound") == 1


def test_tokens_are_not_left_in_secrets(driver: Driver, provider: ScriptedProvider, target: Path) -> None:
    driver.classes.driver = DriverObject(token_requests=True, tokens_in_secrets=True, pod_info=True)
    driver.publish(target, secrets={TOKENS: '{"a":{"token":"t"}}', "user": "u"})
    assert json.loads(provider.requests[0].secrets) == {"user": "u"}


def test_the_volumes_root_is_not_writable_by_all(driver: Driver, provider: ScriptedProvider, target: Path) -> None:
    driver.publish(target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o755


def test_rotation_errors_show(rotating: Driver, provider: ScriptedProvider, target: Path) -> None:
    """Better: the existing driver's are in its log and a counter alone; the content's age can be alerted on."""
    rotating.publish(target, volume_context=POD)
    provider.answer = always(volume(("../x", b"")))
    rotating.now += INTERVAL
    rotating.rotate()
    labels = {"provider": "test", "error_type": "FileWriteError", "rotated": "true"}
    assert rotating.counted("rotation_reconcile_error_total", **labels) == 1
    (age,) = rotating.refresher.ages()
    assert age.seconds == INTERVAL
