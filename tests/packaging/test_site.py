"""The documentation as a site: it builds without a warning, leads nowhere that is not there, and has every page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from tests.packaging.test_wheel import uv
from tests.support import printed_commands

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if not path.name.endswith(".tmp.md"))
KOREAN = {path for path in PAGES if path.name.endswith(".ko.md")}
#: Where the site will be on its host: the switch of languages leads there.
HOME = "/hanbae/"
#: In both languages itself.
ENGLISH_ONLY = {"translation.md"}

pytestmark = pytest.mark.timeout(600)  # MkDocs may have to be downloaded


class Page(HTMLParser):
    """What a page leads to and loads, and the places in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") in {"stylesheet", "icon"}:
            self.loaded.append(values["href"])
        if tag in {"script", "img", "iframe"} and "src" in values:
            self.loaded.append(values["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    environment, built = folder / "venv", folder / "site"
    variables = os.environ | {
        "UV_PROJECT_ENVIRONMENT": str(environment),
        "UV_PYTHON": sys.executable,
    }
    command = [uv(), "sync", "--quiet", "--locked", "--only-group", "docs", "--no-install-project"]
    subprocess.run(command, cwd=ROOT, env=variables, check=True)
    ended = subprocess.run(
        [environment / "bin" / "mkdocs", "build", "--strict", "--site-dir", str(built)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "WARNING" not in ended.stderr, ended.stderr
    return built


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def address(page: Path) -> str:
    """The folder of a document on the site, for its language."""
    name = page.relative_to(DOCS).as_posix()
    language = "ko/" if name.endswith(".ko.md") else ""
    name = name.removesuffix(".md").removesuffix(".ko")
    return language + re.sub(r"(^|/)(index|README)$", r"\1", name).rstrip("/")


def test_every_document_is_a_page_in_both_languages(site: Path, pages: dict[Path, Page]) -> None:
    for page in PAGES:
        assert site / address(page) / "index.html" in pages, page
        if page not in KOREAN:
            assert site / "ko" / address(page) / "index.html" in pages, page


def test_every_page_for_users_is_there_in_korean() -> None:
    english = {path for path in PAGES if path not in KOREAN and path.parent != DOCS / "adr"}
    missing = {path for path in english if path.with_suffix(".ko.md") not in KOREAN}
    assert {path.relative_to(DOCS).as_posix() for path in missing} == ENGLISH_ONLY


def test_every_page_is_reached_from_the_front_page(site: Path, pages: dict[Path, Page]) -> None:
    for front in (site / "index.html", site / "ko" / "index.html"):
        targets = {
            target(site, front, link)[0] for link in pages[front].links if not is_outer(link)
        }
        language = front.parent
        expected = {
            language / address(page) / "index.html"
            for page in PAGES
            if page not in KOREAN and not page.match("adr/0*.md")  # their list is a page
        }
        assert expected <= targets, expected - targets


def is_outer(link: str) -> bool:
    return bool(urlsplit(link).scheme) or link.startswith("//")


def target(site: Path, page: Path, link: str) -> tuple[Path, str]:
    """The file and the place in it that a link leads to."""
    parts = urlsplit(link.removeprefix(HOME))
    start = site if link.startswith(HOME) else page.parent
    is_elsewhere = parts.path or link.startswith(HOME)
    path = (start / unquote(parts.path)).resolve() if is_elsewhere else page
    return (path / "index.html" if path.is_dir() else path), unquote(parts.fragment)


def test_no_link_is_dead(site: Path, pages: dict[Path, Page]) -> None:
    dead = []
    for page, content in pages.items():
        if page.name == "404.html":
            continue  # its links are from the top of the site that it will be on
        for link in content.links + content.loaded:
            if is_outer(link):
                continue
            path, anchor = target(site, page, link)
            is_there = path.is_file() and path.is_relative_to(site)
            if not is_there or (anchor and path in pages and anchor not in pages[path].ids):
                dead.append(f"{page.relative_to(site)}: {link}")
    assert dead == []


def test_links_to_the_forge_lead_to_files_that_are_there(pages: dict[Path, Page]) -> None:
    outer = {link for page in pages.values() for link in page.links if is_outer(link)}
    matches = [
        re.match(r"https://github\.com/hanbae/hanbae/(blob|tree)/main/([^#]*)", link)
        for link in outer
    ]
    paths = {(match[1], unquote(match[2])) for match in matches if match}
    assert paths
    for kind, path in paths:
        there = ROOT / path
        assert there.is_dir() if kind == "tree" else there.is_file(), path


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page]) -> None:
    assert not [link for page in pages.values() for link in page.loaded if is_outer(link)]


def test_section_of_the_readme_is_taken_in(site: Path) -> None:
    english = (site / "own-cluster" / "index.html").read_text()
    korean = (site / "ko" / "own-cluster" / "index.html").read_text()
    for text in (english, korean):
        assert "hanbae init" in re.sub(r"<[^>]+>", "", text)
        assert "<!-- include" not in text


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_commands_of_a_page_are_taken_by_the_parser(page: Path) -> None:
    text = re.sub(r"<[^>]*>", "", page.read_text())
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    # Comments, redirections, pipes and what follows are the shell's.
    commands = [re.split(r" (?:#|>|\||&&)", line.removeprefix("$ "))[0] for line in lines]
    hanbaes = [command for command in commands if re.match(r"hanbae [a-z]", command)]
    faults = {command: printed_commands.fault(command) for command in hanbaes}
    # A file that a page speaks of is the reader's.
    assert not {c: fault for c, fault in faults.items() if fault and "does not exist" not in fault}
