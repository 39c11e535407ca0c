"""The kernel's table of mounts, and whose volume a path is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscsi_driver.mountinfo import Mounted, PodVolume, driver_of_volume, parse, pod_volume

TABLE = r"""
22 27 0:21 / /proc rw,nosuid shared:12 - proc proc rw
36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue
710 27 0:60 / /var/lib/kubelet/pods/u1/volumes/kubernetes.io~csi/a\040b\134c/mount rw - tmpfs tmpfs rw
711 27 0:61 / /dash/ - /x rw - tmpfs tmpfs rw
nonsense
712 27 0:62 /
"""


def test_the_table() -> None:
    assert parse(TABLE) == [
        Mounted("/proc", "proc"),
        Mounted("/mnt2", "ext3"),
        Mounted(r"/var/lib/kubelet/pods/u1/volumes/kubernetes.io~csi/a b\c/mount", "tmpfs"),
        Mounted("/dash/", "/x"),
    ]


@given(st.text())
def test_any_text_is_read(table: str) -> None:
    parse(table)


@pytest.mark.parametrize(
    ("path", "uid", "name"),
    [
        ("/var/lib/kubelet/pods/u-1/volumes/kubernetes.io~csi/vol/mount", "u-1", "vol"),
        ("/opt/new/kubelet/pods/u-1/volumes/kubernetes.io~csi/vol/mount", "u-1", "vol"),
        ("/pods/u-1/volumes/kubernetes.io~csi/vol/mount", "u-1", "vol"),
        ("/data/pods/x/pods/u-1/volumes/kubernetes.io~csi/my vol/mount", "u-1", "my vol"),
    ],
)
def test_volumes_of_pods(path: str, uid: str, name: str) -> None:
    assert pod_volume(path) == PodVolume(uid, name)


@pytest.mark.parametrize(
    "path",
    [
        "data/kubelet/pods/u-1/volumes/kubernetes.io~csi/vol/mount",
        "/var/lib/kubelet/pods/u-1/volumes/kubernetesxio~csi/vol/mount",
        "/var/lib/kubelet/pods/u-1/volumes/kubernetes.io~pv/vol/mount",
        "/var/lib/kubelet/pods/u-1/volumes/kubernetes.io~secret/vol/mount",
        "/var/lib/kubelet/pods/u-1/volumes/kubernetes.io~csi/vol",
        "/var/lib/kubelet/pods/u-1/volumes/kubernetes.io~csi/vol/mount/",
        "/var/lib/kubelet/pods/u-1/volumes/kubernetes.io~csi/vol/mount/sub",
        "/var/lib/kubelet/pods/u-1/volumes/kubernetes.io~csi/a/b/mount",
        "/var/lib/kubelet/pods/../volumes/kubernetes.io~csi/vol/mount",
        "/var/lib/kubelet/plugins/kubernetes.io/csi/pv/x/globalmount",
        "/pods/u-1/volumes/kubernetes.io~csi//mount",
        "",
    ],
)
def test_what_is_no_volume_of_a_pod(path: str) -> None:
    assert pod_volume(path) is None


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        (b'{"driverName":"secrets-store.csi.k8s.io","nodeName":"n"}', "secrets-store.csi.k8s.io"),
        (b'{"driverName":7}', ""),
        (b"[]", ""),
        (b"{", ""),
        (b"\xff", ""),
        (b'{"driverName":"x"}' + b" " * 70_000, ""),
        (b"[" * 60_000, ""),
    ],
)
def test_kubelets_note(text: bytes, driver: str) -> None:
    assert driver_of_volume(text) == driver
