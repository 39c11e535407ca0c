"""The texts of a MountRequest that are read before a provider sees them: attributes, secrets, tokens, paths, modes."""

import base64
import json
import time
from collections.abc import Sequence
from typing import Any

from fire.hostile.target import Target, joined, pieces, text, words
from sscsi_emulators.tokens import unsigned_token
from sscsi_shared.errors import MountError
from sscsi_shared.mount import PodInfo
from sscsi_shared.parameters import Parameters, read_mount, shares_nothing
from sscsi_shared.paths import Naming, check_layout, check_mode, check_path, octal_mode
from sscsi_shared.secret import SecretText
from sscsi_shared.tokens import audiences_of, prove, read_tokens

_POD = PodInfo("shop", "web-0", "u-1", "web")
_KNOWN = ("objects", "region", "roleName", "usePodIdentity", "vaultSkipTLSVerify")
_CSI = "csi.storage.k8s.io/"
_TOKENS = json.dumps({"sts.amazonaws.com": {"token": unsigned_token("shop", "web", "sts.amazonaws.com")}})
_ATTRIBUTES = json.dumps(
    {
        "objects": "- objectName: a\n  objectType: secretsmanager\n",
        "region": "eu-west-1",
        "usePodIdentity": "false",
        "sessionScope": "pod",
        f"{_CSI}pod.name": "web-0",
        f"{_CSI}pod.namespace": "shop",
        f"{_CSI}serviceAccount.tokens": _TOKENS,
    }
)
_WORDS = words(
    'null true { } [ ] " : , \\ \\u0000 \\ud800 NaN Infinity -0 1e999 0.1e1 420 511 objects region usePodIdentity '
    f"sessionScope {_CSI} {_CSI}serviceAccount.tokens {_CSI}pod.name token expirationTimestamp 2030-01-01T00:00:00Z "
    '{"a":"b"} [[ {"a": \\\\ \xff'
)


def _attributes(data: bytes) -> None:
    attributes, secrets, permission, versions = map(text, pieces(data, 4))
    pairs = [(one, one) for one in versions.split(",")]
    mount = read_mount(attributes, secrets, permission, "/t", pairs)
    shares_nothing(mount)
    found = Parameters(mount.attributes, _KNOWN)
    for key in _KNOWN:
        found.misspelt(key)
    found.boolean("usePodIdentity")
    found.required("objects", "Write it.")
    found.required("region")


def _tokens(data: bytes) -> None:
    found = read_tokens(text(data))
    for audience in (*found.by_audience, "sts.amazonaws.com"):
        token = found.for_audience(audience)
        prove(token, pod=_POD, audience=audience, now=time.time())


def _claims(data: bytes) -> None:
    """One octet says whether the rest is a whole token, or its claims."""
    whole, rest = data[:1] == b"t", data[1:]
    body = text(rest) if whole else f"e30.{base64.urlsafe_b64encode(rest).decode().rstrip('=')}.c2ln"
    token = SecretText(body)
    audiences_of(token)
    prove(token, pod=_POD, audience="sts.amazonaws.com", now=time.time(), context="login failed")


def _path(data: bytes) -> None:
    lines = text(data).split("\n")
    for naming in (Naming(), Naming("_"), Naming("", "pre/", lines[0]), Naming("_", "pre/", "/")):
        check_path(naming.path(lines[-1]))
    check_layout(lines)


def _mode(data: bytes) -> None:
    word = text(data)
    if word.isdecimal() and word[0] != "0" and len(word) < 4000:
        check_mode(int(word))
    octal_mode(word)


def _json_texts() -> Any:
    from hypothesis import strategies as st

    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([_TOKENS])
    keys = st.text() | st.sampled_from([*_KNOWN, "sessionScope", f"{_CSI}pod.name", f"{_CSI}serviceAccount.tokens"])
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20)


def _made_attributes() -> Any:
    from hypothesis import strategies as st

    flat = st.dictionaries(st.text() | st.sampled_from([*_KNOWN, "sessionScope", f"{_CSI}pod.uid"]), st.text())
    values = (_json_texts() | flat).map(json.dumps)
    return st.builds(joined, values, values | st.just("null"), st.sampled_from(["420", "0", "-1", "1e2", "99999", ""]))


def _made_claims() -> Any:
    from hypothesis import strategies as st

    value = _json_texts()
    keys = st.sampled_from(["sub", "aud", "exp", "iss", "kubernetes.io", "pod", "uid"])
    odd = st.dictionaries(keys, value | st.dictionaries(keys, value))
    right = {"sub": "system:serviceaccount:shop:web", "aud": ["sts.amazonaws.com"], "exp": 4_000_000_000}
    return st.tuples(odd, st.booleans()).map(
        lambda two: b"c" + json.dumps({**right, **two[0]} if two[1] else two[0]).encode()
    )


def targets() -> Sequence[Target]:
    """See the module."""
    ours = (MountError,)
    claims = json.dumps({"sub": "system:serviceaccount:shop:web", "aud": "sts.amazonaws.com", "exp": 4_000_000_000})
    bound = json.dumps({**json.loads(claims), "kubernetes.io": {"pod": {"uid": "u-1"}, "serviceaccount": {"uid": "x"}}})
    sent = [
        joined(_ATTRIBUTES, "null", "420", "a,b"),
        joined(_ATTRIBUTES, '{"username": "x"}', "256"),
        joined("{}", "", "0"),
    ]
    path_words = (*words(". .. / // /../ ..data ../ a/ \\ \n é \x7f"), b"\n", b" ", b"\x00", b"\xf0\x9f\x98\x80")
    return (
        Target("attributes", _attributes, ours, sent, _WORDS, _made_attributes, most=4 << 20, seconds=8),
        Target("tokens", _tokens, ours, [_TOKENS.encode()], _WORDS, lambda: _json_texts().map(_dumped)),
        Target(
            "claims",
            _claims,
            ours,
            [b"c" + claims.encode(), b"c" + bound.encode(), b"t" + unsigned_token("shop", "web", "x").encode()],
            _WORDS + words("sub aud exp iss kubernetes.io pod uid serviceaccount"),
            _made_claims,
        ),
        Target("paths", _path, ours, [b"a/b", b"a\nb/c\nb/d", b"..data/x", b"a//b"], path_words),
        Target("modes", _mode, ours, [b"0644", b"644", b"511", b"7777", b"-1"], words("0 7 8 0o ٣ 1_0")),
    )


def _dumped(value: object) -> bytes:
    return json.dumps(value).encode()
