"""Alerts by Prometheus' own tool: they are well-formed, come where they are to come, and not where all is well."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart_rig import ROOT

PROMTOOL = shutil.which("promtool")
CASES: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("alerts.yaml").read_text())
MONITORING = ROOT / "charts" / "sscsi-common" / "monitoring"
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not here (Debian's package prometheus)")


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run([PROMTOOL or "", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
@pytest.mark.parametrize("name", CASES["rule_files"])
def test_promtool_finds_no_mistake(name: str) -> None:
    assert "SUCCESS" in promtool("check", "rules", MONITORING / name)


@needs_promtool
def test_alerts_come_where_they_are_to_come(tmp_path: Path) -> None:
    cases = {**CASES, "rule_files": [str(MONITORING / name) for name in CASES["rule_files"]]}
    for case in cases["tests"]:
        for test in case["alert_rule_test"]:
            for alert in test["exp_alerts"]:
                alert.setdefault("exp_annotations", annotations(test["alertname"], alert["exp_labels"]))
        case.pop("name")  # older promtools know none
    written = tmp_path / "alerts.yaml"
    written.write_text(yaml.safe_dump(cases))
    promtool("test", "rules", written)


def annotations(name: str, labels: dict[str, str]) -> dict[str, str]:
    """The rule's own, with the labels put in, and for $value what the series of that alert come to."""
    (found,) = (rule["annotations"] for rule in rules() if rule["alert"] == name)
    values = {"SecretsStoreVolumesHeldUp": "2", "SecretsStoreDaemonRestarting": "30"}
    words = {f"{{{{ $labels.{label} }}}}": value for label, value in labels.items()}
    words |= {"{{ $value }}": values.get(name, "?"), "{{ $value | humanizeDuration }}": "28.89s"}
    texts = {}
    for key, text in found.items():
        texts[key] = re.sub(r"{{ .*? }}", lambda match: words[match[0]], text)
    return texts


def rules() -> list[dict[str, Any]]:
    files = [yaml.safe_load((MONITORING / name).read_text()) for name in CASES["rule_files"]]
    return [rule for body in files for group in body["groups"] for rule in group["rules"]]


def test_each_alert_is_tried_both_ways() -> None:
    tried = {
        (test["alertname"], bool(test["exp_alerts"])) for case in CASES["tests"] for test in case["alert_rule_test"]
    }
    assert tried == {(rule["alert"], comes) for rule in rules() for comes in (True, False)}
