"""Whose word counts: kubelet's keys in a class, tokens in a pod's attributes, parameters that a pod overrides."""

from dataclasses import replace
from typing import Final, cast

import grpc
import yaml

from fire.backend_process import CLOUDS
from fire.case import Case, Shown, expect
from fire.node import DRIVER_NAME, NAMESPACE, Node
from fire.plan import Plan
from sscsi.kubelet import PodVolume
from sscsi_driver.attributes import TOKENS_KEY

_VAULT: Final = next(cloud for cloud in CLOUDS if cloud.name == "vault")
_NONE: Final = "failed to create a token of service account"
"""What is tried where kubelet sends none; a folder of YAML can't."""
_CSI: Final = "csi.storage.k8s.io/"


def _published(node: Node, volume: PodVolume) -> str:
    """Empty where the pod has its files; else why not."""
    try:
        node.publish(volume)
    except grpc.RpcError as error:
        return cast("grpc.Call", error).details() or "nothing was said"
    node.unpublish(volume)
    return ""


def _driver_object(node: Node, **spec: object) -> None:
    document = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSIDriver",
        "metadata": {"name": DRIVER_NAME},
        "spec": {"podInfoOnMount": True, **spec},
    }
    (node.home / "objects" / "driver.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")


def _class(node: Node, **more: str) -> None:
    """Another class beside the usual one, with more parameters."""
    document = {
        "apiVersion": "secrets-store.csi.x-k8s.io/v1",
        "kind": "SecretProviderClass",
        "metadata": {"name": "other", "namespace": NAMESPACE},
        "spec": {"provider": "vault", "parameters": {**node._parameters(), **more}},
    }
    (node.home / "objects" / "other.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")


def _kubelets_keys(plan: Plan) -> Shown:
    del plan
    with Node(_VAULT) as node:
        sound = node.volume("web-0")
        stolen = sound.tokens_text().reveal()
        _class(node, **{TOKENS_KEY: stolen, f"{_CSI}serviceAccount.name": "web-0", f"{_CSI}pod.uid": sound.pod_uid})
        node.provider.start()
        node.driver.start()
        expect(_published(node, sound) == "", "a sound pod gets no files")
        thief = PodVolume(NAMESPACE, "thief", "thief", "other")
        said = _published(node, thief)
        expect(_NONE in said, f"a token in a class was taken: {said or 'files'}")
        said = _published(node, replace(thief, service_account="web-0"))
        expect(_NONE in said, f"a token in a class was taken: {said or 'files'}")
    return Shown("dropped: the mount has no token, and says so", 2, "publishes")


def _tokens(plan: Plan) -> Shown:
    del plan
    tried = 0
    for spec, why in (
        (
            {"tokenRequests": [{"audience": "vault"}], "serviceAccountTokenInSecrets": True},
            "kubelet puts them into secrets",
        ),
        ({}, "there are none"),
    ):
        with Node(_VAULT) as node:
            _driver_object(node, **spec)
            node.provider.start()
            node.driver.start()
            forged = node.volume("web-0")
            said = _published(node, forged)
            expect(_NONE in said, f"{why}, but the pod's were taken: {said or 'files'}")
            tried += 1
    return Shown("not looked at: the mount has no token, and says so", tried, "publishes")


def _overrides(plan: Plan) -> Shown:
    del plan
    tried = 0
    evil = {"roleName": "evil", "objects": "- {objectName: a, secretPath: secret/data/absent, secretKey: k}"}
    for flag, keys, taken in (
        ("override", ("roleName",), True),
        ("override", ("objects",), True),
        ("ignore", ("roleName", "objects"), False),
        ("region", ("roleName", "objects"), False),
        ("roleName", ("objects",), False),
        ("roleName,region", ("roleName",), True),
    ):
        with Node(_VAULT, driver_flags=(f"--volume-attributes={flag}",)) as node:
            node.provider.start()
            node.driver.start()
            said = _published(node, replace(node.volume("web-0"), attributes={key: evil[key] for key in keys}))
            expect(bool(said) == taken, f"--volume-attributes={flag}, a pod that sets {keys}: {said or 'files'}")
            tried += 1
    return Shown("a pod overrides what the flag lets it, and nothing else", tried, "publishes")


WORDS: Final = (
    Case("kubelets-keys", "a class that holds another pod's token and name under csi.storage.k8s.io/", _kubelets_keys),
    Case("tokens", "a pod that writes tokens into its attributes where kubelet does not", _tokens),
    Case("overrides", "a pod that sets its class's role and objects, under each --volume-attributes", _overrides),
)
