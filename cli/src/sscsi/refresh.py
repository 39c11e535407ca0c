"""`sscsi refresh`: let this node's driver fetch volumes now, whatever their interval."""

import argparse
import sys
from pathlib import Path
from typing import Final

from sscsi import inputs
from sscsi.explain import explain

_DRIVER_SOCKET: Final = "/var/lib/kubelet/plugins/csi-secrets-store/csi.sock"
_SECONDS: Final = 10.0


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("of_class", nargs="?", type=inputs.pod_name, metavar="NS/CLASS", help="of a SecretProviderClass")
    which.add_argument("--all", action="store_true", help="all volumes of this node")
    parser.add_argument("--driver", type=Path, default=Path(_DRIVER_SOCKET), help="the driver's CSI socket")
    parser.add_argument("--timeout", type=inputs.seconds, default=_SECONDS, help="seconds")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; its exit status: 0, or 1 if the driver did not answer or has no such volume."""
    import grpc

    from sscsi import kubelet
    from sscsi_driver import control

    of_class = "" if arguments.all else "/".join(arguments.of_class)
    try:
        with kubelet.channel_to(arguments.driver) as channel:
            number = control.refresh(channel, of_class, arguments.timeout)
    except grpc.RpcError as error:
        print(f"error: {explain(error, arguments.driver, arguments.timeout)}", file=sys.stderr)
        return 1
    what = f"class {of_class}" if of_class else "any class"
    if not number:
        print(f"error: no volume of {what} is filled on this node", file=sys.stderr)
        return 1
    print(f"{number} volume{'s' if number > 1 else ''} of {what}: fetched now. The driver's log says how it went.")
    return 0
