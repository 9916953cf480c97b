"""The Dockerfile: the policy says that the migrations, and goose with them, are in the image."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from msgspec import Struct

from hanbae import patterns, subjects
from hanbae.releases import tools
from hanbae.rules import rulebook, scaffolds, views
from hanbae.rules.migrations import jobs

_SOURCE: Final = "deployment-policy.ko.md, 배포 체크리스트"
_FLAG: Final = patterns.lazy(r"--\S+\s*")
_ALL: Final = frozenset({".", "./", "/"})
_WORKDIRS: Final = frozenset({"", "app", "src", "workspace", "rootfs"})
"""Folders of a stage in which builds work, with all that they were given."""


class Line(Struct, frozen=True):
    """An instruction of a Dockerfile.

    Attributes:
        number: Its first line.
        word: The instruction, in capitals.
        rest: Its arguments, lines joined.
    """

    number: int
    word: str
    rest: str


def instructions(text: str) -> Iterator[Line]:
    """The instructions of a Dockerfile, continued lines joined."""
    parts: list[str] = []
    first = 0
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        first = first or number
        parts.append(stripped.removesuffix("\\"))
        if not stripped.endswith("\\"):
            word, _, rest = " ".join(parts).partition(" ")
            yield Line(first, word.upper(), rest.strip())
            parts, first = [], 0


@rulebook.of_service("MIG023", "error", source=_SOURCE, essential=True)
def not_in_image(service: views.Service) -> Iterator[rulebook.Hit]:
    """An image without the migrations, or without goose."""
    running = [release for release in service.releases.values() if release.databases]
    path = str(PurePosixPath(service.chart).parent / "Dockerfile")
    text = service.text(path) if running else None
    if text is None:
        return
    lines = list(instructions(text))
    final = _last_stage(lines)
    if not final:
        return
    end = subjects.Place(path, final[0].number)
    copies = [(line, *_copied(line)) for line in final if line.word in {"COPY", "ADD"}]
    covering = [copy for copy in copies if any(_covers(service, source) for source in copy[1])]
    if not covering and not any(_from_stage(service, line) for line in final):
        yield rulebook.Hit(end, {"folder": service.migrations})
    # Only a COPY of the migrations alone says by its target in which folder they are.
    elif len(covering) == 1 and any(
        source.rstrip("/") == service.migrations for source in covering[0][1]
    ):
        yield from _elsewhere(running[0], path, covering[0][0], covering[0][2])
    for program in _called(running[0]):
        if not any(program in line.rest for line in final):
            facts = {"program": program, "service": service.name}
            fix = ""
            if program == tools.RUNNER:
                is_upgraded = scaffolds.is_upgraded(service, path)
                fix = "rule.mig023-fix-runner" if is_upgraded else "rule.mig023-fix-built"
            yield rulebook.Hit(end, facts, "goose", fix=fix)


def _last_stage(lines: list[Line]) -> list[Line]:
    """The instructions of the image that is built, those of the stages under it included."""
    stages: dict[str, list[Line]] = {}
    results: list[Line] = []
    for line in lines:
        if line.word == "FROM":
            words = _FLAG.sub("", line.rest).split()
            base = stages.get(words[0].lower(), []) if words else []
            results = [line, *base]
            stages |= {name.lower(): results for name in words[2:3]}  # FROM image AS name
        elif results:
            results.append(line)
    return results


def _copied(line: Line) -> tuple[list[str], str]:
    """What a COPY takes from the repository, and where to; nothing for one from another stage."""
    if "--from=" in line.rest:
        return [], ""
    words = re.findall(r"[^\s\",\[\]]+", _FLAG.sub("", line.rest))
    return words[:-1], words[-1] if words else ""


def _from_stage(service: views.Service, line: Line) -> bool:
    """Whether a COPY takes the migrations from another stage or image: a folder that ends like theirs, or one around.

    What a stage has in a folder around them is not followed further: commands may have put anything there.
    """
    if line.word != "COPY" or "--from=" not in line.rest:
        return False
    words = re.findall(r"[^\s\",\[\]]+", _FLAG.sub("", line.rest))
    name = PurePosixPath(service.migrations).name
    folders = [PurePosixPath(source.rstrip("/*.") or "/") for source in words[:-1]]
    return any(name in folder.parts or folder.name in _WORKDIRS for folder in folders)


def _covers(service: views.Service, source: str) -> bool:
    """Whether a source holds the migrations, as seen from the repository's root or from the service's folder."""
    if source in _ALL:
        return True
    prefix = source.removeprefix("./").strip("/").removesuffix("/*")
    own = PurePosixPath(service.migrations)
    inside = {str(own), *(str(parent) for parent in own.parents), own.name}
    return prefix in inside or prefix.startswith((f"{own}/", f"{own.name}/"))


def _elsewhere(
    release: views.Release, path: str, line: Line, target: str
) -> Iterator[rulebook.Hit]:
    """The migrations are copied to another folder than the one that goose is given."""
    if not target.startswith("/"):
        return
    for database, job in jobs.with_jobs(release):
        for _, container in job.containers(init=False):
            args = container.get("args")
            words = [str(word) for word in args] if isinstance(args, list) else []
            directory = jobs.directory(job, words)
            expected = f"{target.rstrip('/')}/{database.directory}".rstrip("/")
            if directory.startswith("/") and directory != expected:
                facts = {"folder": directory[:120], "target": target[:120]}
                yield rulebook.Hit(subjects.Place(path, line.number), facts, "elsewhere")
                return


def _called(release: views.Release) -> list[str]:
    """goose, or its runner, where a migration Job calls it by its name: another program may have it built in."""
    parts = [
        container.get(field)
        for _, job in jobs.with_jobs(release)
        for _, container in job.containers(init=False)
        for field in ("command", "args")
    ]
    words = [str(word) for part in parts if isinstance(part, list) for word in part]
    programs = {posixpath.basename(program) for word in words for program in word.split()}
    return sorted(tools.OF_GOOSE & programs)
