"""What a value does: tokens, rights, limits, profiles, and what users of the existing charts bring along."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from charts.make.helm import render

from chart_cases import ALL, OURS, THEIRS
from chart_rig import (
    CLOUDS,
    ROOT,
    Objects,
    container,
    driver_options,
    environ,
    kinds,
    mebibytes,
    notes,
    objects,
    one,
    pod,
    provider_options,
    with_notes,
)
from sscsi_driver.classes import driver_of
from sscsi_provider_aws.__main__ import ROOT as KUBELET_ROOT
from sscsi_provider_aws.__main__ import WRITES
from sscsi_provider_azure.provider import BINDING, EXCHANGE

USERS = {"aws": 65541, "gcp": 65542, "vault": 65543, "azure": 65544}


@pytest.fixture(scope="module")
def noted(charts: Path) -> Path:
    return with_notes(charts)


def audiences(bodies: Objects) -> list[str]:
    return [request["audience"] for request in one(bodies, "CSIDriver")["spec"].get("tokenRequests", ())]


def rules(bodies: Objects, kind: str, name: str) -> list[tuple[str, list[str]]]:
    """(resource, verbs) of a role."""
    found = one(bodies, kind, name)["rules"]
    return [(resource, rule["verbs"]) for rule in found for resource in rule["resources"]]


class TestImages:
    def test_the_global_registry_is_for_those_that_name_none(self, charts: Path) -> None:
        beside = {"linux": {"registrarImage": {"repository": "localhost:5000/registrar"}}}
        found = pod(
            objects(charts, "sscsi", {"driver": beside, "global": {"imageRegistry": "registry.example.com/team"}})
        )["containers"]
        images = {one["name"]: one["image"].rpartition(":")[0] for one in found}
        assert images == {
            "node-driver-registrar": "localhost:5000/registrar",
            "secrets-store": "registry.example.com/team/sscsi-driver",
            "liveness-probe": "registry.k8s.io/sig-storage/livenessprobe",
        }


class TestTokens:
    def test_those_of_the_enabled_providers_are_in_the_csidriver_each_once(self, charts: Path) -> None:
        bodies = objects(charts, "sscsi", {**ALL, "driver": {"tokenRequests": [{"audience": "vault"}]}})
        amazon = ["sts.amazonaws.com", "pods.eks.amazonaws.com"]
        assert audiences(bodies) == ["vault", *amazon, EXCHANGE, BINDING, "shop.svc.id.goog"]
        assert audiences(objects(charts, "sscsi", {"aws": {"enabled": True}})) == amazon
        assert audiences(objects(charts, "sscsi", {})) == []

    def test_the_driver_serves_that_object(self, charts: Path) -> None:
        found = driver_of(one(objects(charts, "sscsi", ALL), "CSIDriver"))
        assert found.republish
        assert found.token_requests

    @pytest.mark.parametrize(("version", "said"), [("1.34.3", None), ("1.35.0", True), ("1.35.1-gke.100", True)])
    def test_newer_clusters_hand_them_over_apart(self, charts: Path, version: str, said: bool | None) -> None:
        bodies = objects(charts, "sscsi", ALL, kubernetes=version)
        assert one(bodies, "CSIDriver")["spec"].get("serviceAccountTokenInSecrets") is said
        bodies = objects(charts, "sscsi", {}, kubernetes=version)
        assert "serviceAccountTokenInSecrets" not in one(bodies, "CSIDriver")["spec"], "without tokens it is refused"

    def test_beside_the_existing_driver_there_is_no_second_object_and_the_notes_say_what_it_needs(
        self, charts: Path, noted: Path
    ) -> None:
        bodies = objects(charts, *OURS["existing-driver"])
        assert {kind for kind, _ in kinds(bodies)} & {"CSIDriver", "CustomResourceDefinition"} == set()
        assert len([body for body in bodies if body["kind"] == "DaemonSet"]) == len(CLOUDS)
        said = notes(noted, *OURS["existing-driver"])
        assert said.startswith("Installed: no driver, providers: aws, azure, gcp, vault.")
        assert "shop.svc.id.goog" in said

    def test_each_chart_alone_has_its_own(self, charts: Path) -> None:
        assert audiences(objects(charts, "sscsi-driver", {"tokenRequests": [{"audience": "a"}]})) == ["a"]
        assert "CSIDriver" not in {kind for kind, _ in kinds(objects(charts, "sscsi-provider-aws"))}


class TestRights:
    def test_secrets_are_nobodys_without_sync(self, charts: Path) -> None:
        text = render(charts, "sscsi", {"aws": {"enabled": True}, "gcp": {"enabled": True}, "azure": {"enabled": True}})
        named = [
            resource
            for body in yaml.safe_load_all(text)
            for rule in body.get("rules", ())
            for resource in rule["resources"]
        ]
        assert "secrets" not in named
        assert "nodes" in named, "the region of AWS"

    def test_sync_is_for_all_namespaces_or_for_those_that_are_named(self, charts: Path) -> None:
        everywhere = objects(charts, "sscsi-driver", {"syncSecret": {"enabled": True}})
        wanted = [("secrets", ["get", "create", "patch"]), ("pods", ["get"])]
        assert rules(everywhere, "ClusterRole", "secretprovidersyncing-role") == wanted
        some = objects(charts, *OURS["sync-in-namespaces"])
        found = [body for body in some if body["metadata"]["name"].startswith("secretprovidersyncing")]
        assert [(body["kind"], body["metadata"]["namespace"]) for body in found] == [
            ("Role", "shop"), ("Role", "bank"), ("RoleBinding", "shop"), ("RoleBinding", "bank"),
        ]  # fmt: skip
        assert all(body["rules"] == found[0]["rules"] for body in found[:2])
        assert {body["subjects"][0]["namespace"] for body in found[2:]} == {"kube-system"}

    def test_a_region_takes_nodes_and_pods_away(self, charts: Path) -> None:
        named = objects(charts, "sscsi-provider-aws", {"awsRegion": "eu-central-1"})
        assert rules(named, "ClusterRole", "csi-secrets-store-provider-aws") == [("serviceaccounts", ["get"])]
        assert environ(container(pod(named))) == {"AWS_REGION": "eu-central-1"}
        assert len(rules(objects(charts, "sscsi-provider-aws"), "ClusterRole", "csi-secrets-store-provider-aws")) == 3

    def test_none_at_all_for_azure_unless_annotations_are_read(self, charts: Path) -> None:
        assert "ClusterRole" not in {kind for kind, _ in kinds(objects(charts, "sscsi-provider-azure"))}
        read = objects(charts, "sscsi-provider-azure", {"rbac": {"readAnnotations": True}})
        assert rules(read, "ClusterRole", "csi-secrets-store-provider-azure") == [("serviceaccounts", ["get"])]

    @pytest.mark.parametrize("cloud", CLOUDS)
    def test_tokens_are_made_only_where_that_is_said(self, charts: Path, cloud: str) -> None:
        bodies = objects(charts, f"sscsi-provider-{cloud}", {"rbac": {"createTokens": True}})
        (name,) = (name for kind, name in kinds(bodies) if kind == "ClusterRole" and name.endswith("-tokens"))
        assert rules(bodies, "ClusterRole", name) == [("serviceaccounts/token", ["create"])]

    def test_vaults_secret_is_in_a_namespace_of_its_own(self, charts: Path) -> None:
        bodies = objects(charts, "sscsi", ALL)
        assert ("Namespace", "vault-csi-provider") in kinds(bodies)
        assert one(bodies, "Role", "vault-csi-provider")["metadata"]["namespace"] == "vault-csi-provider"
        alone = objects(charts, "sscsi-provider-vault", namespace="vault-csi-provider")
        assert "Namespace" not in {kind for kind, _ in kinds(alone)}, "Helm has made the release's itself"
        named = objects(charts, *THEIRS["vault-user"])
        (get, create) = one(named, "Role")["rules"]
        assert (get["resourceNames"], create["verbs"]) == (["my-key"], ["create"])


class TestMemory:
    """The formulas of values.yaml, by hand."""

    def test_the_drivers_limit_has_room_for_every_volume_at_its_cap(self, charts: Path) -> None:
        def limit(values: Mapping[str, Any]) -> int:
            body = container(pod(objects(charts, "sscsi-driver", values)), "secrets-store")
            cap = driver_options(body).publish.limits.size
            memory = values.get("memory", {})
            found = mebibytes(body["resources"]["limits"]["memory"])
            assert found == (
                75 + memory.get("answersAtOnce", 16) * 4 + -(-memory.get("volumes", 110) * cap // (1 << 20))
            )
            return found

        assert limit({}) == 75 + 64 + 110 * 16
        assert limit({"volumeSize": "1Mi", "memory": {"volumes": 30}}) == 75 + 64 + 30
        assert limit({"volumeSize": 2097152, "memory": {"answersAtOnce": 4, "volumes": 250}}) == 75 + 16 + 500

    @pytest.mark.parametrize(("cloud", "base"), [("aws", 75), ("azure", 80), ("gcp", 80), ("vault", 65)])
    def test_a_providers_has_room_for_what_it_keeps(self, charts: Path, cloud: str, base: int) -> None:
        for size, mebi in (("64Mi", 64), ("1Gi", 1024), (1, 1)):
            body = container(pod(objects(charts, f"sscsi-provider-{cloud}", {"cache": {"maxBytes": size}})))
            assert mebibytes(body["resources"]["limits"]["memory"]) == base + 24 + mebi + 16 * 4
            _, _, options = provider_options(cloud, body)
            assert options.economy.max_bytes == {64: 64 << 20, 1024: 1 << 30, 1: 1}[mebi]
            assert body["resources"]["requests"] == {"cpu": "50m", "memory": f"{base}Mi"}

    def test_what_was_measured_fits(self) -> None:
        """bench/results: the budget of the process, and of what mounts add to it."""
        for cloud, base in (("aws", 75), ("azure", 80), ("gcp", 80), ("vault", 65)):
            text = (ROOT / "bench" / "results" / f"memory-{cloud}.txt").read_text()
            assert f"ok: at most {base} MiB" in text
            assert "ok: at most 24 MiB" in text
        assert "ok: at most 75 MiB" in (ROOT / "bench" / "results" / "node.txt").read_text()

    def test_own_resources_take_their_place_and_the_notes_warn(self, charts: Path, noted: Path) -> None:
        case = THEIRS["aws-user"]
        assert container(pod(objects(charts, *case)))["resources"] == case[1]["resources"]
        said = notes(noted, *case)
        assert "resources.limits.cpu: a CPU limit makes mounts slow" in said
        assert "resources.limits.memory: by the formula of `memory` 1987Mi may be needed." in said


class TestProfiles:
    def test_a_provider_that_writes_is_root_without_capabilities_and_sees_kubelets_pods(self, charts: Path) -> None:
        spec = pod(objects(charts, *OURS["provider-writes"]))
        body = container(spec)
        _, values, _ = provider_options("aws", body)
        assert (values[WRITES], values[KUBELET_ROOT]) == (False, "/data/kubelet")
        context = spec["securityContext"]
        assert (context["runAsUser"], context["runAsNonRoot"], context["runAsGroup"]) == (0, False, 65532)
        assert body["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        (mount,) = (one for one in body["volumeMounts"] if one["name"] == "mountpoint-dir")
        assert (mount["mountPath"], mount["mountPropagation"]) == ("/data/kubelet/pods", "HostToContainer")
        assert mebibytes(body["resources"]["limits"]["memory"]) == 75 + 24 + 64 + 64 + 110 * 16

    @pytest.mark.parametrize("cloud", CLOUDS)
    def test_otherwise_it_is_a_user_of_its_own_with_nothing_but_the_folder(self, charts: Path, cloud: str) -> None:
        spec = pod(objects(charts, f"sscsi-provider-{cloud}"))
        assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsNonRoot"]) == (USERS[cloud], True)
        assert [volume["hostPath"]["path"] for volume in spec["volumes"]] == ["/var/run/secrets-store-csi-providers"]
        bare = pod(objects(charts, f"sscsi-provider-{cloud}", {"prepareFolder": False}))
        assert "initContainers" not in bare

    def test_openshift(self, charts: Path) -> None:
        bodies = objects(charts, *OURS["openshift"])
        (bound,) = (body for body in bodies if body["metadata"]["name"] == "secrets-store-csi-driver-privileged")
        assert bound["roleRef"]["name"] == "system:openshift:scc:privileged"
        for cloud in CLOUDS:
            (name,) = (name for kind, name in kinds(bodies) if kind == "DaemonSet" and cloud in name)
            constraints = one(bodies, "SecurityContextConstraints", name)
            spec = pod(bodies, name)
            namespace = one(bodies, "DaemonSet", name)["metadata"]["namespace"]
            assert constraints["users"] == [f"system:serviceaccount:{namespace}:{spec['serviceAccountName']}"]
            assert constraints["allowPrivilegedContainer"] is False
            assert spec["securityContext"]["seLinuxOptions"] == {"type": "spc_t"}
        assert "SecurityContextConstraints" not in {kind for kind, _ in kinds(objects(charts, "sscsi", ALL))}

    def test_startup_taint(self, charts: Path, noted: Path) -> None:
        bodies = objects(charts, *OURS["startup-taint"])
        options = driver_options(container(pod(bodies, "csi-secrets-store"), "secrets-store"))
        assert options.required_providers == ("aws",)
        assert rules(bodies, "ClusterRole", "secretproviderstartup-role") == [
            ("nodes", ["get", "patch"]), ("csinodes", ["get"]),
        ]  # fmt: skip
        said = notes(noted, "sscsi", {"driver": {"startupTaint": {"enabled": True}}, "aws": {"enabled": True}})
        assert 'requiredProviders is empty: the startup taint goes before a provider answers. For all: ["aws"]' in said

    def test_a_network_policy_lets_probes_scrapes_dns_and_backends_through(self, charts: Path) -> None:
        bodies = objects(charts, *OURS["everything"])
        for cloud, more in (("aws", {80}), ("azure", set()), ("gcp", {80, 988}), ("vault", {8200})):
            (name,) = (name for kind, name in kinds(bodies) if kind == "NetworkPolicy" and cloud in name)
            spec = one(bodies, "NetworkPolicy", name)["spec"]
            served = {port["containerPort"] for port in container(pod(bodies, name))["ports"]}
            assert {port["port"] for rule in spec["ingress"] for port in rule["ports"]} == served
            assert {port["port"] for rule in spec["egress"] for port in rule["ports"]} == {53, 443, 6443} | more
            assert spec["podSelector"] == one(bodies, "DaemonSet", name)["spec"]["selector"]

    def test_images_come_from_where_they_are_said_to(self, charts: Path) -> None:
        bodies = objects(charts, *OURS["everything"])
        assert container(pod(bodies, "csi-secrets-store-provider-aws"))["image"].startswith(
            "registry.example.com/sscsi-provider-aws:"
        )
        assert pod(bodies, "csi-secrets-store")["imagePullSecrets"] == [{"name": "pull"}]
        digest = container(pod(objects(charts, *OURS["digest"])), "secrets-store")["image"]
        assert digest == "r.example.com/sscsi-driver@sha256:" + "a1" * 32


def test_the_crds_come_with_the_driver_and_with_nobody_else(charts: Path) -> None:
    def crds(values: Mapping[str, Any]) -> int:
        return render(charts, "sscsi", values, more=["--include-crds"]).count("kind: CustomResourceDefinition")

    assert crds({}) == 2
    assert crds({"driver": {"enabled": False}, "aws": {"enabled": True}}) == 0


class TestUsersOfTheExistingCharts:
    def test_of_the_driver(self, charts: Path, noted: Path) -> None:
        bodies = objects(charts, *THEIRS["driver-user"])
        spec = pod(bodies)
        body = container(spec, "secrets-store")
        options = driver_options(body)
        assert one(bodies, "DaemonSet")["metadata"]["name"] == "secrets-store-csi-driver"
        assert [str(folder) for folder in options.provider_folders] == ["/etc/kubernetes/secrets-store-csi-providers"]
        assert options.publish.rotation_interval is None
        assert (options.daemon.log_format, options.daemon.metrics_address) == ("json", ":8081")
        assert {"name": "A", "value": "b"} in body["env"]
        assert {mount["mountPath"] for mount in body["volumeMounts"]} >= {"/data/kubelet/pods", "/more"}
        assert spec["tolerations"][0]["tolerationSeconds"] == 300
        assert spec["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "a"}
        registrar = container(spec, "node-driver-registrar")
        assert registrar["image"] == "mirror.example.com/csi-node-driver-registrar:v2.16.0"
        assert "--v=3" in registrar["args"]
        assert ("ClusterRole", "secretprovidersyncing-role") in kinds(bodies)
        assert audiences(bodies) == ["sts.amazonaws.com"]
        said = notes(noted, *THEIRS["driver-user"])
        assert "- logVerbosity: logLevel: debug takes its place." in said
        assert "- providerHealthCheck: not needed" in said
        assert "- linux.crds: " in said

    def test_of_aws(self, charts: Path, noted: Path) -> None:
        bodies = objects(charts, *THEIRS["aws-user"])
        spec = pod(bodies)
        body = container(spec)
        _, values, options = provider_options("aws", body)
        assert values[WRITES] is False
        assert str(options.folder) == "/etc/kubernetes/secrets-store-csi-providers"
        assert environ(body) == {"AWS_REGION": "eu-central-1", "AWS_USE_FIPS_ENDPOINT": "true"}
        assert (spec["serviceAccountName"], spec["dnsPolicy"]) == ("mine", "None")
        assert "ServiceAccount" not in {kind for kind, _ in kinds(bodies)}
        assert one(bodies, "ClusterRoleBinding")["subjects"][0]["name"] == "mine"
        assert {"tolerations", "priorityClassName"} & spec.keys() == set()
        assert {"--pod-identity-http-timeout=500ms", "--eks-addon-version=v3.1.1-eksbuild.1"} <= set(body["args"])
        said = notes(noted, *THEIRS["aws-user"])
        assert "- k8sThrottlingParams: there is no limiter" in said
        assert "- port: no use." in said

    def test_of_google_cloud(self, charts: Path) -> None:
        bodies = objects(charts, *THEIRS["gcp-user"])
        account = one(bodies, "ServiceAccount")["metadata"]
        assert (account["name"], account["annotations"]) == ("mine", {"iam.gke.io/gcp-service-account": "a@b"})
        assert container(pod(bodies))["image"] == "sscsi-provider-gcp@sha256:" + "0f" * 32

    def test_of_azure(self, charts: Path, noted: Path) -> None:
        spec = pod(objects(charts, *THEIRS["azure-user"]))
        body = container(spec)
        _, _, options = provider_options("azure", body)
        assert options.daemon.log_format == "text"
        assert body["securityContext"] == {
            "allowPrivilegeEscalation": True, "privileged": True, "readOnlyRootFilesystem": True,
        }  # fmt: skip
        assert {port["name"]: port["containerPort"] for port in body["ports"]} == {"metrics": 8899, "healthz": 8988}
        assert body["livenessProbe"]["httpGet"] == {"path": "/health", "port": "healthz"}
        assert spec["dnsPolicy"] == "ClusterFirstWithHostNet"
        said = notes(noted, *THEIRS["azure-user"])
        assert "- linux.healthzTimeout: no use." in said

    def test_of_vault(self, charts: Path, noted: Path) -> None:
        bodies = objects(charts, *THEIRS["vault-user"])
        body = container(pod(bodies))
        assert "--hmac-secret-name=my-key" in body["args"]
        assert "-vault-tls-server-name=vault" in body["args"]
        assert body["securityContext"]["runAsNonRoot"] is True
        daemon_set = one(bodies, "DaemonSet")
        assert daemon_set["metadata"]["annotations"] == {"a": "b"}
        assert daemon_set["spec"]["template"]["metadata"]["annotations"] == {"c": "d"}
        assert daemon_set["spec"]["template"]["metadata"]["labels"]["e"] == "f"
        assert daemon_set["spec"]["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 2}
        assert "- agent.enabled: there is no agent beside this provider." in notes(noted, *THEIRS["vault-user"])
        said = notes(noted, *OURS["openbao"])
        assert "- tokenRequests: classes for OpenBao take tokens of the audience openbao" in said

    def test_in_the_whole_the_notes_say_of_whom_they_speak(self, noted: Path) -> None:
        said = notes(noted, "sscsi", {"driver": {"logVerbosity": 3}, "aws": {"enabled": True, "port": 8989}})
        assert said.splitlines() == [
            "Installed: the driver, providers: aws.",
            "driver:",
            "- logVerbosity: logLevel: debug takes its place.",
            "aws:",
            "- port: no use. Metrics and probes are at metricsAddr.",
        ]
