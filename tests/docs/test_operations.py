"""docs/operations.md: numbers are those of bench/results, alerts those of the charts, flags those of the daemons."""

import re
from collections.abc import Collection

import pytest
import yaml

import sscsi_driver.options
from pages import ROOT, text_of
from sscsi_shared.daemon.flags import Flag
from sscsi_shared.daemon.klog import KLOG_FLAGS
from sscsi_shared.server.serve import PROVIDER_FLAGS

PAGE = text_of("docs/operations.md")
RESULTS = ROOT / "bench" / "results"


def section(title: str) -> str:
    return re.split(r"\n#{2,3} ", PAGE.split(f"# {title}\n")[1])[0]


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def result(name: str, line: str) -> str:
    """The number of a result's line, to as many places as the page shows."""
    [found] = re.findall(rf"^ *{re.escape(line)} +([\d.,]+)", (RESULTS / f"{name}.txt").read_text(), re.MULTILINE)
    return str(found)


def test_each_alert_of_the_charts_is_told_and_no_other() -> None:
    files = (ROOT / "charts/sscsi-common/monitoring").glob("alerts-*.yaml")
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    there = [rule["alert"] for group in groups for rule in group["rules"]]
    told = [row[0].strip("`") for row in rows(section("Alerts"))[1:]]
    assert sorted(told) == sorted(there)


@pytest.mark.parametrize(
    ("title", "cloud"), [("AWS", "aws"), ("Google Cloud", "gcp"), ("Vault", "vault"), ("Azure", "azure")]
)
def test_memory_of_providers(title: str, cloud: str) -> None:
    [row] = [row for row in rows(section("Sizing")) if row[0] == title]
    idle, after = (
        float(result(f"memory-{cloud}", line)) for line in ("10 s after the first mount", "after 20,000 mounts")
    )
    assert row[1:3] == [f"{idle:.1f} MiB", f"{after:.1f} MiB"]
    [start] = re.findall(rf"provider {cloud}, wall +([\d.]+) s", (RESULTS / "start.txt").read_text())
    assert row[4] == f"{start} s"
    [budget] = re.findall(
        r"10 s after the first mount +[\d.]+ MiB +ok: at most (\d+) MiB", (RESULTS / f"memory-{cloud}.txt").read_text()
    )
    assert row[3] == f"{budget} MiB"


def test_the_driver() -> None:
    [row] = [row for row in rows(section("Sizing")) if row[0] == "driver"]
    idle, after = (
        float(result("node", f"driver: memory {line}")) for line in ("10 s after the first mount", "after the rounds")
    )
    assert row[1:3] == [f"{idle:.1f} MiB", f"{after:.1f} MiB with 110 volumes"]
    text = re.sub(r"\s+", " ", section("Sizing"))
    numbers = (
        result("node", "until the last volume is fetched"),
        result("node", "driver: CPU in a round, publishes included"),
    )
    provider = result("node", "provider: CPU in a round")
    assert f"takes {numbers[0]} s, {numbers[1]} s of CPU in the driver and {provider} s in the provider" in text


def test_pods_that_start_together() -> None:
    def last(cloud: str, accounts: int) -> str:
        line = f"100 pods of {accounts} service account(s): the last one's Mount"
        return f"{result(f'latency-{cloud}', line)} s"

    shown = [row[1] for row in rows(section("Sizing")) if row[0].startswith(("100 pods", "the same"))]
    assert shown == [
        text
        for accounts in (1, 100)
        for text in (last("aws", accounts), ", ".join(last(cloud, accounts) for cloud in ("gcp", "vault", "azure")))
    ]


def names(flags: Collection[Flag[object]]) -> set[str]:
    return {flag.name for flag in flags} - {flag.name for flag in KLOG_FLAGS}


@pytest.mark.parametrize(
    ("title", "there"),
    [("Flags of every provider", names(PROVIDER_FLAGS)), ("Flags of the driver", names(sscsi_driver.options.FLAGS))],
)
def test_every_flag_has_its_row(title: str, there: set[str]) -> None:
    told = [name for row in rows(section(title))[1:] for name in re.findall(r"`--([\w-]+)`", row[0])]
    assert sorted(told) == sorted(there)
