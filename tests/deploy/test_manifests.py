"""deploy/: what is written there fits together, fits the code, and is what the existing driver's users know."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster_stage import rights
from sscsi.clouds import AwsCloud, AzureCloud, Cloud, GcpCloud, VaultCloud
from sscsi_driver.attributes import refusal
from sscsi_driver.classes import driver_of
from sscsi_driver.options import DriverOptions, read_options
from sscsi_provider_azure.__main__ import HEALTH, HEALTH_PATH, PROXY_CA
from sscsi_provider_azure.provider import BINDING, EXCHANGE
from sscsi_shared.server.serve import PROVIDER_VOLUME, parse_options

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CLOUDS = ("aws", "azure", "gcp", "vault")
AUDIENCES = {"aws": {"sts.amazonaws.com", "pods.eks.amazonaws.com"}, "azure": {EXCHANGE, BINDING}}
DRIVER = "secrets-store.csi.k8s.io"
FOLDER = "/var/run/secrets-store-csi-providers"
KUBELET = "/var/lib/kubelet"


def documents(pattern: str = "**/*.yaml") -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for path in sorted(DEPLOY.glob(pattern)):
        yield from ((path, body) for body in yaml.safe_load_all(path.read_text()))


def one(kind: str, pattern: str) -> Mapping[str, Any]:
    (body,) = (body for _, body in documents(pattern) if body["kind"] == kind)
    return body


def pod_spec(pattern: str) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = one("DaemonSet", pattern)["spec"]["template"]["spec"]
    return spec


def container(spec: Mapping[str, Any], name: str, of: str = "containers") -> Mapping[str, Any]:
    (found,) = (body for body in spec[of] if body["name"] == name)
    return found  # type: ignore[no-any-return]


def arguments(body: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """As kubelet gives them: $(NAME) is the container's variable."""
    texts: Sequence[str] = body["args"]
    for name, value in environ.items():
        texts = [text.replace(f"$({name})", value) for text in texts]
    return list(texts)


def mounted(spec: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, str]:
    """Path in the container -> path on the node."""
    on_node = {volume["name"]: volume["hostPath"]["path"].rstrip("/") for volume in spec["volumes"]}
    return {mount["mountPath"]: on_node[mount["name"]] for mount in body["volumeMounts"]}


def ports(body: Mapping[str, Any]) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in body.get("ports", ())}


def driver_options() -> DriverOptions:
    body = container(pod_spec("driver/daemonset.yaml"), "secrets-store")
    environ = {variable["name"]: variable.get("value", "node-1") for variable in body["env"]}
    return read_options(arguments(body, environ), environ, "1")


