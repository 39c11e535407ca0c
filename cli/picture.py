"""Draw what `sscsi demo` prints in a terminal as an SVG: docs/pictures/demo.svg, which the README shows.

Runs the real demo in a pseudo-terminal, colours and all. Numbers of processes, names of temporary folders and machines'
times differ from run to run: they are replaced, so that only a change of the demo changes the picture.
"""

import os
import pty
import re
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT: Final = Path(__file__).resolve().parents[1]
PICTURE: Final = ROOT / "docs" / "pictures" / "demo.svg"
_WIDTH: Final = 124
_STEADY: Final = (
    (r"/sscsi-[a-z0-9_]{8}/", "/sscsi/"),
    (r"pid \d+", "pid 1234"),
    (r"\d+\.\d s", "1.2 s"),
    (r"a reader, \d+ times", "a reader, 19,000 times"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "976c5d27-8c04-4a6a-b5e9-da176a951240"),
    (r"[\w-]{43}=", "IM07vRvxXSqw3rU7e23gzy_ALVCW02rRo8wVyUU8sVg="),
    (r"\b[0-9a-f]{32}\b", "e945a4785911bcabb7793a16d4ea9b03"),
    (r"in \d+ files", "in 14 files"),
)
_THEME: Final = TerminalTheme(
    (13, 17, 23),
    (230, 237, 243),
    [
        (72, 79, 88),
        (255, 123, 114),
        (63, 185, 80),
        (210, 153, 34),
        (88, 166, 255),
        (188, 140, 255),
        (57, 197, 207),
        (177, 186, 196),
    ],
)
# Rich's own frame fetches a font from elsewhere; a picture in a README fetches nothing.
_FRAME: Final = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="make demo">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> int:
    """Run the demo and write the picture; the demo's exit status."""
    text, status = _in_a_terminal([sys.executable, "-m", "sscsi", "demo"])
    if status:
        print(text, file=sys.stderr)
        return status
    PICTURE.write_text(draw(steady(text)), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))
    return 0


def steady(text: str) -> str:
    """The demo's output without what differs from run to run."""
    for pattern, instead in _STEADY:
        text = re.sub(pattern, instead, text)
    minutes = count()
    return re.sub(r"\.\.\d{4}(_\d\d){5}\.\d+", lambda _: f"..2026_01_01_12_{next(minutes):02}_00.123456789", text)


def draw(text: str) -> str:
    """An SVG of a terminal's output (ANSI colours)."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=_WIDTH, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text.from_ansi("$ make demo\n" + text.strip("\n")), soft_wrap=False)
        return console.export_svg(title="", theme=_THEME, code_format=_FRAME, unique_id="demo")


def _in_a_terminal(command: list[str]) -> tuple[str, int]:
    ours, its = pty.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(_WIDTH)}
    environ.pop("NO_COLOR", None)
    with subprocess.Popen(command, stdout=its, stderr=its, cwd=ROOT, env=environ) as process:  # noqa: S603  # ours
        os.close(its)
        parts = []
        try:
            while part := os.read(ours, 1 << 16):
                parts.append(part)
        except OSError:
            pass  # EIO: the other side has ended (pty(7))
        status = process.wait()
    os.close(ours)
    return b"".join(parts).decode("utf-8").replace("\r\n", "\n"), status


if __name__ == "__main__":
    sys.exit(main())
