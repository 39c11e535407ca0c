"""The images of `make images`, run as kubelet's runtime would: what tests of them need."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import images

ROOT = Path(__file__).resolve().parents[1]
RUNTIMES = ("runc", "crun")
# The usual limits of a container may be more than this machine lets anybody have.
LIMITS = ("--ulimit=nofile=1024:4096", "--ulimit=nproc=1024:1024")
UNPRIVILEGED = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--memory=200m")


@cache
def _runtime() -> tuple[Sequence[str], str]:
    """The command that runs a container, and if there is none: why."""
    missing = [tool for tool in ("buildah", "podman") if shutil.which(tool) is None]
    if missing:
        return (), f"{' and '.join(missing)} not installed; .ci/run installs them where it can"
    if os.geteuid() != 0:
        return (), "running an image with other users' ids needs root here"
    image = images.tagged("driver", "amd64")
    of_commit, commit = _revision(image), _output("git", "-C", str(ROOT), "rev-parse", "HEAD")
    if of_commit != commit:
        return (), f"{image} is {f'of commit {of_commit[:7]}' if of_commit else 'not there'}: make images"
    refused = ""
    for runtime in RUNTIMES:
        command = ["podman", f"--runtime={runtime}", "run", "--rm", *LIMITS]
        tried = subprocess.run(
            [*command, *UNPRIVILEGED, image, "--version"], check=False, capture_output=True, text=True
        )
        if tried.returncode == 0:
            return command, ""
        refused = tried.stderr.strip()[-200:]
    return (), f"no container can be run here: {refused}"


def _revision(image: str) -> str:
    """The commit that a local image was made of; empty if there is no such image."""
    label = '{{index .OCIv1.Config.Labels "org.opencontainers.image.revision"}}'
    found = subprocess.run(
        ["buildah", "inspect", "--type=image", f"--format={label}", image], check=False, capture_output=True, text=True
    )
    return found.stdout.strip()


def needs_images() -> Sequence[str]:
    """The command that runs a container; skips the test where there is none, and says why."""
    command, reason = _runtime()
    if reason:
        pytest.skip(reason)
    return command


def run(image: str, options: Sequence[str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """An image's entry point, until it ends."""
    command = [*needs_images(), *options, images.tagged(image, "amd64"), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def daemon_command(image: str, options: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """What stands before a daemon's flags when it is run from its image, in this machine's network."""
    variables = [f"--env={name}={value}" for name, value in environ.items()]
    return [*needs_images(), "--network=host", *options, *variables, images.tagged(image, "amd64")]


@contextmanager
def files_of(image: str, machine: str = "amd64") -> Iterator[Path]:
    """The files of an image, mounted."""
    needs_images()
    container = _output("buildah", "from", "--pull-never", images.tagged(image, machine))
    try:
        yield Path(_output("buildah", "mount", container))
    finally:
        _output("buildah", "rm", container)


def configuration(image: str) -> dict[str, Any]:
    """What an image says of itself: Env, User, Entrypoint, Labels (OCI image configuration)."""
    needs_images()
    text = _output("buildah", "inspect", "--type=image", images.tagged(image, "amd64"))
    found: dict[str, Any] = json.loads(text)["OCIv1"]["config"]
    return found


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
