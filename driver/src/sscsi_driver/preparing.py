"""From kubelet's request and the class to what a provider is told; nothing on disk or on a socket is touched."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

from sscsi_driver.attributes import (
    CLASS_KEY,
    STRICT_GROUP_KEY,
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
from sscsi_shared.file_access import FileAccess
from sscsi_shared.mount import PodInfo
from sscsi_shared.secret import SecretText

log = logging.getLogger(__name__)


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
    """All that a provider must be told, on whose behalf, and who may read what comes of it."""

    pod: PodInfo
    of_class: SecretProviderClass
    request: ProviderRequest
    access: FileAccess


def prepare(request: PublishRequest, classes: Classes, driver_name: str, rule: OverlayRule) -> Prepared:
    """Find the class and put together what the provider is told.

    Args:
        request: kubelet's.
        classes: where the class comes from.
        driver_name: of the CSIDriver object, which says where tokens come from.
        rule: which parameters the pod may override.

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
    )


def _strict(of_class: SecretProviderClass, request: PublishRequest, rule: OverlayRule) -> bool:
    word = own_word(STRICT_GROUP_KEY, of_class.parameters, request.context, rule)
    if word not in {"", "true", "false"}:
        raise InvalidRequest(
            f'{STRICT_GROUP_KEY} must be "true" or "false"; see the class and the pod\'s volumeAttributes'
        )
    return word == "true"
