"""From a request to a volume's content, for the first time and again: the class, the provider, files and status."""

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc

from sscsi_driver.attributes import OverlayRule
from sscsi_driver.classes import Classes, SecretProviderClass
from sscsi_driver.dispatch import Providers
from sscsi_driver.errors import ErrorType, PublishError
from sscsi_driver.mounted_files import read_mounted
from sscsi_driver.place import root_of
from sscsi_driver.preparing import Prepared, PublishRequest, prepare
from sscsi_driver.secret_objects import file_names
from sscsi_driver.secret_sink import Filled, NoSecrets, SecretSink
from sscsi_driver.status import pod_status
from sscsi_driver.status_folder import StatusSink
from sscsi_driver.tmpfs import TmpfsLimits
from sscsi_shared.cancellation import Cancellation
from sscsi_shared.deadline import Clock, Deadline, Instant
from sscsi_shared.errors import InvalidParameters
from sscsi_shared.file_access import FileAccess, give_all
from sscsi_shared.mount import MountResult, PodInfo
from sscsi_shared.publish import publish_at

_NO_SECRETS: Final = NoSecrets()


@dataclass(frozen=True, slots=True)
class PublishSettings:
    """What an operator decides.

    Attributes:
        driver_name: of the CSIDriver object.
        node: the node's name.
        limits: of each volume.
        overlay: which parameters a pod may override.
        rotation_interval: seconds between two fetches of one volume, where its class says nothing; None = a filled
            volume is never asked for again.
    """

    driver_name: str
    node: str
    limits: TmpfsLimits
    overlay: OverlayRule = field(default_factory=OverlayRule)
    rotation_interval: float | None = None


class Filler:
    """Fills volumes that are mounted and held.

    Args:
        classes: where classes come from.
        providers: who is asked.
        statuses: where pod statuses go.
        settings: what the operator decided.
        secrets: what makes Kubernetes Secrets of the content.
        now: seconds since 1970.
    """

    def __init__(
        self,
        *,
        classes: Classes,
        providers: Providers,
        statuses: StatusSink,
        settings: PublishSettings,
        secrets: SecretSink = _NO_SECRETS,
        now: Clock = time.time,
    ) -> None:
        self.settings = settings
        self._classes = classes
        self._providers = providers
        self._statuses = statuses
        self._secrets = secrets
        self._now = now

    def prepare(self, request: PublishRequest) -> Prepared:
        """See preparing.prepare."""
        settings = self.settings
        return prepare(request, self._classes, settings.driver_name, settings.overlay, settings.rotation_interval)

    def class_of(self, namespace: str, name: str) -> SecretProviderClass:
        """A class as it is now.

        Raises:
            PublishError: there is no such class.
        """
        return self._classes.get(namespace, name)

    def check(self, prepared: Prepared) -> None:
        """See whether the provider is there.

        Raises:
            PublishError: it is not.
        """
        with _naming(prepared.pod):
            self._providers.check(prepared.of_class.provider)

    def fill(self, target: Path, prepared: Prepared, deadline: Deadline, cancellation: Cancellation) -> bool:
        """Ask the provider, swap its files in, report the versions; whether the files changed.

        Raises:
            PublishError: with the pod's name; files published before are in place.
        """
        began = self._now()
        with _naming(prepared.pod):
            result = self._providers.mount(prepared.of_class.provider, prepared.request, deadline, cancellation)
            changed = _write(target, result, prepared.access)
        status = pod_status(prepared.pod, prepared.of_class.name, str(target), result.versions, self.settings.node)
        try:
            self._statuses.write(status)
        except OSError as error:
            raise PublishError(
                f"failed to create secret provider class pod status for pod {prepared.pod.namespace}/"
                f"{prepared.pod.name}, err: {error.strerror or error}",
                code=grpc.StatusCode.INTERNAL,
                error_type=ErrorType.STATUS_WRITE_ERROR,
            ) from error
        fetched_at = began if result.read_at is None else min(began, result.read_at)
        self._sync(target, prepared, result, fetched_at, deadline)
        return changed

    def _sync(
        self, target: Path, prepared: Prepared, result: MountResult, fetched_at: Instant, deadline: Deadline
    ) -> None:
        """Make Secrets of the content: before the pod starts, whose variables may come from them."""
        of_class = prepared.of_class
        files = {file.path: file.contents for file in result.files}
        if not files and of_class.secret_objects:
            with suppress(OSError), root_of(target) as root:
                files = read_mounted(root, file_names(of_class.secret_objects))
        filled = Filled(target, prepared.pod, of_class.name, of_class.provider, files, fetched_at)
        self._secrets.write(filled, of_class.secret_objects, deadline)

    def forget(self, target: Path) -> None:
        """The volume is gone."""
        self._statuses.remove(str(target))
        self._secrets.forget(target)


@contextmanager
def _naming(pod: PodInfo) -> Iterator[None]:
    """Put the pod's name before what a provider, or the way to it, made of the mount."""
    try:
        yield
    except PublishError as error:
        raise error.saying(
            f"failed to mount secrets store objects for pod {pod.namespace}/{pod.name}, err: {error.message}"
        ) from error


def _write(target: Path, result: MountResult, access: FileAccess) -> bool:
    """Swap the provider's files in; where it wrote them itself, only give them to the pod's group."""
    try:
        with root_of(target) as root:
            if not result.files:
                give_all(root, access)
                return False
            return publish_at(root, result.files, access=access)
    except InvalidParameters as error:
        raise PublishError(
            f"the provider answered a file that can't be in a volume: {error}",
            code=grpc.StatusCode.INTERNAL,
            error_type=ErrorType.FILE_WRITE_ERROR,
        ) from error
    except OSError as error:
        hint = ". The volume is full: raise --volume-size or --volume-inodes" if error.errno == errno.ENOSPC else ""
        raise PublishError(
            f"the volume's files can't be written: {error.strerror}{hint}",
            code=grpc.StatusCode.INTERNAL,
            error_type=ErrorType.FILE_WRITE_ERROR,
        ) from error
