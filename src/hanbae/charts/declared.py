"""What a chart depends on, and what its lock says of that: as Helm reads both, with the digest that Helm writes.

``helm dependency build``, which Argo CD runs where a chart's dependencies are not vendored, refuses a lock whose digest
is another than that of the dependencies and the lock's own entries together.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from msgspec import Struct

from hanbae import libyaml, patterns, subjects
from hanbae.policy import folders

Origin = Literal["https", "oci", "file", "named", "vendored", "other"]
"""Where a dependency comes from: a repository, a registry, a folder, a repository that is named as `helm repo add`
named it, the chart's own ``charts``, or somewhere that hanbae does not go."""

_FIELDS: Final = (
    "name",
    "version",
    "repository",
    "condition",
    "tags",
    "enabled",
    "import-values",
    "alias",
)
"""Helm's fields in the order in which it digests them; the rest is nothing to Helm."""
# The two fields that Helm's encoder writes even where they are empty.
_ALWAYS: Final = frozenset({"name", "repository"})
_OLD: Final = (None, "", "v1")
_NAMED: Final = patterns.lazy(r"(?:@|alias:)(.+)", re.DOTALL)
# Three numbers are text to every reader of YAML (`1.2.3`); two would be a float (`1.10`).
_PLAIN: Final = patterns.lazy(
    r"[A-Za-z][A-Za-z0-9._/+-]*(?:://[A-Za-z0-9._/+:-]*[A-Za-z0-9/])?|\d+\.\d+\.\d[\w.+-]*"
)
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
# Go's encoder writes these so within JSON, and what it writes is what is digested.
_ESCAPED: Final = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


class Dependency(Struct, frozen=True):
    """A dependency that a chart declares.

    Attributes:
        name: Name of the chart.
        version: The version that is wanted: a range.
        repository: Where it is; empty for the chart's own ``charts``.
        fields: All that Helm digests of it.
        line: Its line in `Chart.file`; 0 where nobody knows.
    """

    name: str
    version: str
    repository: str
    fields: dict[str, Any]
    line: int = 0

    @property
    def origin(self) -> Origin:
        """Where it comes from."""
        text = self.repository
        prefixes: tuple[Origin, ...] = ("https", "oci", "file")
        for prefix in prefixes:
            if text.startswith(f"{prefix}://"):
                return prefix
        if not text:
            return "vendored"
        return "named" if _NAMED.fullmatch(text) else "other"

    def with_address(self, aliases: Mapping[str, str]) -> Dependency:
        """The dependency with the address of a repository that it only names, where that is known."""
        named = _NAMED.fullmatch(self.repository)
        address = aliases.get(named[1]) if named else None
        if address is None:
            return self
        return Dependency(
            self.name, self.version, address, self.fields | {"repository": address}, self.line
        )


class Locked(Struct, frozen=True):
    """An entry of a lock: exactly one version."""

    name: str
    version: str
    repository: str


class Lock(Struct, frozen=True):
    """A ``Chart.lock``.

    Attributes:
        entries: The versions.
        digest: What was declared when it was written, and what it says.
    """

    entries: tuple[Locked, ...]
    digest: str

    def of(self, dependency: Dependency) -> Locked | None:
        """The entry of a dependency; the one in the same place where a chart is depended on twice is the caller's."""
        same = [
            entry
            for entry in self.entries
            if (entry.name, entry.repository) == (dependency.name, dependency.repository)
        ]
        return same[0] if same else None


class Chart(Struct, frozen=True):
    """What a chart declares.

    Attributes:
        dependencies: Its dependencies.
        lock: Its lock; None where there is none, or none that can be read.
        file: The file that declares them.
        lock_file: The file that locks them.
        old: Whether it is a chart of Helm 2, whose lock may have another digest.
    """

    dependencies: tuple[Dependency, ...]
    lock: Lock | None
    file: str
    lock_file: str
    old: bool

    def with_addresses(self, aliases: Mapping[str, str]) -> Chart:
        """The chart with the addresses of repositories that it only names."""
        addressed = tuple(dependency.with_address(aliases) for dependency in self.dependencies)
        return Chart(addressed, self.lock, self.file, self.lock_file, self.old)

    def locked(self, index: int) -> Locked | None:
        """What the lock says of a dependency: the entry in the same place, else the first of its name."""
        if self.lock is None:
            return None
        dependency, entries = self.dependencies[index], self.lock.entries
        if index < len(entries) and entries[index].name == dependency.name:
            return entries[index]
        return self.lock.of(dependency)


def read(files: Mapping[str, bytes]) -> Chart:
    """What a chart declares.

    Args:
        files: Its files by path in its folder; only four of them are looked at.
    """
    metadata = libyaml.mapping(files.get("Chart.yaml", b"")) or {}
    old = metadata.get("apiVersion") in _OLD
    file, data, entries = "Chart.yaml", files.get("Chart.yaml", b""), metadata.get("dependencies")
    # Helm reads these of charts of any version, and what is read last counts.
    further = (libyaml.mapping(files.get("requirements.yaml", b"")) or {}).get("dependencies")
    if further is not None:
        file, data, entries = "requirements.yaml", files["requirements.yaml"], further
    lock_file = "requirements.lock" if old else "Chart.lock"
    lock_file = next((n for n in ("requirements.lock", "Chart.lock") if n in files), lock_file)
    declared = [entry for entry in _mappings(entries) if isinstance(entry.get("name"), str)]
    lines = _lines(data) if declared else ()
    return Chart(
        tuple(
            _dependency(entry, lines[index] if index < len(lines) else 0)
            for index, entry in enumerate(declared)
        ),
        _lock(files.get(lock_file)),
        file,
        lock_file,
        old,
    )


