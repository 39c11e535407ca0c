"""What is made of the charts' sources is as it would be made now; sources and versions agree; nothing is fetched."""

import json
from pathlib import Path

import pytest
import yaml
from charts.make.__main__ import stale
from charts.make.helm import CHARTS, helm
from charts.make.values import described, leaves

from chart_rig import CLOUDS, ROOT, version_of

FOLDERS = {"sscsi-driver": "driver", **{f"sscsi-provider-{cloud}": f"providers/{cloud}" for cloud in CLOUDS}}


def test_deploy_schemas_tables_and_dashboard_are_made_from_the_charts() -> None:
    assert stale() == [], "make chart"


@pytest.mark.parametrize("name", CHARTS[1:])
def test_lint_has_nothing_to_say(charts: Path, name: str) -> None:
    assert "[ERROR]" not in (text := helm("lint", str(charts / name), "--strict"))
    assert "[WARNING]" not in text


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_stands_on_the_folders_beside_it(name: str) -> None:
    chart = yaml.safe_load((ROOT / "charts" / name / "Chart.yaml").read_text())
    assert chart["name"] == name
    for dependency in chart.get("dependencies", ()):
        assert dependency["repository"] == f"file://../{dependency['name']}"
        beside = yaml.safe_load((ROOT / "charts" / dependency["name"] / "Chart.yaml").read_text())
        assert dependency["version"] == beside["version"]


@pytest.mark.parametrize(("name", "folder"), FOLDERS.items())
def test_a_charts_version_is_its_daemons(name: str, folder: str) -> None:
    chart = yaml.safe_load((ROOT / "charts" / name / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == version_of(folder)


@pytest.mark.parametrize("name", CHARTS[1:])
def test_every_value_is_in_the_readme_and_in_a_closed_schema(name: str) -> None:
    text = (ROOT / "charts" / name / "values.yaml").read_text()
    values = dict(leaves(yaml.safe_load(text)))
    assert {one.path for one in described(text) if one.default} == values.keys()
    readme = (ROOT / "charts" / "README.md").read_text()
    parts = {part.partition(" -->")[0]: part for part in readme.split("<!-- values of ")[1:]}
    for one in described(text):
        places = (parts[name], parts["sscsi-provider"] if name.startswith("sscsi-provider-") else "")
        assert sum(f"| `{one.path}` |" in place for place in places) == 1, one.path
    schema = json.loads((ROOT / "charts" / name / "values.schema.json").read_text())
    assert schema["additionalProperties"] is False
    for path in values:
        here = schema
        for step in path.split("."):
            assert here.get("additionalProperties", False) is False or "properties" not in here
            here = here["properties"][step] if "properties" in here else {}


def test_what_the_providers_have_in_common_is_said_once() -> None:
    """Apart from what differs between them by its nature."""
    differ = {"memory.base", "memory.volumes", "memory.volumeSize", "tokenRequests",
              "networkPolicy.egressPorts", "networkPolicy.extraEgress"}  # fmt: skip
    found = []
    for cloud in CLOUDS:
        text = (ROOT / "charts" / f"sscsi-provider-{cloud}" / "values.yaml").read_text()
        found.append({one.path: one.default for one in described(text) if one.common and one.path not in differ})
    assert all(one == found[0] for one in found)
    assert {"cache.maxBytes", "prepareFolder", "logLevel", "podMonitor.enabled"} <= found[0].keys()
