"""How the Azure provider logs in, as whom, and what it says where it can't: what of it all is wrong."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from azure_stage import CLIENT
from azure_world import SUBJECT, World, azure_world, entry
from gcp_world import NONE
from sscsi_emulators.authority import Authority
from sscsi_emulators.azure_logins import BINDING, EXCHANGE
from sscsi_emulators.azure_store import TENANT
from sscsi_emulators.every_host import Answer, EveryHost
from sscsi_emulators.faults import Fault
from sscsi_provider_azure.token_proxy import TokenProxy
from sscsi_shared.class_files import ClassFiles
from sscsi_shared.economy.options import EconomyOptions
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    BackendUnavailable,
    InvalidParameters,
    MountError,
    ObjectUnusable,
)
from sscsi_shared.testing.stage import POD

OTHER = "1f9a4b7e-0d52-4c3f-8d27-6f1b2a9c4e10"
STACK = {
    "name": "AzureStackCloud",
    "activeDirectoryEndpoint": "https://login.localhost/",
    "keyVaultDNSSuffix": "vault.localhost",
}
PRINCIPAL = {"clientid": OTHER, "clientsecret": "s3cr3t-of-a-principal"}


@pytest.fixture
def world() -> Iterator[World]:
    with azure_world() as world:
        world.azure.store.put_secret(world.vault, "s", "x")
        yield world


def text(error: MountError, kind: type[MountError] = AuthenticationFailed) -> str:
    assert type(error) is kind
    return str(error)


class TestWorkloadIdentity:
    def test_the_token_goes_to_the_tenant_of_the_class(self, world: World) -> None:
        assert world.files(entry("s")) == {"s": b"x"}
        assert (world.azure.calls["token"], world.azure.calls["discovery"], world.azure.calls["openid"]) == (1, 0, 0)
        assert not world.cluster.asked
        assert not world.cluster.made

    def test_client_and_tenant_of_the_service_account(self, world: World) -> None:
        world.cluster.annotations = {
            "azure.workload.identity/client-id": CLIENT,
            "azure.workload.identity/tenant-id": TENANT,
        }
        assert world.files(entry("s"), without=("clientID", "tenantID")) == {"s": b"x"}
        assert world.files(entry("s"), without=("clientID",)) == {"s": b"x"}
        assert world.cluster.asked == 2

    def test_nothing_names_a_client(self, world: World) -> None:
        said = text(world.refusal(entry("s"), without=("clientID",)))
        assert "failed to get credentials, nodePublishSecretRef secret is not set" in said
        assert "azure.workload.identity/client-id" in said
        said = text(world.refusal(entry("s"), without=("tenantID",)))
        assert "tenantId is not provided" in said
        assert "azure.workload.identity/tenant-id" in said
        assert not world.azure.calls

    def test_annotations_that_are_no_ids(self, world: World) -> None:
        world.cluster.annotations = {"azure.workload.identity/client-id": "a/../b"}
        assert "service account shop/web" in text(world.refusal(entry("s"), without=("clientID",)), InvalidParameters)
        assert not world.azure.calls

    @pytest.mark.parametrize(
        ("tokens", "words"),
        [
            (NONE, "service account tokens not found"),
            ({}, f"token for audience {EXCHANGE} not found"),
            ({BINDING: "x"}, f"token for audience {EXCHANGE} not found"),
        ],
    )
    def test_no_token(self, world: World, tokens: dict[str, str], words: str) -> None:
        world.cluster.create_token = world.cluster.refuse_token  # type: ignore[method-assign]
        said = text(world.refusal(entry("s"), tokens=tokens))
        assert said.startswith("failed to mount objects, error: failed to build auth config for mode None: ")
        assert f"failed to parse workload identity tokens, error: {words}" in said
        assert f'tokenRequests: [{{audience: "{EXCHANGE}"}}]' in said
        assert not world.azure.calls

    def test_a_token_is_made_where_the_request_has_none(self, world: World) -> None:
        assert world.files(entry("s"), tokens=NONE) == {"s": b"x"}
        assert [one.audiences for one in world.cluster.made] == [(EXCHANGE,)]

    def test_a_token_of_another_account_is_not_sent(self, world: World) -> None:
        forged = world.kubernetes.token("shop", "web", EXCHANGE, "other-pod", "another-uid")
        assert "kubernetes.io.pod.uid" in text(world.refusal(entry("s"), tokens={EXCHANGE: forged}))
        assert not world.azure.calls


class TestWhatIsWrong:
    """Each of tenant, client, issuer, subject, audience has its own sentence."""

    def test_tenant(self, world: World) -> None:
        said = text(world.refusal(entry("s"), tenantID=OTHER))
        assert "AADSTS90002" in said
        assert f"There is no tenant {OTHER} at https://login.microsoftonline.com" in said

    def test_client(self, world: World) -> None:
        said = text(world.refusal(entry("s"), clientID=OTHER))
        assert "ClientAssertionCredential authentication failed: AADSTS700016" in said
        assert f"There is no client {OTHER} in tenant {TENANT}" in said

    @pytest.mark.parametrize(
        ("issuer", "subject", "audience", "wrong"),
        [
            ("https://elsewhere", SUBJECT, EXCHANGE, "issuer"),
            ("", "system:serviceaccount:shop:db", EXCHANGE, "subject"),
            ("", SUBJECT, "api://other", "audience"),
        ],
    )
    def test_federated_credential(self, world: World, issuer: str, subject: str, audience: str, wrong: str) -> None:
        world.azure.logins.federate(OTHER, TENANT, issuer or world.kubernetes.issuer, subject, audience)
        said = text(world.refusal(entry("s"), clientID=OTHER))
        assert f"The federated credential of client {OTHER} has another {wrong}." in said
        assert f"issuer {world.kubernetes.issuer}, subject {SUBJECT}, audience {EXCHANGE}" in said

    def test_no_federated_credential_at_all(self, world: World) -> None:
        world.azure.logins.secret(OTHER, TENANT, "x")
        assert "has another issuer, subject or audience" in text(world.refusal(entry("s"), clientID=OTHER))

    def test_conditional_access(self, world: World) -> None:
        world.azure.logins.refuse(CLIENT, TENANT, 53003)
        assert f"A conditional access policy refuses client {CLIENT}" in text(world.refusal(entry("s")))

    def test_the_vault_is_of_another_tenant(self, world: World) -> None:
        world.azure.store.vault(world.vault, tenant=OTHER)
        said = text(world.refusal(entry("s")))
        assert f"belongs to tenant {OTHER}, but tenantID of the class is {TENANT}" in said
        assert "AKV10032" in said

    def test_the_cloud(self, world: World) -> None:
        said = text(world.refusal(entry("s"), cloudName="AzureUSGovernmentCloud"), BackendUnavailable)
        assert f"{world.vault}.vault.usgovcloudapi.net" in said

    @pytest.mark.parametrize(
        ("why", "hint"),
        [
            ("ForbiddenByRbac", f"az role assignment create --role 'Key Vault Secrets User' --assignee {CLIENT}"),
            ("ForbiddenByPolicy", "--secret-permissions get list --spn " + CLIENT),
        ],
    )
    def test_rights(self, world: World, why: str, hint: str) -> None:
        world.azure.deny(CLIENT, world.vault, "secret", "s", why=why)
        said = text(world.refusal(entry("s")), AccessDenied)
        assert "RESPONSE 403, ERROR CODE: Forbidden" in said
        assert hint in said

    def test_firewall(self, world: World) -> None:
        world.azure.firewall(world.vault)
        assert f"az keyvault network-rule add --name {world.vault}" in text(world.refusal(entry("s")), AccessDenied)

    def test_disabled(self, world: World) -> None:
        world.azure.store.disable(world.vault, "secret", "s")
        assert "Enable the version" in text(world.refusal(entry("s")), ObjectUnusable)

    def test_texts_stay_the_same_between_tries(self, world: World) -> None:
        """Trace ids and times would make an event of each."""
        first, second = (str(world.refusal(entry("s"), clientID=OTHER)) for _ in range(2))
        assert first == second
        assert "Trace ID" not in first

    def test_entra_throttles(self, world: World) -> None:
        world.azure.faults.add(Fault("token", 429, "throttled", "AADSTS90055: slower", retry_after=2))
        error = world.refusal(entry("s"))
        assert "Entra throttles logins" in text(error, BackendThrottled)
        assert error.retry_after == 2
        assert world.pauses == [2, 2]

    def test_entra_is_away_for_a_moment(self, world: World) -> None:
        world.azure.faults.add(Fault("token", 503, "x", "broken", times=1))
        assert world.files(entry("s")) == {"s": b"x"}
        world.azure.faults.add(Fault("token", 0, "", ""))
        said = text(world.refusal(entry("s")), BackendUnavailable)
        assert "https://login.microsoftonline.com" in said
        assert "no answer" in said


class TestServicePrincipal:
    @pytest.fixture(autouse=True)
    def principal(self, world: World) -> None:
        world.azure.logins.secret(OTHER, TENANT, PRINCIPAL["clientsecret"])

    def test_in_any_case_of_letters(self, world: World) -> None:
        for names in (("clientid", "clientsecret"), ("clientID", "clientSecret"), ("ClientId", "CLIENTSECRET")):
            secret = dict(zip(names, PRINCIPAL.values(), strict=True))
            assert world.files(entry("s"), referenced=secret, without=("clientID",)) == {"s": b"x"}
        assert world.azure.calls["discovery"] == 0

    def test_a_client_with_a_token_wins(self, world: World) -> None:
        world.azure.deny(OTHER, world.vault, "secret")
        assert world.files(entry("s"), referenced=PRINCIPAL) == {"s": b"x"}
        assert isinstance(world.refusal(entry("s"), referenced=PRINCIPAL, tokens=NONE), AccessDenied)

    @pytest.mark.parametrize("missing", ["clientid", "clientsecret"])
    def test_half_of_it(self, world: World, missing: str) -> None:
        half = {key: value for key, value in PRINCIPAL.items() if key != missing}
        said = text(world.refusal(entry("s"), referenced=half, without=("clientID",)))
        assert f"could not find {missing} in secrets" in said

    def test_wrong_secret(self, world: World) -> None:
        wrong = PRINCIPAL | {"clientsecret": "canary-of-a-wrong-secret"}
        said = text(world.refusal(entry("s"), referenced=wrong, without=("clientID",)))
        assert "ClientSecretCredential authentication failed: AADSTS7000215" in said
        assert f"clientsecret of nodePublishSecretRef is wrong or has ended for client {OTHER}" in said
        assert "canary" not in said

    def test_another_secret_is_another_identity(self, world: World) -> None:
        """Whoever brings a wrong one is not served from what the right one has read."""
        world.with_provider(EconomyOptions())
        assert world.files(entry("s"), referenced=PRINCIPAL, without=("clientID",))
        wrong = PRINCIPAL | {"clientsecret": "wrong"}
        assert "AADSTS7000215" in text(world.refusal(entry("s"), referenced=wrong, without=("clientID",)))


class TestNodeIdentities:
    @pytest.fixture(autouse=True)
    def metadata(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", world.azure.metadata_url)
        world.azure.node.assign(OTHER)

    def managed(self, world: World, **more: str) -> MountError:
        return world.refusal(entry("s"), useVMManagedIdentity="true", **more)

    def test_only_where_the_operator_allows_it(self, world: World) -> None:
        assert "--allowed-auth=managed-identity" in text(self.managed(world, userAssignedIdentityID=OTHER))
        assert not world.azure.calls

    def test_user_assigned_and_the_nodes_own(self, world: World) -> None:
        world.with_provider(allowed_auth=frozenset({"managed-identity"}))
        assert world.files(entry("s"), useVMManagedIdentity="true", userAssignedIdentityID=OTHER) == {"s": b"x"}
        world.azure.node.assign(CLIENT, system=True)
        assert world.files(entry("s"), useVMManagedIdentity="true") == {"s": b"x"}
        assert (world.azure.calls["imds"], world.azure.calls["token"]) == (2, 0)

    def test_not_assigned(self, world: World) -> None:
        world.with_provider(allowed_auth=frozenset({"managed-identity"}))
        said = text(self.managed(world, userAssignedIdentityID=CLIENT))
        assert "ManagedIdentityCredential authentication failed" in said
        assert f"Is {CLIENT} assigned to the node's scale set?" in said

    def test_a_tenant_is_not_needed_to_know_who_asks_but_the_class_names_one(self, world: World) -> None:
        assert "tenantId is not provided" in text(self.managed(world, tenantID=""), InvalidParameters)


class TestPodIdentity:
    @pytest.fixture(autouse=True)
    def agent(self, world: World) -> None:
        world.with_provider(nmi=world.azure.metadata_url)

    def test_the_agent_is_asked_for_the_pod(self, world: World) -> None:
        world.azure.node.bind_pod(POD.namespace, POD.name, CLIENT)
        assert world.files(entry("s"), usePodIdentity="true", without=("clientID",)) == {"s": b"x"}
        assert (world.azure.calls["nmi"], world.azure.calls["token"]) == (1, 0)

    def test_no_binding(self, world: World) -> None:
        said = text(world.refusal(entry("s"), usePodIdentity="true"))
        assert "nmi response failed with status code: 404, response body: no AzureAssignedIdentity" in said

    def test_an_agent_that_says_nothing(self, world: World) -> None:
        world.azure.faults.add(Fault("nmi", 200, "", ""))
        said = text(world.refusal(entry("s"), usePodIdentity="true"))
        assert "nmi did not return expected values in response: token and clientid" in said


class TestIdentityBinding:
    @pytest.fixture(autouse=True)
    def proxy(self, world: World) -> None:
        world.azure.logins.federate(OTHER, TENANT, world.kubernetes.issuer, SUBJECT, BINDING)
        world.with_provider(token_proxy=TokenProxy(world.azure.binding_url, ca_file=world.azure.ca_file))

    def both(self, world: World) -> dict[str, str]:
        return {BINDING: world.token(BINDING), EXCHANGE: world.token()}

    def test_by_way_of_the_api_server(self, world: World) -> None:
        files = world.files(entry("s"), useAzureTokenProxy="true", clientID=OTHER, tokens=self.both(world))
        assert files == {"s": b"x"}
        assert (world.azure.calls["binding"], world.azure.calls["token"], world.azure.calls["discovery"]) == (1, 0, 0)

    def test_with_a_name_by_hand(self, world: World) -> None:
        name = world.azure.binding_name
        world.with_provider(token_proxy=TokenProxy(world.azure.binding_url, name, world.azure.ca_file))
        assert world.files(entry("s"), useAzureTokenProxy="true", clientID=OTHER, tokens=self.both(world))

    def test_what_it_needs(self, world: World) -> None:
        asked = {"useAzureTokenProxy": "true", "clientID": ""}
        assert "clientID is required for identity binding" in text(
            world.refusal(entry("s"), **asked), InvalidParameters
        )
        asked["clientID"] = OTHER
        said = text(world.refusal(entry("s"), **asked))
        assert (
            f"failed to parse service account token for identity binding, error: token for audience {BINDING}" in said
        )
        world.cluster.create_token = world.cluster.refuse_token  # type: ignore[method-assign]
        said = text(world.refusal(entry("s"), tokens=NONE, **asked))
        assert "service account tokens are required for identity binding" in said

    def test_no_cluster_of_aks(self, world: World, tmp_path: Path) -> None:
        authority = Authority()
        authority.save(tmp_path / "ca.pem")
        context = authority.server(["127.0.0.1"]).context(tmp_path)
        with EveryHost(lambda _: Answer(404, ""), lambda _: 200, context) as server:
            url = f"https://127.0.0.1:{server.port}"
            world.with_provider(token_proxy=TokenProxy(url, ca_file=tmp_path / "ca.pem"))
            said = text(world.refusal(entry("s"), useAzureTokenProxy="true", clientID=OTHER, tokens=self.both(world)))
        assert "proxy transport not available: the API server's certificate names no AKS cluster" in said


class TestCustomClouds:
    @pytest.fixture
    def described(self, world: World, tmp_path: Path) -> Path:
        world.azure.store.put_secret(f"{world.vault}.vault.localhost", "s", "stack")
        world.with_provider(class_files=ClassFiles([tmp_path]), environ={})
        file = tmp_path / "cloud.json"
        file.write_text(json.dumps(STACK))
        return file

    def test_a_file_of_the_class(self, world: World, described: Path) -> None:
        stack = {"cloudName": "azurestackcloud", "cloudEnvFileName": str(described)}
        assert world.files(entry("s"), **stack) == {"s": b"stack"}
        assert (world.azure.calls["discovery"], world.azure.calls["token"]) == (0, 1)
        # Nothing of it stays for the next class.
        assert world.files(entry("s")) == {"s": b"x"}
        error = world.refusal(entry("s"), cloudName="AzureStackCloud")
        assert "cloudEnvFileName is not set" in text(error, InvalidParameters)

    def test_files_elsewhere(self, world: World, described: Path, tmp_path: Path) -> None:
        outside = {"cloudName": "AzureStackCloud", "cloudEnvFileName": "/etc/passwd"}
        assert "may not be named by a class" in text(world.refusal(entry("s"), **outside), InvalidParameters)
        absent = {"cloudName": "AzureStackCloud", "cloudEnvFileName": str(described.parent / "nothing")}
        said = text(world.refusal(entry("s"), **absent), InvalidParameters)
        assert "cloudName AzureStackCloud is not valid, error: open " in said
        assert "no such file or directory" in said

    def test_the_operators_file(self, world: World, described: Path) -> None:
        world.with_provider(environ={"AZURE_ENVIRONMENT_FILEPATH": str(described)})
        assert world.files(entry("s"), cloudName="AzureStackCloud") == {"s": b"stack"}

    def test_a_vault_that_does_not_answer(self, world: World, described: Path) -> None:
        described.write_text(json.dumps(STACK | {"keyVaultDNSSuffix": "absent.localhost"}))
        error = world.refusal(entry("s"), cloudName="AzureStackCloud", cloudEnvFileName=str(described))
        assert f"vault {world.vault}.absent.localhost: no answer (the proxy refuses)." in text(
            error, BackendUnavailable
        )

    @pytest.mark.parametrize("authority", ["http://login.localhost", "ftp://x", "https://a/?b", ""])
    def test_addresses_that_are_none(self, world: World, described: Path, authority: str) -> None:
        described.write_text(json.dumps(STACK | {"activeDirectoryEndpoint": authority}))
        error = world.refusal(entry("s"), cloudName="AzureStackCloud", cloudEnvFileName=str(described))
        assert "activeDirectoryEndpoint" in text(error, InvalidParameters)
        assert not world.azure.calls

    def test_active_directory_federation_services(self, world: World, described: Path) -> None:
        world.azure.logins.federate(CLIENT, "adfs", world.kubernetes.issuer, SUBJECT)
        world.azure.store.vault(f"{world.vault}.vault.localhost", tenant="adfs")
        stack = {"cloudName": "AzureStackCloud", "cloudEnvFileName": str(described), "tenantID": "adfs"}
        assert world.files(entry("s"), **stack) == {"s": b"stack"}
