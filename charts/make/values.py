"""A chart's values: the common ones of the providers, what the comments say, and the table that is made of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

MARK: Final = "# --- of every provider ---\n"
_KEY: Final = re.compile(r"( *)([A-Za-z0-9_.-]+):")
_AWS_AGENT: Final = """
    # EKS Pod Identity's agent
    - ports: [{port: 80}]
      to: [{ipBlock: {cidr: 169.254.170.23/32}}, {ipBlock: {cidr: "fd00:ec2::23/128"}}]"""
_GOOGLE: Final = """
    # The metadata server, GKE's too
    - ports: [{port: 80}, {port: 988}]
      to: [{ipBlock: {cidr: 169.254.169.254/32}}, {ipBlock: {cidr: 169.254.169.252/32}}]"""
_WRITES: Final = """
  # With driverWritesSecrets: false, besides: volumes x volumeSize. Pages of a tmpfs count for whoever wrote them
  volumes: 110
  volumeSize: 16Mi"""
_TOKENS: Final = "[{audience: %s}, {audience: %s}]"
PLACES: Final[Mapping[str, Mapping[str, str]]] = {
    "aws": {
        "BASE": "75Mi",
        "TOKENS": _TOKENS % ("sts.amazonaws.com", "pods.eks.amazonaws.com"),
        "PORTS": "[443, 6443]",
        "EGRESS": _AWS_AGENT,
        "WRITES": _WRITES,
    },
    "azure": {
        "BASE": "80Mi",
        "TOKENS": _TOKENS % ('"api://AzureADTokenExchange"', '"api://AKSIdentityBinding"'),
        "PORTS": "[443, 6443]",
        "EGRESS": "[]",
    },
    "gcp": {"BASE": "80Mi", "TOKENS": "[]", "PORTS": "[443, 6443]", "EGRESS": _GOOGLE},
    "vault": {"BASE": "65Mi", "TOKENS": "[{audience: vault}]", "PORTS": "[443, 6443, 8200]", "EGRESS": "[]"},
}
"""What differs between the providers in provider-values.yaml."""
LEAVES: Final = frozenset({
    "affinity", "updateStrategy", "resources", "tokenRequests", "labels", "annotations", "sscsi",
})  # fmt: skip
"""Mappings that are one value: what stands in them is Kubernetes' or the user's."""


def with_common(own: str, provider: str, common: str) -> str:
    """A provider's values file: what stands before the mark, and what every provider has."""
    body = common.partition("\n\n")[2]
    for place in ("BASE", "TOKENS", "PORTS", "EGRESS", "WRITES"):
        body = body.replace(f"<{place}>", PLACES[provider].get(place, ""))
    body = re.sub(r" +$", "", body, flags=re.MULTILINE)
    return own.partition(MARK)[0] + MARK + body


@dataclass(frozen=True, slots=True)
class Value:
    """One line of a table.

    Attributes:
        path: with dots between.
        default: as YAML in one line; empty for a group.
        says: its comment.
        common: whether it is one that every provider has.
    """

    path: str
    default: str
    says: str
    common: bool


def leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Each value by its path; groups are gone into."""
    for key, value in values.items():
        if isinstance(value, dict) and value and key not in LEAVES:
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def in_all(each: Mapping[str, list[Value]]) -> list[Value]:
    """The values that all of several charts have; where defaults differ, each by its chart's name."""
    first, *others = ({one.path: one for one in values} for values in each.values())
    found = []
    for path, one in first.items():
        if all(path in other for other in others):
            defaults = {
                name: next(value.default for value in values if value.path == path) for name, values in each.items()
            }
            told = one.default if len(set(defaults.values())) == 1 else _by_name(defaults)
            found.append(replace(one, default=told))
    return found


def _by_name(defaults: Mapping[str, str]) -> str:
    """`aws: 75Mi, gcp: 80Mi`."""
    return ", ".join(f"{name}: {default}" for name, default in defaults.items())


def described(text: str) -> list[Value]:
    """What a values file holds, in its order; groups only where a comment says something of them."""
    values = dict(leaves(yaml.safe_load(text)))
    own, _, _ = text.partition(MARK)
    found: list[Value] = []
    stack: list[tuple[int, str]] = []
    says: list[str] = []
    passed = 0
    for line in text.splitlines():
        passed += len(line) + 1
        match = _KEY.match(line)
        if line.lstrip().startswith("#") and f"{line}\n" != MARK:
            says.append(line.lstrip("# ").rstrip())
            continue
        if match is not None:
            stack = [(depth, key) for depth, key in stack if depth < len(match[1])]
            stack.append((len(match[1]), match[2]))
            path = ".".join(key for _, key in stack)
            if path in values:
                found.append(Value(path, _shown(values[path]), " ".join(says), passed > len(own)))
            elif says and any(leaf.startswith(f"{path}.") for leaf in values):
                found.append(Value(path, "", " ".join(says), passed > len(own)))
        says = []
    return found


def _shown(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False).strip()
    return text.removesuffix("\n...").strip()


def table(values: list[Value]) -> str:
    """Markdown."""
    lines = ["| value | default | |", "|---|---|---|"]
    for one in values:
        default = one.default if len(one.default) < 70 else "see values.yaml"
        shown = f"`{default}`" if default and not default.startswith("see") else default
        lines.append(f"| `{one.path}` | {shown} | {one.says.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def read(charts: Path, name: str) -> str:
    """A chart's values file."""
    return (charts / name / "values.yaml").read_text(encoding="utf-8")
