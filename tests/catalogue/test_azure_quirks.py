"""reference/azure.md sections 1 to 9: what the sheet marks as a quirk or defect of the existing provider (Q), and ours.

That of labels without a bound (section 9) is in tests/emulator/test_azure_daemon.py: it takes 500 failed logins.
"""

import base64
import json
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from azure_stage import CLIENT
from azure_world import World, azure_world, entry
from gcp_world import NONE
from pki import chain, key, pem, pfx, pkcs8
from sscsi.daemons import Daemon
from sscsi_emulators.azure_store import PFX
from sscsi_provider_azure.parameters import Operator
from sscsi_shared.class_files import ClassFiles
from sscsi_shared.errors import AuthenticationFailed, InvalidParameters, MountError, ObjectUnusable

RESOURCE = 'resource="https://vault.azure.net"'


@pytest.fixture
def world() -> Iterator[World]:
    with azure_world() as world:
        world.azure.store.put_secret(world.vault, "s", "x")
        yield world


def text(error: MountError, kind: type[MountError]) -> str:
    assert type(error) is kind
    return str(error)


def daemon(folder: Path, *flags: str) -> Daemon:
    arguments = [f"--provider-volume={folder}", "--prometheus-port=0", "--healthz-port=0", "--log-format=text", *flags]
    return Daemon("sscsi_provider_azure", arguments, folder / "azure.sock", folder / "log")


@pytest.mark.e2e
@pytest.mark.parametrize("flag", ["healthz-port", "prometheus-port"])
def test_section_1_a_port_that_is_taken_is_not_ignored(tmp_path: Path, flag: str) -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RuntimeError, match=f"can't start: :{port} can't be listened on: Address already in use"):
            daemon(tmp_path, f"--{flag}={port}").start()


