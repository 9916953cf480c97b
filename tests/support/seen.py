"""The pages that show what a person sees, and what of it must be so each time.

A page has one block of a terminal for each scene. Ids, times and addresses are other ones in every run, and so is the
order in which a cluster says things; the words of the end, and the commands that cure, are not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from docs import record
from rich import text

ROOT: Final = Path(__file__).parents[2]
UPDATE: Final = "HANBAE_UPDATE_GOLDEN"
_COMMAND: Final = re.compile(r"(?:^ *|→ |: )((?:hanbae|kubectl|git) .+)$", re.MULTILINE)
_MARKS: Final = ("✔", "✘", "→", "error:", "오류:")
_MASKS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...]] = (
    # Tests that have failed are run once more in environments of other names: see scenes.own.
    (re.compile(r"(?<=[a-z])-again\d+\b"), lambda _: ""),
    (re.compile(r"\b\d{8}-\d{6}-[0-9a-z]{6}\b"), lambda _: "20261128-093000-k3x9qf"),
    (re.compile(r"\bsha256:[0-9a-f]{64}\b"), lambda _: f"sha256:{'5e' * 32}"),
    (re.compile(r"\b[0-9a-f]{40}\b"), lambda _: "c0ffee" * 6 + "c0ff"),
    (re.compile(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{12}\b"), lambda _: "c0ffee0c0ffe"),
    (re.compile(r"\b\d{4}(-|/)\d\d\1\d\d(?= |T)"), lambda day: f"2026{day[1]}11{day[1]}28"),
    (re.compile(r"(?<=T)\d\d:\d\d:\d\d(\.\d+)?(?=Z)"), lambda _: "09:30:00"),
    (re.compile(r"\b\d\d-\d\d(?= \d\d:\d\d\b)"), lambda _: "11-28"),
    (re.compile(r"\b\d\d:\d\d(:\d\d)?\b"), lambda time: "09:30:00" if time[1] else "09:30"),
    (re.compile(r"\b(\d+(?:\.\d+)?)(?= ?(?:ms|s|초)\b)"), lambda number: "9" * len(number[1])),
    (re.compile(r"\b\d+\.\d+\.\d+\.\d+:\d+\b"), lambda _: "registry.example.com"),
    (re.compile(r"(?<=-service-)[0-9a-f]{8,10}-[0-9a-z]{5}\b"), lambda _: "5f9c7d8b6-x2v8q"),
    (re.compile(r"(?<=-migrate-)[0-9a-z]{5}\b"), lambda _: "x2v8q"),
    (re.compile(r"(?<=-migrate-)(\w+-db)-[0-9a-z]{5}\b"), lambda job: f"{job[1]}-x2v8q"),
)


def plain(stream: str) -> str:
    """What stands on the terminal in the end, without colours."""
    lines = [text.Text.from_ansi(line).plain.rstrip() for line in record.screen(stream)]
    return "\n".join(lines).strip("\n")


def shown(stream: str) -> str:
    """What stands on the terminal in the end, with examples in place of ids, times and addresses."""
    return masked(plain(stream))


def masked(screen: str) -> str:
    """The same text in every run: ids, times and addresses are examples."""
    for pattern, example in _MASKS:
        screen = pattern.sub(example, screen)
    return screen


def conclusions(screen: str) -> list[str]:
    """What must be so each time: how it ended, and what to do next; one line each, however it was broken."""
    conclusions: list[str] = []
    goes_on = False
    for line in screen.splitlines():
        if any(mark in line for mark in _MARKS):
            conclusions.append(" ".join(line.split()))
            goes_on = True
        elif line.startswith(" ") and line.strip():
            if goes_on:
                conclusions[-1] += f" {' '.join(line.split())}"
        else:
            goes_on = False  # what follows is of a line that is no conclusion
    return list(dict.fromkeys(conclusions))


def commands(screen: str) -> list[str]:
    """The commands to go on with, each once: after an arrow or a colon, or on a line of their own."""
    return list(dict.fromkeys(match[1] for match in _COMMAND.finditer(screen)))


class Page:
    """One of the pages.

    Args:
        path: The file, such as ``docs/seen.md``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def block(self, name: str) -> str:
        """What the page shows of a scene.

        Raises:
            LookupError: The page has no such scene.
        """
        match = self._pattern(name).search(self.path.read_text(encoding="utf-8"))
        if match is None:
            message = f"{self.path.name} has no block after <!-- {name} -->"
            raise LookupError(message)
        return match[2]

    def compare(self, name: str, screen: str) -> None:
        """Hold a screen against the page, or write it there where the goldens are updated.

        Raises:
            AssertionError: It ends otherwise than the page shows.
        """
        if UPDATE in os.environ:
            page = self.path.read_text(encoding="utf-8")
            replaced = self._pattern(name).sub(
                lambda match: f"{match[1]}{screen}\n{match[3]}", page, count=1
            )
            self.path.write_text(replaced, encoding="utf-8")
        assert conclusions(screen) == conclusions(self.block(name).rstrip("\n")), screen

    @staticmethod
    def _pattern(name: str) -> re.Pattern[str]:
        return re.compile(
            rf"(<!-- {re.escape(name)} -->\n```text\n)(.*?)(^```$)", re.DOTALL | re.MULTILINE
        )
