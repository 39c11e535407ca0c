# examples and words stay as they are
"""What the driver reads: classes as the API server has them, secretObjects, contexts, kubelet's notes, mounts."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from fire.hostile.target import Target, joined, pieces, text, words
from sscsi_driver import attributes as words_of
from sscsi_driver.attributes import CLASS_KEY, INTERVAL_KEY, TOKENS_KEY, DriverObject, OverlayRule
from sscsi_driver.classes import class_of, driver_of
from sscsi_driver.errors import PublishError
from sscsi_driver.mountinfo import driver_of_volume, parse, pod_volume
from sscsi_driver.secret_objects import contents_of, file_names, secret_name
from sscsi_shared.daemon.flags import duration
from sscsi_shared.errors import MountError
from sscsi_shared.parameters import read_mount
from sscsi_shared.secret import SecretBytes, SecretText

_CSI = "csi.storage.k8s.io/"
_CLASS: dict[str, Any] = {
    "apiVersion": "secrets-store.csi.x-k8s.io/v1",
    "kind": "SecretProviderClass",
    "metadata": {"name": "db", "namespace": "shop", "annotations": {"sscsi.dev/refresh": "1"}},
    "spec": {
        "provider": "aws",
        "parameters": {"objects": "- objectName: a", "rotationPollInterval": "10m"},
        "secretObjects": [
            {
                "secretName": "db",
                "type": "kubernetes.io/tls",
                "labels": {"a": "b"},
                "data": [{"objectName": "a", "key": "tls.crt"}, {"objectName": "b/c", "key": "tls.key"}],
            },
            {"secretName": "x", "type": "Opaque", "data": [{"objectName": "a", "key": "a"}]},
        ],
    },
}
_DRIVER = {"spec": {"podInfoOnMount": True, "tokenRequests": [{"audience": "x"}], "requiresRepublish": True}}
_CONTEXT = {
    CLASS_KEY: "db",
    f"{_CSI}pod.name": "web-0",
    f"{_CSI}pod.namespace": "shop",
    f"{_CSI}pod.uid": "u-1",
    f"{_CSI}serviceAccount.name": "web",
    TOKENS_KEY: '{"vault": {"token": "a.b.c"}}',
    INTERVAL_KEY: "5m",
    "strictGroup": "true",
    "region": "eu-west-1",
}
_MOUNTS = (
    b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
    b"40 36 0:40 / /var/lib/kubelet/pods/u-1/volumes/kubernetes.io~csi/secrets/mount rw shared:9 - tmpfs tmpfs rw\n"
    b"41 36 0:41 / /a\\040b\\134 rw - tmpfs tmpfs rw\n"
)
_RULES = (OverlayRule(None), OverlayRule(frozenset()), OverlayRule(frozenset({"region", INTERVAL_KEY, f"{_CSI}x"})))
_FILES: Mapping[str, SecretBytes] = {
    "a": SecretBytes(b"x"),
    "b/c": SecretBytes(b"-----BEGIN X-----"),
    "d": SecretBytes(b""),
}


def _object(data: bytes) -> Mapping[str, Any]:
    """As a client of the API server gives it: what is no JSON object never gets so far."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise MountError("it is no JSON") from None
    if not isinstance(found, dict):
        raise MountError("it is no object")
    return found


def _class(data: bytes) -> None:
    body = _object(data)
    driver_of(body)
    found = class_of(body, "shop", "db")
    for entry in found.secret_objects:
        secret_name(entry)
    file_names(found.secret_objects)
    problems: list[str] = []
    for content in contents_of(found.secret_objects, _FILES, problems).values():
        if len(content.shape) != 16:
            raise AssertionError("a shape of another length")


