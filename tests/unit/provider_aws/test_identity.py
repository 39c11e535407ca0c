"""Every fact that changes where a call goes, as whom, or what comes back is a part of the identity."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sscsi_emulators.tokens import unsigned_token
from sscsi_provider_aws import podidentity
from sscsi_provider_aws.auth import AUDIENCE, ROLE_ANNOTATION
from sscsi_provider_aws.clients import Endpoints
from sscsi_provider_aws.identity import AwsIdentity
from sscsi_provider_aws.provider import AwsProvider
from sscsi_shared.cluster import NoCluster, ServiceAccount, TokenRequest
from sscsi_shared.deadline import Deadline
from sscsi_shared.mount import PodInfo
from sscsi_shared.parameters import read_mount
from sscsi_shared.provider import Login
from sscsi_shared.secret import SecretText
from sscsi_shared.testing.stage import pod_attributes, tokens_text

ROLE = "arn:aws:iam::123456789012:role/web"


class OneAccount(NoCluster):
    def __init__(self, uid: str, role: str) -> None:
        self._uid = uid
        self._role = role

    def service_account(self, namespace: str, name: str, deadline: Deadline) -> ServiceAccount:
        return ServiceAccount(namespace, name, self._uid, {ROLE_ANNOTATION: self._role})

    def node_region(self, namespace: str, pod: str, deadline: Deadline) -> str:
        return "eu-north-1"

    def create_token(self, request: TokenRequest, deadline: Deadline) -> SecretText:
        raise AssertionError("kubelet sends one")


def login(monkeypatch: pytest.MonkeyPatch, **facts: Any) -> Login[AwsIdentity, Any]:
    for name, value in facts.get("variables", {}).items():
        monkeypatch.setenv(name, value)
    namespace, account = facts.get("namespace", "shop"), facts.get("account", "web")
    provider = AwsProvider(
        endpoints=facts.get("endpoints", Endpoints("http://sts", "http://sm", "http://ssm")),
        region=facts.get("flag", ""),
        ca_bundle=facts.get("ca_bundle"),
        environ=facts.get("environ", {}),
    )
    tokens = {
        audience: unsigned_token(namespace, account, audience, **facts.get("claims", {}))
        for audience in (AUDIENCE, podidentity.AUDIENCE)
    }
    pod = PodInfo(namespace, facts.get("pod", "web-0"), facts.get("pod_uid", "u"), account)
    attributes = {"objects": "[]", **pod_attributes(pod, tokens_text(tokens)), **facts.get("parameters", {})}
    cluster = OneAccount(facts.get("uid", "uid"), facts.get("role", ROLE))
    request = provider.parse(read_mount(json.dumps(attributes), "null", "420", "/t", []))
    return provider.identify(request, cluster, Deadline.after(20))


FACTS: Mapping[str, Mapping[str, Any]] = {
    "namespace": {"namespace": "other"},
    "service_account": {"account": "other"},
    "uid": {"uid": "other"},
    "issuer": {"claims": {"iss": "https://other.example"}},
    "role": {"role": "arn:aws:iam::123456789012:role/other"},
    "region": {"parameters": {"region": "eu-west-3"}},
    "assume_role": {"parameters": {"assumeRoleArn": "arn:aws:iam::210987654321:role/second"}},
    "endpoints": {"endpoints": Endpoints("http://sts", "http://other", "http://ssm")},
    "ca_bundle": {"ca_bundle": Path("/etc/other.pem")},
    "proxy": {"variables": {"https_proxy": "http://other.example:3128"}},
    "fips": {"environ": {"AWS_USE_FIPS_ENDPOINT": "true"}},
}
POD_IDENTITY_FACTS = {"mode", "audience", "role", "uid", "address_type"}
"""What changes with the way to log in."""


@pytest.mark.parametrize("field", FACTS)
def test_each_fact_changes_its_field_alone(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    plain = login(monkeypatch).identity
    other = login(monkeypatch, **FACTS[field]).identity
    assert plain == login(monkeypatch).identity if field != "proxy" else plain != other
    changed = {one.name for one in dataclasses.fields(plain) if getattr(plain, one.name) != getattr(other, one.name)}
    assert changed == {field}


def test_an_external_id_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    second = {"assumeRoleArn": "arn:aws:iam::210987654321:role/second"}
    plain = login(monkeypatch, parameters=second).identity
    other = login(monkeypatch, parameters=second | {"assumeRoleExternalId": "x"}).identity
    assert dataclasses.replace(plain, external_id="x") == other


def test_no_fact_is_left_out() -> None:
    assert {one.name for one in dataclasses.fields(AwsIdentity)} == set(FACTS) | POD_IDENTITY_FACTS | {"external_id"}


def test_the_way_to_log_in_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    irsa = login(monkeypatch).identity
    agent = login(monkeypatch, parameters={"usePodIdentity": "true"}).identity
    changed = {one.name for one in dataclasses.fields(irsa) if getattr(irsa, one.name) != getattr(agent, one.name)}
    assert changed == POD_IDENTITY_FACTS
    other = login(monkeypatch, parameters={"usePodIdentity": "true", "preferredAddressType": "IPv6"}).identity
    assert dataclasses.replace(agent, address_type="ipv6") == other
    bound = {"kubernetes.io": {"serviceaccount": {"name": "web", "uid": "other"}}}
    other = login(monkeypatch, parameters={"usePodIdentity": "true"}, claims=bound).identity
    assert dataclasses.replace(agent, uid="other") == other


@pytest.mark.parametrize("flag", [{"flag": "eu-west-3"}, {"parameters": {"region": "eu-west-3"}}])
def test_a_region_is_one_wherever_it_was_said(monkeypatch: pytest.MonkeyPatch, flag: Mapping[str, Any]) -> None:
    assert login(monkeypatch, **flag).identity.region == "eu-west-3"
    assert login(monkeypatch).identity.region == "eu-north-1"


def test_pods_of_one_account_are_one_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    assert login(monkeypatch).identity == login(monkeypatch, pod="web-1", pod_uid="v").identity


def test_whose_quota_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    own = login(monkeypatch)
    assert own.backend == login(monkeypatch, role="arn:aws:iam::123456789012:role/other").backend
    assert own.backend != login(monkeypatch, role="arn:aws:iam::210987654321:role/web").backend
    assert own.backend != login(monkeypatch, endpoints=Endpoints()).backend
