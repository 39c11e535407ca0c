"""PURE: the two JSON texts of a MountRequest, and whose word each of their entries is.

Three people write what reaches a provider: the author of the class, the author of the pod, and kubelet. Keys that begin
with `csi.storage.k8s.io/` are kubelet's alone; a pod may set any other key of `volumeAttributes`, and some of those too
where kubelet does not write them itself (kubelet 1.36, recorded: without tokenRequests the tokens are the pod's word).
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sscsi_shared.mount import CSI_PREFIX, PodInfo
from sscsi_shared.secret import SecretText

CLASS_KEY: Final = "secretProviderClass"
TOKENS_KEY: Final = f"{CSI_PREFIX}serviceAccount.tokens"
_POD_NAME: Final = f"{CSI_PREFIX}pod.name"
_POD_NAMESPACE: Final = f"{CSI_PREFIX}pod.namespace"
_POD_UID: Final = f"{CSI_PREFIX}pod.uid"
_SERVICE_ACCOUNT: Final = f"{CSI_PREFIX}serviceAccount.name"
_KUBELETS_KEYS: Final = frozenset({_POD_NAME, _POD_NAMESPACE, _POD_UID, _SERVICE_ACCOUNT, f"{CSI_PREFIX}ephemeral"})
"""What kubelet overwrites whatever the pod says, with podInfoOnMount. Any other such key would be the pod's word."""

STRICT_GROUP_KEY: Final = "strictGroup"
"""Ours: `"true"` keeps everybody but root and the pod's fsGroup out of the volume's directories."""
INTERVAL_KEY: Final = "rotationPollInterval"
"""Ours: how often this volume is fetched again, as a duration such as `10m`, or `never`."""
_OWN_KEYS: Final = frozenset({STRICT_GROUP_KEY, INTERVAL_KEY})
"""For the driver alone: no provider sees them."""

PERMISSION: Final = "420"
"""The mode of files that name none, 0644 as a decimal JSON number; every driver has always sent it."""


@dataclass(frozen=True, slots=True)
class DriverObject:
    """What the cluster's CSIDriver object says of us.

    Attributes:
        token_requests: whether it asks kubelet for tokens at all.
        tokens_in_secrets: whether kubelet puts them into `secrets` (Kubernetes 1.35) instead of the volume context.
        pod_info: whether kubelet says whose volume it is.
        republish: whether kubelet publishes filled volumes again and again (requiresRepublish).
    """

    token_requests: bool
    tokens_in_secrets: bool
    pod_info: bool
    republish: bool = True


@dataclass(frozen=True, slots=True)
class OverlayRule:
    """Which parameters of a class a pod may override by its volumeAttributes (`--volume-attributes`).

    Attributes:
        keys: only these; None = all, as the existing driver does.
    """

    keys: frozenset[str] | None = None

    @classmethod
    def parse(cls, text: str) -> "OverlayRule":
        """Read `override` (all), `ignore` (none) or a comma-separated list of parameters.

        Raises:
            ValueError: an empty entry.
        """
        if text == "override":
            return cls(None)
        if text == "ignore":
            return cls(frozenset())
        keys = [key.strip() for key in text.split(",")]
        if not all(keys):
            raise ValueError(f"{text!r} is neither `override` nor `ignore` nor a list of parameters")
        return cls(frozenset(keys))

    def permits(self, key: str) -> bool:
        """Whether a pod may set it."""
        return self.keys is None or key in self.keys


def refusal(driver_name: str, driver: DriverObject | None) -> str:
    """Why a driver with this CSIDriver object can't serve; empty = it can, as far as is known."""
    if driver is None or driver.pod_info:
        return ""
    return (
        f"the CSIDriver object {driver_name} has podInfoOnMount off, so kubelet does not say whose volumes are meant: "
        f'kubectl patch csidriver {driver_name} --type=merge -p \'{{"spec":{{"podInfoOnMount":true}}}}\''
    )


def pod_of(context: Mapping[str, str], driver: DriverObject | None) -> PodInfo:
    """The pod that kubelet names in the volume context; empty strings where it says nothing.

    Where the CSIDriver object does not ask for it, what stands there would be the pod's own word, and is not believed.
    """
    if driver is not None and not driver.pod_info:
        context = {}
    return PodInfo(
        namespace=context.get(_POD_NAMESPACE, ""),
        name=context.get(_POD_NAME, ""),
        uid=context.get(_POD_UID, ""),
        service_account=context.get(_SERVICE_ACCOUNT, ""),
    )


def attributes_text(
    parameters: Mapping[str, str],
    context: Mapping[str, str],
    tokens: SecretText | None,
    rule: OverlayRule,
) -> SecretText:
    """`attributes`: the class's parameters, then the pod's attributes, kubelet's words and the tokens; later ones win.

    Keys are sorted, as Go's encoder does, so that equal input gives equal text.
    """
    merged = {key: value for key, value in parameters.items() if not key.startswith(CSI_PREFIX)}
    merged |= {
        key: value
        for key, value in context.items()
        if key in _KUBELETS_KEYS or key == CLASS_KEY or (not key.startswith(CSI_PREFIX) and rule.permits(key))
    }
    merged = {key: value for key, value in merged.items() if key not in _OWN_KEYS}
    if tokens is not None:
        merged[TOKENS_KEY] = tokens.reveal()
    return SecretText(_json(merged))


def secrets_text(secrets: Mapping[str, SecretText]) -> SecretText:
    """`secrets`: the Secret of nodePublishSecretRef, without kubelet's own keys; `null` where nothing is left."""
    kept = {key: value.reveal() for key, value in secrets.items() if not key.startswith(CSI_PREFIX)}
    return SecretText(_json(kept) if kept else "null")


def choose_tokens(
    context: Mapping[str, SecretText], secrets: Mapping[str, SecretText], driver: DriverObject | None
) -> SecretText | None:
    """The service account's tokens, from the one place that kubelet itself writes; None if it writes none.

    A driver must never fall back from one place to the other: where kubelet does not write the volume context, the pod
    may. Secret keys can't hold a slash, so that place can't be forged.
    """
    if driver is None:
        found = secrets.get(TOKENS_KEY) or context.get(TOKENS_KEY)
    elif not driver.token_requests:
        found = None
    elif driver.tokens_in_secrets:
        found = secrets.get(TOKENS_KEY)
    else:
        found = context.get(TOKENS_KEY)
    return found if found is not None and len(found) > 0 else None


def split_context(context: Mapping[str, str]) -> tuple[dict[str, str], dict[str, SecretText]]:
    """The volume context without its tokens, and the tokens wrapped."""
    open_text = {key: value for key, value in context.items() if key != TOKENS_KEY}
    hidden = {TOKENS_KEY: SecretText(context[TOKENS_KEY])} if context.get(TOKENS_KEY) else {}
    return open_text, hidden


def own_word(key: str, parameters: Mapping[str, str], context: Mapping[str, str], rule: OverlayRule) -> str:
    """What class or pod say to the driver itself; the pod's word counts where the rule lets it. Empty = nothing."""
    if rule.permits(key) and key in context:
        return context[key].strip()
    return parameters.get(key, "").strip()


def overridden(parameters: Mapping[str, str], context: Collection[str], rule: OverlayRule) -> tuple[str, ...]:
    """The class's parameters that this pod sets itself, sorted; for the log."""
    return tuple(sorted(key for key in parameters if key in context and rule.permits(key)))


def _json(values: Mapping[str, str]) -> str:
    return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
