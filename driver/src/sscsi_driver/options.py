"""The driver's command line: the flags of the existing driver's release 1.6 that still mean something, and our own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sscsi_driver.annotations import LOOK_SECONDS
from sscsi_driver.attributes import OverlayRule
from sscsi_driver.filling import PublishSettings
from sscsi_driver.startup import TAINT_SUFFIX
from sscsi_driver.tmpfs import TmpfsLimits
from sscsi_shared.daemon.flags import Flag, boolean, duration, parse
from sscsi_shared.daemon.klog import KLOG_FLAGS, obsolete_switches, obsolete_texts
from sscsi_shared.daemon.options import COMMON, METRICS_ADDR, VERSION, DaemonOptions

_SIZE: Final = re.compile(r"(\d{1,15})(|Ki|Mi|Gi|KiB|MiB|GiB)")
_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def _size(text: str) -> int:
    """Bytes of `16777216`, `16Mi` or `16MiB`."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("a size such as 16777216 or 16Mi is needed")
    return int(match[1]) * _UNITS[match[2][:1]]


def _positive(text: str) -> int:
    size = _size(text)
    if size == 0:
        raise ValueError("more than 0 is needed")
    return size


def _endpoint(text: str) -> str:
    """A socket's path of `unix:///csi/csi.sock`; like the existing driver, `unix://csi.sock` is taken from the root."""
    scheme, separator, path = text.partition("://")
    if scheme.lower() != "unix" or not separator or not path.strip("/"):
        raise ValueError("unix:// and the path of a socket are needed")
    return f"/{path.lstrip('/')}"


def _path(text: str) -> str:
    if not text:
        raise ValueError("a path is needed")
    return text


def _overlay(text: str) -> str:
    OverlayRule.parse(text)
    return text


ENDPOINT: Final = Flag("endpoint", "/csi/csi.sock", "The CSI socket, as unix:///path.", _endpoint, "CSI_ENDPOINT")
DRIVER_NAME: Final = Flag("drivername", "secrets-store.csi.k8s.io", "Name of the CSIDriver object.", str)
NODE_ID: Final = Flag("nodeid", "", "The node's name.", str, "KUBE_NODE_NAME")
PROVIDER_VOLUME: Final = Flag(
    "provider-volume",
    "/var/run/secrets-store-csi-providers",
    "Folder of the providers' sockets, made where it is missing; searched last.",
    _path,
)
MORE_PROVIDER_VOLUMES: Final = Flag(
    "additional-provider-volume-paths",
    "/etc/kubernetes/secrets-store-csi-providers",
    "Folders of sockets that are searched before, separated by commas.",
    str,
)
MAX_RECEIVE: Final = Flag(
    "max-call-recv-msg-size", 4 * 1024 * 1024, "The largest answer of a provider that is taken, in bytes.", _positive
)
VOLUME_SIZE: Final = Flag(
    "volume-size",
    0,
    "Bytes that one volume may hold, such as 16Mi. 0 = four times --max-call-recv-msg-size: old and new content stand "
    "side by side while they are swapped, and each file takes whole pages.",
    _size,
)
VOLUME_INODES: Final = Flag(
    "volume-inodes", 8192, "Files, directories and links that one volume may hold, old and new together.", _positive
)
VOLUME_ATTRIBUTES: Final = Flag(
    "volume-attributes",
    "override",
    "Which parameters of a class a pod may override by its volumeAttributes: override (all), ignore (none) or a list "
    "separated by commas.",
    _overlay,
)
OBJECTS: Final = Flag("objects", "", "Read SecretProviderClasses and the CSIDriver from this folder of YAML.", str)
STATUS_DIR: Final = Flag("status-dir", "", "Write SecretProviderClassPodStatuses to this folder of YAML.", str)
ROTATION: Final = Flag("enable-secret-rotation", False, "Ask again for the content of filled volumes.", boolean)
ROTATION_INTERVAL: Final = Flag("rotation-poll-interval", 120.0, "How often, as a duration such as 2m.", duration)
ANNOTATION_INTERVAL: Final = Flag(
    "annotation-poll-interval",
    LOOK_SECONDS,
    "How often the annotation sscsi.dev/refresh of classes in use and of this node's pods is looked at; 0 = never.",
    duration,
)

ANY_TARGET: Final = Flag(
    "any-target",
    False,
    "Mount on any path, and not only on those that kubelet makes for a pod's volume: for trials and csi-sanity. "
    "Whatever stands at a path that is unpublished is unmounted and removed.",
    boolean,
)

