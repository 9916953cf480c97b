"""What MkDocs does to a page before it is built: documents are written for forges first, and are the same files.

Links that lead out of ``docs`` go to the repository on the forge, a link to the page's own other language is left out,
and a section of a README can be taken in instead of written twice.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parent.parent.parent
_LINK: Final = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
_INCLUDE: Final = re.compile(r"^<!-- include (?P<file>[\w./-]+): (?P<title>.+) -->$", re.MULTILINE)
_BRANCH: Final = "main"


def on_config(config: Any) -> Any:
    """Put pages that no part of the navigation names behind the others, so that none is left out."""
    docs = Path(config.docs_dir)
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    pages -= {
        page for page in pages if page.endswith((".ko.md", ".tmp.md")) or page.startswith("adr/")
    }
    if rest := sorted(pages - set(_named(config.nav))):
        config.nav.append({"More": rest})
    return config


def _named(nav: Any) -> Iterator[str]:
    """The pages of a part of the navigation."""
    if isinstance(nav, str):
        yield nav
    elif nav:
        parts = nav.values() if isinstance(nav, dict) else nav
        for part in parts:
            yield from _named(part)


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """The page's text as the site shows it."""
    source = f"docs/{page.file.src_uri}"

    def taken_in(match: re.Match[str]) -> str:
        text = section((_ROOT / match["file"]).read_text("utf-8"), match["title"])
        return _linked(text, match["file"], source, config.repo_url)

    return _INCLUDE.sub(taken_in, _linked(markdown, source, source, config.repo_url))


def section(text: str, title: str) -> str:
    """What stands below a heading, to the next of its level.

    Raises:
        ValueError: There is no such heading.
    """
    lines, level, taken = text.splitlines(), 0, []
    is_fenced = False
    for line in lines:
        is_fenced ^= line.startswith("```")
        hashes = 0 if is_fenced else len(line) - len(line.lstrip("#"))
        if level and 0 < hashes <= level:
            break
        if level:
            taken.append(line)
        elif hashes and line[hashes:].strip() == title:
            level = hashes
    if not level:
        raise ValueError(f"no heading “{title}”")
    return "\n".join(taken)


def _linked(text: str, written_in: str, shown_in: str, forge: str) -> str:
    """A text with its links as they lead from the page that shows it."""

    def link(match: re.Match[str]) -> str:
        mark, words, target, anchor = match[1], match[2], match[3], match[4] or ""
        if not target or re.match(r"[a-z]+:", target):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(written_in), target))
        if _neutral(path) == _neutral(shown_in) and path != shown_in:
            return ""  # the site has a switch for that
        if not path.startswith("docs/"):
            kind = "tree" if (_ROOT / path).is_dir() else "blob"
            return f"{mark}[{words}]({forge}/{kind}/{_BRANCH}/{path}{anchor})"
        relative = posixpath.relpath(path, posixpath.dirname(shown_in))
        return f"{mark}[{words}]({relative}{anchor})"

    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if part.startswith("```") else _LINK.sub(link, part) for part in parts)


def _neutral(path: str) -> str:
    return path.replace(".ko.md", ".md")
