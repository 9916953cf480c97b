"""``./dev run python -m docs.record``: makes the terminal pictures of the READMEs from a real run, in both languages.

The demo runs at a terminal of its own; what stands on it at the end is the picture.
Nothing is edited, so the picture shows what a newcomer will see, and a change of the output shows up as a stale picture
in review.
"""

from __future__ import annotations

import html
import io
import os
import re
import sys
from pathlib import Path

from rich import cells, console, terminal_theme, text
from tests.support import terminals

PICTURES = Path(__file__).parent / "pictures"
COLUMNS = 108
LINES = 34
TITLE = "./dev demo"
#: No font is downloaded: what is there is taken.
FONTS = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', 'Noto Sans Mono CJK KR', monospace"
#: Width of a character in rich's SVG: 61 % of its height of 20.
CELL = 12.2

_TEXT = re.compile(
    r'<text class="([^"]+)" x="([0-9.]+)" y="([0-9.]+)" textLength="[0-9.]+" ([^>]+)>([^<]+)</text>'
)
#: Words with no more than one space between them.
_PART = re.compile(r"\S+(?: \S+)*")
_SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


def screen(stream: str) -> list[str]:
    """What stands on a terminal after it was sent this: lines with their colours, the scrolled ones too.

    Knows what rich and click send: carriage returns, going up, erasing lines, colours.
    """
    lines, row = [""], 0
    position = 0
    while position < len(stream):
        if escape := _SEQUENCE.match(stream, position):
            count, final = escape[1], escape[2]
            if final == "m":
                lines[row] += escape[0]
            elif final == "A":
                row = max(row - int(count or 1), 0)
            elif final == "K":
                lines[row] = ""
            position = escape.end()
            continue
        character = stream[position]
        position += 1
        if character == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif character == "\r":
            if not stream.startswith("\n", position):
                lines[row] = ""  # whoever goes back to the first column draws the line anew
        else:
            lines[row] += character
    return lines


def wrapped(line: str) -> list[text.Text]:
    """A line as a terminal shows it that is too narrow for it."""
    styled = text.Text.from_ansi(line)
    styled.rstrip()
    parts = cells.chop_cells(styled.plain, COLUMNS)
    ends = [sum(map(len, parts[: number + 1])) for number in range(len(parts) - 1)]
    return list(styled.divide(ends))


def draw(lines: list[text.Text]) -> str:
    """The lines as SVG."""
    paper = console.Console(
        record=True,
        width=COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
    )
    for line in lines:
        paper.print(line)
    drawn = paper.export_svg(title=TITLE, theme=terminal_theme.DIMMED_MONOKAI, unique_id="demo")
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"font-family: ?[^;]+;", f"font-family: {FONTS};", drawn)
    return _TEXT.sub(_placed, drawn)


def _placed(match: re.Match[str]) -> str:
    """A text in parts, each at the cell where it begins: in a viewer's font Hangul is not two letters wide."""
    kind, x, y, clip, content = match.groups()
    plain = html.unescape(content).replace("\xa0", " ")
    drawn = []
    for part in _PART.finditer(plain):
        left = float(x) + CELL * cells.cell_len(plain[: part.start()])
        length = CELL * cells.cell_len(part[0])
        words = html.escape(part[0]).replace(" ", "&#160;")
        drawn.append(
            f'<text class="{kind}" x="{left:.1f}" y="{y}" textLength="{length:.1f}" {clip}>{words}</text>'
        )
    return "".join(drawn)


def record(language: str, name: str) -> int:
    """Run the demo and write its picture; the demo's exit code."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("HANBAE_")}
    shown = terminals.run(
        [sys.executable, "-m", "hanbae", "demo"],
        environment=variables | {"HANBAE_LANG": language, "TERM": "xterm-256color"},
        columns=COLUMNS,
        rows=LINES,
        deadline_s=3600,
    )
    if shown.code == 0:
        lines = [part for line in screen(shown.text) for part in wrapped(line)]
        while not lines[-1].plain:
            lines.pop()
        (PICTURES / name).write_text(draw(lines[-LINES:]) + "\n")
    else:
        sys.stderr.write(shown.text)
    return shown.code


if __name__ == "__main__":
    sys.exit(record("en", "demo.svg") or record("ko", "demo.ko.svg"))
