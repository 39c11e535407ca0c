"""Brings one Secret up to date, whoever else writes to it meanwhile."""

import logging
from typing import Final

from sscsi_driver.classes import Classes
from sscsi_driver.errors import ErrorType, PublishError
from sscsi_driver.kube import Conflict, Forbidden, KubeError
from sscsi_driver.secret_api import ClusterSecrets
from sscsi_driver.secret_objects import SyncProblem, secret_name
from sscsi_driver.secret_owners import is_pod, needs_secrets, owners_of, status_owner
from sscsi_driver.secret_sink import Filled
from sscsi_driver.secret_writing import OfOtherClass, Owner, Wanted, write_of
from sscsi_driver.status import status_name
from sscsi_shared.errors import clip

log = logging.getLogger(__name__)

_TRIES: Final = 5


class SecretWriter:
    """Reads, decides (secret_writing.py) and writes.

    Args:
        secrets: where Secrets go.
        classes: where classes come from.
    """

    def __init__(self, secrets: ClusterSecrets, classes: Classes) -> None:
        self._secrets = secrets
        self._classes = classes

    def owners(self, filled: Filled) -> list[Owner] | None:
        """Who keeps the pod's Secrets; None = the pod needs none any more.

        Raises:
            SyncProblem: it can't be known.
        """
        try:
            return self._owners(filled)
        except KubeError as error:
            raise SyncProblem(_told(error, filled.pod.namespace)) from error

    def write(self, wanted: Wanted) -> bool:
        """Whether anything had to be written.

        Raises:
            SyncProblem: it could not be, or may not be; without the Secret's name.
        """
        try:
            return self._write(wanted)
        except KubeError as error:
            raise SyncProblem(_told(error, wanted.namespace)) from error

    def _owners(self, filled: Filled) -> list[Owner] | None:
        pod = filled.pod
        body = self._secrets.pod(pod.namespace, pod.name)
        if body is None or not is_pod(body, pod.uid):
            raise SyncProblem(f"the API server does not know the pod {pod.namespace}/{pod.name} (uid {pod.uid})")
        if not needs_secrets(body):
            return None
        if owners := owners_of(body):
            return owners
        name = status_name(pod, filled.of_class)
        uid = self._secrets.status_uid(pod.namespace, name)
        if uid is None:
            raise SyncProblem(
                f"there is no SecretProviderClassPodStatus {name}, which would own the Secrets of the pod"
            )
        return [status_owner(name, uid)]

    def _write(self, wanted: Wanted) -> bool:
        take = False
        for _ in range(_TRIES):
            found = self._secrets.secret(wanted.namespace, wanted.name)
            try:
                write = write_of(wanted, found, take=take)
            except OfOtherClass as error:
                self._check_left(wanted, error.name)
                take = True
                write = write_of(wanted, found, take=True)
            if write is None:
                return False
            try:
                self._secrets.write(wanted.namespace, wanted.name, write)
            except Conflict:  # another node was faster: what it wrote may be all we want
                continue
            log.info("wrote the Secret %s/%s of class %s", wanted.namespace, wanted.name, wanted.of_class)
            return True
        raise SyncProblem("others write to it at the same time")

    def _check_left(self, wanted: Wanted, other: str) -> None:
        """See whether another class has left a Secret to us.

        Raises:
            SyncProblem: it has not.
        """
        try:
            entries = self._classes.get(wanted.namespace, other).secret_objects
        except PublishError as error:
            if error.error_type != ErrorType.CLASS_NOT_FOUND:
                raise SyncProblem(error.message) from error
            return
        if wanted.name in map(secret_name, entries):
            raise SyncProblem(f"class {clip(other, 253)} makes it; take another secretName in one of the two")


def _told(error: KubeError, namespace: str) -> str:
    if not isinstance(error, Forbidden):
        return error.message
    return (
        f"{error.message}. Allow the driver to get, create and patch secrets, and to get pods, in namespace "
        f"{namespace} (deploy/driver/rbac-secretobjects.yaml)"
    )
