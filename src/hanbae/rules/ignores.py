"""Comments by which a person says that a finding is meant: ``# hanbae: ignore ARG001 the reason``.

In YAML, in templates (``{{/* hanbae: ignore … */}}`` leaves no trace in what is rendered) and in SQL (``--``).
A comment behind something speaks of its own line, one on a line of its own of the next line that is none; among the
first lines of a file it speaks of the file as well, for findings that have no line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from hanbae import errors, patterns, subjects
from hanbae.policy import folders, loading, naming
from hanbae.repository import trees
from hanbae.rules import views

MARK: Final = b"hanbae:"
# In YAML a `#` without white space before it is part of the scalar: `a: x#y`.
_COMMENT: Final = patterns.lazy(
    r"(?P<open>(?:^|(?<=\s))#|(?:^|(?<=\s))--|\{\{-?\s*/\*)\s*hanbae:\s*ignore\b(?P<rest>.*)"
)
_CLOSED: Final = patterns.lazy(r"\*/\s*-?\}\}.*")
_CODE: Final = r"(?:[A-Z]{3}[0-9]{3}|OWN-[A-Za-z0-9-]+)"
_CODES: Final = patterns.lazy(rf"\s+(?P<codes>{_CODE}(?:,{_CODE})*)(?:\s+(?P<reason>.*))?$")
_BLANK: Final = patterns.lazy(r"\s*(?:(?:#|--).*|\{\{-?\s*/\*.*\*/\s*-?\}\}\s*)?$")
_NAMES: Final = (".yaml", ".yml", ".tpl", ".sql", ".example", "Dockerfile")
_MOST: Final = 1000
"""Comments of one file."""
_LONGEST: Final = 4096
"""Characters of a line in which a comment is looked for; lines are hostile, and patterns may look at them twice."""


class Ignore(Struct, frozen=True):
    """One such comment.

    Attributes:
        place: Where it stands.
        codes: The codes of the findings that it speaks of; empty where it names none.
        reason: Why they are meant; empty where it does not say.
        line: The line that it speaks of.
        content: What stands there, without space around it and without the comment.
        whole: Whether it speaks of the file as well.
    """

    place: subjects.Place
    codes: tuple[str, ...]
    reason: str
    line: int
    content: str
    whole: bool = False

    @property
    def complete(self) -> bool:
        """Whether it says which code, and why."""
        return bool(self.codes and self.reason)


def of_service(service: views.Service) -> tuple[Ignore, ...]:
    """The comments in a service's files."""
    tree = service.project.tree
    files = tree.files(service.folder)
    if folders.is_root(
        service.folder
    ):  # then they are all files, and some of them are the project's
        others = [str(naming.folder(service.policy, name)) for name in service.project.services]
        others = [*shared(service.project), *(name for name in others if not folders.is_root(name))]
        in_folder = [
            path for path in files if not any(folders.holds(other, path) for other in others)
        ]
        return tuple(read(tree, (path for path in in_folder if path != loading.NAME)))
    return tuple(read(tree, files))


def of_project(project: views.Project) -> tuple[Ignore, ...]:
    """The comments in files that belong to no service."""
    files = [path for folder in shared(project) for path in project.tree.files(folder)]
    return tuple(read(project.tree, ["hanbae.yaml", *files]))


def shared(project: views.Project) -> tuple[str, ...]:
    """The folders that all services share: those with the environments' overlays."""
    overlays = (
        settings.overlay for settings in project.policy.environments.values() if settings.overlay
    )
    return tuple(sorted({folder.split("/")[0] for folder in overlays}))


def read(tree: trees.Tree, paths: Iterable[str]) -> Iterator[Ignore]:
    """The comments in files of a tree; what cannot be read has none."""
    for path in paths:
        if not path.endswith(_NAMES):
            continue
        try:
            data = tree.read(path)
        except errors.FileFault:
            continue
        if data is not None and MARK in data:
            yield from parse(data.decode("utf-8", "replace"), path)


def parse(text: str, file: str) -> tuple[Ignore, ...]:
    """The comments in a text."""
    lines = text.split("\n")
    head = next(
        (index for index, line in enumerate(lines) if not _BLANK.match(line[:_LONGEST])), len(lines)
    )
    comments: dict[int, re.Match[str]] = {}
    for index, line in enumerate(lines):
        if "hanbae:" not in line:
            continue
        comment = _COMMENT.search(line[:_LONGEST].rstrip("\r"))
        if comment is not None:
            comments[index] = comment
        if len(comments) >= _MOST:
            break
    nexts: dict[int, int] = {}
    for index in reversed(
        comments
    ):  # from the end, so that a block of comments is walked through once
        below = comments.get(index + 1)
        alone = below is not None and not lines[index + 1][: below.start()].strip()
        nexts[index] = nexts[index + 1] if alone else index + 1
    return tuple(
        _ignore(lines, index, comment, file, whole=index < head, below=nexts[index])
        for index, comment in comments.items()
    )


def _ignore(
    lines: list[str], index: int, comment: re.Match[str], file: str, *, whole: bool, below: int
) -> Ignore:
    rest = comment["rest"]
    if comment["open"].startswith("{{"):
        rest = _CLOSED.sub("", rest)
    match = _CODES.match(rest.rstrip())
    codes = tuple(match["codes"].split(",")) if match else ()
    reason = (match["reason"] or "").strip() if match else ""
    before = lines[index][: comment.start()].strip()
    target = index if before else below
    content = before if target == index else _content(lines[target]) if target < len(lines) else ""
    place = subjects.Place(file, index + 1, comment.start() + 1)
    return Ignore(place, codes, reason, target + 1, content, whole)


def _content(line: str) -> str:
    match = _COMMENT.search(line[:_LONGEST])
    return (line[: match.start()] if match else line).strip()
