import json

import pytest

from sscsi_driver.attributes import (
    TOKENS_KEY,
    DriverObject,
    OverlayRule,
    attributes_text,
    choose_tokens,
    overridden,
    pod_of,
    secrets_text,
    split_context,
)
from sscsi_shared.mount import PodInfo
from sscsi_shared.secret import SecretText

POD = {
    "csi.storage.k8s.io/pod.name": "web-0",
    "csi.storage.k8s.io/pod.namespace": "shop",
    "csi.storage.k8s.io/pod.uid": "uid-1",
    "csi.storage.k8s.io/serviceAccount.name": "web",
}


def test_later_words_win_and_keys_are_sorted() -> None:
    text = attributes_text(
        {"b": "class", "a": "class"}, {"b": "pod", "secretProviderClass": "demo"}, SecretText("{}"), OverlayRule()
    )
    assert text.reveal() == (
        '{"a":"class","b":"pod","csi.storage.k8s.io/serviceAccount.tokens":"{}","secretProviderClass":"demo"}'
    )


def test_kubelets_keys_come_from_the_context_only() -> None:
    forged = dict.fromkeys(POD, "forged") | {"csi.storage.k8s.io/other": "forged", TOKENS_KEY: "forged"}
    text = attributes_text(forged | {"a": "1"}, POD | {"csi.storage.k8s.io/other": "forged"}, None, OverlayRule())
    assert json.loads(text.reveal()) == POD | {"a": "1"}


def test_a_pod_that_may_override_nothing_still_names_its_class() -> None:
    rule = OverlayRule.parse("ignore")
    text = attributes_text({"a": "1"}, POD | {"a": "2", "b": "2", "secretProviderClass": "demo"}, None, rule)
    assert json.loads(text.reveal()) == POD | {"a": "1", "secretProviderClass": "demo"}


@pytest.mark.parametrize("text", ["", "a,,b", ","])
def test_a_list_with_gaps_is_no_rule(text: str) -> None:
    with pytest.raises(ValueError, match="override"):
        OverlayRule.parse(text)


def test_which_parameters_were_overridden() -> None:
    assert overridden({"a": "", "b": "", "c": ""}, ["c", "a", "x"], OverlayRule()) == ("a", "c")
    assert overridden({"a": "", "b": ""}, ["a", "b"], OverlayRule.parse("b")) == ("b",)


@pytest.mark.parametrize(
    ("secrets", "text"),
    [
        ({}, "null"),
        ({TOKENS_KEY: "t"}, "null"),
        ({TOKENS_KEY: "t", "user": "ü"}, '{"user":"ü"}'),
        ({"b": "1", "a": "\n"}, '{"a":"\\n","b":"1"}'),
    ],
)
def test_secrets_lose_what_is_kubelets(secrets: dict[str, str], text: str) -> None:
    assert secrets_text({key: SecretText(value) for key, value in secrets.items()}).reveal() == text


def test_the_texts_are_never_shown() -> None:
    text = attributes_text({}, {}, SecretText("token"), OverlayRule())
    assert "token" not in f"{text}{text!r}{secrets_text({'a': SecretText('token')})!r}"


CONTEXT = {TOKENS_KEY: SecretText("context")}
SECRETS = {TOKENS_KEY: SecretText("secrets")}


@pytest.mark.parametrize(
    ("driver", "context", "secrets", "chosen"),
    [
        (None, CONTEXT, {}, "context"),
        (None, CONTEXT, SECRETS, "secrets"),
        (None, {}, {}, None),
        (None, {TOKENS_KEY: SecretText("")}, {}, None),
        (DriverObject(True, False, True), CONTEXT, SECRETS, "context"),
        (DriverObject(True, False, True), {}, SECRETS, None),
        (DriverObject(True, True, True), CONTEXT, SECRETS, "secrets"),
        (DriverObject(True, True, True), CONTEXT, {}, None),
        (DriverObject(False, False, True), CONTEXT, SECRETS, None),
        (DriverObject(False, True, True), CONTEXT, SECRETS, None),
    ],
)
def test_tokens_come_from_one_place(
    driver: DriverObject | None,
    context: dict[str, SecretText],
    secrets: dict[str, SecretText],
    chosen: str | None,
) -> None:
    tokens = choose_tokens(context, secrets, driver)
    assert (tokens.reveal() if tokens else None) == chosen


def test_the_pod_is_believed_only_where_kubelet_writes() -> None:
    told = PodInfo("shop", "web-0", "uid-1", "web")
    assert pod_of(POD, None) == told
    assert pod_of(POD, DriverObject(True, True, pod_info=True)) == told
    assert pod_of(POD, DriverObject(True, True, pod_info=False)) == PodInfo("", "", "", "")


def test_the_context_is_split_at_once() -> None:
    assert split_context({"a": "1", TOKENS_KEY: "t"}) == ({"a": "1"}, {TOKENS_KEY: SecretText("t")})
    assert split_context({"a": "1", TOKENS_KEY: ""}) == ({"a": "1"}, {})