def _context(data: bytes) -> None:
    """A volume context against a class; what reaches a provider is as the rules of SECURITY.md say."""
    context, parameters, secrets = (
        {key: one for key, one in _object(piece or b"{}").items() if isinstance(one, str)} for piece in pieces(data, 3)
    )
    try:
        for one in (*context.values(), *context, *parameters.values(), *parameters, *secrets):
            one.encode()
    except UnicodeEncodeError:
        raise MountError("no protobuf string") from None
    entries = {key: SecretText(value) for key, value in secrets.items()}
    open_text, hidden = words_of.split_context(context)
    for rule in _RULES:
        for driver in (None, *(DriverObject(asks, inside, True) for asks in (True, False) for inside in (True, False))):
            tokens = words_of.choose_tokens(hidden, entries, driver)
            if (
                driver
                and tokens is not None
                and driver.tokens_in_secrets
                and tokens.reveal() != secrets.get(TOKENS_KEY)
            ):
                raise AssertionError("the pod's own word was taken for kubelet's token")
            words_of.pod_of(context, driver)
            sent = words_of.attributes_text(parameters, open_text, tokens, rule).reveal()
            mount = read_mount(sent, words_of.secrets_text(entries).reveal(), words_of.PERMISSION, "/t", ())
            if any(key.startswith(_CSI) for key in (*mount.attributes, *mount.secrets)):
                raise AssertionError("kubelet's keys reach a provider as parameters")
            if rule.keys == frozenset() and any(
                mount.attributes.get(key) != value
                for key, value in parameters.items()
                if not key.startswith(_CSI) and key not in (CLASS_KEY, INTERVAL_KEY, "strictGroup")
            ):
                raise AssertionError("a pod has overridden a parameter though it may not")
        words_of.overridden(parameters, open_text, rule)
        with contextlib.suppress(ValueError):
            duration(words_of.own_word(INTERVAL_KEY, parameters, open_text, rule))


def _rule(data: bytes) -> None:
    OverlayRule.parse(text(data)).permits("region")


def _note(data: bytes) -> None:
    driver_of_volume(data)


def _table(data: bytes) -> None:
    for one in parse(data.decode("utf-8", "surrogateescape")):
        pod_volume(one.point)


def _made_class() -> Any:
    from hypothesis import strategies as st

    keys = st.sampled_from([*words_in(_CLASS), "tls.crt"]) | st.text(max_size=4)
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.sampled_from(["kubernetes.io/tls", "a", " db "])
    )
    values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20)
    entry = st.dictionaries(st.sampled_from(["secretName", "type", "data", "labels", "annotations"]), values)
    spec = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(_CLASS["spec"], values) | {"secretObjects": st.lists(entry)}
    )
    return st.builds(lambda found: json.dumps({**_CLASS, "spec": {**_CLASS["spec"], **found}}).encode(), spec)


def words_in(value: object) -> list[str]:
    """All keys in an object."""
    if isinstance(value, dict):
        return [*value, *(word for inner in value.values() for word in words_in(inner))]
    return [word for inner in value for word in words_in(inner)] if isinstance(value, list) else []


def _made_context() -> Any:
    from hypothesis import strategies as st

    texts = st.dictionaries(
        st.sampled_from([*_CONTEXT, "objects", f"{_CSI}x", f"{_CSI}ephemeral"]) | st.text(), st.text()
    )
    return st.builds(joined, texts.map(json.dumps), texts.map(json.dumps), texts.map(json.dumps))


def targets() -> Sequence[Target]:
    """See the module."""
    ours = (PublishError, MountError)
    found = [
        words_in(_CLASS),
        list(_CONTEXT),
        ["{", "}", "[", "]", '"', ":", ",", "null", "true", "[[", '{"a":', "\\ud800", "1e999"],
    ]
    known = tuple(word.encode() for some in found for word in some)
    context = joined(json.dumps(_CONTEXT), json.dumps(_CLASS["spec"]["parameters"]), "{}")
    in_secrets = joined(json.dumps(_CONTEXT), "{}", json.dumps({TOKENS_KEY: "{}"}))
    return (
        Target(
            "class",
            _class,
            ours,
            [json.dumps(_CLASS).encode(), json.dumps(_DRIVER).encode()],
            known,
            _made_class,
            seconds=8,
        ),
        Target("volume-context", _context, ours, [context, in_secrets], known, _made_context, seconds=20),
        Target(
            "volume-attributes",
            _rule,
            (ValueError,),
            [b"override", b"ignore", b"region,objects"],
            words("override ignore , \n"),
        ),
        Target("vol_data.json", _note, ours, [b'{"driverName": "secrets-store.csi.k8s.io"}', b"[]"], known),
        Target(
            "mountinfo",
            _table,
            ours,
            [_MOUNTS],
            (
                *words("\\040 \\134 \\777 \\ - tmpfs / /../ pods volumes kubernetes.io~csi mount"),
                b" ",
                b"\n",
                b" - ",
                b"\xff",
            ),
        ),
    )
