"""From kubelet's request and the class to what a provider is told; nothing on disk or on a socket is touched."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

from sscsi_driver.attributes import (
    CLASS_KEY,
    INTERVAL_KEY,
    STRICT_GROUP_KEY,
    DriverObject,
    OverlayRule,
    attributes_text,
    choose_tokens,
    overridden,
    own_word,
    pod_of,
    secrets_text,
)
from sscsi_driver.classes import Classes, SecretProviderClass
from sscsi_driver.dispatch import ProviderRequest
from sscsi_driver.errors import ErrorType, InvalidRequest, PublishError
from sscsi_shared.daemon.flags import duration
from sscsi_shared.file_access import FileAccess
from sscsi_shared.mount import PodInfo
from sscsi_shared.secret import SecretText

log = logging.getLogger(__name__)

MIN_INTERVAL_SECONDS: Final = 10.0
"""No class or pod is fetched more often, unless the operator has all of them fetched so."""
NEVER: Final = "never"


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """A NodePublishVolume, read.

    Attributes:
        target: the volume's path, absolute and clean.
        context: the volume context without the tokens.
        tokens: the volume context's tokens entry, if it has one; perhaps the pod's own word.
        secrets: what kubelet read of nodePublishSecretRef, and perhaps the tokens.
        readonly: whether the pod mounts it read-only, as it must.
        group: the pod's fsGroup; None = it has none.
    """

    target: Path
    context: Mapping[str, str]
    tokens: Mapping[str, SecretText]
    secrets: Mapping[str, SecretText]
    readonly: bool
    group: int | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a provider must be told, on whose behalf, who may read what comes of it, and how often it is asked.

    Attributes:
        interval: seconds between two fetches; None = never again.
        driver: what the CSIDriver object says.
    """

    pod: PodInfo
    of_class: SecretProviderClass
    request: ProviderRequest
    access: FileAccess
    interval: float | None = None
    driver: DriverObject | None = None


def prepare(
    request: PublishRequest, classes: Classes, driver_name: str, rule: OverlayRule, interval: float | None = None
) -> Prepared:
    """Find the class and put together what the provider is told.

    Args:
        request: kubelet's.
        classes: where the class comes from.
        driver_name: of the CSIDriver object, which says where tokens come from.
        rule: which parameters the pod may override.
        interval: the operator's, between two fetches; None = volumes don't rotate.

    Raises:
        PublishError: the class, or what kubelet says of the pod, is missing or wrong.
    """
    class_name = request.context.get(CLASS_KEY, "")
    if not class_name:
        raise PublishError(
            "secretProviderClass is not set: name the class in volumeAttributes of the pod's csi volume",
            code=grpc.StatusCode.UNKNOWN,
            error_type=ErrorType.CLASS_NOT_FOUND,
        )
    driver = classes.driver_object(driver_name)
    pod = pod_of(request.context, driver)
    if not (pod.namespace and pod.name and pod.uid):
        raise InvalidRequest(
            f"the request does not say whose volume it is: the CSIDriver object {driver_name} "
            "needs podInfoOnMount: true"
        )
    of_class = classes.get(pod.namespace, class_name)
    if names := overridden(of_class.parameters, request.context, rule):
        log.info("pod %s/%s overrides parameters of its class: %s", pod.namespace, pod.name, ", ".join(names))
    tokens = choose_tokens(request.tokens, request.secrets, driver)
    return Prepared(
        pod,
        of_class,
        ProviderRequest(
            attributes_text(of_class.parameters, request.context, tokens, rule),
            secrets_text(request.secrets),
            str(request.target),
        ),
        FileAccess(request.group, _strict(of_class, request, rule)),
        _interval(of_class, request, rule, interval) if driver is None or driver.republish else None,
        driver,
    )


def _strict(of_class: SecretProviderClass, request: PublishRequest, rule: OverlayRule) -> bool:
    word = own_word(STRICT_GROUP_KEY, of_class.parameters, request.context, rule)
    if word not in {"", "true", "false"}:
        raise InvalidRequest(
            f'{STRICT_GROUP_KEY} must be "true" or "false"; see the class and the pod\'s volumeAttributes'
        )
    return word == "true"


def _interval(
    of_class: SecretProviderClass, request: PublishRequest, rule: OverlayRule, default: float | None
) -> float | None:
    """How often the volume is fetched: pod's word, class's word, operator's; only the operator turns it on."""
    word = own_word(INTERVAL_KEY, of_class.parameters, request.context, rule)
    if default is None or not word:
        return default
    if word == NEVER:
        return None
    try:
        return max(duration(word), min(MIN_INTERVAL_SECONDS, default))
    except ValueError as error:
        log.warning(
            "%s %r of class %s/%s is not understood, %s; it is fetched every %g s",
            INTERVAL_KEY, word[:32], of_class.namespace, of_class.name, error, default,
        )  # fmt: skip
        return default
