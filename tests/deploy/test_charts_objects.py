"""Charts over a matrix of values: what they render is known to Kubernetes, fits together, and the daemons take it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from chart_cases import OURS, THEIRS, Case
from chart_rig import Objects, cloud_of, container, driver_options, environ, objects, provider_options
from kubernetes_fields import unknown

CASES = {**OURS, **THEIRS}
SIDECARS = {"node-driver-registrar", "liveness-probe"}


@pytest.fixture(scope="module", params=[*CASES.values()], ids=[*CASES])
def rendered(request: pytest.FixtureRequest, charts: Path) -> Objects:
    case: Case = request.param
    return objects(charts, *case)


def pods(bodies: Objects) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each DaemonSet with its pod."""
    for body in bodies:
        if body["kind"] == "DaemonSet":
            yield body, body["spec"]["template"]["spec"]


def containers(bodies: Objects) -> Iterator[Mapping[str, Any]]:
    for _, spec in pods(bodies):
        yield from (*spec.get("initContainers", ()), *spec["containers"])


def test_every_field_is_known_and_every_object_is_one_of_its_name(rendered: Objects) -> None:
    assert [mistake for body in rendered for mistake in unknown(body)] == []
    names = [(body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"]) for body in rendered]
    assert len(names) == len(set(names))
    for body in rendered:
        labels = body["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert all(isinstance(value, str) for value in labels.values())


def test_every_daemon_set_finds_its_pods_and_they_what_they_mount(
    rendered: Objects, request: pytest.FixtureRequest
) -> None:
    for body, spec in pods(rendered):
        template, selector = body["spec"]["template"]["metadata"]["labels"], body["spec"]["selector"]["matchLabels"]
        assert selector.items() <= template.items()
        assert set(selector) == {"app"}, "a selector can't be changed later: no version, no release in it"
        strategy = body["spec"]["updateStrategy"]
        assert strategy["type"] == "RollingUpdate"
        assert strategy["rollingUpdate"]["maxUnavailable"] == 1 or "user" in request.node.name, "one node at a time"
        assert spec["nodeSelector"]["kubernetes.io/os"] == "linux"
        volumes = [volume["name"] for volume in spec["volumes"]]
        assert len(volumes) == len(set(volumes))
        mounted = set()
        for one in (*spec.get("initContainers", ()), *spec["containers"]):
            paths = [mount["mountPath"] for mount in one["volumeMounts"]]
            assert len(paths) == len(set(paths))
            mounted |= {mount["name"] for mount in one["volumeMounts"]}
        assert mounted == set(volumes)
        for one in spec["containers"]:
            named = {port["name"] for port in one.get("ports", ())}
            probes = [one[probe] for probe in ("livenessProbe", "readinessProbe") if probe in one]
            assert {probe["httpGet"]["port"] for probe in probes} <= named
            assert len(probes) == (0 if one["name"] in SIDECARS else 2)


def test_every_argument_is_one_that_the_daemon_takes(rendered: Objects) -> None:
    """By the daemons' own parsers; they end the process at a flag that they do not know."""
    for _, spec in pods(rendered):
        image = spec["containers"][-1]["image"]
        if cloud_of(image):
            body = container(spec)
            _, _, options = provider_options(cloud_of(image), body)
            ports = {port["name"]: port["containerPort"] for port in body["ports"]}
            assert options.daemon.metrics_address == f":{ports['metrics']}"
            assert str(options.folder) in {mount["mountPath"] for mount in body["volumeMounts"]}
            for first in spec["initContainers"]:
                assert first["args"] == [f"--provider-volume={options.folder}", "--prepare-folder"]
                assert first["image"] == body["image"]
        else:
            body = container(spec, "secrets-store")
            driver = driver_options(body)
            ports = {port["name"]: port["containerPort"] for port in body["ports"]}
            assert driver.daemon.metrics_address == f":{ports['metrics']}"
            found = {mount["mountPath"] for mount in body["volumeMounts"]}
            assert {str(folder) for folder in driver.provider_folders} <= found
            assert f"--http-endpoint=0.0.0.0:{ports['healthz']}" in container(spec, "liveness-probe")["args"]
            registrar = container(spec, "node-driver-registrar")
            (plugin,) = (volume for volume in spec["volumes"] if volume["name"] == "plugin-dir")
            path = f"{plugin['hostPath']['path']}csi.sock"
            assert f"--kubelet-registration-path={path}" in registrar["args"]
        assert all(isinstance(value, str) for value in environ(body).values())


def test_whoever_is_named_is_there(rendered: Objects, request: pytest.FixtureRequest) -> None:
    there = {(body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"]) for body in rendered}
    for body in rendered:
        namespace = body["metadata"].get("namespace")
        if body["kind"].endswith("RoleBinding"):
            role = body["roleRef"]
            where = namespace if role["kind"] == "Role" else None
            assert (role["kind"], where, role["name"]) in there or role["name"].startswith("system:openshift:")
            for subject in body["subjects"]:
                assert subject["name"] == "mine" or ("ServiceAccount", subject["namespace"], subject["name"]) in there
        if body["kind"] == "DaemonSet" and "bare" not in request.node.name:
            account = body["spec"]["template"]["spec"]["serviceAccountName"]
            assert account == "mine" or ("ServiceAccount", namespace, account) in there
        if body["kind"] == "PodMonitor":
            assert ("DaemonSet", namespace, body["metadata"]["name"]) in there


def test_no_container_may_more_than_it_must(rendered: Objects, request: pytest.FixtureRequest) -> None:
    for _, spec in pods(rendered):
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for one in containers(rendered):
        context = one["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        if one["name"] == "secrets-store" or "azure-user" in request.node.name:
            continue  # the driver; and whoever asks for linux.privileged
        assert not context.get("privileged")
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"]["drop"] == ["ALL"]
        added = ["CHOWN", "FOWNER"] if one["name"] == "prepare-folder" else None
        assert context["capabilities"].get("add") == added


def test_no_image_moves_and_no_cpu_limit_is_ours(rendered: Objects, request: pytest.FixtureRequest) -> None:
    for one in containers(rendered):
        tag = one["image"].rpartition("/")[2].partition(":")[2]
        assert tag
        assert tag != "latest"
        assert one["resources"]["limits"]["memory"]
        if "user" not in request.node.name:
            assert one["resources"]["limits"].keys() == {"memory"}


def test_rights_are_named_one_by_one(rendered: Objects, request: pytest.FixtureRequest) -> None:
    for body in rendered:
        if body["kind"] not in {"ClusterRole", "Role"}:
            continue
        people = body["metadata"]["labels"].keys() & {
            "rbac.authorization.k8s.io/aggregate-to-edit", "rbac.authorization.k8s.io/aggregate-to-view"
        }  # fmt: skip
        for rule in body["rules"]:
            assert "*" not in {*rule["verbs"], *rule["resources"], *rule["apiGroups"]}
            assert people or not {"watch", "delete", "update"} & set(rule["verbs"])
            if "serviceaccounts/token" in rule["resources"]:
                assert "token-create" in request.node.name, "tokens come from kubelet"
            if "secrets" in rule["resources"]:
                assert not {"list", "watch", "delete"} & set(rule["verbs"])
