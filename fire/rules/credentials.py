"""No credentials but those of the mount: default chains, node identities, key files of other kinds."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import grpc

from fire.backend_process import CLOUDS, FarBackend
from fire.case import Case, Shown, expect
from fire.node import Node
from fire.plan import Plan
from fire.rules.trap import CANARY, Trap, ask, expect_refused, trapped
from sscsi.kubelet import PodVolume

_BY_NAME: Final = {cloud.name: cloud for cloud in CLOUDS}


def _tempting(folder: Path, trap: Trap) -> dict[str, str]:
    """An environment with files of everything that an SDK would find by itself."""
    home = folder / "home"
    for name, text in {
        ".aws/credentials": f"[default]\naws_access_key_id=AKIA{CANARY}\naws_secret_access_key={CANARY}\n",
        ".aws/config": f"[default]\ncredential_process = touch {folder}/marker\n",
        ".config/gcloud/application_default_credentials.json": json.dumps(
            {"type": "authorized_user", "client_id": CANARY, "client_secret": CANARY, "refresh_token": CANARY}
        ),
        ".azure/msal_token_cache.json": json.dumps({"AccessToken": {"a": {"secret": CANARY}}}),
        ".netrc": f"default login x password {CANARY}\n",
        ".vault-token": CANARY,
        "token": CANARY,
    }.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return {
        "HOME": str(home),
        "AWS_ACCESS_KEY_ID": f"AKIA{CANARY}",
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(home / "token"),
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/evil",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{trap.url}/container",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": trap.url,
        "GCE_METADATA_HOST": f"127.0.0.1:{trap.port}",
        "GCE_METADATA_IP": f"127.0.0.1:{trap.port}",
        "AZURE_CLIENT_ID": CANARY,
        "AZURE_TENANT_ID": CANARY,
        "AZURE_CLIENT_SECRET": CANARY,
        "AZURE_FEDERATED_TOKEN_FILE": str(home / "token"),
        "AZURE_POD_IDENTITY_AUTHORITY_HOST": trap.url,
        "IDENTITY_ENDPOINT": trap.url,
        "IDENTITY_HEADER": CANARY,
        "MSI_ENDPOINT": trap.url,
        "VAULT_TOKEN": CANARY,
        "VAULT_ADDR": trap.url,
    }


def _tempted(cloud: type[FarBackend], trap: Trap, *flags: str, **more: str) -> Node:
    """A node whose provider has that environment."""

    def environ(self: FarBackend) -> Mapping[str, str]:
        return {**_tempting(self._folder, trap), **cloud.environ(self), **more}

    return Node(type(cloud.__name__, (cloud,), {"environ": environ}), accounts=1, provider_flags=flags)


def _chains(plan: Plan) -> Shown:
    del plan
    tried = 0
    for cloud in CLOUDS:
        with trapped() as trap, _tempted(cloud, trap) as node:
            node.provider.start()
            sound = node.volume("web-0")
            expect(ask(node, sound) == 3, f"{cloud.name}: a sound mount gets no files")
            before = node.backend.calls.total()
            none = PodVolume(sound.namespace, "web-1", sound.service_account, sound.class_name)
            other = PodVolume(sound.namespace, "web-2", "stranger", sound.class_name, tokens=sound.tokens)
            for volume in (none, other):
                expect_refused(ask(node, volume), grpc.StatusCode.UNAUTHENTICATED, "")
                tried += 1
            expect(node.backend.calls.total() == before, f"{cloud.name}: asked for a pod without a token")
            expect(not (node.home / "marker").exists(), "a program of a config file was run")
            log = node.provider.log.read_text(encoding="utf-8", errors="replace")
            expect(CANARY not in log, f"{cloud.name}: a canary in the log")
    return Shown("refused without a call; no file, variable or address of a default chain is used", tried, "mounts")


def _node_identities(plan: Plan) -> Shown:
    del plan
    asked = {"gcp": [{"auth": "provider-adc"}], "azure": [{"useVMManagedIdentity": "true"}]}
    asked["azure"].append(
        {"useVMManagedIdentity": "true", "userAssignedIdentityID": "0b2f3c5e-6a53-4d8e-9c11-0a6d3c1f7b21"}
    )
    tried = 0
    for name, classes in asked.items():
        with trapped() as trap, _tempted(_BY_NAME[name], trap) as node:
            node.provider.start()
            for parameters in classes:
                answer = ask(node, node.volume("web-0"), parameters, without=("clientID",))
                expect_refused(answer, grpc.StatusCode.UNAUTHENTICATED, "--allowed-auth=")
                tried += 1
    return Shown("refused, with the flag that it would take; the metadata server is not asked", tried, "mounts")


def _key_files(plan: Plan) -> Shown:
    del plan
    tried = 0
    with trapped() as trap, _tempted(_BY_NAME["gcp"], trap, ALLOW_NODE_PUBLISH_SECRET="true") as node:
        node.provider.start()
        stolen = node.home / "stolen"
        stolen.write_text(CANARY, encoding="utf-8")
        external = {
            "type": "external_account",
            "audience": "x",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{trap.url}/token",
            "credential_source": {"file": str(stolen)},
        }
        account = {"type": "service_account", "client_email": "a@b", "private_key": "x", "token_uri": trap.url}
        for key, text in (
            (external, "its type is external_account"),
            ({**external, "credential_source": {"url": trap.url}}, "its type is external_account"),
            (
                {**external, "credential_source": {"executable": {"command": f"touch {node.home}/marker"}}},
                "its type is",
            ),
            ({"type": "impersonated_service_account", "source_credentials": external}, "its type is impersonated"),
            ({"type": "gdch_service_account", "token_uri": trap.url}, "its type is gdch_service_account"),
            (account, "its token_uri is not one of Google's"),
            ({**account, "type": "authorized_user", "refresh_token": "x"}, "its token_uri is not one of Google's"),
            ({**account, "universe_domain": f"127.0.0.1:{trap.port}"}, "its universe_domain is"),
            ([external], "it is not a JSON object"),
        ):
            answer = ask(node, node.volume("web-0"), secrets={"key.json": json.dumps(key)})
            expect_refused(answer, grpc.StatusCode.UNAUTHENTICATED, text)
            tried += 1
        expect(not (node.home / "marker").exists(), "a program of a key file was run")
    return Shown("refused, with the kind or the field; no file is read and nothing is sent", tried, "mounts")


CREDENTIALS: Final = (
    Case(
        "chains",
        "credentials in a provider's environment, files and metadata; pods without a token of their own",
        _chains,
    ),
    Case("node-identities", "a class that asks for the node's identity, which is not allowed", _node_identities),
    Case(
        "key-files",
        "a key.json in a referenced Secret that reads files, runs programs or posts elsewhere",
        _key_files,
    ),
)
