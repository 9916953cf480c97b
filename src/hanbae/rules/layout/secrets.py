"""Plaintext secrets in git: in a service's files, elsewhere, and in the branch's history.

A Secret that a chart renders is a matter of the secrets' rules (SEC012).
"""

from __future__ import annotations

import base64
import bisect
import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, libyaml, patterns, subjects
from hanbae.repository import encodings
from hanbae.results import findings
from hanbae.rules import rulebook, views
from hanbae.rules.layout import file_kinds, plaintexts

FORMER: Final = "LAY014"
"""The rule over former commits."""

_POLICY: Final = "deployment-policy.ko.md, Sealed Secrets: locally, never commit"
_SECRET: Final = patterns.lazy(r"^kind:[ \t]*[\"']?Secret[\"']?[ \t]*(?:#.*)?\r?$", re.MULTILINE)
# Passwords of databases that run on a developer's own machine only.
_LOCAL: Final = patterns.lazy(r"(?:.*/)?(?:docker-)?compose[^/]*\.ya?ml")
_LARGEST_MANIFEST: Final = 256 * 1024

Read = Callable[[str], str | None]


class Exposed(Struct, frozen=True, order=True):
    """A secret that a file shows.

    Attributes:
        place: Where.
        variant: ``private-key``, ``url``, ``token``, ``named``, ``manifest`` or ``keystore``.
        name: The key, the scheme, the kind of token or the manifest's name; never a part of the value.
        last: The line on which its values end, counted from 1; 0 for a keystore, of which all is secret.
    """

    place: subjects.Place
    variant: str
    name: str
    last: int = 0


def in_file(path: str, text: str) -> tuple[Exposed, ...]:
    """What a file of the repository, or of one of its former commits, shows.

    Args:
        path: The file, relative to the repository's root.
        text: Its content.
    """
    if plaintexts.is_keystore(path):
        return (Exposed(subjects.Place(path), "keystore", path.rpartition("/")[2]),)
    manifests = tuple(_manifests(path, text))
    manifest_lines = {line for _, lines in manifests for line in lines}
    exposed = [manifest for manifest, _ in manifests if manifest is not None]
    exposed += [
        Exposed(subjects.Place(path, plain.line, plain.column), plain.kind, plain.name, plain.last)
        for plain in plaintexts.find(text, file_kinds.of(path))
        if plain.line not in manifest_lines
    ]
    return tuple(sorted(exposed))


@rulebook.of_service("LAY009", "error", source=_POLICY, essential=True)
def in_service(service: views.Service) -> Iterator[rulebook.Hit]:
    """A plaintext secret in a file of a service."""
    for path in service.files:
        yield from _hits(path, service.text, service.project)


@rulebook.of_project("LAY010", "error", source=_POLICY, essential=True)
def elsewhere(project: views.Project) -> Iterator[rulebook.Hit]:
    """A plaintext secret in a file that belongs to no service."""
    for path in project.others:
        yield from _hits(path, project.text, project)


# A plaintext secret in a former commit, which ``hanbae check --history`` looks for.
rulebook.reported(FORMER, "error", "project", source=_POLICY, essential=True)


def _hits(path: str, read: Read, project: views.Project) -> Iterator[rulebook.Hit]:
    text = _text(path, read, project)
    if text is None:
        return
    for exposed in in_file(path, text):
        local = bool(_LOCAL.fullmatch(path))
        samples = file_kinds.of(path) == "samples"
        # Tests bring keys that are made for them; a key that is more must not be among them either.
        grave = not local and not (samples and exposed.variant == "private-key")
        severity: findings.Severity | None = None if grave else "warning"
        yield rulebook.Hit(
            exposed.place, {"name": exposed.name}, exposed.variant, severity=severity
        )


def _text(path: str, read: Read, project: views.Project) -> str | None:
    """What is searched of a file; None where it holds no values, or is no text."""
    if not plaintexts.looked_at(path):
        # A keystore is known by its name, and what it holds is no text.
        return "" if plaintexts.is_keystore(path) else None
    text = read(path)
    if text is None:  # it is not there, may not be read, or is not in UTF-8
        with contextlib.suppress(errors.FileFault):
            data = project.tree.read(path)
            return None if data is None else encodings.legible(data)
    return text


def _manifests(path: str, text: str) -> Iterator[tuple[Exposed | None, range]]:
    """Secrets of Kubernetes that are written out, each with the lines that it takes.

    Of one that shows nothing, these are the lines of its placeholders alone.
    """
    if not path.endswith((".yaml", ".yml")) or len(text) > _LARGEST_MANIFEST:
        return
    # A template is no YAML before it is rendered; what it renders is SEC012's.
    if "{{" in text or "kind:" not in text or not _SECRET.search(text):
        return
    try:
        roots = list(libyaml.compose_all(text))
    except libyaml.Fault:
        return
    # Not the marks' own lines: libyaml ends a line at more characters than git does.
    ends = [match.start() for match in re.finditer("\n", text)]

    def line(index: int) -> int:
        return bisect.bisect_left(ends, index) + 1

    for root in roots:
        if root.id != "mapping":
            continue
        parts = {key.value: (key, value) for key, value in root.value if isinstance(key.value, str)}
        if _scalar(parts.get("kind")) != "Secret" or _scalar(parts.get("apiVersion")) != "v1":
            continue
        lines = range(line(root.start_mark.index), line(root.end_mark.index) + 1)
        filled = [parts[name] for name in ("stringData", "data") if _filled(name, parts)]
        if filled:
            start = filled[0][0].start_mark.index
            place = subjects.Place(path, line(start), start - text.rfind("\n", 0, start))
            # The last character of a block is before the place where the next key begins.
            last = max(line(values.value[-1][1].end_mark.index - 1) for _, values in filled)
            yield Exposed(place, "manifest", _name(parts.get("metadata")), last), lines
            continue
        for key, value in (parts[name] for name in ("stringData", "data") if name in parts):
            yield None, range(line(key.start_mark.index), line(value.end_mark.index) + 1)


def _filled(field: str, parts: dict[str, Any]) -> bool:
    """Whether a field of a Secret holds a value that is neither empty nor encrypted nor a placeholder nor public."""
    values = parts[field][1].value if field in parts else ()
    return isinstance(values, list) and any(
        isinstance(value, tuple)
        and isinstance(value[1].value, str)
        and not plaintexts.is_placeholder(_decoded(field, value[1].value))
        for value in values
    )


def _decoded(field: str, value: str) -> str:
    """A value in clear; as it is where it is no base64, as of a placeholder."""
    if field != "data":
        return value
    try:
        return base64.b64decode("".join(value.split()), validate=True).decode()
    except ValueError:
        return value


def _scalar(part: Any) -> str:
    return part[1].value if part is not None and isinstance(part[1].value, str) else ""


def _name(part: Any) -> str:
    values = part[1].value if part is not None else ()
    if isinstance(values, list):
        for value in values:
            if (
                isinstance(value, tuple)
                and value[0].value == "name"
                and isinstance(value[1].value, str)
            ):
                return str(value[1].value)[:253]
    return "-"
