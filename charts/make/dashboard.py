"""The Grafana dashboard: panels of the metrics that driver and providers have, in a layout that is computed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

WIDTH: Final = 24
"""Of Grafana's grid."""
_HEIGHT: Final = 8
_NAMED: Final = "* on (job, instance) group_left (name) sscsi_build_info"
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph.

    Attributes:
        title: what it shows.
        says: what to make of it.
        unit: Grafana's name of the unit.
        queries: PromQL and legend of each.
    """

    title: str
    says: str
    unit: str
    queries: Sequence[tuple[str, str]]


ROWS: Final[Sequence[tuple[str, Sequence[Panel]]]] = (
    (
        "Pods",
        (
            Panel(
                "Volumes published",
                "By the driver; kubelet's repetitions count too.",
                "ops",
                (("sum by (provider) (rate(node_publish_total[$__rate_interval]))", "{{provider}}"),),
            ),
            Panel(
                "Publishes that failed",
                "These pods do not start: kubectl describe pod says why.",
                "ops",
                (
                    (
                        "sum by (provider, error_type) (rate(node_publish_error_total[$__rate_interval]))",
                        "{{provider}} {{error_type}}",
                    ),
                    ("sum(rate(node_unpublish_error_total[$__rate_interval]))", "unpublish"),
                ),
            ),
            Panel(
                "Age of content",
                "Since the oldest content of a class was last known to be the backend's.",
                "s",
                (("topk(10, max by (namespace, class) (sscsi_content_age_seconds))", "{{namespace}}/{{class}}"),),
            ),
        ),
    ),
    (
        "Rotation and Kubernetes Secrets",
        (
            Panel(
                "Volumes",
                "Held up: tokens (kubelet must send newer ones), backed_off (provider or backend in trouble).",
                "short",
                (("sum by (state) (sscsi_volumes)", "{{state}}"),),
            ),
            Panel(
                "Fetches",
                "Of filled volumes; those that failed left the files as they were.",
                "ops",
                (
                    ("sum by (provider) (rate(rotation_reconcile_total[$__rate_interval]))", "{{provider}}"),
                    (
                        "sum by (provider, error_type) (rate(rotation_reconcile_error_total[$__rate_interval]))",
                        "{{provider}} failed: {{error_type}}",
                    ),
                    ("sum by (reason) (rate(sscsi_rotation_skipped_total[$__rate_interval]))", "held up: {{reason}}"),
                ),
            ),
            Panel(
                "Secrets written",
                "What is equal is not written.",
                "ops",
                (
                    ("sum by (provider) (rate(sync_k8s_secret_total[$__rate_interval]))", "{{provider}}"),
                    ("sum by (provider) (rate(sscsi_sync_failed_total[$__rate_interval]))", "{{provider}} failed"),
                ),
            ),
        ),
    ),
    (
        "Providers",
        (
            Panel(
                "Mounts answered",
                "By reason; Cancelled means that the caller left.",
                "ops",
                (("sum by (reason) (rate(sscsi_mounts_total[$__rate_interval]))", "{{reason}}"),),
            ),
            Panel(
                "Seconds of a mount",
                "Of all providers.",
                "s",
                tuple(
                    (
                        f"histogram_quantile({part}, sum by (le) (rate(sscsi_mount_seconds_bucket[$__rate_interval])))",
                        f"p{round(part * 100)}",
                    )
                    for part in (0.5, 0.95, 0.99)
                ),
            ),
            Panel(
                "Calls of backends",
                "Every request that was sent, each try by itself: what the bill and the limits count.",
                "ops",
                (
                    (
                        "sum by (operation, outcome) (rate(sscsi_backend_calls_total[$__rate_interval]))",
                        "{{operation}} {{outcome}}",
                    ),
                ),
            ),
            Panel(
                "Asked once",
                "Objects: read, hit (in memory), joined (asked for already), backed_off; logins.",
                "ops",
                (("sum by (outcome) (rate(sscsi_economy_total[$__rate_interval]))", "{{outcome}}"),),
            ),
            Panel(
                "Kept in memory",
                "Contents, in bytes: at most --cache-max-bytes in each daemon.",
                "bytes",
                (("max by (job, instance) (sscsi_held_bytes)", "{{job}} {{instance}}"),),
            ),
            Panel(
                "Logins kept",
                "At most --cache-max-sessions in each daemon.",
                "short",
                (("max by (job, instance) (sscsi_held_sessions)", "{{job}} {{instance}}"),),
            ),
        ),
    ),
    (
        "Daemons",
        (
            Panel(
                "Running",
                "By version.",
                "short",
                (("count by (name, version) (sscsi_build_info)", "{{name}} {{version}}"),),
            ),
            Panel(
                "Memory",
                "Resident; volumes' contents count for the driver's container besides.",
                "bytes",
                (
                    (
                        f"max by (name) (process_resident_memory_bytes {_NAMED})",
                        "{{name}}",
                    ),
                ),
            ),
            Panel(
                "CPU",
                "Of the busiest node, in cores.",
                "short",
                (
                    (
                        f"max by (name) (rate(process_cpu_seconds_total[$__rate_interval]) {_NAMED})",
                        "{{name}}",
                    ),
                ),
            ),
        ),
    ),
)


def dashboard() -> str:
    """The dashboard as JSON."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS:
        place = {"x": 0, "y": top, "w": WIDTH, "h": 1}
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "gridPos": place, "panels": []})
        top += 1
        for number, panel in enumerate(row):
            column, line = number % 3, number // 3
            place = {"x": column * WIDTH // 3, "y": top + line * _HEIGHT, "w": WIDTH // 3, "h": _HEIGHT}
            panels.append(_graph(len(panels) + 1, panel, place))
        top += -(-len(row) // 3) * _HEIGHT
    body = {
        "uid": "sscsi",
        "title": "Secrets Store CSI",
        "tags": ["secrets-store-csi"],
        "schemaVersion": 39,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}]
        },
        "panels": panels,
    }
    return json.dumps(body, indent=1) + "\n"


def _graph(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + index), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
        for index, (query, legend) in enumerate(panel.queries)
    ]
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": targets,
    }
