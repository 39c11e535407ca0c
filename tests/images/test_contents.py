"""What is in the images, and what is not."""

import json
import os
import re
import ssl
import stat
import struct
import subprocess
from pathlib import Path

import pytest

import image_rig
import images
from image_rig import ROOT

ALL = pytest.mark.parametrize("image", images.IMAGES)
SITE = "opt/sscsi/lib/python3*/site-packages"
# Whatever base is taken: what our layers bring is ours to answer for.
NOT_INSIDE = {"pip", "setuptools", "wheel", "uv", "hatchling", "cyclonedx_py", "sscsi_emulators", "pytest"}
AARCH64 = 183  # e_machine of ELF


def site_of(root: Path) -> Path:
    (site,) = root.glob(SITE)
    return site


@ALL
def test_no_tool_of_the_build_is_left(image: str) -> None:
    with image_rig.files_of(image) as root:
        assert not NOT_INSIDE & {path.name for path in site_of(root).iterdir()}
        names = {path.name for folder in ("bin", "usr/bin", "opt/sscsi/bin") for path in (root / folder).iterdir()}
        assert not {"cc", "gcc", "c++", "make", "pip", "pip3", "git"} & names
        ours = {path.name for path in (root / "opt/sscsi/bin").iterdir() if not path.name.startswith("python")}
        assert ours == {"daemon", images.repository(image)}
        assert not list((root / "root").rglob("*cache*"))
        assert not (root / "src").exists()


@ALL
def test_nothing_of_the_machine_that_built_it_is_left(image: str) -> None:
    """Certificates of its package index, settings of pip, its proxies, its environment."""
    with image_rig.files_of(image) as root:
        ours = [path for folder in ("opt", "run", "root", "usr/share/doc/sscsi") for path in (root / folder).rglob("*")]
        names = {path.name for path in ours if path.is_file()}
        assert not {"pip.conf", "ca.pem", "uv.toml", ".netrc", ".git"} & names
        assert not list((root / "run/secrets").glob("*"))
    configuration = image_rig.configuration(image)
    assert {entry.split("=")[0] for entry in configuration["Env"]} == {
        "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED",
    }  # fmt: skip


@ALL
def test_each_module_has_its_bytecode_and_no_file_can_be_written(image: str) -> None:
    with image_rig.files_of(image) as root:
        ours = [path for path in (root / "opt/sscsi").rglob("*") if not path.is_symlink()]
        assert [path for path in ours if path.stat().st_mode & 0o6022] == []
        assert {(path.stat().st_uid, path.stat().st_gid) for path in ours} == {(0, 0)}
        for package in ("sscsi_shared", "grpc"):
            modules = list(site_of(root).glob(f"{package}/**/*.py"))
            assert modules
            for module in modules:
                (bytecode,) = module.parent.glob(f"__pycache__/{module.stem}.cpython-3??.pyc")
                (flags,) = struct.unpack("<I", bytecode.read_bytes()[4:8])
                assert flags == 0b01, "by its hash, and not looked at again (PEP 552)"


@ALL
def test_the_list_of_parts_is_what_is_pinned(image: str) -> None:
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / f"requirements/image-{image}.txt").read_text(), re.MULTILINE))
    pinned = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins.items()}
    ours = {"sscsi-shared", images.repository(image)}
    with image_rig.files_of(image) as root:
        parts = json.loads((root / "usr/share/doc/sscsi/sbom.cdx.json").read_text())["components"]
        named = {re.sub(r"[-_.]+", "-", part["name"]).lower(): part["version"] for part in parts}
        installed = {
            re.sub(r"[-_.]+", "-", path.name.rsplit("-", 1)[0]).lower()
            for path in (str_path.with_suffix("") for str_path in site_of(root).glob("*.dist-info"))
        }
        assert (root / "usr/share/doc/sscsi/LICENSE").is_file()
    assert ours <= named.keys()
    assert named.keys() == installed
    others = {name: version for name, version in named.items() if name not in ours}
    assert others
    assert others.items() <= pinned.items()


@ALL
def test_every_file_has_the_time_of_the_commit(image: str) -> None:
    """Whoever builds the same commit gets the same bytes."""
    with image_rig.files_of(image) as root:
        times = {int(path.lstat().st_mtime) for path in (root / "opt/sscsi/lib").rglob("*") if path.is_file()}
    committed = subprocess.run(
        ["git", "-C", ROOT, "log", "-1", "--format=%ct"], check=True, capture_output=True, text=True
    )
    assert times == {int(committed.stdout)}


@ALL
def test_labels_user_and_entry_point(image: str) -> None:
    found = image_rig.configuration(image)
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in found["Labels"].items()}
    assert labels["title"] == images.repository(image)
    assert labels["version"] == images.version(image)
    assert re.fullmatch("[0-9a-f]{40}", labels["revision"])
    assert found["Entrypoint"] == ["/opt/sscsi/bin/daemon"]
    assert found["User"] == ("0:0" if image == "driver" else f"{images.USERS[image]}:65532")


@pytest.mark.parametrize("image", images.USERS)
def test_a_provider_takes_at_most_sixty_megabytes(image: str) -> None:
    with image_rig.files_of(image) as root:
        files = (path for path in (root / "opt").rglob("*") if path.is_file() and not path.is_symlink())
        assert sum(path.stat().st_size for path in files) <= images.MAX_PROVIDER_MEGABYTES * 1e6


@ALL
@pytest.mark.parametrize("machine", images.MACHINES)
def test_the_authorities_of_the_system_are_there(image: str, machine: str) -> None:
    """Where the package's script could not be run, too: without this file no public certificate can be verified."""
    with image_rig.files_of(image, machine) as root:
        bundle = root / "etc/ssl/certs/ca-certificates.crt"
        assert (root / "usr/lib/ssl/cert.pem").readlink() == Path("/etc/ssl/certs/ca-certificates.crt")
        assert stat.S_IMODE(bundle.stat().st_mode) == 0o644
        context = ssl.create_default_context(cafile=str(bundle))
    assert len(context.get_ca_certs()) > 100


@ALL
def test_the_image_for_arm_holds_code_for_arm(image: str) -> None:
    """Put together here, and never run here."""
    with image_rig.files_of(image, "arm64") as root:
        libraries = list(site_of(root).rglob("*.so"))
        assert any("cygrpc" in path.name for path in libraries)
        for library in libraries:
            head = library.read_bytes()[:20]
            assert head[:4] == b"\x7fELF"
            assert int.from_bytes(head[18:20], "little") == AARCH64, library.name
        python = os.path.realpath(root / "usr/bin/python3")
        assert int.from_bytes(Path(python).read_bytes()[18:20], "little") == AARCH64