@pytest.mark.e2e
def test_section_1_no_profiler_is_served_beside_the_metrics(tmp_path: Path, unused_port: int) -> None:
    with daemon(tmp_path, f"--prometheus-port={unused_port}"):
        assert b"target_info" in urllib.request.urlopen(f"http://127.0.0.1:{unused_port}/metrics", timeout=5).read()
        for path in ("/debug/pprof/heap", "/debug/pprof/", "/debug/pprof/profile?seconds=1"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://127.0.0.1:{unused_port}{path}", timeout=5)


def test_section_1_the_custom_user_agent_is_sent(world: World) -> None:
    world.with_provider(user_agent="secrets-store-csi-driver-provider-azure/1 own/2")
    world.mount(entry("s"))
    assert world.azure.agents
    for agent in world.azure.agents:
        assert agent.startswith("secrets-store-csi-driver-provider-azure/1 own/2 azsdk-python-")


@pytest.mark.parametrize("key", ["arrays", "Array", "objects", "objectName"])
def test_section_2_a_misspelt_array_is_no_success(world: World, key: str) -> None:
    objects = json.dumps({key: [entry("s")]})
    assert "`array` is missing" in text(world.refusal(objects=objects), InvalidParameters)


def test_section_2_the_word_latest_is_the_newest_version(world: World) -> None:
    for history in ("0", "1", "2"):
        wanted = f"{entry('s', objectVersion='latest')}\nobjectVersionHistory: {history}"
        assert list(world.files(wanted).values()) == [b"x"]


@pytest.mark.parametrize("kind", ["key", "cert"])
def test_section_2_pfx_in_capitals_is_refused_of_keys_and_certificates_too(world: World, kind: str) -> None:
    for word in ("pfx", "PFX", "Pfx"):
        said = text(world.refusal(entry("s", kind, objectFormat=word)), InvalidParameters)
        assert "PFX format only supported for objectType: secret" in said


@pytest.mark.parametrize("written", ["0900", "900", "rw-r--r--", "-1", "4755"])
def test_section_2_a_file_permission_that_is_none_is_refused(world: World, written: str) -> None:
    said = text(world.refusal(f"objectName: s\nobjectType: secret\nfilePermission: {written}"), InvalidParameters)
    assert f"invalid filePermission '{written}'" in said


def test_section_4_a_pfx_that_is_kept_as_a_plain_secret_can_be_had_as_pem(world: World) -> None:
    packed = base64.b64encode(pfx(key("rsa", "leaf"), chain("rsa"))).decode()
    world.azure.store.put_secret(world.vault, "p", packed, PFX)
    assert world.files(entry("p")) == {"p": packed.encode()}, "as it was, where nothing is said"
    assert world.files(entry("p", objectFormat="pem")) == {"p": pkcs8(key("rsa", "leaf")) + pem(*chain("rsa"))}


def test_section_4_a_certificate_without_a_content_type_ends_no_process(world: World) -> None:
    address = f"https://{world.vault}.vault.azure.net/secrets/c/0"
    world.azure.bodies["GET secret"] = {"id": address, "value": "x", "kid": "k"}
    assert "unknown content type ''" in text(world.refusal(entry("c")), ObjectUnusable)
    world.azure.bodies.clear()
    assert world.files(entry("s")) == {"s": b"x"}


def test_section_4_files_of_their_own_are_not_empty_beside_a_pfx(world: World) -> None:
    world.with_provider(operator=Operator(separate_files=True))
    world.azure.store.put_certificate(world.vault, "c", key("rsa", "leaf"), chain("rsa"))
    files = world.files(entry("c", objectFormat="pfx", objectEncoding="base64"))
    assert (files["c.crt"], files["c.key"]) == (pem(*chain("rsa")), pkcs8(key("rsa", "leaf")))
    assert files["c"].startswith(b"\x30\x82"), "the bytes of PKCS#12"


@pytest.mark.parametrize("number", [2, 3])
def test_section_4_a_history_has_as_many_versions_as_it_says(world: World, number: int) -> None:
    for version in range(6):
        world.azure.store.put_secret(world.vault, "h", str(version), created=1_000_000 + version)
    assert list(world.files(entry("h", objectVersionHistory=number))) == [f"h/{index}" for index in range(number)]


def test_section_5_a_nodes_identity_needs_no_token_of_the_pod(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the class names a clientID too."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", world.azure.metadata_url)
    world.azure.node.assign("a", system=True)
    world.with_provider(allowed_auth=frozenset({"managed-identity"}))
    assert world.files(entry("s"), useVMManagedIdentity="true", clientID=CLIENT, tokens=NONE) == {"s": b"x"}
    assert not world.cluster.made


def test_section_5_a_challenge_without_an_authority_is_told_once(world: World) -> None:
    world.azure.challenge(f"Bearer {RESOURCE}")
    said = text(world.refusal(entry("s"), entry("t")), AuthenticationFailed)
    assert (
        f"What {world.vault}.vault.azure.net says of who gives tokens for it (WWW-Authenticate) can't be read" in said
    )
    assert world.azure.calls["challenge"] == 1


@pytest.mark.parametrize("authority", ["https://login.microsoftonline.com", "https:", "x", ""])
def test_section_5_an_authority_without_a_tenant_ends_no_process(world: World, authority: str) -> None:
    world.azure.challenge(f'Bearer authorization="{authority}", {RESOURCE}')
    assert world.files(entry("s")) == {"s": b"x"}


def test_section_5_an_authority_that_is_no_address_ends_no_process(world: World) -> None:
    world.azure.challenge(f'Bearer authorization="https://[login/t", {RESOURCE}')
    assert "can't be read" in text(world.refusal(entry("s")), AuthenticationFailed)


def test_section_6_cloud_files_of_two_classes_do_not_meet(world: World, tmp_path: Path) -> None:
    clouds = {"localhost": "login.localhost", "azure.cn": "login.chinacloudapi.cn"}
    for name, login in clouds.items():
        described = {"activeDirectoryEndpoint": f"https://{login}", "keyVaultDNSSuffix": f"vault.{name}"}
        (tmp_path / name).write_text(json.dumps(described))
        world.azure.store.put_secret(f"{world.vault}.vault.{name}", "s", name)
    world.with_provider(class_files=ClassFiles([tmp_path]), environ={})

    def mount(name: str) -> dict[str, bytes]:
        return world.files(entry("s"), cloudName="AzureStackCloud", cloudEnvFileName=str(tmp_path / name))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(mount, [*clouds] * 8))
    assert found == [{"s": name.encode()} for name in clouds] * 8
    said = text(world.refusal(entry("s"), cloudName="AzureStackCloud"), InvalidParameters)
    assert "cloudEnvFileName is not set" in said, "no class inherits another's"
    assert "AZURE_ENVIRONMENT_FILEPATH" not in os.environ


def test_section_6_a_cloud_without_a_way_to_the_public_one_works(world: World, tmp_path: Path) -> None:
    """Nothing is discovered at login.microsoftonline.com, nor anywhere else."""
    file = tmp_path / "cloud.json"
    file.write_text(
        json.dumps({"activeDirectoryEndpoint": "https://login.localhost", "keyVaultDNSSuffix": "vault.localhost"})
    )
    del world.azure.logins.clouds["vault.azure.net"]
    world.azure.store.put_secret(f"{world.vault}.vault.localhost", "s", "x")
    world.with_provider(class_files=ClassFiles([tmp_path]))
    assert world.files(entry("s"), cloudName="AzureStackCloud", cloudEnvFileName=str(file)) == {"s": b"x"}
    assert {word for word, count in world.azure.calls.items() if count} == {
        "CONNECT",
        "challenge",
        "token",
        "GET secret",
    }
