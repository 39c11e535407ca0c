"""Wrong values end with the value's path and what it may be; those that can't be honoured with the reason."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from charts.make.helm import CHARTS, HelmError, render

from chart_rig import CLOUDS, ROOT

Wrong = tuple[str, Mapping[str, Any], str]
WRONG: tuple[Wrong, ...] = (
    ("sscsi-driver", {"syncSecrets": {"enabled": True}}, "(root): Additional property syncSecrets is not allowed"),
    ("sscsi-driver", {"linux": {"kubeletRootDir": None}}, "linux: kubeletRootDir is required"),
    ("sscsi-driver", {"memory": None}, "(root): memory is required"),
    ("sscsi-driver", {"linux": {"tolerance": []}}, "linux: Additional property tolerance is not allowed"),
    ("sscsi-driver", {"syncSecret": {"enabled": "yes"}}, "syncSecret.enabled: Invalid type. Expected: boolean"),
    ("sscsi-driver", {"syncSecret": {"namespaces": "shop"}}, "syncSecret.namespaces: Invalid type. Expected: array"),
    ("sscsi-driver", {"logLevel": "trace"}, 'logLevel must be one of the following: "debug", "info", "warn", "error"'),
    ("sscsi-driver", {"rotationPollInterval": "2 min"}, "rotationPollInterval: Does not match pattern"),
    ("sscsi-driver", {"tokenRequests": ["vault"]}, "tokenRequests.0: Invalid type. Expected: object, given: string"),
    ("sscsi-driver", {"tokenRequests": [{"audiences": "a"}]}, "tokenRequests.0: audience is required"),
    (
        "sscsi-driver",
        {"tokenRequests": [{"audience": "a", "expirationSeconds": 60}]},
        "expirationSeconds: Must be greater than or equal to 600",
    ),
    ("sscsi-driver", {"linux": {"metricsAddr": "localhost:8095"}}, "linux.metricsAddr: Does not match pattern"),
    ("sscsi-driver", {"livenessProbe": {"port": 0}}, "livenessProbe.port: Must be greater than or equal to 1"),
    ("sscsi-driver", {"volumeSize": "16MB"}, "volumeSize: Does not match pattern"),
    ("sscsi-driver", {"linux": {"image": {"digest": "sha256:1"}}}, "linux.image.digest: Does not match pattern"),
    ("sscsi-driver", {"policy": {"validationActions": ["Refuse"]}}, "policy.validationActions.0 must be one of"),
    ("sscsi-provider-aws", {"cache": {"maxBytes": "64 MB"}}, "cache.maxBytes: Does not match pattern"),
    ("sscsi-provider-aws", {"cache": {"sessionScope": "node"}}, "cache.sessionScope must be one of the following"),
    ("sscsi-provider-gcp", {"resources": {"limit": {}}}, "resources: Additional property limit is not allowed"),
    ("sscsi-provider-vault", {"daemonSet": {"provider": "/a"}}, "daemonSet: Additional property provider is not"),
    ("sscsi-provider-azure", {"linux": {"healthzPort": "a"}}, "linux.healthzPort: Invalid type. Expected: integer"),
    ("sscsi", {"aws": {"enabled": True, "awsregion": "x"}}, "aws:\n- (root): Additional property awsregion is not"),
    ("sscsi", {"syncSecret": {"enabled": True}}, "(root): Additional property syncSecret is not allowed"),
)
REFUSED: tuple[Wrong, ...] = (
    ("sscsi-driver", {"linux": {"enabled": False}}, "linux.enabled: without Linux nodes there is nothing to install"),
    ("sscsi-driver", {"windows": {"enabled": True}}, "windows.enabled: the driver runs on Linux alone"),
    (
        "sscsi-driver",
        {"linux": {"image": {"repository": "registry.k8s.io/csi-secrets-store/driver"}}},
        "linux.image.repository: this is the existing driver's image",
    ),
    ("sscsi-driver", {"linux": {"image": {"tag": "v1.6.0"}}}, "linux.image.tag: this is a tag of the existing driver"),
    (
        "sscsi-provider-aws",
        {"image": {"repository": "public.ecr.aws/aws-secrets-manager/secrets-store-csi-driver-provider-aws"}},
        "image.repository: this is the existing provider's image",
    ),
    ("sscsi-provider-aws", {"image": {"tag": "3.1.1"}}, "image.tag: this is a tag of the existing provider"),
    (
        "sscsi-provider-aws",
        {"secrets-store-csi-driver": {"install": True}},
        "secrets-store-csi-driver.install: the driver is a chart of its own here",
    ),
    ("sscsi-provider-gcp", {"secrets-store-csi-driver": {"install": True}}, "secrets-store-csi-driver.install: "),
    (
        "sscsi-provider-gcp",
        {"image": {"repository": "us-docker.pkg.dev/secretmanager-csi/x/plugin"}},
        "image.repository: this is the existing provider's image",
    ),
    (
        "sscsi-provider-azure",
        {"linux": {"image": {"repository": "mcr.microsoft.com/oss/v2/azure/secrets-store/provider-azure"}}},
        "linux.image.repository: this is the existing provider's image",
    ),
    ("sscsi-provider-azure", {"linux": {"image": {"tag": "v1.7.2"}}}, "linux.image.tag: this is a tag of the existing"),
    ("sscsi-provider-azure", {"linux": {"enabled": False}}, "linux.enabled: without Linux nodes"),
    ("sscsi-provider-azure", {"windows": {"enabled": True}}, "windows.enabled: the provider runs on Linux alone"),
    ("sscsi-provider-azure", {"enableArcExtension": True}, "enableArcExtension: the parts of Azure Arc"),
    ("sscsi-provider-azure", {"secrets-store-csi-driver": {"install": True}}, "secrets-store-csi-driver.install: "),
    ("sscsi-provider-vault", {"hostNetwork": True}, "hostNetwork: the provider stays in the pod network"),
    (
        "sscsi-provider-vault",
        {"image": {"repository": "hashicorp/vault-csi-provider"}},
        "image.repository: this is the existing provider's image",
    ),
    ("sscsi-provider-vault", {"enabled": False}, "enabled: there is nothing else in this chart"),
    ("sscsi", {"secrets-store-csi-driver": {"install": True}}, "the driver's values stand under `driver` here"),
)


@pytest.mark.parametrize(("name", "values", "said"), [*WRONG, *REFUSED])
def test_it_is_said_which_value_and_why(charts: Path, name: str, values: Mapping[str, Any], said: str) -> None:
    with pytest.raises(HelmError, match=re.escape(said)):
        render(charts, name, values)


def test_an_older_cluster_has_all_but_the_policy(charts: Path) -> None:
    """VOLUME_MOUNT_GROUP, the newest that the driver needs, is of Kubernetes 1.26."""
    assert render(charts, "sscsi-driver", kubernetes="1.26.0")
    with pytest.raises(HelmError, match=r"policy\.enabled: Kubernetes has ValidatingAdmissionPolicy from 1\.30 on"):
        render(charts, "sscsi-driver", {"policy": {"enabled": True}}, kubernetes="1.29.9")
    with pytest.raises(HelmError, match="kubeVersion"):
        render(charts, "sscsi-driver", kubernetes="1.25.0")


def test_every_reason_to_refuse_is_tried() -> None:
    for name in CHARTS[1:]:
        notices = yaml.safe_load((ROOT / "charts" / name / "notices.yaml").read_text())
        reasons = [f"{notice['path']}: {notice['refuse']}" for notice in notices if "refuse" in notice]
        tried = [said for chart, _, said in REFUSED if chart == name]
        assert [reason for reason in reasons if not any(said in reason for said in tried)] == []


def test_values_that_change_nothing_are_read_over(charts: Path) -> None:
    harmless = {"windows": {"enabled": False}, "rbac": {"pspEnabled": False}, "linux": {"crds": {"enabled": True}}}
    assert render(charts, "sscsi-driver", harmless) == render(charts, "sscsi-driver", {})


@pytest.mark.parametrize("cloud", ["", *CLOUDS])
def test_null_takes_lists_and_maps_away(charts: Path, cloud: str) -> None:
    """In every chart, at the root or below linux or pod: what was there is not, and nothing else falls over."""
    name = f"sscsi-provider-{cloud}" if cloud else "sscsi-driver"
    defaults = yaml.safe_load((ROOT / "charts" / name / "values.yaml").read_text())

    def nulls(values: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in values.items():
            if key in {"linux", "pod"}:
                found[key] = nulls(value)
            elif value in ({}, [], "") or key in {"affinity", "tolerations", "tokenRequests"}:
                found[key] = None
        return found

    text = render(charts, name, nulls(defaults))
    assert "nil" not in text
    assert "tolerations" not in text
    assert "null" not in text
