"""Run inside the build stage of both Dockerfiles: fills the virtual environment that an image is made of.

    python3 assemble.py tools                     # pip and what else the build stage needs; the same for all images
    python3 assemble.py dependencies aws amd64    # the pinned, hashed wheels
    python3 assemble.py packages aws              # our own, the list of parts (SBOM), and bytecode

Only the standard library is needed. Nothing of another machine is run: wheels for arm64 are chosen, not built, so an
image for arm64 can be assembled on amd64. What is made depends on the inputs alone, not on the time.
"""

import argparse
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

SOURCES = Path("/src")
TOOLS = Path("/tools")
ENVIRONMENT = Path("/opt/sscsi")
SBOM = Path("/sbom.cdx.json")
CA = Path("/run/secrets/ca.pem")
"""Of a package index with an authority of its own: docker build --secret id=ca.pem,src=..."""

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_OLDEST_GLIBC, _NEWEST_GLIBC = 17, 36
"""Minor versions of glibc 2 whose wheels run on a base like Debian 12 (PEP 600)."""

_SERVICES = {"secretsmanager", "ssm", "sts"}
"""What the AWS provider has clients of; botocore brings descriptions of 400 more."""

_UNUSED = ("bin", "boto3/examples", "certifi/tests", "google/cloud/*_v1beta*", "google/protobuf/testdata",
           "grpc/_cython/_cygrpc")  # fmt: skip
"""Folders: commands of dependencies, examples, tests, beta services of Google, sources of compiled modules."""


def main() -> None:
    """Do the step that the command line names."""
    parser = argparse.ArgumentParser()
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("tools")
    for step in (steps.add_parser("dependencies"), steps.add_parser("packages")):
        step.add_argument("image", choices=["driver", "aws", "gcp", "vault", "azure"])
    steps.choices["dependencies"].add_argument("machine", choices=sorted(MACHINES))
    arguments = parser.parse_args()
    if CA.is_file() and CA.stat().st_size:
        os.environ["PIP_CERT"] = str(CA)
    if arguments.step == "tools":
        install_tools()
    elif arguments.step == "dependencies":
        install_dependencies(arguments.image, MACHINES[arguments.machine])
    else:
        install_packages(arguments.image)


def install_tools() -> None:
    """Make an environment for the build stage itself."""
    venv.create(TOOLS, with_pip=True)
    _pip("install", "--require-hashes", "-r", SOURCES / "requirements/image-build.txt")


def install_dependencies(image: str, machine: str) -> None:
    """Make the image's environment, and put the pinned wheels into it."""
    venv.create(ENVIRONMENT, with_pip=False, symlinks=True)
    for script in (ENVIRONMENT / "bin").glob("[aA]ctivate*"):
        script.unlink()
    wheels = ["--only-binary=:all:", *(f"--platform={tag}" for tag in platforms(machine))]
    _install("--require-hashes", *wheels, "-r", SOURCES / f"requirements/image-{image}.txt")
    prune(_site())


def install_packages(image: str) -> None:
    """Our own two packages, their console script, the list of parts, and the bytecode of everything."""
    folder = "driver" if image == "driver" else f"providers/{image}"
    script = "sscsi-driver" if image == "driver" else f"sscsi-provider-{image}"
    wheels = Path("/wheels")
    _pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", wheels, SOURCES / "shared", SOURCES / folder)
    _install("--no-index", "--no-deps", *sorted(wheels.glob("*.whl")))
    scripts = _site() / "bin"
    shutil.move(scripts / script, ENVIRONMENT / "bin" / script)
    shutil.rmtree(scripts)
    (ENVIRONMENT / "bin" / "daemon").symlink_to(script)
    _run(TOOLS / "bin/cyclonedx-py", "environment", "--output-reproducible", "--of", "JSON", "-o", SBOM,
         ENVIRONMENT / "bin/python")  # fmt: skip
    # Hashes instead of times: the files' times are set when the image is written, and the root can't be written later.
    _run(ENVIRONMENT / "bin/python", "-m", "compileall", "-q", "-j0", "--invalidation-mode=unchecked-hash",
         "-s", ENVIRONMENT, "-p", ENVIRONMENT, _site())  # fmt: skip


def platforms(machine: str) -> list[str]:
    """The tags of wheels that run on a machine (x86_64, aarch64), newest first."""
    return [f"manylinux_2_{minor}_{machine}" for minor in range(_NEWEST_GLIBC, _OLDEST_GLIBC - 1, -1)] + [
        f"manylinux2014_{machine}"
    ]


def prune(site: Path) -> None:
    """Remove what no daemon uses: AWS services without a client here, and _UNUSED."""
    for service in site.glob("botocore/data/*/"):
        if service.name not in _SERVICES:
            shutil.rmtree(service)
    for pattern in _UNUSED:
        for folder in site.glob(pattern):
            shutil.rmtree(folder)


def _site() -> Path:
    return next(ENVIRONMENT.glob("lib/python3*/site-packages"))


def _install(*what: object) -> None:
    # --python makes the console script's first line name the environment's own interpreter.
    _run(TOOLS / "bin/python", "-m", "pip", "--python", ENVIRONMENT / "bin/python", "install", "--no-compile",
         "--no-warn-script-location", "--root-user-action=ignore", "--target", _site(), *what)  # fmt: skip


def _pip(*arguments: object) -> None:
    _run(TOOLS / "bin/python", "-m", "pip", *arguments)


def _run(*command: object) -> None:
    print("+", *command, flush=True)  # the log of a build
    done = subprocess.run([str(part) for part in command], check=False)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
