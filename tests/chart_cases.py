"""Values files: what people turn on, and what users of the existing charts bring along, under those charts' names."""

from collections.abc import Mapping
from typing import Any, Final

Case = tuple[str, Mapping[str, Any]]
"""A chart, and a values file for it."""

ALL: Final[Mapping[str, Any]] = {
    "aws": {"enabled": True},
    "azure": {"enabled": True},
    "gcp": {"enabled": True, "tokenRequests": [{"audience": "shop.svc.id.goog"}]},
    "vault": {"enabled": True},
}
_WATCHED: Final = {"networkPolicy": {"enabled": True}, "podMonitor": {"enabled": True, "interval": "30s"}}

OURS: Final[Mapping[str, Case]] = {
    "driver": ("sscsi", {}),
    "providers": ("sscsi", ALL),
    "everything": (
        "sscsi",
        {
            "driver": {
                **_WATCHED,
                "syncSecret": {"enabled": True},
                "startupTaint": {"enabled": True, "key": "example.com/not-ready"},
                "requiredProviders": ["aws", "azure", "gcp", "vault"],
                "policy": {"enabled": True, "validationActions": ["Warn", "Audit"]},
                "tokenRequests": [{"audience": "vault", "expirationSeconds": 3600}],
                "volumeSize": "8Mi",
                "volumeInodes": 1024,
                "volumeAttributes": "ignore",
                "logLevel": "debug",
                "logFormat": "text",
                "maxCallRecvMsgSize": 8388608,
                "extraArgs": ["--annotation-poll-interval=5m"],
                "linux": {
                    "seLinuxOptions": {"type": "spc_t"},
                    "podLabels": {"team": "a"},
                    "daemonsetAnnotations": {"note": "b"},
                },
            },
            **{
                cloud: {
                    **more,
                    **_WATCHED,
                    "logLevel": "debug",
                    "logFormat": "text",
                    "allowedAuth": [node],
                    "cache": {
                        "ttl": "1m", "sessionMaxAge": "5m", "maxSessions": 64, "maxBytes": "16Mi",
                        "sessionScope": "pod", "backoff": "2s",
                    },
                    "extraArgs": ["--max-response-bytes=1000000"],
                    "env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
                    "commonLabels": {"team": "a"},
                }
                for (cloud, more), node in zip(
                    ALL.items(), ("provider-adc", "managed-identity", "provider-adc", "vault-token"), strict=True
                )
            },
            "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
            "dashboard": {"enabled": True, "namespace": "monitoring"},
            "global": {"imageRegistry": "registry.example.com", "imagePullSecrets": [{"name": "pull"}]},
        },
    ),
    "existing-driver": ("sscsi", {"driver": {"enabled": False}, **ALL}),
    "sync-in-namespaces": ("sscsi", {"driver": {"syncSecret": {"enabled": True, "namespaces": ["shop", "bank"]}}}),
    "startup-taint": (
        "sscsi",
        {"driver": {"startupTaint": {"enabled": True}, "requiredProviders": ["aws"]}, "aws": {"enabled": True}},
    ),
    "openshift": ("sscsi", {**ALL, "global": {"openshift": True}}),
    "provider-writes": (
        "sscsi-provider-aws",
        {"driverWritesSecrets": False, "kubeletPath": "/data/kubelet", "awsRegion": "eu-central-1"},
    ),
    "token-create": ("sscsi-provider-gcp", {"rbac": {"createTokens": True}, "providerName": "gcp,gke"}),
    "openbao": (
        "sscsi-provider-vault",
        {
            "providerName": "openbao", "address": "https://bao.example.com:8200", "vaultNamespace": "shop",
            "authMount": "jwt", "allowedAddresses": ["http://127.0.0.1:8200"], "classFilesDirs": ["/vault/tls"],
            "allowSkipVerify": True, "leaseIdle": "1h", "volumes": [{"name": "tls", "secret": {"secretName": "tls"}}],
            "volumeMounts": [{"name": "tls", "mountPath": "/vault/tls", "readOnly": True}],
        },
    ),
    "azure-cloud": (
        "sscsi-provider-azure",
        {"cloudName": "AzureChinaCloud", "rbac": {"readAnnotations": True}, "constructPEMChain": False,
         "writeCertAndKeyInSeparateFiles": True, "linux": {"healthzPort": 0, "customUserAgent": "shop"}},
    ),
    "digest": ("sscsi-driver", {"linux": {"image": {"registry": "r.example.com", "digest": "sha256:" + "a1" * 32}}}),
    "bare": (
        "sscsi-driver",
        {"rbac": {"install": False}, "csiDriver": {"create": False}, "automountServiceAccountToken": False},
    ),
}  # fmt: skip
"""What our own pages tell of."""

