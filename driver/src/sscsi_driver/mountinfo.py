"""PURE: /proc/self/mountinfo, and which of its mount points are volumes of pods (proc(5); kubelet, pkg/volume/csi)."""

import json
import re
from dataclasses import dataclass
from typing import Final

_ESCAPES: Final = re.compile(r"\\([0-7]{3})")
_POINT_FIELD: Final = 4
_VOLUME: Final = re.compile(r"/(?:[^/]+/)*pods/([^/]+)/volumes/kubernetes\.io~csi/([^/]+)/mount")
_MAX_VOLUME_DATA: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Mounted:
    """One line: where something is mounted, and the type of its file system."""

    point: str
    file_system: str


@dataclass(frozen=True, slots=True)
class PodVolume:
    """A CSI volume of a pod: the pod's uid, and the volume's name in the pod."""

    pod_uid: str
    name: str


def parse(table: str) -> list[Mounted]:
    """The mount points of a mountinfo table, in its order; lines that are none are left out."""
    found = []
    for line in table.splitlines():
        fields, separator, rest = line.partition(" - ")
        words = fields.split(" ")
        if separator and len(words) > _POINT_FIELD:
            found.append(Mounted(_unescape(words[_POINT_FIELD]), rest.split(" ")[0]))
    return found


def pod_volume(path: str) -> PodVolume | None:
    """Whose volume a target path is; None if it is no CSI volume of a pod."""
    match = _VOLUME.fullmatch(path)
    if match is None or {".", ".."} & set(path.split("/")):
        return None
    return PodVolume(match[1], match[2])


def driver_of_volume(volume_data: bytes) -> str:
    """The driver that kubelet noted in `vol_data.json`, beside the target; empty where it can't be read."""
    if len(volume_data) > _MAX_VOLUME_DATA:
        return ""
    try:
        document = json.loads(volume_data)
    except (ValueError, RecursionError):
        return ""
    name = document.get("driverName") if isinstance(document, dict) else None
    return name if isinstance(name, str) else ""


def _unescape(text: str) -> str:
    """The kernel writes blank, tab, line feed and backslash as octal numbers."""
    return _ESCAPES.sub(lambda match: chr(int(match[1], 8)), text)
