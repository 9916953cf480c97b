"""What is written for people agrees with the code, with its other language, and with the files that it points to."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import click
import pytest
from docs import policy_page

from hanbae.cli import main
from hanbae.policy import schemas

ROOT = Path(__file__).parent.parent.parent
READMES = (ROOT / "README.md", ROOT / "README.ko.md")
DECISIONS = ROOT / "docs" / "adr"
PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))
FRAGMENTS = sorted(path for path in (ROOT / "changelog.d").iterdir() if path.name[0] != ".")
#: Keep a Changelog's sections; the issue is in front.
FRAGMENT = re.compile(r"\d+-[a-z0-9-]+\.(added|changed|deprecated|removed|fixed|security)\.md")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
#: Folders of a machine that would be somebody's own.
MACHINE_PATH = re.compile(r"/(root|home|tmp|work|Users)/")


def documents() -> list[Path]:
    tops = [*ROOT.glob("*.md"), *FRAGMENTS]
    deeper = [path for name in ("docs", "examples") for path in (ROOT / name).rglob("*.md")]
    return sorted(path for path in (*tops, *deeper) if not path.name.endswith(".tmp.md"))


def prose(path: Path) -> str:
    """A document without what is fenced."""
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def commands(path: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


def links(path: Path) -> list[str]:
    return LINK.findall(prose(path))


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_generated_documents_are_fresh() -> None:
    ended = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_korean_of_the_policys_keys_is_of_sentences_that_there_are() -> None:
    """What is missing is named when the pages are written; what nobody says any more stays unnoticed."""
    language = policy_page.korean()
    assert language.sentences is not None
    assert set(language.sentences) == policy_page.sentences(schemas.schema())


def spans(path: Path) -> Iterator[list[str]]:
    """The words of the commands of hanbae within sentences, after its name."""
    for span in re.findall(r"`hanbae ([a-z][^`\\]*)", prose(path)):
        yield span.split()


@pytest.mark.parametrize(
    "path",
    [*READMES, *sorted((ROOT / "docs").rglob("*.md"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_commands_within_sentences_exist_with_their_options(path: Path) -> None:
    for words in spans(path):
        leaf: click.Command = main.front
        context = click.Context(leaf)
        depth = 0
        while isinstance(leaf, click.Group) and words[depth : depth + 1]:
            command = leaf.get_command(context, words[depth])
            assert command is not None, words
            leaf, depth = command, depth + 1
        options = {"--help"} | {option for parameter in leaf.params for option in parameter.opts}
        assert {word for word in words[depth:] if word.startswith("--")} <= options, words


def test_readmes_have_the_same_commands() -> None:
    english, korean = map(commands, READMES)
    assert english
    assert english == korean


def test_readmes_have_the_same_parts_and_point_to_the_same_things() -> None:
    shapes = []
    for path in READMES:
        text = prose(path)
        headings = [line.split(" ")[0] for line in text.splitlines() if line.startswith("#")]
        lines = text.splitlines()
        rows = [
            line.split("|")[1].strip()
            for line, below in itertools.pairwise([*lines, ""])
            if line.startswith("| ") and not below.startswith("|---")
        ]
        targets = [link.replace(".ko.", ".") for link in links(path)]
        shapes.append((headings, rows, targets))
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_link_is_dead(path: Path) -> None:
    for link in links(path):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert target.resolve().is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target), link


def test_list_of_decisions_is_complete_and_numbered_without_gaps() -> None:
    files = sorted(path.name for path in DECISIONS.glob("0*.md"))
    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))
    assert links(DECISIONS / "README.md") == files


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_picture_is_a_picture_of_no_machine_in_particular(path: Path) -> None:
    text = path.read_text()
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314  our own file
    assert not MACHINE_PATH.search(text)
    drawn = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    assert set(re.findall(r"\w+://[^/\"']+", drawn)) <= {"http://www.w3.org"}, (
        "it would load something"
    )


@pytest.mark.parametrize("name", ["flow", "demo"])
def test_each_picture_is_there_in_both_languages(name: str) -> None:
    assert {f"{name}.svg", f"{name}.ko.svg"} <= {path.name for path in PICTURES}


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_changelog_fragment_has_a_section_and_a_sentence(path: Path) -> None:
    if path.name == "README.md":
        return
    assert FRAGMENT.fullmatch(path.name)
    assert path.read_text().endswith(".\n")


def _floors(page: str = "architecture.md") -> dict[str, int]:
    """Package → its floor, as the architecture page says."""
    text = (ROOT / "docs" / page).read_text()
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", text, re.MULTILINE)
    return {package: int(floor) for floor, package in rows}


def test_architecture_page_names_every_package() -> None:
    source = ROOT / "src" / "hanbae"
    packages = {path.parent.name for path in source.glob("*/__init__.py")}
    modules = {path.stem for path in source.glob("*.py") if not path.name.startswith("_")}
    assert set(_floors()) == packages | modules
    assert _floors("architecture.ko.md") == _floors()


def test_architecture_page_has_the_floors_of_the_import_contract() -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = configuration["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    expected = {
        package.strip(): floor
        for floor, layer in enumerate(reversed(layers))
        for package in layer.split("|")
    }
    assert _floors() == expected


def test_architecture_page_names_files_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"`((?:src/hanbae/)?[a-z_]+/[a-z_/]+\.py)`", text)
    assert named
    missing = [
        path
        for path in named
        if not (ROOT / path).exists() and not (ROOT / "src" / "hanbae" / path).exists()
    ]
    assert not missing