def test_every_manifest_is_an_object_of_a_name_of_its_own() -> None:
    seen = [
        (body["apiVersion"], body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"])
        for _, body in documents()
    ]
    assert len(seen) == len(set(seen))
    assert {kind for _, kind, _, _ in seen} >= {"CustomResourceDefinition", "CSIDriver", "DaemonSet", "ClusterRole"}


def test_whoever_is_named_is_there() -> None:
    bodies = [body for _, body in documents()]
    there = {(body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"]) for body in bodies}
    for body in bodies:
        namespace = body["metadata"].get("namespace")
        if body["kind"].endswith("RoleBinding"):
            assert (body["roleRef"]["kind"], namespace, body["roleRef"]["name"]) in there
            for subject in body["subjects"]:
                assert (subject["kind"], subject["namespace"], subject["name"]) in there
        if body["kind"] == "DaemonSet":
            spec = body["spec"]["template"]["spec"]
            assert ("ServiceAccount", namespace, spec["serviceAccountName"]) in there
            assert body["spec"]["selector"]["matchLabels"] == body["spec"]["template"]["metadata"]["labels"]
        if namespace not in {None, "kube-system"}:
            assert ("Namespace", None, namespace) in there


class TestDriver:
    def test_its_flags_are_what_it_takes_and_the_defaults_hold(self) -> None:
        options, default = driver_options(), read_options([], {}, "1")
        assert options.publish.node == "node-1"
        assert options.socket == default.socket == Path("/csi/csi.sock")
        assert options.provider_volume == default.provider_volume == Path(FOLDER)
        assert options.provider_folders == default.provider_folders
        assert options.daemon.metrics_address == default.daemon.metrics_address == ":8095"
        assert (options.publish.rotation_interval, default.publish.rotation_interval) == (120.0, None)
        assert options.publish.driver_name == one("CSIDriver", "driver/csidriver.yaml")["metadata"]["name"] == DRIVER
        assert not options.objects
        assert not options.status_folder

    def test_the_three_containers_meet_at_one_socket(self) -> None:
        spec, socket = pod_spec("driver/daemonset.yaml"), str(driver_options().socket)
        plugin = f"{KUBELET}/plugins/csi-secrets-store"
        for name in ("node-driver-registrar", "secrets-store", "liveness-probe"):
            assert mounted(spec, container(spec, name))["/csi"] == plugin
        registrar, probe = container(spec, "node-driver-registrar"), container(spec, "liveness-probe")
        assert f"--csi-address={socket}" in registrar["args"]
        assert f"--csi-address={socket}" in probe["args"]
        assert f"--kubelet-registration-path={plugin}/csi.sock" in registrar["args"]
        assert mounted(spec, registrar)["/registration"] == f"{KUBELET}/plugins_registry"

    def test_its_ports_and_probe(self) -> None:
        spec = pod_spec("driver/daemonset.yaml")
        body = container(spec, "secrets-store")
        assert ports(body) == {"healthz": 9808, "metrics": 8095}
        assert driver_options().daemon.metrics_address == ":8095"
        assert "--http-endpoint=0.0.0.0:9808" in container(spec, "liveness-probe")["args"]
        assert body["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "healthz"}

    def test_pods_see_its_mounts_and_it_sees_the_providers(self) -> None:
        spec = pod_spec("driver/daemonset.yaml")
        body = container(spec, "secrets-store")
        found = mounted(spec, body)
        for folder in driver_options().provider_folders:
            assert found[str(folder)] == str(folder)
        (pods,) = (mount for mount in body["volumeMounts"] if mount["mountPath"] == f"{KUBELET}/pods")
        assert pods["mountPropagation"] == "Bidirectional"
        assert found[f"{KUBELET}/pods"] == f"{KUBELET}/pods"
        assert body["securityContext"] == {"privileged": True, "readOnlyRootFilesystem": True}

    def test_the_others_of_its_pod_are_not_privileged(self) -> None:
        spec = pod_spec("driver/daemonset.yaml")
        for name in ("node-driver-registrar", "liveness-probe"):
            assert container(spec, name)["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }

    def test_tools_find_the_names_of_the_existing_driver(self) -> None:
        """reference/driver.md, section 17."""
        body = one("DaemonSet", "driver/daemonset.yaml")
        assert (body["metadata"]["name"], body["metadata"]["namespace"]) == ("csi-secrets-store", "kube-system")
        assert body["metadata"]["labels"] == {"app": "csi-secrets-store"}
        names = {(found["kind"], found["metadata"]["name"]) for _, found in documents("driver/*.yaml")}
        assert names >= {
            ("ServiceAccount", "secrets-store-csi-driver"),
            ("ClusterRole", "secretproviderclasses-role"),
            ("ClusterRoleBinding", "secretproviderclasses-rolebinding"),
            ("ClusterRole", "secretprovidersyncing-role"),
            ("ClusterRoleBinding", "secretprovidersyncing-rolebinding"),
            ("ClusterRole", "secretproviderclasses-admin-role"),
            ("ClusterRole", "secretproviderclasses-viewer-role"),
            ("ClusterRole", "secretproviderclasspodstatuses-viewer-role"),
        }


class TestCSIDriver:
    def test_it_is_one_that_the_driver_serves(self) -> None:
        body = one("CSIDriver", "driver/csidriver.yaml")
        found = driver_of(body)
        assert refusal(DRIVER, found) == ""
        assert found.republish
        assert body["spec"]["volumeLifecycleModes"] == ["Ephemeral"]
        assert body["spec"]["attachRequired"] is False

    def test_the_tokens_in_its_comments_are_those_that_the_providers_ask_for(self) -> None:
        text = (DEPLOY / "driver" / "csidriver.yaml").read_text()
        bare = "\n".join(
            line.replace("# ", "", 1) if "audience:" in line or "tokenRequests:" in line else line
            for line in text.splitlines()
        )
        spec = yaml.safe_load(bare)["spec"]
        named = {request["audience"] for request in spec["tokenRequests"]}
        assert named == {*AUDIENCES["aws"], *AUDIENCES["azure"], "vault"}
        assert driver_of(yaml.safe_load(bare)).token_requests
        assert "tokenRequests" not in yaml.safe_load(text)["spec"], "every provider is handed all tokens"


@pytest.mark.parametrize("cloud", CLOUDS)
class TestProvider:
    def test_its_flags_are_what_it_takes(self, cloud: str) -> None:
        module = f"sscsi_provider_{cloud}.__main__"
        flags = import_module(module).FLAGS if find_spec(module) else ()
        body = container(pod_spec(f"providers/{cloud}.yaml"), "provider")
        values, options = parse_options(f"sscsi-provider-{cloud}", "", "1", flags, body["args"], {})
        assert str(options.folder) == PROVIDER_VOLUME.default == FOLDER
        assert options.folder in driver_options().provider_folders
        assert options.daemon.metrics_address == f":{ports(body)['metrics']}"
        probed = "healthz" if HEALTH in flags else "metrics"
        assert body["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": probed}
        assert body["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": probed}
        if HEALTH in flags:
            assert (values[HEALTH], values[HEALTH_PATH]) == (ports(body)["healthz"], "/healthz")

    def test_it_has_nothing_of_the_node_but_the_folder(self, cloud: str) -> None:
        spec = pod_spec(f"providers/{cloud}.yaml")
        assert [volume["hostPath"]["path"] for volume in spec["volumes"]] == [FOLDER]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        body = container(spec, "provider")
        assert mounted(spec, body) == {FOLDER: FOLDER}
        assert body["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        whole = spec["securityContext"]
        assert (whole["runAsNonRoot"], whole["runAsGroup"]) == (True, 65532)
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}

    def test_the_folder_is_prepared_by_the_same_image(self, cloud: str) -> None:
        spec = pod_spec(f"providers/{cloud}.yaml")
        first = container(spec, "prepare-folder", "initContainers")
        assert first["image"] == container(spec, "provider")["image"]
        assert first["args"] == [f"--provider-volume={FOLDER}", "--prepare-folder"]
        assert first["securityContext"]["runAsUser"] == 0
        assert first["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["CHOWN", "FOWNER"]}


@pytest.mark.parametrize(
    ("cloud", "more"),
    [(AwsCloud, {("get", "pods"), ("get", "nodes")}), (AzureCloud, set()), (GcpCloud, set()), (VaultCloud, set())],
)
def test_its_rights_are_what_it_asks_for(cloud: type[Cloud], more: set[tuple[str, str]]) -> None:
    """The demo and the tests run providers with `cloud.rights`; AWS reads the node's region where no flag says it."""
    assert rights(f"providers/{cloud.name}.yaml") == set(cloud.rights) | more


def test_the_existing_azure_providers_names_and_ports() -> None:
    """reference/azure.md, section 10; neither its host network nor its root user."""
    body = one("DaemonSet", "providers/azure.yaml")
    name = "csi-secrets-store-provider-azure"
    assert (body["metadata"]["name"], body["metadata"]["namespace"]) == (name, "kube-system")
    assert body["metadata"]["labels"] == {"app": name}
    assert ports(container(pod_spec("providers/azure.yaml"), "provider")) == {"metrics": 8898, "healthz": 8989}


def test_identity_bindings_find_the_api_servers_authority() -> None:
    """Kubelet puts it beside the pod's token, where that is mounted."""
    assert Path(PROXY_CA.default).is_relative_to("/var/run/secrets/kubernetes.io/serviceaccount")
    bodies = [one("ServiceAccount", "providers/azure.yaml"), pod_spec("providers/azure.yaml")]
    assert [body.get("automountServiceAccountToken", True) for body in bodies] == [True, True]


def test_each_provider_is_a_user_of_its_own() -> None:
    users = [pod_spec(f"providers/{cloud}.yaml")["securityContext"]["runAsUser"] for cloud in CLOUDS]
    assert len(set(users)) == len(CLOUDS)
    assert min(users) > 65535 - 1000
    assert not {65532, 65534, 65535} & set(users)


def test_images_are_the_distributions_in_their_version() -> None:
    for folder, manifest, name in [
        ("driver", "driver/daemonset.yaml", "secrets-store"),
        *((f"providers/{cloud}", f"providers/{cloud}.yaml", "provider") for cloud in CLOUDS),
    ]:
        project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
        assert container(pod_spec(manifest), name)["image"] == f"{project['name']}:{project['version']}"


def shape(schema: Mapping[str, Any]) -> Any:
    """A schema without its descriptions: type names, and what is below."""
    if schema["type"] == "array":
        return [shape(schema["items"])]
    if "additionalProperties" in schema:
        return {"*": shape(schema["additionalProperties"])}
    if "properties" in schema:
        return {name: shape(below) for name, below in schema["properties"].items()}
    return schema["type"]


TEXTS = {"*": "string"}
SPEC = {
    "provider": "string",
    "parameters": TEXTS,
    "secretObjects": [
        {
            "secretName": "string",
            "type": "string",
            "labels": TEXTS,
            "annotations": TEXTS,
            "data": [{"objectName": "string", "key": "string"}],
        }
    ],
}
META = {"apiVersion": "string", "kind": "string", "metadata": "object"}
STATUS = {
    "podName": "string",
    "secretProviderClassName": "string",
    "targetPath": "string",
    "mounted": "boolean",
    "objects": [{"id": "string", "version": "string"}],
}
BY_POD = {"byPod": [{"id": "string", "namespace": "string"}]}


@pytest.mark.parametrize(
    ("plural", "kind", "shapes"),
    [
        (
            "secretproviderclasses",
            "SecretProviderClass",
            {
                "v1": {**META, "spec": SPEC, "status": "object"},
                "v1alpha1": {**META, "spec": SPEC, "status": BY_POD},
            },
        ),
        (
            "secretproviderclasspodstatuses",
            "SecretProviderClassPodStatus",
            {"v1": {**META, "status": STATUS}, "v1alpha1": {**META, "status": STATUS}},
        ),
    ],
)
def test_the_crds_are_the_existing_ones(plural: str, kind: str, shapes: Mapping[str, Any]) -> None:
    """reference/driver.md, section 13: no subresource, no columns, no check beyond types."""
    body = one("CustomResourceDefinition", f"crds/{plural}.yaml")
    group = "secrets-store.csi.x-k8s.io"
    assert body["metadata"]["name"] == f"{plural}.{group}"
    spec = body["spec"]
    assert (spec["group"], spec["scope"]) == (group, "Namespaced")
    assert spec["names"] == {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    assert spec.keys() == {"group", "scope", "names", "versions"}
    versions = {version["name"]: version for version in spec["versions"]}
    assert {name: shape(version["schema"]["openAPIV3Schema"]) for name, version in versions.items()} == shapes
    assert {name: (version["served"], version["storage"]) for name, version in versions.items()} == {
        "v1": (True, True),
        "v1alpha1": (True, False),
    }
    assert versions["v1"].keys() == {"name", "served", "storage", "schema"}
    assert versions["v1alpha1"]["deprecated"] is True
