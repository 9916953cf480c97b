"""Blocks of the pages that show what hanbae says, and how they are played anew.

A block begins with ``<!-- shown: SCENE -->``; its lines after a ``$`` are commands, and what they say stands below
them.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

from tests.support import seen

from hanbae.cli import main

DOCS: Final = seen.ROOT / "docs"
PLAN: Final = """\
-- +goose Up
ALTER TABLE accounts ADD COLUMN plan text NOT NULL DEFAULT 'free';
CREATE INDEX accounts_by_plan ON accounts (plan);
ALTER TABLE sessions ALTER COLUMN id TYPE int;
-- +goose Down
ALTER TABLE sessions ALTER COLUMN id TYPE bigint;
DROP INDEX accounts_by_plan;
ALTER TABLE accounts DROP COLUMN plan;
"""
"""A migration with all that a page has to speak of."""
_SHOWN: Final = re.compile(
    r"(?P<begin><!-- shown: (?P<scene>[\w-]+) -->\n```console\n)(?P<lines>.*?)(?P<end>^```$)",
    re.DOTALL | re.MULTILINE,
)
_MASKS: Final = (
    (re.compile(r"\bsha256:[0-9a-f]{64}(?![0-9a-f])"), f"sha256:{'5e' * 32}"),
    (re.compile(r"\bsha256:[0-9a-f]{16}(?![0-9a-f])"), f"sha256:{'5e' * 8}"),
)
"""Fingerprints are other ones in every run."""
_COMMIT: Final = re.compile(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{12}(?![0-9a-f])")
_COMMITS: Final = ("3f2c1ab09d4e", "8d41e7702b5c")
"""What stands for the commits of a run, in the order in which they are named."""
_PASSING: Final = (
    # How long something took, and whether that was long enough to be seen by who looks now and then.
    (
        re.compile(r"seen for [0-9.]+ s, in which (nobody else (?:reads or )?writes)"),
        r"\1 meanwhile",
    ),
    (re.compile(r"[0-9.]+초 동안"), "그동안"),
    (re.compile(r"[0-9.]+(?= ?(?:ms|s|초)(?![a-z]))"), "9"),
    # How many rules there are.
    (re.compile(r"(?<=rules: )[0-9]+|(?<=규칙 )[0-9]+(?=개로)"), "9"),
)


class Block(NamedTuple):
    """A block of a page.

    Attributes:
        page: The page.
        scene: What has to be prepared for it.
        lines: The commands and what they say, as the page has it.
    """

    page: Path
    scene: str
    lines: str

    @property
    def language(self) -> str:
        """The page's language."""
        return "ko" if self.page.name.endswith(".ko.md") else "en"

    def __str__(self) -> str:
        return f"{self.page.name}: {self.scene}"

    def compare(self) -> None:
        """Type the commands in the folder that is current, or write what they say where goldens are updated.

        Durations and blanks are other ones in every run, and rules are added.

        Raises:
            AssertionError: They say something else than the page.
        """
        lines = "".join(
            f"{line}\n{_typed(line.removeprefix('$ '), self.language)}"
            for line in self.lines.splitlines()
            if line.startswith("$ ")
        )
        if seen.UPDATE in os.environ:
            text = self.page.read_text("utf-8")
            before = f"<!-- shown: {self.scene} -->\n```console\n{self.lines}```"
            after = f"<!-- shown: {self.scene} -->\n```console\n{lines}```"
            assert before in text
            self.page.write_text(text.replace(before, after), "utf-8")
        else:
            assert _lasting(lines) == _lasting(self.lines), lines


def blocks() -> list[Block]:
    """The blocks of all pages."""
    return [
        Block(page, match["scene"], match["lines"])
        for page in sorted(DOCS.rglob("*.md"))
        for match in _SHOWN.finditer(page.read_text("utf-8"))
    ]


def git(folder: Path, *words: str) -> None:
    """Run git as somebody of the shop's team."""
    identity = ("-c", "user.name=Mina", "-c", "user.email=mina@example.com")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, message: str) -> None:
    """Commit all that is in a clone."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def _typed(command: str, language: str) -> str:
    """What a command says, in the order in which it says it."""
    program, *words = shlex.split(command)
    assert program == "hanbae", command
    with io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) as screen:
        with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
            main.run(["--lang", language, *words])
        screen.seek(0)
        text = screen.read()
    for pattern, example in _MASKS:
        text = pattern.sub(example, text)
    commits = dict.fromkeys(_COMMIT.findall(text))
    examples = dict(zip(commits, _COMMITS, strict=False))
    return _COMMIT.sub(lambda commit: examples[commit[0]], text)


def _lasting(lines: str) -> str:
    text = " ".join(lines.split())
    for pattern, example in _PASSING:
        text = pattern.sub(example, text)
    return text
