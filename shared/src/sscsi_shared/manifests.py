"""PURE: Kubernetes objects as one would kubectl-apply them, from YAML text.

Mistakes that come from copying a manifest out of a web page (capitals in a group, typographic quotation marks, broken
annotations, placeholders) are looked for first: each is told with its line and its mend.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sscsi_shared.errors import InvalidParameters, clip
from sscsi_shared.yaml_dialects import Dialect
from sscsi_shared.yaml_source import YamlScalar, compose_all
from sscsi_shared.yaml_tree import Node

GROUP: Final = "secrets-store.csi.x-k8s.io"
DRIVER_NAME: Final = "secrets-store.csi.k8s.io"
VERSIONS: Final[Mapping[str, frozenset[str]]] = {
    "SecretProviderClass": frozenset({f"{GROUP}/v1", f"{GROUP}/v1alpha1"}),
    "SecretProviderClassPodStatus": frozenset({f"{GROUP}/v1", f"{GROUP}/v1alpha1"}),
    "ServiceAccount": frozenset({"v1"}),
    "Pod": frozenset({"v1"}),
    "Node": frozenset({"v1"}),
    "Namespace": frozenset({"v1"}),
    "CSIDriver": frozenset({"storage.k8s.io/v1"}),
}
"""The kinds that we read, and the API versions that they come in; objects of other kinds are passed over."""
_CLUSTER_SCOPED: Final = frozenset({"Node", "Namespace", "CSIDriver"})
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_MAX_SHOWN: Final = 10

_COMMENT: Final = re.compile(r"(?:^|\s)#.*$")
_MISPRINTS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"secrets-store\.csi\.x-[kK]ubernetes\.io"), f"the API group is `{GROUP}`"),
    (re.compile(r"secrets-store\.csi\.[kK]ubernetes\.io"), f"the driver's name is `{DRIVER_NAME}`"),
    (re.compile(r"(?<![\w-])Kubernetes\.io/"), "write `kubernetes.io/`, without a capital"),
    (re.compile("[\u201c\u201d\u201e\u2033\u2018\u2019]"), "typographic quotation marks: use \" or ' instead"),
    (re.compile(r"([\w.-]+/[\w.-]+): +\1:"), "the annotation's key stands there twice: write it once"),
    (re.compile(r"^\s*[\w.-]+\.[\w.-]+/[\w.-]+=\S"), "write `key: value` with a colon and a blank, not `=`"),
    (
        re.compile(r"^\s+(aws|gcp|vault|azure|openbao)\s*$"),
        "a bare word where a field is meant: write `provider: {0}`",
    ),
    (re.compile(r"<[A-Za-z][\w -]*>"), "a placeholder is left: put your own value in place of `{0}`"),
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object.

    Attributes:
        kind: such as SecretProviderClass.
        api_version: group and version.
        namespace: `default` where none is written; empty for kinds without.
        name: metadata.name.
        body: the whole object, as JSON values.
        source: the file's name.
        line: where it begins, from 1.
    """

    kind: str
    api_version: str
    namespace: str
    name: str
    body: Mapping[str, Any]
    source: str
    line: int


def parse_manifests(text: str, source: str) -> tuple[Manifest, ...]:
    """Read every document of a file; objects of kinds that we don't know are passed over.

    Args:
        text: YAML, or JSON.
        source: the file's name, for messages.

    Raises:
        InvalidParameters: a mistake, with its line.
    """
    if misprints := list(_misprints(text)):
        line, column, _ = misprints[0]
        told = "; ".join(f"line {number}: {mend}" for number, _, mend in misprints[:_MAX_SHOWN])
        raise InvalidParameters(
            f"The manifest has errors of typesetting: {told}.", path=source, line=line, column=column
        )
    found = []
    for tree in compose_all(text, where=source):
        if isinstance(tree, YamlScalar) and not tree.text:
            continue  # an empty document
        manifest = _manifest(Node(tree, Dialect.AWS, source), source)
        if manifest is not None:
            found.append(manifest)
    return tuple(found)


def _misprints(text: str) -> Iterator[tuple[int, int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        bare = _COMMENT.sub("", line)
        for pattern, mend in _MISPRINTS:
            if match := pattern.search(bare):
                yield number, match.start() + 1, mend.format(clip(match[0].strip(), 64))
                break


def _manifest(node: Node, source: str) -> Manifest | None:
    fields = node.entries()
    kind = _text(fields, "kind", node)
    if kind not in VERSIONS:
        return None
    version = _text(fields, "apiVersion", node)
    if version not in VERSIONS[kind]:
        wanted = " or ".join(f"`{one}`" for one in sorted(VERSIONS[kind]))
        raise fields["apiVersion"].error(f"a {kind} has the apiVersion {wanted}, not `{clip(version, 64)}`.")
    metadata = fields["metadata"].entries() if "metadata" in fields else {}
    name = _text(metadata, "name", fields.get("metadata", node))
    if not _NAME.fullmatch(name):
        raise metadata["name"].error(
            "is no name that Kubernetes allows.", hint="Lower-case letters, digits, `-` and `.` (a DNS subdomain)."
        )
    namespace = "" if kind in _CLUSTER_SCOPED else metadata["namespace"].text() if "namespace" in metadata else ""
    if not namespace and kind not in _CLUSTER_SCOPED:
        namespace = "default"
    body = node.value()
    return Manifest(kind, version, namespace, name, body if isinstance(body, dict) else {}, source, node.line)


def _text(fields: Mapping[str, Node], key: str, parent: Node) -> str:
    value = fields[key].text() if key in fields else ""
    if not value:
        raise parent.error(
            f"`{key}` is missing.", hint="Every Kubernetes object has apiVersion, kind and metadata.name."
        )
    return value
