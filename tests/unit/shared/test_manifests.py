"""Kubernetes objects from YAML, and the article's errors of typesetting with their mends."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sscsi_shared.errors import InvalidParameters
from sscsi_shared.manifests import Manifest, parse_manifests

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
GROUP = "line 1: the API group is `secrets-store.csi.x-k8s.io`"


def example(name: str) -> Manifest:
    [found] = parse_manifests((EXAMPLES / name).read_text(), name)
    return found


@pytest.mark.parametrize(
    ("name", "mends"),
    [
        ("secretproviderclass-aws.yaml", [GROUP, "line 7: a bare word where a field is meant: write `provider: aws`"]),
        ("secretproviderclass-gcp.yaml", [GROUP, "put your own value in place of `<resource path>`"]),
        (
            "secretproviderclass-vault.yaml",
            [GROUP, "in place of `<vault-role>`", "in place of `<vault-namespace>`", "`<path to secret in vault>`"],
        ),
        ("serviceaccount-aws.yaml", ["line 7: the annotation's key stands there twice: write it once"]),
        ("serviceaccount-gcp.yaml", ["line 7: write `key: value` with a colon and a blank, not `=`"]),
        (
            "volume.yaml",
            ["line 3: the driver's name is `secrets-store.csi.k8s.io`", "line 6: typographic quotation marks"],
        ),
    ],
)
def test_as_printed_each_names_line_and_mend(name: str, mends: list[str]) -> None:
    with pytest.raises(InvalidParameters) as caught:
        parse_manifests((EXAMPLES / "as-printed" / name).read_text(), name)
    for mend in mends:
        assert mend in str(caught.value)
    assert str(caught.value).startswith(f"{name} (line {caught.value.line}, column ")


@pytest.mark.parametrize("provider", ["aws", "gcp", "vault"])
def test_mended_the_classes_are_the_articles(provider: str) -> None:
    found = example(f"{provider}/secretproviderclass.yaml")
    assert (found.kind, found.namespace, found.name) == (
        "SecretProviderClass",
        "application-one",
        "application-one-spc",
    )
    assert found.body["spec"]["provider"] == provider
    assert "password" in "".join(found.body["spec"]["parameters"].values())


def test_mended_the_other_objects_are_the_articles() -> None:
    role = example("aws/serviceaccount.yaml").body["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
    assert role == "arn:aws:iam::123456789012:role/application-one-secrets"
    assert "iam.gke.io/gcp-service-account" in example("gcp/serviceaccount.yaml").body["metadata"]["annotations"]
    assert example("vault/serviceaccount.yaml").name == "csi-provider-user"
    [volume] = example("aws/pod.yaml").body["spec"]["volumes"]
    assert volume["csi"] == {
        "driver": "secrets-store.csi.k8s.io",
        "readOnly": True,
        "volumeAttributes": {"secretProviderClass": "application-one-spc"},
    }
    assert example("secretobjects.yaml").body["spec"]["secretObjects"][0]["secretName"] == "foosecret"


def test_several_documents_and_unknown_kinds() -> None:
    text = """
# a comment
---
apiVersion: v1
kind: ConfigMap
metadata: {name: left-out}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
---
apiVersion: v1
kind: Pod
metadata: {name: p1}
"""
    found = parse_manifests(text, "x.yaml")
    assert [(one.kind, one.namespace, one.name, one.line) for one in found] == [
        ("Node", "", "n1", 8),
        ("Pod", "default", "p1", 12),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a", ["must be a mapping"]),
        ("apiVersion: v1", ["`kind` is missing"]),
        ("kind: Pod\nmetadata: {name: a}", ["`apiVersion` is missing"]),
        ("apiVersion: v2\nkind: Pod\nmetadata: {name: a}", ["apiVersion `v1`, not `v2`", "line 1"]),
        ("apiVersion: v1\nkind: Pod", ["`name` is missing"]),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: Not_a_name}", ["no name that Kubernetes allows", "line 3"]),
        ("apiVersion: v1\nkind: Pod\nmetadata: [", ["x.yaml (line"]),
    ],
)
def test_mistakes(text: str, words: list[str]) -> None:
    with pytest.raises(InvalidParameters) as caught:
        parse_manifests(text, "x.yaml")
    for word in words:
        assert word in str(caught.value)


def test_comments_may_hold_what_values_may_not() -> None:
    text = "# <placeholder> “quoted”\napiVersion: v1\nkind: Node\nmetadata: {name: a} # was <NAME>, “a”\n"
    assert parse_manifests(text, "x.yaml")[0].name == "a"


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="abcP:{}[]-\n \"'<>#&*!|v1", max_size=120) | st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_manifests(text, "x.yaml")
    except InvalidParameters:
        return
    assert all(one.name for one in found)
