"""`sscsi mount`: play kubelet against the driver, or ask a provider directly."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from sscsi.output import Entry, tree
from sscsi_shared.errors import MountError
from sscsi_shared.manifests import parse_manifests
from sscsi_shared.secret import SecretText

_DRIVER_SOCKET: Final = "/var/lib/kubelet/plugins/csi-secrets-store/csi.sock"
_TOKEN_SECONDS: Final = 3600


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("manifest", type=Path, metavar="CLASS.yaml", help="file with the SecretProviderClass")
    parser.add_argument("--pod", required=True, metavar="NS/NAME", help="the pod that the volume is for")
    parser.add_argument("--service-account", required=True, metavar="SA", help="the pod's service account")
    parser.add_argument("--pod-uid", default="", help="the pod's uid; by default one made of its name")
    parser.add_argument("--driver", type=Path, default=Path(_DRIVER_SOCKET), help="the driver's CSI socket")
    parser.add_argument("--provider", type=Path, help="ask this provider's socket instead; nothing is written")
    parser.add_argument("--token", action="append", default=[], metavar="AUDIENCE=FILE", help="a token of the account")
    parser.add_argument("--kube-api-url", default="", help="get the tokens from this API server (TokenRequest)")
    parser.add_argument("--kube-token-file", type=Path, help="our own token for it")
    parser.add_argument("--kube-ca-file", type=Path, help="its authority, PEM")
    parser.add_argument("--audience", action="append", default=[], help="audience of a token to get there")
    parser.add_argument("--kubelet-root", type=Path, default=Path("/var/lib/kubelet"), help="where volumes go")
    parser.add_argument("--status-dir", type=Path, help="the driver's --status-dir, for the object versions")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds to wait for an answer")
    parser.add_argument("--reveal", action="store_true", help="show contents too")
    parser.add_argument("--unmount", action="store_true", help="unpublish the volume instead")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; its exit status."""
    import grpc

    try:
        return _run(arguments)
    except (MountError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
    except grpc.RpcError as error:
        socket = arguments.provider or arguments.driver
        print(f"error: {explain(error, socket)}", file=sys.stderr)
    return 1


def explain(error: Any, socket: Path) -> str:
    """A status as a person reads it: code and text; a socket on which nobody listens by name."""
    if error.code().name == "UNAVAILABLE" and "connect" in (error.details() or ""):
        return f"nobody answers on {socket}: is the daemon running, and may you open its socket?"
    return f"{error.code().name}: {error.details()}"


def _run(arguments: argparse.Namespace) -> int:
    from sscsi import kubelet

    found = parse_manifests(arguments.manifest.read_text(encoding="utf-8"), str(arguments.manifest))
    classes = [one for one in found if one.kind == "SecretProviderClass"]
    if len(classes) != 1:
        raise ValueError(f"{arguments.manifest} holds {len(classes)} SecretProviderClasses; one is needed")
    of_class = classes[0]
    namespace, slash, pod = arguments.pod.partition("/")
    if not (namespace and slash and pod):
        raise ValueError("--pod takes NAMESPACE/NAME")
    if of_class.namespace != namespace:
        raise ValueError(
            f"the class is in namespace {of_class.namespace}, the pod in {namespace}: they must be the same"
        )
    volume = kubelet.PodVolume(
        namespace, pod, arguments.service_account, of_class.name, uid=arguments.pod_uid, tokens={}
    )
    if not arguments.unmount:
        volume = kubelet.PodVolume(
            namespace,
            pod,
            arguments.service_account,
            of_class.name,
            uid=arguments.pod_uid,
            tokens=_tokens(arguments, volume),
        )
    if arguments.provider:
        spec = of_class.body.get("spec") or {}
        request = kubelet.mount_request(volume, spec.get("parameters") or {}, arguments.kubelet_root)
        answer = kubelet.ask_provider(arguments.provider, request, arguments.timeout)
        files = [_entry(file.path, file.mode, file.contents, arguments.reveal) for file in answer.files]
        print(tree(files, {version.id: version.version for version in answer.object_version}))
        return 0
    with kubelet.Kubelet(arguments.driver, arguments.kubelet_root, arguments.timeout) as node:
        if arguments.unmount:
            node.unpublish(volume)
            print(f"unmounted {volume.target(arguments.kubelet_root)}")
            return 0
        target = node.publish(volume)
    print(target)
    print(tree(read_volume(target, reveal=arguments.reveal), read_versions(arguments.status_dir, volume)))
    return 0


def read_volume(target: Path, *, reveal: bool) -> list[Entry]:
    """The files of a mounted volume, as its readers see them."""
    data = target / "..data"
    root = data if data.exists() else target
    found = []
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.relative_to(root).parts[0].startswith(".."):
            mode = path.stat().st_mode & 0o7777
            found.append(_entry(str(path.relative_to(root)), mode, path.read_bytes(), reveal))
    return found


def read_versions(folder: Path | None, volume: Any) -> Mapping[str, str]:
    """Object versions out of the driver's status folder; empty without one."""
    if folder is None:
        return {}
    name = f"{volume.pod}-{volume.namespace}-{volume.class_name}"
    for path in folder.glob("*.yaml"):
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
        if body["metadata"]["name"] == name and body["metadata"]["namespace"] == volume.namespace:
            return {entry["id"]: entry["version"] for entry in body["status"]["objects"]}
    return {}


def _entry(path: str, mode: int, contents: bytes, reveal: bool) -> Entry:
    return Entry(path, mode, len(contents), contents.decode("utf-8", "backslashreplace") if reveal else None)


def _tokens(arguments: argparse.Namespace, volume: Any) -> dict[str, SecretText]:
    tokens = {}
    for given in arguments.token:
        audience, equals, path = given.rpartition("=")
        if not equals:
            raise ValueError("--token takes AUDIENCE=FILE")
        tokens[audience] = SecretText(Path(path).read_text(encoding="utf-8").strip())
    if arguments.kube_api_url:
        from sscsi_shared.cluster_api import ApiServerCluster
        from sscsi_shared.deadline import Deadline

        cluster = ApiServerCluster(
            arguments.kube_api_url, token_file=arguments.kube_token_file, ca_file=arguments.kube_ca_file
        )
        for audience in arguments.audience:
            tokens[audience] = cluster.create_token(
                volume.namespace,
                volume.service_account,
                [audience],
                pod_name=volume.pod,
                pod_uid=volume.pod_uid,
                expiration_seconds=_TOKEN_SECONDS,
                deadline=Deadline.after(arguments.timeout),
            )
    return tokens