KUBECONFIG: Final = Flag(
    "kubeconfig",
    "",
    "The API server, from a kubeconfig file. Empty = that of the cluster around the driver.",
    str,
)
METRICS: Final = replace(METRICS_ADDR, default=":8095")
REQUIRED_PROVIDERS: Final = Flag(
    "required-providers",
    "",
    "Providers, separated by commas, that must answer before the startup taint is taken off the node.",
    str,
)
STARTUP_TAINT: Final = Flag(
    "startup-taint", "", "Key of the taint that is taken off the node then. Empty = DRIVERNAME/agent-not-ready.", str
)

_IGNORED: Final = (
    *obsolete_texts("metrics-backend", "provider-health-check-interval", "pprof-port"),
    *obsolete_switches("provider-health-check", "enable-pprof", "log-format-json"),
    *KLOG_FLAGS,
)
"""Flags of the existing driver that manifests still hold."""

FLAGS: Final[tuple[Flag[Any], ...]] = (
    ENDPOINT,
    DRIVER_NAME,
    NODE_ID,
    PROVIDER_VOLUME,
    MORE_PROVIDER_VOLUMES,
    MAX_RECEIVE,
    VOLUME_SIZE,
    VOLUME_INODES,
    VOLUME_ATTRIBUTES,
    OBJECTS,
    STATUS_DIR,
    ROTATION,
    ROTATION_INTERVAL,
    ANNOTATION_INTERVAL,
    ANY_TARGET,
    KUBECONFIG,
    REQUIRED_PROVIDERS,
    STARTUP_TAINT,
    METRICS,
    *(flag for flag in COMMON if flag.name != METRICS.name),
    *_IGNORED,
)


@dataclass(frozen=True, slots=True)
class DriverOptions:
    """What an operator says of the driver.

    Attributes:
        socket: the CSI socket.
        provider_volume: the folder of sockets that the driver prepares.
        provider_folders: all folders of sockets, in the order in which they are searched.
        max_receive_bytes: the largest answer of a provider.
        objects: the folder of classes; None = none was named.
        status_folder: where pod statuses go; None = nowhere.
        kubeconfig: a file; empty = in-cluster.
        required_providers: who must answer before the startup taint goes.
        startup_taint: its key.
        annotation_interval: seconds between two looks at annotations; 0 = never.
        any_target: whether target paths may be others than kubelet's.
        publish: what concerns each volume.
        daemon: what every daemon has.
    """

    socket: Path
    provider_volume: Path
    provider_folders: tuple[Path, ...]
    max_receive_bytes: int
    objects: Path | None
    status_folder: Path | None
    kubeconfig: str
    required_providers: tuple[str, ...]
    startup_taint: str
    annotation_interval: float
    any_target: bool
    publish: PublishSettings
    daemon: DaemonOptions


def _names(text: str) -> list[str]:
    """What stands between the commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def read_options(arguments: Sequence[str], environ: Mapping[str, str], version: str) -> DriverOptions:
    """Read the command line. A mistake prints the usage and ends the process with status 2; `--version` ends it too."""
    values = parse("sscsi-driver", "The Secrets Store CSI node driver.", FLAGS, arguments, environ)
    if values[VERSION]:
        print(version)  # noqa: T201
        raise SystemExit(0)
    provider_volume = Path(values[PROVIDER_VOLUME])
    max_receive = values[MAX_RECEIVE]
    return DriverOptions(
        socket=Path(values[ENDPOINT]),
        provider_volume=provider_volume,
        provider_folders=(*(Path(path) for path in _names(values[MORE_PROVIDER_VOLUMES])), provider_volume),
        max_receive_bytes=max_receive,
        objects=Path(values[OBJECTS]) if values[OBJECTS] else None,
        status_folder=Path(values[STATUS_DIR]) if values[STATUS_DIR] else None,
        kubeconfig=values[KUBECONFIG],
        required_providers=tuple(_names(values[REQUIRED_PROVIDERS])),
        startup_taint=values[STARTUP_TAINT] or f"{values[DRIVER_NAME]}/{TAINT_SUFFIX}",
        annotation_interval=values[ANNOTATION_INTERVAL],
        any_target=values[ANY_TARGET],
        publish=PublishSettings(
            driver_name=values[DRIVER_NAME],
            node=values[NODE_ID],
            limits=TmpfsLimits(values[VOLUME_SIZE] or 4 * max_receive, values[VOLUME_INODES]),
            overlay=OverlayRule.parse(values[VOLUME_ATTRIBUTES]),
            rotation_interval=values[ROTATION_INTERVAL] if values[ROTATION] else None,
        ),
        daemon=replace(DaemonOptions.of(values), metrics_address=values[METRICS]),
    )
