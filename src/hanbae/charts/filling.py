"""Turns the package's templates into files: three rules, because Helm and GitHub have braces of their own.

- ``<<name>>`` is replaced by a value; a line that held nothing but empty values goes with them.
- A line that begins with ``#en:`` or ``#ko:`` is a comment of one language and becomes ``#``.
- A line that begins with ``#en|`` or ``#ko|`` is kept whole, without its mark, in that language only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from hanbae import patterns

# Not by importlib.resources, which has all that reads archives with it.
_TEMPLATES: Final = Path(__file__).parent / "scaffold"
_MARKED: Final = patterns.lazy(r"(?P<indent>[ \t]*)#(?P<language>en|ko)(?P<kind>[:|])(?P<words>.*)")
_PLACEHOLDER: Final = patterns.lazy(r"<<(\w+)>>")


def filled(name: str, language: str, facts: Mapping[str, str]) -> str:
    """A template's text, with a newline at its end.

    Args:
        name: Path below ``hanbae/charts/scaffold``.
        language: ``en`` or ``ko``.
        facts: Placeholder → value; values may have several lines, where the placeholder has the line to itself.

    Raises:
        KeyError: The template has a placeholder that there is no fact for.
    """
    lines = []
    for line in spoken(_template(name), language):
        replaced = _PLACEHOLDER.sub(lambda placeholder: facts[placeholder[1]], line)
        if replaced.strip() or not line.strip():
            lines.append(replaced.rstrip("\n"))
    return "\n".join(lines) + "\n"


def spoken(text: str, language: str) -> list[str]:
    """The lines of a template that one language has, with their placeholders.

    Args:
        text: The template.
        language: ``en`` or ``ko``.
    """
    lines = []
    for line in text.splitlines():
        marked = _MARKED.fullmatch(line)
        if marked is None:
            lines.append(line)
        elif marked["language"] == language:
            mark = "#" if marked["kind"] == ":" else ""
            lines.append(f"{marked['indent']}{mark}{marked['words']}")
    return lines


@cache
def _template(name: str) -> str:
    return (_TEMPLATES / name).read_text("utf-8")
