"""`sscsi demo` and `sscsi mount`, run as a person runs them."""

import html
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from driver_rig import CANT_MOUNT
from sscsi.clouds.aws import AwsCloud
from sscsi.clouds.cloud import ACCOUNT, CLASS, NAMESPACE, VALUE
from sscsi.stage import Stage

pytestmark = pytest.mark.e2e

AUDIENCE = AwsCloud.audience

ROOT = Path(__file__).resolve().parents[2]


def sscsi(*arguments: object, prefix: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
    command = [*prefix, sys.executable, "-m", "sscsi", *map(str, arguments)]
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=90, cwd="/tmp", env=environment)


def headings(lines: Iterable[str]) -> list[str]:
    """The demo's numbered steps, and what it found to be so, without figures."""
    shown = (line.strip() for line in lines if re.match(r" ?\d+  \S| {4}✓ ", line))
    return [re.sub(r"[\d.,]+", "0", line) for line in shown]


def drawn_lines() -> list[str]:
    """The lines of the README's picture of the demo: its pieces of text, put together by their height."""
    lines: dict[str, str] = {}
    picture = (ROOT / "docs/pictures/demo.svg").read_text()
    for x, y, text in re.findall(r'<text [^>]*?x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', picture):
        column = round(float(x) / 12.2)  # the width of a character in Rich's pictures
        lines[y] = lines.get(y, "").ljust(column) + html.unescape(text).replace("\xa0", " ")
    return list(lines.values())


@pytest.mark.mount
@pytest.mark.skipif(bool(CANT_MOUNT), reason=CANT_MOUNT or "mounting works")
def test_the_whole_demo(own_tmp: Path) -> None:
    done = sscsi("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    for shown in (
        "on a tmpfs:",
        "saw the old value, then the new",
        "nothing is left of the failed mount",
        "no mount, no directory",
    ):
        assert shown in done.stdout
    assert "\033" not in done.stdout
    assert not list(own_tmp.iterdir())
    assert "sscsi-" not in Path("/proc/self/mountinfo").read_text()
    assert headings(done.stdout.splitlines()) == headings(drawn_lines()), "draw it again: make picture"


def test_the_demo_where_nobody_may_mount() -> None:
    if shutil.which("unshare") is None:
        pytest.skip("unshare (util-linux) is not installed")
    script = 'echo 0 >/proc/sys/user/max_user_namespaces; echo 0 >/proc/sys/user/max_mnt_namespaces; exec "$@"'
    prefix = ("unshare", "--user", "--map-root-user", "sh", "-c", script, "sh")
    if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no user namespace can be made here, in which mounting could be forbidden")
    done = sscsi("demo", prefix=prefix)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lets nobody mount" in done.stdout
    assert "skipped: driver, tmpfs, rotation and unmount" in done.stdout
    assert "password" in done.stdout


def test_a_failing_step_fails_the_demo() -> None:
    script = (
        "import sscsi.clouds.aws as s; s.ROLE = 'arn:aws:iam::123456789012:role/other'; "
        "from sscsi.__main__ import main; main(['demo'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 1
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in done.stdout
    assert "last lines of sscsi_provider_aws" in done.stdout


@pytest.fixture
def token(stage: Stage) -> Path:
    path = stage.folder / "run" / "pod-token"
    path.write_text(stage.kubernetes.token(NAMESPACE, ACCOUNT, AUDIENCE))
    return path


def mount(stage: Stage, *more: object) -> "subprocess.CompletedProcess[str]":
    manifest = stage.class_file(CLASS)
    who = ("--pod", f"{NAMESPACE}/web", "--service-account", ACCOUNT)
    return sscsi("mount", manifest, *who, *more)


@pytest.mark.mount
def test_mount_through_the_driver(stage: Stage, token: Path) -> None:
    driver = ("--driver", stage.driver.socket, "--kubelet-root", stage.kubelet_root, "--status-dir", stage.status)
    done = mount(stage, *driver, "--token", f"{AUDIENCE}={token}")
    assert done.returncode == 0, done.stderr
    target, files, *versions = done.stdout.splitlines()
    assert target.endswith("/volumes/kubernetes.io~csi/secrets-store-inline/mount")
    assert files.split() == ["0644", "16", "B", "password"]
    assert versions[0] == "object versions:"
    assert versions[1].split()[0] == "password"
    assert VALUE not in done.stdout
    assert VALUE in mount(stage, *driver, "--token", f"{AUDIENCE}={token}", "--reveal").stdout
    assert mount(stage, *driver, "--unmount").returncode == 0
    assert not Path(target).exists()


@pytest.mark.mount
def test_mount_at_the_provider_with_a_token_of_the_api_server(stage: Stage) -> None:
    stage.kubernetes.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"namespace": NAMESPACE, "name": "web", "uid": stage.volume(pod="web").pod_uid},
            "spec": {"serviceAccountName": ACCOUNT},
        }
    )
    admin = stage.folder / "run" / "admin-token"
    admin.write_text(stage.kubernetes.admin_token)
    done = mount(
        stage, "--provider", stage.provider.socket, "--kube-api-url", stage.kubernetes.url, "--kube-token-file", admin,
        "--audience", AUDIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "0644       16 B  password" in done.stdout
    assert VALUE not in done.stdout


@pytest.mark.mount
@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("--provider", "/tmp/nobody.sock"), 1, "nobody answers on /tmp/nobody.sock"),
        (("--token", "x"), 1, "--token takes AUDIENCE=FILE"),
        (("--token", "a=/nonexistent"), 1, "/nonexistent: No such file"),
        (("--odd",), 2, "unrecognized arguments"),
    ],
)
def test_mistakes_are_told(stage: Stage, arguments: tuple[str, ...], status: int, text: str) -> None:
    done = mount(stage, *arguments)
    assert done.returncode == status
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_the_class_as_printed_names_line_and_mend() -> None:
    done = sscsi(
        "mount", ROOT / "examples/as-printed/secretproviderclass-aws.yaml", "--pod", "a/b", "--service-account", "c"
    )
    assert done.returncode == 1
    assert "line 1: the API group is `secrets-store.csi.x-k8s.io`" in done.stderr
    assert "line 7: a bare word where a field is meant: write `provider: aws`" in done.stderr


def test_the_demo_mounts_the_articles_class() -> None:
    text = (ROOT / "examples/aws/secretproviderclass.yaml").read_text()
    assert f"name: {CLASS}" in text
    assert f"namespace: {NAMESPACE}" in text