def place(chart: str, declared: Chart, index: int) -> subjects.Place:
    """The line on which a chart names a dependency; the file where none can be told."""
    return subjects.Place(folders.path(chart, declared.file), declared.dependencies[index].line)


def place_of_digest(chart: str, declared: Chart, data: bytes) -> subjects.Place:
    """The line of a lock that says what it was written for; the file where none does.

    Args:
        chart: The chart's folder.
        declared: What it declares.
        data: The lock.
    """
    numbers = (i for i, line in enumerate(data.split(b"\n"), 1) if line.startswith(b"digest:"))
    return subjects.Place(folders.path(chart, declared.lock_file), next(numbers, 0))


def digest(dependencies: Iterable[Dependency], entries: Iterable[Locked]) -> str:
    """The digest that Helm writes into a lock.

    Args:
        dependencies: What is declared, with the addresses of repositories that it only names.
        entries: What is locked.
    """
    declared = [_digested(dependency.fields) for dependency in dependencies]
    locked = [
        _digested({"name": entry.name, "version": entry.version, "repository": entry.repository})
        for entry in entries
    ]
    # Go's encoder writes null for a list that was never made.
    return _sha256([declared or None, locked or None])


def is_stale(chart: Chart) -> bool:
    """Whether ``helm dependency build`` refuses the lock; False where there is none.

    Args:
        chart: What is declared, with the addresses of repositories that it only names.
    """
    if chart.lock is None:
        return False
    digests = {digest(chart.dependencies, chart.lock.entries)}
    # Helm 2 digested what is declared without the lock's entries; Helm still takes such a lock of a
    # chart of that time.
    if chart.old:
        fields = [_digested(dependency.fields) for dependency in chart.dependencies]
        digests.add(_sha256({"dependencies": fields or None}))
    return chart.lock.digest not in digests


def lock_text(dependencies: Iterable[Dependency], entries: Iterable[Locked], now: datetime) -> str:
    """A lock as Helm writes it.

    Args:
        dependencies: What is declared.
        entries: What is locked, in the same order.
        now: When.
    """
    entries = tuple(entries)
    lines = ["dependencies:"]
    for entry in entries:
        lines += [
            f"- name: {_scalar(entry.name)}",
            f"  repository: {_scalar(entry.repository)}",
            f"  version: {_scalar(entry.version)}",
        ]
    lines.append(f"digest: {digest(dependencies, entries)}")
    lines.append(f'generated: "{now.isoformat().replace("+00:00", "Z")}"')
    return "\n".join(lines) + "\n"


def _scalar(text: str) -> str:
    """A text in YAML, as Helm would write it: in double quotes where it would be no text without them."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    try:
        is_text = isinstance(libyaml.load(text), str)
    except libyaml.Fault:
        is_text = True
    return f"'{text}'" if is_text and "'" not in text else json.dumps(text, ensure_ascii=False)


def _sha256(value: Any) -> str:
    # Go's encoder writes neither spaces nor escapes beyond ASCII.
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for letter, escaped in _ESCAPED.items():
        text = text.replace(letter, escaped)
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"


def _digested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as Go's encoder writes them: in order, without those that are empty."""
    return {
        name: _sorted(fields.get(name) or "" if name in _ALWAYS else fields[name])
        for name in _FIELDS
        if name in _ALWAYS or fields.get(name)
    }


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _sorted(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def _dependency(entry: Mapping[str, Any], line: int) -> Dependency:
    fields = {name: entry[name] for name in _FIELDS if entry.get(name) is not None}
    for name in ("name", "version", "repository", "condition"):
        if isinstance(fields.get(name), str):
            fields[name] = _clean(fields[name])
    if isinstance(fields.get("tags"), list):
        fields["tags"] = [_clean(tag) if isinstance(tag, str) else tag for tag in fields["tags"]]
    name, version, repository = (str(fields.get(f) or "") for f in _FIELDS[:3])
    return Dependency(name, version, repository, fields, line)


def _clean(text: str) -> str:
    """A text without what cannot be printed, which Helm takes out of what a chart says of itself."""
    return "".join(
        " " if letter.isspace() else letter
        for letter in text
        if letter.isspace() or letter.isprintable()
    )


def _lock(data: bytes | None) -> Lock | None:
    content = libyaml.mapping(data) if data is not None else None
    if content is None:
        return None
    entries = tuple(
        Locked(*(str(entry.get(name) or "") for name in ("name", "version", "repository")))
        for entry in _mappings(content.get("dependencies"))
    )
    return Lock(entries, str(content.get("digest") or ""))


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _lines(data: bytes) -> tuple[int, ...]:
    """The line of each dependency's name."""
    try:
        root = libyaml.compose(data)
    except libyaml.Fault:
        return ()
    entries = _below(root, "dependencies")
    names = [
        _below(entry, "name")
        for entry in (entries.value if entries is not None and entries.id == "sequence" else ())
        if entry.id == "mapping"
    ]
    return tuple(
        name.start_mark.line + 1 for name in names if name is not None and name.id == "scalar"
    )


def _below(node: Any, key: str) -> Any:
    """The node under a key of a mapping; None where there is none."""
    pairs = node.value if node is not None and node.id == "mapping" else ()
    return next((value for name, value in pairs if name.value == key), None)
