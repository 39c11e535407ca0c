"""The proxy for identity bindings: its address and its TLS name."""

import re

import pytest

from sscsi_provider_azure.token_proxy import TokenProxy, checked, name_in, name_of
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed, BackendUnavailable


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://kubernetes.default.svc.cluster.local", "https://kubernetes.default.svc.cluster.local"),
        ("https://10.0.0.1:443/", "https://10.0.0.1:443"),
        ("https://proxy.example/a/b/", "https://proxy.example/a/b"),
    ],
)
def test_addresses(url: str, address: str) -> None:
    assert checked(url) == address
    assert TokenProxy(url).url == address


@pytest.mark.parametrize(
    "url",
    ["", "proxy.example", "http://proxy.example", "https://", "https:///path", "https://user@proxy.example",
     "https://user:word@proxy.example", "https://proxy.example?a=b", "https://proxy.example/#x", "unix:///x.sock",
     "https://[::1", "https://proxy.example:port"],
)  # fmt: skip
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ValueError, match=r"no https address|Invalid IPv6 URL|[Pp]ort"):
        TokenProxy(url)


def test_the_name_of_a_clusters_proxy() -> None:
    name = name_of("65f0a1b2c3d4e5f601234567")
    assert name == "anj3cp6ns89ucn6iubn5gvkoqbngtnkq6s080qgiuq41put7t99a0.ests.aks"
    label, _, domain = name.partition(".")
    assert re.fullmatch(r"a[0-9a-v]{52}", label)
    assert domain == "ests.aks"
    assert name == name_of("65f0a1b2c3d4e5f601234567")
    assert name != name_of("65f0a1b2c3d4e5f601234568")


@pytest.mark.parametrize(
    "names",
    [
        ["hcp-kubernetes.abc123.svc.cluster.local"],
        ["kubernetes", "kubernetes.default", "hcp-kubernetes.abc123.svc.cluster.local", "x.hcp.westeurope.azmk8s.io"],
        ["hcp-kubernetes.abc123.svc.cluster.local", "hcp-kubernetes.other.svc.cluster.local"],
    ],
)
def test_the_name_in_a_certificate(names: list[str]) -> None:
    assert name_in(names) == name_of("abc123")


@pytest.mark.parametrize(
    "names",
    [[], ["kubernetes.default.svc.cluster.local"], ["hcp-kubernetes..svc.cluster.local"],
     ["x.hcp-kubernetes.abc.svc.cluster.local"], ["hcp-kubernetes.a.b.svc.cluster.local"],
     ["hcp-kubernetes.abc.svc.cluster.local.evil"], ["n" * 60] * 1000],
    ids=lambda names: str(names)[:40],
)  # fmt: skip
def test_a_certificate_of_no_aks_cluster(names: list[str]) -> None:
    with pytest.raises(
        AuthenticationFailed, match="proxy transport not available: the API server's certificate"
    ) as caught:
        name_in(names)
    assert "--sni-name" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_proxy_that_nobody_serves(unused_port: int) -> None:
    proxy = TokenProxy(f"https://127.0.0.1:{unused_port}")
    with pytest.raises(BackendUnavailable, match=r"proxy transport not available: 127\.0\.0\.1 does not answer"):
        proxy.within(Deadline.after(5))
