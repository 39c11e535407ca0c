"""What the contract suite must know of a provider: how to ask it for objects, and how to shake its backend."""

import abc
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from sscsi_shared.cluster import Cluster
from sscsi_shared.mount import CSI_PREFIX, PodInfo
from sscsi_shared.provider import Provider

POD: Final = PodInfo(namespace="shop", name="web-0", uid="6f2b5e0c-0d1b-4c55-8f0e-3a7b1d9c2e11", service_account="web")
"""Whose volumes the suite fills: its service account must be able to log in."""
STRANGER: Final = PodInfo("shop", "mallory-0", "a51c6a4e-51f2-4d36-9a57-1f0c6a0b7d22", "mallory")
"""Another pod of another service account, whose tokens the suite presents for POD's."""


def pod_attributes(pod: PodInfo, tokens: str | None = None) -> dict[str, str]:
    """What kubelet says of a pod, as the driver sends it in `attributes` (CSIDriver podInfoOnMount, tokenRequests).

    Args:
        pod: whose volume it is.
        tokens: the JSON of its tokens; None = there is no such attribute.
    """
    told = {
        CSI_PREFIX + "pod.namespace": pod.namespace,
        CSI_PREFIX + "pod.name": pod.name,
        CSI_PREFIX + "pod.uid": pod.uid,
        CSI_PREFIX + "serviceAccount.name": pod.service_account,
    }
    return told if tokens is None else told | {CSI_PREFIX + "serviceAccount.tokens": tokens}


def tokens_text(tokens: Mapping[str, str]) -> str:
    """JWTs by audience, as kubelet writes them; it is not said when they end."""
    return json.dumps({audience: {"token": token} for audience, token in tokens.items()})


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object that a class asks for.

    Attributes:
        name: of the object in the backend; the suite uses small letters, digits and hyphens.
        path: of the file, relative to the volume; None = the provider's default, which must be `name`.
        mode: permission bits of the file; None = the class names none.
    """

    name: str
    path: str | None = None
    mode: int | None = None


class Stage(abc.ABC):
    """A provider, the backend behind it, and the hands of the suite on both.

    The abstract methods are needed; the others skip their tests unless overridden. Changes hold from the next Mount
    on: a provider with caches is staged without them, or with caches that the stage drops.

    Attributes:
        provider: under test; new for each test, or at least without memory of the last one.
        cluster: where it finds service accounts; has those of POD and STRANGER, if the provider asks for them.
        objects_key: the class's parameter that lists objects.
    """

    provider: Provider[Any, Any, Any, Any]
    cluster: Cluster
    objects_key: str = "objects"

    @abc.abstractmethod
    def attributes(self, *wanted: Wanted) -> dict[str, str]:
        """`spec.parameters` of a class that asks for these objects, in this order, each whole."""

    @abc.abstractmethod
    def put(self, name: str, contents: str) -> None:
        """Let the object hold `contents` from now on, as a new version; make it if it is not there."""

    @abc.abstractmethod
    def remove(self, name: str) -> None:
        """Let the object be absent: reading it is ObjectNotFound."""

    @abc.abstractmethod
    def deny(self, name: str) -> None:
        """Let the backend forbid POD to read the object: AccessDenied."""

    @abc.abstractmethod
    def break_down(self) -> None:
        """Let the backend answer every read that it is broken, or refuse connections: BackendUnavailable."""

    @abc.abstractmethod
    def mend(self) -> None:
        """Undo `refuse_login`, `throttle`, `break_down` and `hang`; also called at the end of each test."""

    def tokens(self, pod: PodInfo, lifetime_seconds: int = 3600) -> str | None:  # noqa: ARG002  # for those who need one
        """What kubelet sends as `csi.storage.k8s.io/serviceAccount.tokens` for a pod; None = the provider needs none.

        The text is `{"<audience>": {"token": "<JWT>", "expirationTimestamp": "..."}}`. Lifetimes are from 10 s on.
        """
        return None

    def refuse_login(self) -> None:
        """Let the backend refuse POD's service account: AuthenticationFailed."""
        self._missing("refuse_login")

    def throttle(self) -> None:
        """Let the backend ask for fewer calls at every read: BackendThrottled."""
        self._missing("throttle")

    def hang(self) -> None:
        """Let the backend answer no read until `mend`."""
        self._missing("hang")

    def canaries(self) -> Iterable[str]:
        """Secrets beside the contents and service account tokens: access keys, session tokens that the backend gave."""
        return ()

    def _missing(self, hook: str) -> NoReturn:
        import pytest

        pytest.skip(f"{type(self).__name__} has no {hook}()")
