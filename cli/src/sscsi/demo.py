"""`sscsi demo`: the whole line, from a SecretProviderClass to files that rotate and vanish."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from sscsi import namespace
from sscsi.namespace import Entered, Means
from sscsi.output import Console

_ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_CLOUDS: Final = ("aws", "gcp", "vault", "azure")
"""Those of sscsi.clouds, which is not imported before a user namespace was entered."""
_BY_SIGNAL: Final = 128
"""A shell's exit status for a process that a signal ended is this and its number."""


class Interrupted(BaseException):
    """Somebody wants an end; not an Exception, so that nothing on the way takes it for a failed step."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number: Final = number


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--stay",
        nargs="?",
        const=_CLOUDS[0],
        choices=_CLOUDS,
        help="keep one provider and its backend, for grpcurl and `sscsi mount`, until Ctrl-C; aws where none is named",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; its exit status: 0, 1 if a step failed, 128 and a signal's number if that ended it."""
    entered = Entered(Means.NONE) if arguments.stay else namespace.enter()
    # Only from here on: gRPC starts threads, and a process with threads gets no user namespace.
    try:
        from sscsi import show  # noqa: F401  # all of it is imported here, where its absence is told
    except ModuleNotFoundError as error:
        print(f"error: the demo needs {error.name}: pip install 'sscsi[demo]'", file=sys.stderr)
        return 1
    console = Console()
    for number in _ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and a shell's `&` want it
            signal.signal(number, _interrupt)
    try:
        return _stay(arguments.stay, console) if arguments.stay else _show(entered, console)
    except Interrupted as error:
        console.failed(f"ended by {signal.Signals(error.number).name}; daemons, mounts and files are gone")
        return _BY_SIGNAL + error.number
    except (RuntimeError, OSError) as error:
        console.failed(_told(error))
        return 1


def _interrupt(number: int, _: FrameType | None) -> NoReturn:
    for one in _ENDS:
        signal.signal(one, signal.SIG_IGN)  # cleaning up is not to be interrupted
    raise Interrupted(number)


def _stay(cloud: str, console: Console) -> int:
    from sscsi import show
    from sscsi.clouds import ALL
    from sscsi.stage import Stage

    clouds = [one for one in ALL if one.name == cloud]
    with Stage(driver=False, reflection=True, tied=True, clouds=clouds) as stage:
        return show.stay(stage, console)


def _show(entered: Entered, console: Console) -> int:
    from sscsi import show
    from sscsi.clouds import ALL
    from sscsi.stage import Stage

    can_mount = entered.means is not Means.NONE
    console.title("A SecretProviderClass becomes files, rotates and vanishes")
    console.note("Real daemons, real sockets, the clouds' real SDKs; backends and Kubernetes are on this machine.")
    console.note(_how(entered))
    console.line()
    with Stage(driver=can_mount, rotation="1s", tied=True, clouds=ALL) as stage:
        try:
            show.whole(stage, console) if can_mount else show.without_mount(stage, console, _refusals(entered))
        except Exception as error:  # noqa: BLE001  # whatever fails, a person wants to know why
            console.failed(_told(error))
            for daemon in (*stage.providers.values(), stage.driver):
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


def _how(entered: Entered) -> str:
    if entered.means is Means.NONE:
        return "This machine lets nobody mount a tmpfs here: the driver's part is skipped."
    return f"Mounts are made {entered.means.value}."


def _refusals(entered: Entered) -> list[str]:
    return [f"{means.value}: {reason}" for means, reason in entered.refused.items()]


def _told(error: Any) -> str:
    details = getattr(error, "details", None)
    return f"{error.code().name}: {details()}" if callable(details) else f"{type(error).__name__}: {error}"
