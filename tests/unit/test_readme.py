"""What the README shows is so: its classes are the examples', its figures the bench's, its commands exist."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
RESULTS = ROOT / "bench" / "results"
CLOUDS = ("aws", "gcp", "vault", "azure")


def parameters(spec: dict[str, object]) -> dict[str, object]:
    """The parameters, with all YAML within them read."""
    found = read(spec["parameters"])
    assert isinstance(found, dict)
    return found


def read(value: object) -> object:
    """A value with its texts of several lines read as YAML, and those within them."""
    if isinstance(value, dict):
        return {key: read(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [read(inner) for inner in value]
    return read(yaml.safe_load(value)) if isinstance(value, str) and "\n" in value else value


def measured(file: str, line: str) -> str:
    """The figure behind a line of the bench."""
    found = re.search(rf"^ *{re.escape(line)} +([\d,.]+)", (RESULTS / file).read_text(), re.MULTILINE)
    assert found is not None, line
    return found[1]


def row(begins: str) -> list[str]:
    """The cells of the row of the README's table that begins so."""
    (line,) = (one for one in README.splitlines() if one.startswith(f"| {begins}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_classes_are_those_of_the_examples(cloud: str) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (shown,) = (one["spec"] for one in yaml.safe_load_all(block) if one["spec"]["provider"] == cloud)
    example = yaml.safe_load((ROOT / "examples" / cloud / "secretproviderclass.yaml").read_text())
    assert parameters(shown) == parameters(example["spec"])


def test_the_figures_are_those_of_the_bench() -> None:
    at_once, kept_nothing = "50 pods at once of one service account", "50 pods one after another, nothing kept"
    aws, clouds, azure = row("50 pods of one account start"), row("the same: Google"), row("the same: Azure")
    assert aws[2] == measured("calls-aws.txt", at_once)
    assert {clouds[2]} == {measured(f"calls-{one}.txt", at_once) for one in ("gcp", "vault")}
    assert {clouds[1]} == {measured(f"calls-{one}.txt", kept_nothing) for one in ("gcp", "vault")}
    assert azure[1:] == [measured("calls-azure.txt", kept_nothing), measured("calls-azure.txt", at_once)]
    assert row("a rotation round")[1:] == [
        measured("node.txt", "of the existing driver and provider"),
        measured("node.txt", "calls of the backend in a round"),
    ]
    hour = row("an hour of 50 pods")
    assert hour[1] == measured("steady.txt", "login and secrets one by one for every pod, every time")
    assert abs(int(hour[2]) - int(measured("steady.txt", "--cache-ttl=15s: batches"))) <= 4


def test_the_latest_mount_of_a_hundred_is_the_one_that_was_measured() -> None:
    line = "100 pods of 1 service account(s): the last one's Mount"
    seconds = sorted(float(measured(f"latency-{cloud}.txt", line)) for cloud in CLOUDS)
    assert row("100 pods of one account")[2] == f"{seconds[0]:.2f} to {seconds[-1]:.2f} s"


def test_every_target_of_make_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^    |`|^)make ([a-z]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets
