"""``hanbae upgrade``: brings later templates and a later policy into charts, whoever has edited them meanwhile.

A three-way merge per file: what was scaffolded then, what the team made of it, what hanbae scaffolds now. All files of
a service are worked out before the first is written, and where one conflicts none is, unless that was allowed.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from hanbae import errors, files, subjects, wording
from hanbae.charts import answers, scaffold_record, scaffolding
from hanbae.policy import loading
from hanbae.repository import checkouts, merging, services, trees, writing_files
from hanbae.results.files import FileChange, Upgrade


class Options(Struct, frozen=True):
    """How it is done.

    Attributes:
        base: A commit whose files are taken for what was scaffolded; None for what the chart keeps of it.
        write: Whether files are touched at all.
        dirty: Whether files that git does not have as they are may be touched.
        markers: Whether conflicts are written into the files, between git's markers.
    """

    base: str | None = None
    write: bool = True
    dirty: bool = False
    markers: bool = False


def upgrade(directory: Path, names: Sequence[str], options: Options) -> tuple[Upgrade, ...]:
    """Bring what hanbae scaffolds now into services.

    Args:
        directory: The repository or a folder in it.
        names: The services; none for all that keep what was scaffolded.
        options: How.

    Returns:
        One entry per service, in the order given, else sorted.

    Raises:
        errors.WrongUse: There is no such service, or nothing to upgrade.
        errors.Refused: What a service was scaffolded from is not known, or its files have uncommitted changes.
        errors.FileFault: A file cannot be read, or holds an earlier conflict that is not resolved.
    """
    loaded = services.opened(directory)
    service_names = tuple(dict.fromkeys(names)) or _recorded(loaded)
    services.require(service_names, services.check(loaded), source=services.source(loaded.policy))
    outcomes = [_Service(loaded, name, options.base).worked_out() for name in service_names]
    # The first file is written when everything that speaks against writing is known.
    if options.write and not options.dirty:
        _refuse_uncommitted(loaded.root, outcomes)
    return tuple(_written(loaded.root, outcome, options) for outcome in outcomes)


class _Outcome(Struct, frozen=True):
    """What a service's files will be; None for one that will not be there."""

    service: str
    changes: tuple[FileChange, ...]
    texts: Mapping[str, str | None]


class _Service:
    """A service's files in their three versions."""

    def __init__(self, loaded: loading.Loaded, name: str, base: str | None) -> None:
        self._root, self._policy, self._name = loaded.root, loaded.policy, name
        answered = answers.read(loaded.root, loaded.policy, name)
        contents = scaffolding.chart_files(
            name,
            loaded.policy,
            databases=answered.databases,
            port=answered.port,
            image=answered.image,
        )
        self._now = {
            posixpath.normpath(path): text
            for path, text in contents.items()
            if scaffold_record.is_kept(loaded.policy, name, path)
        }
        self._then = self._of_record() if base is None else self._of_commit(base)

    def worked_out(self) -> _Outcome:
        """Merge each file, and write nothing."""
        texts: dict[str, str | None] = {}
        changes = []
        record = dict(self._now)
        for path in sorted(self._now.keys() | self._then.keys()):
            change, text = self._merged(path)
            if change.outcome != "unchanged":
                changes.append(change)
            if change.outcome in {"created", "changed", "deleted", "conflicting"}:
                texts[path] = text
            # A file of the team's own is in its place; in the record it would pass for one that was
            # scaffolded.
            if change.outcome == "kept" and path not in self._then:
                del record[path]
        path = scaffold_record.path(self._policy, self._name)
        text = scaffold_record.text(self._policy, self._name, record)
        present = writing_files.read(self._root, path)
        if present != text:
            diff = "" if present is None else files.diff(path, present, text)
            changes.append(FileChange(path, "created" if present is None else "changed", diff))
            texts[path] = text
        return _Outcome(self._name, tuple(changes), texts)

    def _merged(self, path: str) -> tuple[FileChange, str | None]:
        """What becomes of a file, and its text then."""
        then, now = self._then.get(path), self._now.get(path)
        present = writing_files.read(self._root, path)
        if present is not None and (lines := merging.markers(present)):
            # Conflicts of an earlier upgrade must not become part of a merge.
            raise errors.FileFault("upgrade.unresolved", place=subjects.Place(path, lines[0]))
        if now in {present, then}:
            return FileChange(path, "unchanged"), present
        if present == then:
            # Nobody has changed it since it was scaffolded.
            outcome: Literal["created", "changed", "deleted"] = (
                "created" if present is None else "deleted" if now is None else "changed"
            )
            return FileChange(path, outcome, files.diff(path, present or "", now or "")), now
        if then is None or now is None or present is None:
            diff = files.diff(path, present or "", now or "")
            return FileChange(path, "kept", diff, (_reason(then, now),)), present
        merged = merging.merge(then, present, now, names=(f"{path} (edited)", f"{path} (scaffold)"))
        if merged is None:
            reasons = (wording.Text("upgrade.no-text"),)
            return FileChange(path, "kept", reasons=reasons), present
        if merged.text == present:
            return FileChange(path, "unchanged"), present
        conflicts = tuple(
            wording.Text("upgrade.conflict", {"line": str(line)}) for line in merged.conflicts
        )
        diff = files.diff(path, present, merged.text)
        return FileChange(
            path, "conflicting" if conflicts else "changed", diff, conflicts
        ), merged.text

    def _of_record(self) -> dict[str, str]:
        path = scaffold_record.path(self._policy, self._name)
        text = writing_files.read(self._root, path)
        if text is None:
            raise errors.Refused("upgrade.no-record", service=self._name, file=path)
        return scaffold_record.read(self._policy, self._name, text)

    def _of_commit(self, base: str) -> dict[str, str]:
        tree = _commit(self._root, base)
        texts = {path: tree.read(path) for path in self._now}
        former = {
            path: data.decode("utf-8", "replace")
            for path, data in texts.items()
            if data is not None
        }
        if not former:
            raise errors.WrongUse("upgrade.not-in-commit", service=self._name, revision=base)
        return former


