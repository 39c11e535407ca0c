"""Build the images with buildah: no engine, no registry of images.

    python docker/images.py               # five images for this machine and for arm64
    python docker/images.py aws --amd64   # one of them, for one machine

Without --base-image and --build-image both are made here, of Debian's packages (mmdebstrap): Debian 12 with Python, and
the same with venv. Images for another machine are put together and not run. Prints each image's size over its base.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
USERS: Final = {"aws": 65541, "gcp": 65542, "vault": 65543, "azure": 65544}
"""Each provider's own user; its group is 65532, whose members may make sockets in the providers folder."""
IMAGES: Final = ("driver", *USERS)
MACHINES: Final = ("amd64", "arm64")
SUITE: Final = "bookworm"
_RECIPE: Final = 2
"""Of the bases that are made here: one more with each change of how, so that no older one is taken for it."""
MAX_PROVIDER_MEGABYTES: Final = 60
"""What the layers of a provider may take over the base, in units of 1,000,000 bytes, unpacked."""
_TOOLS: Final = ("buildah", "mmdebstrap")


def main() -> int:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="*", metavar="IMAGE", help=f"of {', '.join(IMAGES)}; all by default")
    for machine in MACHINES:
        parser.add_argument(f"--{machine}", dest="machines", action="append_const", const=machine)
    parser.add_argument("--base-image", default="", help="has Python; by default one is made here")
    parser.add_argument("--build-image", default="", help="has Python with venv; by default one is made here")
    parser.add_argument("--new-base", action="store_true", help="make both anew, of the packages that Debian has now")
    arguments = parser.parse_args()
    if unknown := set(arguments.images) - set(IMAGES):
        parser.error(f"no such image: {', '.join(sorted(unknown))}")
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        print(f"images need {' and '.join(missing)}: apt-get install {' '.join(_TOOLS)}", file=sys.stderr)
        return 1
    if arguments.new_base:
        _forget_bases()
    too_large = []
    for machine in arguments.machines or MACHINES:
        build = arguments.build_image or _make_base("build", _own_machine(), ("python3", "python3-venv"))
        base = arguments.base_image or _make_base("base", machine, ("python3", "ca-certificates"))
        for image in arguments.images or IMAGES:
            name = _build(image, machine, build, base)
            megabytes = (_bytes(name) - _bytes(base)) / 1e6
            print(f"{name}: {megabytes:.1f} MB over {base}", flush=True)
            if image in USERS and megabytes > MAX_PROVIDER_MEGABYTES:
                too_large.append(name)
    if too_large:
        print(f"over {MAX_PROVIDER_MEGABYTES} MB: {', '.join(too_large)}", file=sys.stderr)
    return 1 if too_large else 0


def repository(image: str) -> str:
    """An image's name, which is its distribution's too."""
    return "sscsi-driver" if image == "driver" else f"sscsi-provider-{image}"


def version(image: str) -> str:
    """Of the distribution that an image holds; it is the image's tag."""
    folder = ROOT / ("driver" if image == "driver" else f"providers/{image}")
    return str(tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def tagged(image: str, machine: str) -> str:
    """What a local image is called: with the machine where it is not the usual one."""
    suffix = "" if machine == "amd64" else f"-{machine}"
    return f"localhost/{repository(image)}:{version(image)}{suffix}"


def build_arguments(image: str, build: str, base: str, revision: str) -> dict[str, str]:
    """The ARGs of an image's Dockerfile."""
    ours = {"PROVIDER": image, "UID": str(USERS[image])} if image in USERS else {}
    return {"BUILD_IMAGE": build, "BASE_IMAGE": base, "VERSION": version(image), "REVISION": revision} | ours


def _build(image: str, machine: str, build: str, base: str) -> str:
    file = "driver.Dockerfile" if image == "driver" else "provider.Dockerfile"
    revision = _output("git", "-C", ROOT, "rev-parse", "HEAD")
    values = build_arguments(image, build, base, revision)
    # Without an engine: chroot needs neither a runtime nor a network of its own.
    command = ["buildah", "build", "--quiet", "--isolation=chroot", "--layers", "--pull-never"]
    command += [f"--build-arg=TARGETARCH={machine}", f"--timestamp={_time()}",
                f"--file={ROOT / 'docker' / file}", f"--tag={tagged(image, machine)}"]  # fmt: skip
    command += [f"--build-arg={name}={value}" for name, value in values.items()]
    if authority := os.environ.get("PIP_CERT"):
        command.append(f"--secret=id=ca.pem,src={authority}")
    _run(*command, ROOT)
    return tagged(image, machine)


def _make_base(kind: str, machine: str, packages: Sequence[str]) -> str:
    """Debian with a few packages, as a local image; made once."""
    name = _base(kind, machine)
    if subprocess.run(["buildah", "inspect", "--type=image", name], check=False, capture_output=True).returncode == 0:
        return name
    archive = ROOT / "build" / "images" / f"{kind}-{machine}.tar"
    archive.parent.mkdir(parents=True, exist_ok=True)
    # Nothing of another machine can be run here: its packages are unpacked, and not set up.
    variant = "minbase" if machine == _own_machine() else "extract"
    options = [f"--variant={variant}", f"--architectures={machine}", f"--include={','.join(packages)}", "--quiet"]
    _run("mmdebstrap", *options, SUITE, archive, environ={"SOURCE_DATE_EPOCH": _time()})
    container = _output("buildah", "from", f"--arch={machine}", "scratch")
    try:
        _run("buildah", "add", "--quiet", container, archive, "/")
        if variant == "extract":
            _put_authorities_together(Path(_output("buildah", "mount", container)))
        _run("buildah", "config", f"--arch={machine}", "--env=PATH=/usr/bin:/bin", container)
        _run("buildah", "commit", "--quiet", f"--timestamp={_time()}", container, name)
    finally:
        _run("buildah", "rm", container)
    archive.unlink()
    return name


def _base(kind: str, machine: str) -> str:
    return f"localhost/sscsi-{kind}:{SUITE}-{machine}-{_RECIPE}"


def _forget_bases() -> None:
    for kind in ("build", "base"):
        for machine in MACHINES:
            # --force: the layers of images that were built on it stay theirs.
            subprocess.run(["buildah", "rmi", "--force", _base(kind, machine)], check=False, capture_output=True)


def _put_authorities_together(root: Path) -> None:
    """The one file that TLS looks for: the package's own script makes it, which nobody could run."""
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    authorities = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    bundle.write_text("".join(path.read_text(encoding="ascii").strip() + "\n" for path in authorities))
    bundle.chmod(0o644)


def _own_machine() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def _time() -> str:
    """When the commit was made that is built, in seconds since 1970: the files' times, whenever they are written."""
    return _output("git", "-C", ROOT, "log", "-1", "--format=%ct")


def _bytes(image: str) -> int:
    """How large the files of an image are, unpacked."""
    container = _output("buildah", "from", "--pull-never", image)
    try:
        root = Path(_output("buildah", "mount", container))
        return sum(path.lstat().st_size for path in root.rglob("*") if path.is_symlink() or path.is_file())
    finally:
        _run("buildah", "rm", container)


def _run(*command: object, environ: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [str(part) for part in command], check=False, env={**os.environ, **(environ or {})}, stdout=subprocess.DEVNULL
    )
    if done.returncode:
        sys.exit(f"{command[0]} failed with status {done.returncode}")


def _output(*command: object) -> str:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
