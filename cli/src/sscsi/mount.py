"""`sscsi mount`: play kubelet against the driver, or ask a provider directly."""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml

from sscsi import inputs
from sscsi.explain import explain
from sscsi.output import Entry, printable, tree
from sscsi_shared.errors import MountError
from sscsi_shared.secret import SecretText

_DRIVER_SOCKET: Final = "/var/lib/kubelet/plugins/csi-secrets-store/csi.sock"
_KUBELET_SECONDS: Final = 120.0
_MAX_STATUS: Final = 1 << 20
_SWAPPED_TRIES: Final = 3


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("manifest", type=Path, metavar="CLASS.yaml", help="file with the SecretProviderClass")
    parser.add_argument("--pod", required=True, type=inputs.pod_name, metavar="NS/NAME", help="the volume's pod")
    parser.add_argument("--service-account", required=True, metavar="SA", help="the pod's service account")
    parser.add_argument("--pod-uid", default="", help="the pod's uid; by default one made of its name")
    where = parser.add_argument_group("where")
    where.add_argument("--driver", type=Path, default=Path(_DRIVER_SOCKET), help="the driver's CSI socket")
    where.add_argument("--provider", type=Path, help="ask this provider's socket instead; nothing is written")
    where.add_argument("--kubelet-root", type=Path, default=Path("/var/lib/kubelet"), help="where volumes go")
    where.add_argument("--target", type=Path, help="mount here (a driver with --any-target)")
    where.add_argument("--status-dir", type=Path, help="the driver's --status-dir, for the object versions")
    tokens = parser.add_argument_group("tokens of the service account")
    tokens.add_argument("--token", action="append", default=[], metavar="AUDIENCE=FILE", help="one from a file")
    tokens.add_argument("--kube-api-url", default="", help="get them from this API server (TokenRequest)")
    tokens.add_argument("--kube-token-file", type=Path, help="our own token for it")
    tokens.add_argument("--kube-ca-file", type=Path, help="its authority, PEM")
    tokens.add_argument("--audience", action="append", default=[], help="audience of a token to get there")
    parser.add_argument("--timeout", type=inputs.seconds, default=_KUBELET_SECONDS, help="seconds; kubelet's are 120")
    parser.add_argument("--reveal", action="store_true", help="show contents too")
    parser.add_argument("--unmount", action="store_true", help="unpublish the volume instead")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; its exit status: 0, 1 for what failed, 2 for a command line that makes no sense."""
    import grpc

    try:
        _check(arguments)
        return _run(arguments)
    except inputs.UsageError as error:
        print(f"usage: {error}", file=sys.stderr)
        return 2
    except (MountError, ValueError) as error:
        _complain(str(error))
    except OSError as error:
        _complain(f"{error.filename or ''}: {error.strerror or error}")
    except grpc.RpcError as error:
        _complain(explain(error, arguments.provider or arguments.driver, arguments.timeout))
    return 1


def _complain(text: str) -> None:
    print(f"error: {printable(text)}", file=sys.stderr)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.audience and not arguments.kube_api_url:
        raise inputs.UsageError("--audience needs --kube-api-url, where the token comes from")
    if arguments.kube_api_url and not arguments.audience:
        raise inputs.UsageError("--kube-api-url needs --audience, for which the token is")
    if arguments.unmount and arguments.provider:
        raise inputs.UsageError("--unmount is for the driver: a provider mounts nothing")
    if arguments.unmount and arguments.reveal:
        raise inputs.UsageError("--reveal has nothing to show with --unmount")


def _run(arguments: argparse.Namespace) -> int:
    from sscsi import kubelet

    namespace, pod = arguments.pod
    of_class = inputs.read_class(arguments.manifest, namespace)
    root = arguments.kubelet_root.absolute()
    volume = kubelet.PodVolume(
        namespace,
        pod,
        arguments.service_account,
        of_class.name,
        uid=arguments.pod_uid,
        target_path=arguments.target.absolute() if arguments.target else None,
    )
    if not arguments.unmount:
        volume = replace(volume, tokens=_tokens(arguments, volume))
    if arguments.provider:
        request = kubelet.mount_request(volume, inputs.parameters_of(of_class), root)
        answer = kubelet.ask_provider(arguments.provider, request, arguments.timeout)
        if answer.HasField("error") and answer.error.code:
            raise ValueError(f"the provider answered the error {answer.error.code!r}; the driver would not mount it")
        files = [_entry(file.path, file.mode, file.contents, arguments.reveal) for file in answer.files]
        print(tree(files, {version.id: version.version for version in answer.object_version}))
        if not answer.object_version:
            raise ValueError("the provider reported no object version; the driver would not mount this")
        return 0
    with kubelet.Kubelet(arguments.driver, root, arguments.timeout) as node:
        if arguments.unmount:
            node.unpublish(volume)
            print(f"unmounted {volume.target(root)}")
            return 0
        target = node.publish(volume)
    print(target)
    print(tree(read_volume(target, reveal=arguments.reveal), read_versions(arguments.status_dir, volume)))
    return 0


def read_volume(target: Path, *, reveal: bool) -> list[Entry]:
    """The files of a mounted volume, as its readers see them; all of one version, even while it rotates."""
    for _ in range(_SWAPPED_TRIES):
        try:
            return _read_version(target, reveal=reveal)
        except FileNotFoundError:
            continue  # what `..data` led to was swapped while we read it
    return _read_version(target, reveal=reveal)


def _read_version(target: Path, *, reveal: bool) -> list[Entry]:
    data = target / "..data"
    root = data.resolve(strict=True) if data.exists() else target
    found = []
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.relative_to(root).parts[0].startswith(".."):
            mode = path.stat().st_mode & 0o7777
            found.append(_entry(str(path.relative_to(root)), mode, path.read_bytes(), reveal))
    return found


def read_versions(folder: Path | None, volume: Any) -> Mapping[str, str]:
    """Object versions out of the driver's status folder; empty without one, or where none stands for this volume.

    Raises:
        ValueError: the file of this volume is not a pod status.
    """
    if folder is None:
        return {}
    path = folder / f"{volume.namespace}.{volume.pod}-{volume.namespace}-{volume.class_name}.yaml"
    try:
        body = yaml.safe_load(inputs.read_text(path, _MAX_STATUS))
        return {str(entry["id"]): str(entry["version"]) for entry in body["status"]["objects"]}
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a SecretProviderClassPodStatus") from error


def _entry(path: str, mode: int, contents: bytes, reveal: bool) -> Entry:
    return Entry(path, mode, len(contents), contents.decode("utf-8", "backslashreplace") if reveal else None)


def _tokens(arguments: argparse.Namespace, volume: Any) -> dict[str, SecretText]:
    tokens = inputs.read_tokens(arguments.token)
    if not arguments.kube_api_url:
        return tokens
    from sscsi_shared.cluster import TokenRequest
    from sscsi_shared.cluster_api import ApiServerCluster
    from sscsi_shared.deadline import Deadline
    from sscsi_shared.mount import PodInfo

    pod = PodInfo(volume.namespace, volume.pod, volume.pod_uid, volume.service_account)
    cluster = ApiServerCluster(
        arguments.kube_api_url, token_file=arguments.kube_token_file, ca_file=arguments.kube_ca_file
    )
    for audience in arguments.audience:
        tokens[audience] = cluster.create_token(TokenRequest(pod, (audience,)), Deadline.after(arguments.timeout))
    return tokens
