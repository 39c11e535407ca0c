"""The driver's daemon: puts the rooms together and serves CSI until SIGTERM.

Mounts stay when it ends: pods go on reading, and the next driver takes the volumes over.
"""

import logging
import os
import sys
import threading
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Protocol

import grpc

from sscsi_driver import control
from sscsi_driver.annotations import Annotations, NobodySays
from sscsi_driver.attributes import refusal
from sscsi_driver.class_folder import FolderClasses
from sscsi_driver.classes import Classes, NoClasses
from sscsi_driver.csi import csi_pb2_grpc
from sscsi_driver.dispatch import Providers
from sscsi_driver.errors import PublishError
from sscsi_driver.events import Events, NoEvents
from sscsi_driver.filling import Filler
from sscsi_driver.identity import IdentityServicer
from sscsi_driver.memory import NodeVolumes
from sscsi_driver.metrics import DriverMetrics, VolumeGauges
from sscsi_driver.node import NodeServicer
from sscsi_driver.options import DriverOptions, read_options
from sscsi_driver.publishing import Publisher
from sscsi_driver.recovery import NobodyKnows, Recovery
from sscsi_driver.refreshing import Refresher
from sscsi_driver.rotation import Rotation
from sscsi_driver.secret_sink import NoSecrets, SecretSink
from sscsi_driver.startup import StartUp
from sscsi_driver.status_folder import NoStatus, StatusFolder, StatusSink
from sscsi_shared.daemon.metrics import REGISTRY
from sscsi_shared.daemon.serving import Service, serve
from sscsi_shared.daemon.socket import bound_umask, prepare_folder

if TYPE_CHECKING:
    from sscsi_driver.kube import Kube
    from sscsi_driver.node_objects import ApiNode
    from sscsi_driver.syncing import Syncer

log = logging.getLogger(__name__)

SLOTS: Final = 240
"""Volumes that are published at once; a call that waits for a provider holds a thread, and unpublish must have one."""


class Part(Protocol):
    """What works beside the server."""

    def start(self, stopping: threading.Event) -> None:
        """Begin, until `stopping` says so; returns at once."""


def main() -> None:
    """Serve; does not return."""
    own_version = version("sscsi-driver")
    options = read_options(sys.argv[1:], os.environ, own_version)
    bound_umask()
    try:
        prepare_folder(options.provider_volume)
    except OSError as error:
        sys.exit(f"sscsi-driver: the folder of providers {options.provider_volume} can't be made: {error.strerror}")
    metrics = DriverMetrics(REGISTRY)
    kube = _kube(options)
    classes = _classes(options, kube)
    providers = Providers(options.provider_folders, options.max_receive_bytes)
    own_node, events, parts = _of_cluster(kube, options.publish.node)
    secrets = NoSecrets() if kube is None or options.objects is not None else _secrets(kube, classes, events, metrics)
    if not isinstance(secrets, NoSecrets):
        parts.append(secrets)
    filler, volumes = _filler(options, classes, providers, kube, secrets), NodeVolumes()
    refresher = Refresher(filler=filler, volumes=volumes, metrics=metrics, events=events)
    REGISTRY.register(VolumeGauges(refresher.states, refresher.ages))
    publisher = Publisher(filler=filler, refresher=refresher, volumes=volumes, metrics=metrics, events=events)
    node = NodeServicer(publisher, options.publish.node, metrics, any_target=options.any_target)
    name = options.publish.driver_name
    identity = IdentityServicer(name, lambda: _refusal(classes, name))

    def register(server: grpc.Server) -> None:
        csi_pb2_grpc.add_IdentityServicer_to_server(identity, server)  # type: ignore[no-untyped-call]  # generated
        csi_pb2_grpc.add_NodeServicer_to_server(node, server)  # type: ignore[no-untyped-call]
        control.add_to_server(refresher.force, server)

    annotations = Annotations(
        filler=filler,
        pods=own_node or NobodySays(),
        volumes=volumes,
        force=refresher.force,
        interval=options.annotation_interval,
    )
    recovery = Recovery(volumes=volumes, publisher=publisher, pods=own_node or NobodyKnows(), driver_name=name)
    start_up = StartUp(
        providers=providers,
        required=options.required_providers,
        driver_name=name,
        node=own_node,
        taint=options.startup_taint,
    )

    def after(stopping: threading.Event) -> None:
        for part in (*parts, Rotation(refresher), annotations, recovery, start_up):
            part.start(stopping)

    serve(
        Service(
            name="sscsi-driver",
            version=own_version,
            socket=options.socket,
            register=register,
            services=("csi.v1.Identity", "csi.v1.Node"),
            slots=SLOTS,
        ),
        options.daemon,
        after=after,
    )


def _kube(options: DriverOptions) -> "Kube | None":
    """The API server; None outside of a cluster."""
    if not options.kubeconfig and "KUBERNETES_SERVICE_HOST" not in os.environ:
        return None
    from sscsi_driver.kube import Kube  # lightkube takes 12 MiB

    try:
        return Kube.connect(options.kubeconfig)
    except OSError as error:
        sys.exit(f"sscsi-driver: {error}")


def _of_cluster(kube: "Kube | None", node: str) -> "tuple[ApiNode | None, Events, list[Part]]":
    """This node's objects, who tells pods, and what has to be started for it."""
    if kube is None:
        return None, NoEvents(), []
    from sscsi_driver.event_writer import ApiEvents
    from sscsi_driver.node_objects import ApiNode

    events = ApiEvents(kube, node)
    return ApiNode(kube, node), events, [events]


def _refusal(classes: Classes, driver_name: str) -> str:
    try:
        return refusal(driver_name, classes.driver_object(driver_name))
    except PublishError as error:  # nobody can say: volumes that are mounted need a driver all the same
        log.warning("the CSIDriver object %s can't be read: %s", driver_name, error.message)
        return ""


def _classes(options: DriverOptions, kube: "Kube | None") -> Classes:
    """The folder, where one is named; else the API server's, where there is one."""
    if options.objects is not None:
        return FolderClasses(options.objects)
    if kube is None:
        return NoClasses()
    from sscsi_driver.class_api import ApiClasses

    return ApiClasses(kube)


def _statuses(options: DriverOptions, kube: "Kube | None") -> StatusSink:
    """The folder, where one is named; the API server only where classes come from it too."""
    if options.status_folder is not None:
        return StatusFolder(options.status_folder)
    if kube is None or options.objects is not None:
        return NoStatus()
    from sscsi_driver.status_api import ApiStatuses

    return ApiStatuses(kube)


def _secrets(kube: "Kube", classes: Classes, events: Events, metrics: DriverMetrics) -> "Syncer":
    from sscsi_driver.secret_api import ApiSecrets
    from sscsi_driver.secret_writer import SecretWriter
    from sscsi_driver.syncing import Syncer

    return Syncer(writer=SecretWriter(ApiSecrets(kube), classes), classes=classes, events=events, metrics=metrics)


def _filler(
    options: DriverOptions, classes: Classes, providers: Providers, kube: "Kube | None", secrets: SecretSink
) -> Filler:
    return Filler(
        classes=classes,
        providers=providers,
        statuses=_statuses(options, kube),
        settings=options.publish,
        secrets=secrets,
    )


if __name__ == "__main__":
    main()