THEIRS: Final[Mapping[str, Case]] = {
    "driver-user": (
        "sscsi-driver",
        {
            "linux": {
                "enabled": True,
                "image": {"pullPolicy": "Always"},
                "crds": {"enabled": True, "annotations": {}},
                "driver": {"resources": {"limits": {"cpu": "200m", "memory": "200Mi"}, "requests": {"cpu": "50m"}}},
                "registrarImage": {"repository": "mirror.example.com/csi-node-driver-registrar", "tag": "v2.16.0"},
                "registrar": {"logVerbosity": 3},
                "updateStrategy": {"rollingUpdate": {"maxUnavailable": "10%"}},
                "kubeletRootDir": "/data/kubelet",
                "providersDir": "/etc/kubernetes/secrets-store-csi-providers",
                "additionalProvidersDirs": [],
                "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
                "nodeSelector": {"pool": "a"},
                "metricsAddr": ":8081",
                "env": [{"name": "A", "value": "b"}],
                "volumes": [{"name": "more", "emptyDir": {}}],
                "volumeMounts": [{"name": "more", "mountPath": "/more"}],
            },
            "windows": {"enabled": False, "image": {"tag": "v1.6.0"}},
            "logVerbosity": 5,
            "logFormatJSON": True,
            "livenessProbe": {"port": 9809, "logLevel": 4},
            "maxCallRecvMsgSize": 4194304,
            "rbac": {"install": True, "pspEnabled": False},
            "syncSecret": {"enabled": True},
            "enableSecretRotation": False,
            "rotationPollInterval": "10m",
            "providerHealthCheck": True,
            "providerHealthCheckInterval": "2m",
            "filteredWatchSecret": True,
            "imagePullSecrets": [{"name": "pull"}],
            "tokenRequests": [{"audience": "sts.amazonaws.com"}],
            "commonLabels": {"team": "a"},
            "fullnameOverride": "secrets-store-csi-driver",
        },
    ),
    "aws-user": (
        "sscsi-provider-aws",
        {
            "awsRegion": "eu-central-1",
            "providerVolume": "/etc/kubernetes/secrets-store-csi-providers",
            "kubeletPath": "/var/lib/kubelet",
            "driverWritesSecrets": False,
            "podLabels": {"a": "b"},
            "podAnnotations": {"c": "d"},
            "resources": {"requests": {"cpu": "50m", "memory": "100Mi"}, "limits": {"cpu": "50m", "memory": "100Mi"}},
            "priorityClassName": "",
            "tolerations": [],
            "port": 8989,
            "rbac": {"install": True, "serviceAccountName": "mine"},
            "securityContext": {"privileged": False, "allowPrivilegeEscalation": False},
            "useFipsEndpoint": True,
            "podIdentityHttpTimeout": "500ms",
            "dnsPolicy": "None",
            "dnsConfig": {"nameservers": ["10.0.0.10"]},
            "k8sThrottlingParams": {"qps": "20", "burst": "40"},
            "eksAddonVersion": "v3.1.1-eksbuild.1",
            "secrets-store-csi-driver": {"install": False, "tokenRequests": [{"audience": "sts.amazonaws.com"}]},
        },
    ),
    "gcp-user": (
        "sscsi-provider-gcp",
        {
            "nameOverride": "",
            "serviceAccount": {"annotations": {"iam.gke.io/gcp-service-account": "a@b"}, "name": "mine"},
            "image": {"pullPolicy": "IfNotPresent", "hash": "sha256:" + "0f" * 32},
            "app": "csi-secrets-store-provider-gcp",
            "podAnnotations": {"a": "b"},
            "priorityClassName": "system-cluster-critical",
            "nodeSelector": {"pool": "a"},
            "tolerations": [{"key": "kubernetes.io/arch", "value": "arm64", "effect": "NoSchedule"}],
            "affinity": {},
        },
    ),
    "azure-user": (
        "sscsi-provider-azure",
        {
            "imagePullSecrets": [],
            "logFormatJSON": False,
            "logVerbosity": 0,
            "linux": {
                "enabled": True, "customUserAgent": "a", "healthzPort": 8988, "healthzPath": "/health",
                "healthzTimeout": "5s", "kubeletRootDir": "/var/lib/kubelet", "dnsPolicy": "ClusterFirstWithHostNet",
                "providersDir": "/etc/kubernetes/secrets-store-csi-providers", "privileged": True,
            },
            "windows": {"enabled": False},
            "secrets-store-csi-driver": {"install": False, "syncSecret": {"enabled": False}},
            "rbac": {"install": True, "pspEnabled": False},
            "constructPEMChain": True,
            "metricsAddr": "8899",
            "enableArcExtension": False,
        },
    ),
    "vault-user": (
        "sscsi-provider-vault",
        {
            "enabled": True,
            "logLevel": "info",
            "debug": False,
            "hmacSecretName": "my-key",
            "daemonSet": {
                "updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}},
                "annotations": {"a": "b"}, "providersDir": "/etc/kubernetes/secrets-store-csi-providers",
                "kubeletRootDir": "/var/lib/kubelet", "securityContext": {"container": {"runAsNonRoot": True}},
            },
            "pod": {"annotations": {"c": "d"}, "extraLabels": {"e": "f"}, "tolerations": [], "nodeSelector": {}},
            "agent": {"enabled": True, "image": {"repository": "hashicorp/vault"}},
            "serviceAccount": {"annotations": {"g": "h"}},
            "extraArgs": ["-vault-tls-server-name=vault"],
        },
    ),
}  # fmt: skip
"""Each key of the existing charts is in one of them; those that mean nothing here too."""
