"""Alerts and dashboard ask for metrics, labels and values that the daemons have, as served and as registered."""

import json
import re
import socket
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from chart_rig import ROOT, objects, one
from promql import read
from sscsi.clouds import AwsCloud
from sscsi.daemons import Daemon
from sscsi.kubelet import ask_provider, mount_request
from sscsi.stage import Stage
from sscsi_driver.metrics import ContentAge, DriverMetrics, VolumeGauges
from sscsi_driver.schedule import State
from sscsi_shared.server.servicer import CANCELLED

Series = dict[str, dict[str, set[str]]]
"""Metric -> label -> values that were seen."""
TARGET = {"job", "instance"}
"""What Prometheus adds to each series."""
MONITORING = ROOT / "charts" / "sscsi-common" / "monitoring"
RULES = [
    rule
    for path in sorted(MONITORING.glob("*.yaml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
PANELS = [
    panel for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"] if panel["type"] != "row"
]


def series(pages: Iterable[str]) -> Series:
    found: Series = {}
    for page in pages:
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                labels = found.setdefault(sample.name, {})
                for label, value in sample.labels.items():
                    labels.setdefault(label, set()).add(value)
    return found


def served(daemon: Daemon, port: int) -> str:
    with daemon, urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def registered() -> str:
    """The driver's, with an event of each kind."""
    registry = CollectorRegistry()
    metrics = DriverMetrics(registry)
    metrics.published("aws")
    metrics.publish_failed("aws", "GRPCProviderError")
    metrics.unpublished()
    metrics.unpublish_failed()
    metrics.rotated("aws", 0.1)
    metrics.rotation_failed("aws", "GRPCProviderError")
    metrics.synced("aws", 1)
    metrics.sync_took(0.1)
    metrics.sync_failed("aws")
    states = {state.name.lower(): 1 for state in State}
    registry.register(VolumeGauges(lambda: states, lambda: [ContentAge("shop", "demo", 1.0)]))
    return generate_latest(registry).decode()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Series:
    """Of a provider that has answered a mount and refused one, and of a driver, both from their pages."""
    with Stage(driver=False, clouds=(AwsCloud,), flags=()) as stage:
        sockets, port = stage.folder / "again", unused()
        sockets.mkdir()
        own = stage.provider_daemon(sockets, cloud="aws")
        flags = [flag for flag in own.arguments if not flag.startswith("--metrics-addr")]
        environ = stage.clouds["aws"].environ()
        provider = Daemon(
            own.module, [*flags, f"--metrics-addr=127.0.0.1:{port}"], own.socket, stage.folder / "again.log", environ
        )
        with provider:
            request = mount_request(stage.volume(), stage.parameters_of("aws"), stage.kubelet_root)
            assert ask_provider(own.socket, request, 20).files
            with pytest.raises(Exception, match="objects"):
                ask_provider(own.socket, mount_request(stage.volume(), {}, stage.kubelet_root), 20)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                first = str(answer.read().decode())
        port = unused()
        kept = [flag for flag in stage.driver.arguments if not flag.startswith("--metrics-addr")]
        driver = Daemon(
            "sscsi_driver", [*kept, f"--metrics-addr=127.0.0.1:{port}"], stage.driver.socket, stage.folder / "d.log"
        )
        second = served(driver, port)
    return series([first, second, registered()])


def unused() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def queries() -> list[Any]:
    alerts = [pytest.param(rule["expr"], id=rule["alert"]) for rule in RULES]
    graphs = [
        pytest.param(target["expr"], id=f"{panel['title']}-{target['refId']}")
        for panel in PANELS
        for target in panel["targets"]
    ]
    return alerts + graphs


@pytest.mark.parametrize("expression", queries())
def test_it_asks_for_what_there_is(exported: Series, expression: str) -> None:
    query = read(expression)
    assert query.selected
    for name, matchers in query.selected.items():
        assert name in exported, name
        assert matchers.keys() <= exported[name].keys() | TARGET
    known = TARGET.union(*(exported[name].keys() for name in query.selected))
    assert query.grouped <= known


def test_values_that_are_written_there_are_ones_that_come(exported: Series) -> None:
    written: dict[tuple[str, str], set[str]] = {}
    for rule in RULES:
        for name, matchers in read(rule["expr"]).selected.items():
            for label, values in matchers.items():
                written.setdefault((name, label), set()).update(values)
    assert written == {
        ("sscsi_build_info", "name"): {"sscsi-driver"},
        ("sscsi_volumes", "state"): {"due", "tokens", "backed_off"},
        ("sscsi_mounts_total", "reason"): {"OK", CANCELLED},
        ("sscsi_economy_total", "outcome"): {"backed_off"},
    }
    assert "sscsi-driver" in exported["sscsi_build_info"]["name"]
    assert {"due", "tokens", "backed_off"} <= exported["sscsi_volumes"]["state"]
    assert "OK" in exported["sscsi_mounts_total"]["reason"]


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_names_what_it_groups_by(exported: Series, rule: Mapping[str, Any]) -> None:
    query = read(rule["expr"])
    there = query.grouped | (set() if "by (" in rule["expr"] else TARGET)
    texts = " ".join(rule["annotations"].values())
    assert set(re.findall(r"\$labels\.(\w+)", texts)) <= there
    assert rule["annotations"].keys() == {"summary", "description"}
    assert rule["labels"]["severity"] in {"warning", "critical"}


@pytest.mark.parametrize("panel", PANELS, ids=[panel["title"] for panel in PANELS])
def test_a_legend_names_what_its_query_groups_by(panel: Mapping[str, Any]) -> None:
    for target in panel["targets"]:
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= read(target["expr"]).grouped
    place = panel["gridPos"]
    assert place["x"] + place["w"] <= 24
    places = [(other["gridPos"]["x"], other["gridPos"]["y"]) for other in PANELS]
    assert len(places) == len(set(places))


def test_every_metric_of_ours_is_on_the_dashboard_or_in_an_alert(exported: Series) -> None:
    """But for seconds of single steps, and for the existing drivers' names of what another metric says."""
    asked = {name for parameter in queries() for name in read(parameter.values[0]).selected}
    ours = {name.removesuffix("_created") for name in exported if name.startswith("sscsi_")}
    heads = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in ours}
    assert {head for head in heads if not any(name.startswith(head) for name in asked)} == set()


def test_a_query_is_read_right() -> None:
    query = read('max by (a, b) (m{x="1|2"} > 3600 and on (c) rate(n[5m]) * on (d) group_left (e) o) > 2')
    assert query.selected == {"m": {"x": {"1", "2"}}, "n": {}, "o": {}}
    assert query.grouped == {"a", "b", "c", "d", "e"}


def test_the_chart_ships_them_where_they_are_wanted(charts: Path) -> None:
    wanted = {"prometheusRule": {"enabled": True}, "dashboard": {"enabled": True}}
    whole = objects(charts, "sscsi", wanted)
    names = [group["name"] for group in one(whole, "PrometheusRule")["spec"]["groups"]]
    assert names == ["secrets-store-driver", "secrets-store-providers"]
    shipped = [rule for group in one(whole, "PrometheusRule")["spec"]["groups"] for rule in group["rules"]]
    assert shipped == RULES
    board = one(whole, "ConfigMap")
    assert json.loads(board["data"]["secrets-store.json"])["panels"]
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
    for name, group in (("sscsi-driver", "secrets-store-driver"), ("sscsi-provider-gcp", "secrets-store-providers")):
        groups = one(objects(charts, name, wanted), "PrometheusRule")["spec"]["groups"]
        assert [one["name"] for one in groups] == [group]
    assert not {"PrometheusRule", "PodMonitor", "ConfigMap"} & {body["kind"] for body in objects(charts, "sscsi")}
