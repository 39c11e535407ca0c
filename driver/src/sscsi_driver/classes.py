"""What a SecretProviderClass is to the driver, and the texts where it is missing or wrong.

Two sources fit the Protocol `Classes`: a folder of YAML as one would kubectl-apply it (class_folder.py), and the API
server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import grpc

from sscsi_driver.attributes import DriverObject
from sscsi_driver.errors import ErrorType, PublishError

REFRESH_ANNOTATION: Final = "sscsi.dev/refresh"
_MAX_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class SecretProviderClass:
    """What the driver needs of a class.

    Attributes:
        namespace: of the class, and of the pods that may use it.
        name: of the class.
        provider: `spec.provider`; never empty.
        parameters: `spec.parameters`; never empty; nested things are one text.
        secret_objects: `spec.secretObjects` as they came; what is wrong with one fails no mount.
        refresh: the annotation sscsi.dev/refresh; whenever it changes, the class's volumes are fetched at once.
    """

    namespace: str
    name: str
    provider: str
    parameters: Mapping[str, str]
    refresh: str = ""
    secret_objects: Sequence[Mapping[str, Any]] = ()


class Classes(Protocol):
    """A source of classes."""

    def get(self, namespace: str, name: str) -> SecretProviderClass:
        """The class as it is now.

        Raises:
            PublishError: there is no such class, or it has no provider or no parameters.
        """

    def driver_object(self, driver_name: str) -> DriverObject | None:
        """What the cluster's CSIDriver object of that name says; None where the source holds none."""


class NoClasses:
    """No source was named: every pod is told so."""

    def get(self, namespace: str, name: str) -> SecretProviderClass:
        """See Classes."""
        error = not_found(namespace, name, (), ())
        raise PublishError(
            f"{error.message} The driver on this node reads no classes: start it with --objects.",
            code=error.code,
            error_type=error.error_type,
        )

    def driver_object(self, driver_name: str) -> DriverObject | None:  # noqa: ARG002
        """See Classes."""
        return None


def not_found(namespace: str, name: str, present: Sequence[str], elsewhere: Sequence[str]) -> PublishError:
    """There is no such class.

    Args:
        namespace: the pod's.
        name: what the pod asks for.
        present: the classes of that namespace.
        elsewhere: the other namespaces that have a class of that name.
    """
    text = (
        f"failed to get secretproviderclass {namespace}/{_shown(name)}, error: "
        f'SecretProviderClass.secrets-store.csi.x-k8s.io "{_shown(name)}" not found. '
    )
    if present:
        text += f"Classes of namespace {namespace}: {_some(present)}."
    else:
        text += f"Namespace {namespace} has no class; it must be the pod's own namespace."
    if elsewhere:
        text += f" One of that name is in: {_some(elsewhere)}."
    return PublishError(text, code=grpc.StatusCode.UNKNOWN, error_type=ErrorType.CLASS_NOT_FOUND)


def class_of(body: Mapping[str, Any], namespace: str, name: str, where: str = "") -> SecretProviderClass:
    """Read a class.

    Args:
        body: the object as YAML or JSON gave it.
        namespace: its namespace.
        name: its name.
        where: where it was written, for messages.

    Raises:
        PublishError: it has no provider or no parameters, or they are no texts.
    """
    of_class = f"{namespace}/{name}" + (f" ({where})" if where else "")
    spec = _mapping(body.get("spec"))
    provider = spec.get("provider")
    if not isinstance(provider, str) or not provider:
        raise _invalid(f"provider not set in {of_class}. Set spec.provider, for example `provider: aws`.")
    parameters = _mapping(spec.get("parameters"))
    if not parameters:
        raise _invalid(f"parameters not set in {of_class}. Set spec.parameters.")
    for key, value in parameters.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise _invalid(
                f"spec.parameters.{_shown(str(key))} of {of_class} is no text but a {_kind(value)}. "
                "Put it into quotation marks; put a list behind `|`."
            )
    refresh = _mapping(_mapping(body.get("metadata")).get("annotations")).get(REFRESH_ANNOTATION)
    objects = spec.get("secretObjects")
    return SecretProviderClass(
        namespace,
        name,
        provider,
        dict(parameters),
        refresh if isinstance(refresh, str) else "",
        tuple(_mapping(entry) for entry in objects) if isinstance(objects, list | tuple) else (),
    )


def driver_of(body: Mapping[str, Any]) -> DriverObject:
    """Read a CSIDriver object (storage.k8s.io/v1)."""
    spec = _mapping(body.get("spec"))
    return DriverObject(
        token_requests=bool(spec.get("tokenRequests")),
        tokens_in_secrets=spec.get("serviceAccountTokenInSecrets") is True,
        pod_info=spec.get("podInfoOnMount") is True,
        republish=spec.get("requiresRepublish") is True,
    )


def _invalid(text: str) -> PublishError:
    return PublishError(text, code=grpc.StatusCode.UNKNOWN, error_type=ErrorType.CLASS_INVALID)


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "mapping"
    if isinstance(value, list | tuple):
        return "list"
    return "number or other plain word"


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:253])


def _some(names: Sequence[str]) -> str:
    text = ", ".join(names[:_MAX_NAMED])
    return f"{text} and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else text
