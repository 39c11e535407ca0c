"""The table of images agrees with everything else that names a user, an image or a version."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import assemble
import images

ROOT = Path(__file__).resolve().parents[2]


def daemon_set(path: Path) -> dict[str, object]:
    (found,) = (one for one in yaml.safe_load_all(path.read_text()) if one and one["kind"] == "DaemonSet")
    spec: dict[str, object] = found["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("image", images.USERS)
def test_manifests_name_the_same_user_and_image(image: str) -> None:
    spec = daemon_set(ROOT / f"deploy/providers/{image}.yaml")
    security = spec["securityContext"]
    assert isinstance(security, dict)
    assert (security["runAsUser"], security["runAsGroup"]) == (images.USERS[image], 65532)
    containers = [*spec["containers"], *spec["initContainers"]]  # type: ignore[misc]  # lists of mappings
    tags = {one["image"].rsplit("/", 1)[-1] for one in containers}
    assert tags == {f"{images.repository(image)}:{images.version(image)}"}


def test_each_provider_has_a_user_of_its_own() -> None:
    assert len(set(images.USERS.values())) == len(images.USERS)
    assert set(images.USERS) == {path.parent.name for path in ROOT.glob("providers/*/pyproject.toml")}


@pytest.mark.parametrize("image", images.IMAGES)
def test_an_image_is_named_as_its_distribution_and_console_script(image: str) -> None:
    folder = "driver" if image == "driver" else f"providers/{image}"
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
    assert images.repository(image) == project["name"]
    assert list(project["scripts"]) == [project["name"]]
    assert images.tagged(image, "amd64") == f"localhost/{project['name']}:{project['version']}"


@pytest.mark.parametrize("image", images.IMAGES)
def test_a_dockerfile_takes_exactly_the_arguments_that_it_is_given(image: str) -> None:
    file = ROOT / "docker" / ("driver.Dockerfile" if image == "driver" else "provider.Dockerfile")
    declared = set(re.findall(r"^ARG (\w+)", file.read_text(), re.MULTILINE))
    given = images.build_arguments(image, "build:1", "base:1", "0" * 40)
    assert declared == given.keys() | {"TARGETARCH"}


@pytest.mark.parametrize("image", images.IMAGES)
def test_what_an_image_holds_is_pinned_and_tested(image: str) -> None:
    pins = re.findall(r"^([\w.-]+==[^\s;]+)", (ROOT / f"requirements/image-{image}.txt").read_text(), re.MULTILINE)
    tested = re.findall(r"^([\w.-]+==[^\s;]+)", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE)
    assert pins
    assert set(pins) <= set(tested)


def test_nothing_is_taken_at_latest() -> None:
    for file in ROOT.glob("docker/*"):
        if file.is_file():
            assert not re.search(r":latest\b", file.read_text())


def test_wheels_of_the_other_machine_are_asked_for_newest_first() -> None:
    tags = assemble.platforms("aarch64")
    assert tags[0] == "manylinux_2_36_aarch64"
    assert tags[-2:] == ["manylinux_2_17_aarch64", "manylinux2014_aarch64"]


def test_pruning_takes_services_without_a_client_and_nothing_else(tmp_path: Path) -> None:
    kept = ["botocore/data/ssm", "botocore/data/sts", "botocore/data/secretsmanager", "google/cloud/secretmanager_v1"]
    gone = ["botocore/data/ec2", "google/cloud/secretmanager_v1beta1", "bin", "boto3/examples"]
    for folder in (*kept, *gone):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "botocore/data/endpoints.json").touch()
    assemble.prune(tmp_path)
    assert all((tmp_path / folder).is_dir() for folder in kept)
    assert not any((tmp_path / folder).exists() for folder in gone)
    assert (tmp_path / "botocore/data/endpoints.json").exists()