def _reason(then: str | None, now: str | None) -> wording.Text:
    """Why a file is left alone of which not all three versions are there."""
    if then is None:
        return wording.Text("upgrade.no-base")
    return wording.Text("upgrade.given-up" if now is None else "upgrade.deleted")


def _recorded(loaded: loading.Loaded) -> tuple[str, ...]:
    """The services that keep what was scaffolded into them."""
    tree = trees.WorkingTree(loaded.root)
    names = tuple(
        name
        for name in services.of(loaded.policy, tree)
        if (loaded.root / scaffold_record.path(loaded.policy, name)).is_file()
    )
    if not names:
        raise errors.WrongUse("upgrade.nothing", file=scaffold_record.NAME)
    return names


def _commit(root: Path, revision: str) -> trees.Subtree:
    checkout = checkouts.Checkout.open(root)
    prefix = root.resolve().relative_to(checkout.root).as_posix()
    return trees.Subtree(checkout.revision(revision), "" if prefix == "." else prefix)


def _refuse_uncommitted(root: Path, outcomes: Sequence[_Outcome]) -> None:
    """Refuse to touch what git could not bring back."""
    paths = sorted({path for outcome in outcomes for path in outcome.texts})
    if not paths:
        return
    checkout = checkouts.Checkout.open(root)
    committed = _commit(root, checkout.current()).files()
    present = trees.WorkingTree(root).files()
    for path in paths:
        is_there = (root / path).exists()
        # Where git ignores it, it is in neither list, and git could not bring it back.
        if present.get(path) != committed.get(path) or (is_there and path not in present):
            raise errors.Refused("upgrade.uncommitted", place=subjects.Place(path))


def _written(root: Path, outcome: _Outcome, options: Options) -> Upgrade:
    """Write what was worked out, as far as that is allowed."""
    conflicts = any(change.outcome == "conflicting" for change in outcome.changes)
    if (
        not outcome.texts
    ):  # a file of the team's own in the place of a scaffolded one is nothing new
        return Upgrade(outcome.service, "current")
    if not options.write or (conflicts and not options.markers):
        untouched = tuple(map(_untouched, outcome.changes))
        return Upgrade(outcome.service, "conflicting" if conflicts else "behind", untouched)
    # The record comes last, as it was put there: until then a repetition begins from where this one did.
    for path, text in outcome.texts.items():
        if text is None:
            writing_files.remove(root, path)
        else:
            writing_files.place(root, {path: text}, overwrite=True)
    return Upgrade(outcome.service, "marked" if conflicts else "upgraded", outcome.changes)


def _untouched(change: FileChange) -> FileChange:
    if change.outcome in {"kept", "conflicting"}:
        return change
    return FileChange(change.path, "stale", change.diff)
