"""The tutorial, followed word for word at a terminal: each block ends as the page says, in one shell after the other.

The first and the last block bring a sandbox up and take it down; other tests run those commands.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from tests.support import demos, scenes, terminals

ROOT = Path(__file__).parent.parent.parent
PAGES = (ROOT / "docs" / "tutorial.md", ROOT / "docs" / "tutorial.ko.md")
#: Block → the test that runs its command.
ELSEWHERE = {"begin": "tests/support/demos.py", "end": "tests/e2e/test_readme.py"}
EVIDENCE = {"begin": '"demo", "--keep"', "end": "hanbae sandbox down"}


@dataclass(frozen=True)
class Block:
    """Lines of the page, and the exit code of the last."""

    name: str
    lines: str
    code: int


def blocks(page: Path) -> list[Block]:
    matches = re.findall(
        r"^<!-- (\w+)(?:: (\d+))? -->\n```sh\n(.*?)^```",
        page.read_text(),
        re.DOTALL | re.MULTILINE,
    )
    return [Block(name, lines, int(code or 0)) for name, code, lines in matches]


BLOCKS = {block.name: block for block in blocks(PAGES[0])}


@dataclass(frozen=True)
class Reader:
    """A person with a home of their own who types what the page says."""

    demo: demos.Demo
    home: Path

    def types(self, name: str) -> str:
        """Type a block; what stood on the terminal, without colours and line breaks."""
        block = BLOCKS[name]
        # What the page's first block has done.
        begun = self.demo.sandbox.environment()
        programs = [str(Path(sys.executable).parent), begun["PATH"], os.environ["PATH"]]
        folder = self.home / "shop"
        shown = terminals.run(
            ["sh", "-e", "-c", block.lines],
            directory=folder if folder.exists() else self.home,
            environment={
                **scenes.clean_environment(),
                **begun,
                "HOME": str(self.home),
                "PATH": ":".join(programs),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_AUTHOR_NAME": "Reader",
                "GIT_AUTHOR_EMAIL": "reader@example.com",
                "GIT_COMMITTER_NAME": "Reader",
                "GIT_COMMITTER_EMAIL": "reader@example.com",
                "GIT_PAGER": "cat",
                "TERM": "xterm-256color",
            },
            answers={r"\[y/N\]: ?$": "y"},
            deadline_s=300,
        )
        assert shown.code == block.code, shown.text
        return " ".join(click.unstyle(shown.text).split())


@pytest.fixture(scope="module")
def reader(demo: demos.Demo, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(demo, tmp_path_factory.mktemp("home"))


def test_both_languages_have_the_same_commands() -> None:
    assert blocks(PAGES[0]) == blocks(PAGES[1])
    for page in PAGES:
        assert page.read_text().count("```sh") == len(BLOCKS), "a block without a name"


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_not_run_here_is_run_by_the_test_that_is_named(name: str) -> None:
    assert EVIDENCE[name] in (ROOT / ELSEWHERE[name]).read_text()


def test_reader_comes_from_a_clone_to_a_proof_a_refusal_and_back(reader: Reader) -> None:
    reader.types("clone")
    assert "personal" in reader.types("look")
    reader.types("change")
    shown = reader.types("deploy")
    assert "replicas" in shown
    assert "personal_db proven: version 3, 3 files" in shown
    assert "personal-service" in reader.types("prove")
    reader.types("mistake")
    refused = reader.types("refused")
    assert "00004_add_nickname.sql" in refused
    assert "hanbae image set personal" in refused
    back = reader.types("back")
    assert "personal_db proven: version 3, 3 files" in back
    assert "git revert" in reader.types("undo")
    assert set(ELSEWHERE) | {
        *("clone", "look", "change", "deploy", "prove", "mistake", "refused", "back", "undo"),
    } == set(BLOCKS)
