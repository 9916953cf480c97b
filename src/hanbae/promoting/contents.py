"""The files of the commit that carries a set into another environment's branch, before its images are written.

What was proven is taken as it was proven; the target's own files stay as they are there.
A commit of the target's branch that the proven one lacks is a fix that was made above and is missing below: with it, or
without it, nothing of what was proven would hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from hanbae import wording
from hanbae.policy import documents, folders, naming
from hanbae.promoting import own_files, refusals
from hanbae.repository import commit_graph, drafts

_MOST: Final = 20
_SHORT: Final = 12
_Entry = tuple[str, int] | None


class Move(Struct, frozen=True):
    """What moves where.

    Attributes:
        policy: The policy, located in the proven commit.
        source: The environment that the set is from.
        target: The environment that it is for.
        proven: Full id of the proven commit.
        head: Full id of the head of the target's branch.
        services: The services that move.
        whole: Whether the whole branch moves with them; else their own folders.
    """

    policy: documents.Policy
    source: str
    target: str
    proven: str
    head: str
    services: tuple[str, ...]
    whole: bool

    @property
    def is_one_branch(self) -> bool:
        """Whether both environments deploy the same branch."""
        branches = {self.policy.environments[name].branch for name in (self.source, self.target)}
        return len(branches) == 1


class Contents(Struct, frozen=True):
    """The files of a commit.

    Attributes:
        files: Path → the id of its content and its mode.
        parents: Full ids of the commits that it comes from.
    """

    files: drafts.Files
    parents: tuple[str, ...]


def of(move: Move, graph: commit_graph.Graph, draft: drafts.Drafts) -> Contents:
    """The files of a promotion.

    Args:
        move: What moves where.
        graph: The clone's commits.
        draft: Keeps what is merged.

    Raises:
        hanbae.promoting.refusals.NotPromotable: The target's branch has what the proven commit lacks, or both have
            changed the same lines of a file of the target's own.
    """
    head = graph.files(move.head)
    if move.is_one_branch:
        _refuse_ahead(move, graph)
        return Contents(head, (move.head,))
    blending = _Blending(move, graph, draft)
    paths = [path for path in blending.paths if move.whole or _is_of_services(move, path)]
    files = {} if move.whole else dict(head)
    for path in paths:
        entry = blending.entry(path)
        if entry is None:
            files.pop(path, None)
        else:
            files[path] = entry
    blending.refuse()
    # With the proven commit as a parent, the next promotion parts from it.
    merges = move.whole and blending.parting != move.proven
    return Contents(files, (move.head, move.proven) if merges else (move.head,))


class _Blending:
    """Brings the target's files and the proven ones together."""

    def __init__(self, move: Move, graph: commit_graph.Graph, draft: drafts.Drafts) -> None:
        self._move, self._graph, self._kept = move, graph, draft
        self.parting = graph.parting(move.head, move.proven)
        self._base = graph.files(self.parting)
        self._head = graph.files(move.head)
        self._proven = graph.files(move.proven)
        self._own = own_files.others(move.policy, move.services, move.source)
        self._late: list[str] = []
        self._conflicts: list[str] = []

    @property
    def paths(self) -> list[str]:
        return sorted({*self._head, *self._proven})

    def entry(self, path: str) -> _Entry:
        """What a file is to be; None where it is not there."""
        base, head, proven = (files.get(path) for files in (self._base, self._head, self._proven))
        if head in (base, proven):
            return proven
        if path in self._own:
            return head if proven == base else self._merged(path, base, head, proven)
        # What the target has and the proven branch once had came from there, with an earlier
        # promotion. What the proven branch never had was made above.
        if head is None or head[0] not in self._graph.contents(
            path, self._move.proven, self.parting
        ):
            self._late.append(path)
        return proven

    def _merged(self, path: str, base: _Entry, head: _Entry, proven: _Entry) -> _Entry:
        merged = None
        if head is not None and proven is not None:
            merged = self._kept.merged(base[0] if base else "", head[0], proven[0])
        if merged is None:
            self._conflicts.append(path)
        return (merged, head[1]) if merged and head else head

    def refuse(self) -> None:
        """Refuse what cannot be brought together."""
        move, names = self._move, self._facts()
        reasons = [
            wording.Text("promotion.conflict", {**names, "file": path})
            for path in self._conflicts[:_MOST]
        ]
        if self._late:
            reasons += _late(self._graph, self._late, move, self.parting, names)
        refusals.refuse(reasons)

    def _facts(self) -> dict[str, str]:
        environments = self._move.policy.environments
        return {
            "source": environments[self._move.source].branch or "",
            "target": environments[self._move.target].branch or "",
        }


def _late(
    graph: commit_graph.Graph, paths: list[str], move: Move, parting: str, names: dict[str, str]
) -> Iterator[wording.Text]:
    """The commits of the target's branch that the proven one lacks; the files, where merges have brought them in."""
    commits = graph.touching(paths, move.head, parting)
    for commit in commits[:_MOST]:
        facts = {**names, "commit": commit.id[:_SHORT], "subject": commit.subject}
        yield wording.Text("promotion.missing-below", facts)
    if not commits:
        for path in paths[:_MOST]:
            yield wording.Text("promotion.differs-below", {**names, "file": path})


def _is_of_services(move: Move, path: str) -> bool:
    return any(
        folders.holds(str(naming.folder(move.policy, service)), path) for service in move.services
    )


def _refuse_ahead(move: Move, graph: commit_graph.Graph) -> None:
    """Refuse services whose files, but for those of single environments, have changed since they were proven."""
    head, proven = graph.files(move.head), graph.files(move.proven)
    own = own_files.every(move.policy, move.services)
    reasons = []
    for service in move.services:
        folder = str(naming.folder(move.policy, service))
        changed = sorted(
            path
            for path in {*head, *proven}
            if folders.holds(folder, path)
            and path not in own
            and head.get(path) != proven.get(path)
        )
        if changed:
            facts = {"service": service, "file": changed[0], "environment": move.source}
            reasons.append(wording.Text("promotion.branch-ahead", facts))
    refusals.refuse(reasons)
