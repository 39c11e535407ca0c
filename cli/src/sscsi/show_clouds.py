"""The demo's step with every cloud: one pod, one service account, a volume from each."""

import os
from pathlib import Path

from sscsi.clouds.cloud import VALUE, Cloud
from sscsi.kubelet import Kubelet, ask_provider, mount_request
from sscsi.mount import read_versions, read_volume
from sscsi.output import Console, Entry, tree
from sscsi.proof import WAIT_SECONDS, expect, until
from sscsi.stage import Stage
from sscsi_driver.tmpfs import mount_points_below

_POD = "pod-of-all-clouds"


def every_cloud(stage: Stage, kubelet: Kubelet, rotated: str, console: Console) -> None:
    """Publish the article's class of each cloud, rotate each secret, unpublish.

    Raises:
        NotShown: a volume does not hold what its backend does.
        grpc.RpcError: a publish failed.
    """
    console.step(f"One pod with a volume from each cloud: {', '.join(cloud.title for cloud in stage.clouds.values())}")
    targets: dict[str, Path] = {}
    for name, cloud in stage.clouds.items():
        cloud.put(VALUE)
        volume = stage.volume(stage.class_of(name), _POD, name=name)
        targets[name] = kubelet.publish(volume)
        console.note(tree(read_volume(targets[name], reveal=True), read_versions(stage.status, volume)))
        expect(os.path.ismount(targets[name]), f"the volume of {name} is no mount")
        expect(_held(targets[name], cloud) == VALUE, f"the file of {name} does not hold the secret")
    console.done(f"{len(targets)} volumes of one pod, each filled by its own provider as the pod's service account")
    for cloud in stage.clouds.values():
        cloud.put(rotated)
    for name, cloud in stage.clouds.items():
        until(lambda at=targets[name], of=cloud: _held(at, of) == rotated, f"the file of {name} did not change")  # type: ignore[misc]
    console.done("the secret changed in every backend, and in every volume")
    for name in stage.clouds:
        kubelet.unpublish(stage.volume(stage.class_of(name), _POD, name=name))
    expect(not mount_points_below(stage.folder), "a mount is still there")
    console.done("unpublished: nothing is left")


def every_answer(stage: Stage, console: Console) -> None:
    """Ask each provider itself for the article's class, where nobody may mount.

    Raises:
        NotShown: an answer does not hold what its backend does.
        grpc.RpcError: a Mount failed.
    """
    for name, cloud in stage.clouds.items():
        volume = stage.volume(stage.class_of(name), name=name)
        console.step(f"{cloud.title}: Mount is asked of the provider itself, class {volume.class_name}")
        request = mount_request(volume, stage.parameters_of(name), stage.kubelet_root)
        answer = ask_provider(stage.providers[name].socket, request, WAIT_SECONDS)
        files = [Entry(file.path, file.mode, len(file.contents), file.contents.decode()) for file in answer.files]
        console.note(tree(files, {version.id: version.version for version in answer.object_version}))
        held = {file.path: file.text for file in files}
        expect(held.get(cloud.file) == VALUE, f"the answer of {name} does not hold the secret")


def _held(target: Path, cloud: Cloud) -> str:
    return (target / cloud.file).read_text(encoding="utf-8")
