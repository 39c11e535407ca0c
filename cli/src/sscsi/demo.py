"""`sscsi demo`: the whole line, from a SecretProviderClass to files that rotate and vanish."""

import argparse
import sys
from pathlib import Path
from typing import Any

from sscsi import namespace
from sscsi.namespace import Means
from sscsi.output import Console


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--stay", action="store_true", help="keep the daemons, for grpcurl, until Ctrl-C")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; its exit status."""
    means = Means.NONE if arguments.stay else namespace.enter()
    # Only from here on: gRPC starts threads, and a process with threads gets no user namespace.
    try:
        from sscsi import show
        from sscsi.stage import Stage
    except ModuleNotFoundError as error:
        print(f"error: the demo needs {error.name}: pip install 'sscsi[demo]'", file=sys.stderr)
        return 1
    console = Console()
    if arguments.stay:
        with Stage(driver=False, reflection=True) as stage:
            return show.stay(stage, console)
    console.title("A SecretProviderClass becomes files, rotates and vanishes")
    console.note(
        f"Real daemons, real sockets, the real AWS SDK; AWS and Kubernetes are emulated on this machine.\n{_how(means)}"
    )
    console.line()
    with Stage(driver=means is not Means.NONE, rotation="1s") as stage:
        try:
            show.whole(stage, console) if means is not Means.NONE else show.without_mount(stage, console)
        except Exception as error:  # noqa: BLE001  # whatever fails, a person wants to know why
            console.failed(_told(error))
            for daemon in (stage.provider, stage.driver):
                if tail := daemon.tail():
                    console.line(f"\n--- last lines of {daemon.module} ---\n{tail}")
            return 1
    return _vanished(stage.folder, console)


def _vanished(folder: Path, console: Console) -> int:
    if folder.exists():
        console.failed(f"{folder} is still there")
        return 1
    console.line("\nAll of it worked. The temporary folder is gone too.")
    return 0


def _how(means: Means) -> str:
    if means is Means.NONE:
        return "This machine lets nobody mount a tmpfs here: the driver's part is skipped."
    return f"Mounts are made {means.value}."


def _told(error: Any) -> str:
    details = getattr(error, "details", None)
    return f"{error.code().name}: {details()}" if callable(details) else f"{type(error).__name__}: {error}"
