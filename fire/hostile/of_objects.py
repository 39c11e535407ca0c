# ruff: noqa: E501  # examples and words stay as they are
"""A class's objects in the dialect of each provider, as far as a mount goes before a backend is asked."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fire.hostile.target import Target, class_parameters, joined, pieces, text, words
from sscsi_emulators.tokens import unsigned_token
from sscsi_provider_aws.provider import AwsProvider
from sscsi_provider_azure.provider import AzureProvider
from sscsi_provider_gcp.provider import GcpProvider
from sscsi_provider_vault.dialects import OPENBAO, VAULT
from sscsi_provider_vault.endpoints import Operator
from sscsi_provider_vault.provider import VaultProvider
from sscsi_shared.addresses import Addresses
from sscsi_shared.cluster import NoCluster, ServiceAccount
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import MountError
from sscsi_shared.parameters import read_mount
from sscsi_shared.render import check_plan
from sscsi_shared.testing.stage import POD, pod_attributes, tokens_text

_TENANT = "5d3ee3f5-0a3b-4f8d-9d43-2f6f0f3f1d11"
_ROLE = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/app"}
_POOL = "my-project.svc.id.goog"
_CLUSTER = {"PROJECT": "my-project", "CLUSTER_LOCATION": "europe-west1", "CLUSTER_NAME": "c1"}
_SHARED_WORDS = (
    *words(
        "- : ? [ ] { } , &a *a << !!str !!int !!binary !x | > ' \" # %TAG --- ... null ~ true yes 0644 0x1 .nan 2020-01-01"
    ),
    b"\n",
    b"\n  ",
    b"\t",
    b": ",
    b"- &a [*a]\n",
    b"- <<: *a\n",
    b"&a [*a,",
    "“".encode(),
)
_FIELDS = words(
    "objectName objectType objectAlias objectVersion objectVersionLabel jmesPath path filePermission failoverObject select "
    "optional allKeys filePrefix objectEncoding resourceName fileName mode extractJSONKey extractYAMLKey secretPath secretKey "
    "secretArgs method encoding array objectFormat objectVersionHistory keyvaultName objectEncoding secretsmanager ssmparameter "
    "secret key cert pfx pem base64 hex utf-8 true projects/p/secrets/s/versions/latest arn:aws:secretsmanager:eu-west-1:1:secret:a"
)


class _OneCluster(NoCluster):
    """Whose service accounts all have a role."""

    def service_account(self, namespace: str, name: str, deadline: Deadline) -> ServiceAccount:
        del deadline
        return ServiceAccount(namespace, name, f"uid-of-{name}", _ROLE)


def _target(
    name: str, provider: Any, audience: str, base: Mapping[str, str], seeds: Sequence[str], key: str = "objects"
) -> Target:
    token = unsigned_token(POD.namespace, POD.service_account, audience)
    told = pod_attributes(POD, tokens_text({audience: token}))

    def read(data: bytes) -> None:
        objects, more = map(text, pieces(data, 2))
        try:
            found = json.loads(more) if more else {}
            others = {key: one for key, one in found.items() if isinstance(one, str)} if isinstance(found, dict) else {}
        except (ValueError, RecursionError):
            others = {}
        mount = read_mount(json.dumps({**base, **others, key: objects, **told}), "null", "420", "/t", ())
        request = provider.parse(mount)
        login = provider.identify(request, _OneCluster(), Deadline.after(60))
        check_plan(provider.plan(request, login.identity))

    kept = [joined(one, json.dumps(base)) for one in (*class_parameters(name.partition("-")[0], key), *seeds)]
    return Target(name, read, (MountError,), kept, (*_SHARED_WORDS, *_FIELDS), lambda: _made(base), seconds=12)


def _made(base: Mapping[str, str]) -> Any:
    import yaml
    from hypothesis import strategies as st

    names = st.sampled_from([word.decode() for word in _FIELDS]) | st.text(max_size=8)
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.dates()
        | st.text()
        | st.binary()
        | st.sampled_from([word.decode() for word in _FIELDS] + ["../x", "a/b", "0644", "[?@]"])
    )
    values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=40)
    entries = st.lists(st.dictionaries(names, leaves | values), max_size=6)
    dumped = st.builds(_dump, entries | values, st.booleans())
    wrapped = entries.map(lambda some: yaml.safe_dump({"array": [yaml.safe_dump(one) for one in some]}))
    raw = st.lists(st.sampled_from([word.decode() for word in (*_SHARED_WORDS, *_FIELDS)]), max_size=60).map("".join)
    others = st.dictionaries(st.sampled_from(sorted(base)) | names, st.text()).map(json.dumps)
    return st.builds(
        joined,
        dumped | wrapped | raw | st.builds(_laughs, st.integers(1, 14), st.integers(1, 12), st.booleans()),
        others,
    )


def _dump(value: object, flow: bool) -> str:
    import yaml

    return yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)


def _laughs(rows: int, width: int, merge: bool) -> str:
    """Aliases of aliases of aliases."""
    lines = ["- &a0 {objectName: a}"]
    for row in range(1, rows):
        links = ", ".join([f"*a{row - 1}"] * width)
        lines.append(f"- &a{row} {{<<: [{links}]}}" if merge else f"- &a{row} [{links}]")
    return "\n".join(lines)


def targets() -> Sequence[Target]:
    """See the module."""
    vault = {"vaultAddress": "https://vault.example:8200", "roleName": "app"}
    bao = {"openbaoAddress": "https://vault.example:8200", "roleName": "app"}
    azure = {"keyvaultName": "kv-1", "tenantID": _TENANT, "clientID": _TENANT}
    operator = Operator(Addresses("https://vault.example:8200"))
    makes: list[Callable[[], Target]] = [
        lambda: _target(
            "aws",
            AwsProvider(region="eu-west-1", environ={}),
            "sts.amazonaws.com",
            {"region": "eu-west-1", "failoverRegion": "eu-central-1", "pathTranslation": "_"},
            [
                '- objectName: "a/b"\n  objectType: ssmparameter\n  jmesPath:\n  - {path: a.b, objectAlias: x}\n',
                "- objectName: arn:aws:secretsmanager:eu-west-1:123456789012:secret:x\n  failoverObject: {objectName: y}\n",
                "- select: {prefix: /a}\n  objectType: ssmparameter\n  allKeys: true\n  filePrefix: b/\n",
                "- objectName: a\n  objectType: secretsmanager\n  filePermission: '0400'\n  optional: true\n",
            ],
        ),
        lambda: _target(
            "gcp",
            GcpProvider(environ=_CLUSTER),
            _POOL,
            {"auth": "pod-adc"},
            [
                "- resourceName: projects/p/locations/eu/secrets/s/versions/1\n  path: a\n  mode: 256\n  extractJSONKey: k\n",
                "- resourceName: projects/p/locations/global/parameters/x/versions/v\n  fileName: b\n",
                "- select: {project: p, labels: {a: b}}\n",
            ],
            "secrets",
        ),
        lambda: _target(
            "vault",
            VaultProvider(dialect=VAULT, operator=operator),
            "vault",
            vault,
            [
                "- objectName: a\n  secretPath: pki/issue/x\n  method: PUT\n  secretArgs: {common_name: x, ttl: 1h}\n",
                "- {objectName: b, secretPath: secret/data/b, secretKey: k, encoding: base64, filePermission: 256}\n",
            ],
        ),
        lambda: _target(
            "openbao",
            VaultProvider(dialect=OPENBAO, operator=operator),
            "openbao",
            bao,
            ["- {objectName: b, secretPath: a/b}"],
        ),
        lambda: _target(
            "azure",
            AzureProvider(environ={}),
            "api://AzureADTokenExchange",
            azure,
            [
                "array:\n- |\n  objectName: a\n  objectType: secret\n  objectVersionHistory: 3\n",
                "array:\n- |\n  objectName: a\n  objectType: cert\n  objectFormat: pfx\n  filePermission: '0400'\n",
                '{"array": ["{objectName: a, objectType: key, objectAlias: b/c}"]}',
                "array:\n- |\n  select: {prefix: a, tags: {b: c}}\n  objectType: secret\n",
            ],
        ),
    ]
    return [make() for make in makes]
