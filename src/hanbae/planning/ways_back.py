"""The way back of databases: what goose takes back so that an older commit meets the schema that it knows.

The image that runs has the files of what is taken back, so the way is read in its commit. It ends at a boundary: a
migration without a Down part, or one below others that stay. Past it the older program never ran, and nothing here
pretends that it would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from hanbae import wording
from hanbae.migrations import hazards, scripts
from hanbae.repository import trees
from hanbae.results import plans

_STEP: Final = "take-back-"


class Boundary(Struct, frozen=True):
    """A migration past which a database does not go back.

    Attributes:
        database: Name of the database.
        version: The migration's version.
        file: Its file, relative to the repository.
        why: Why: one of the sentences ``rollback.boundary-…``.
    """

    database: str
    version: int
    file: str
    why: wording.Text


class Ways(Struct, frozen=True):
    """How the databases of a service go back, or where they cannot.

    Attributes:
        back: What is taken back, in the order in which that is done: the database that was migrated last comes first.
        boundaries: What no way leads past, the newest of each database.
    """

    back: tuple[plans.TakeBack, ...] = ()
    boundaries: tuple[Boundary, ...] = ()


def between(
    present: plans.Plan,
    target: plans.Plan,
    tree: trees.Tree,
    *,
    reached: Mapping[str, int],
    revision: str = "",
) -> Ways:
    """The ways from a commit that is deployed to an older one.

    Args:
        present: The plan of the commit that is deployed.
        target: The plan of the older commit; a database that it has nothing of stays as it is.
        tree: The files of the commit that is deployed.
        reached: Database → the version that it is known to have; one that is not named may have all of them.
        revision: The commit that is deployed, where the plan does not say.
    """
    older_proofs = {proof.database: proof for proof in proofs(target)}
    back: list[plans.TakeBack] = []
    boundaries: list[Boundary] = []
    for proof in proofs(present):
        older = older_proofs.get(proof.database)
        if older is None:
            continue
        highest = reached.get(proof.database, proof.versions[-1])
        has = [number for number in proof.versions if number <= highest]
        beyond = [number for number in has if number not in older.versions]
        if not beyond:
            continue
        # The newest version that both commits know: goose goes down to that one.
        base = max(set(has) & set(older.versions), default=0)
        ends = list(_boundaries(proof, beyond, base, tree))
        boundaries += ends[:1]
        if not ends:
            losses = tuple(_losses(proof, beyond, tree))
            commit = revision or present.revision
            back.append(plans.TakeBack(proof, base, beyond[-1], commit, losses))
    return Ways(tuple(reversed(back)), tuple(reversed(boundaries)))


def through(plan: plans.Plan, back: Iterable[plans.TakeBack], *, deploys: bool) -> plans.Plan:
    """A plan that takes databases back before it deploys anything.

    Args:
        plan: The plan of the older commit.
        back: What is taken back.
        deploys: Whether the older commit is deployed after that, or only the databases are taken back.
    """
    first = tuple(plans.Step(f"{_STEP}{way.database}", way) for way in back)
    after = tuple(step.id for step in first)
    rest = tuple(
        msgspec.structs.replace(step, after=(*after, *step.after))
        if isinstance(step.does, plans.Effect)
        else step
        for step in plan.steps
    )
    if not deploys:  # and so it promises nothing of what runs
        return msgspec.structs.replace(plan, steps=first, guards=(), manifests="")
    return msgspec.structs.replace(plan, steps=(*first, *rest))


def proofs(plan: plans.Plan) -> Iterator[plans.Prove]:
    """The proofs of a plan, in the order in which its databases are migrated."""
    return (step.does for step in plan.steps if isinstance(step.does, plans.Prove))


def _boundaries(
    proof: plans.Prove, beyond: Iterable[int], base: int, tree: trees.Tree
) -> Iterator[Boundary]:
    """What no way leads past, the newest first."""
    for number in sorted(beyond, reverse=True):
        file = _file(proof, number)
        why = _why(number, base, scripts.read(tree.read(file) or b""))
        if why:
            facts = {"database": proof.database, "version": str(number), "file": file}
            yield Boundary(proof.database, number, file, wording.Text(why, facts))


def _why(number: int, base: int, parsed: scripts.Parsed) -> str:
    """The sentence that says why a migration cannot be taken back; empty where it can."""
    # Down to nothing would take away all that migrations have made; `proofs.way_back` refuses it too.
    if base == 0:
        return "rollback.boundary-first"
    if number < base:
        return "rollback.boundary-below"
    if parsed.fault is not None:
        return "rollback.boundary-unreadable"
    return "" if parsed.down else "rollback.boundary-no-down"


def _losses(proof: plans.Prove, beyond: Iterable[int], tree: trees.Tree) -> Iterator[plans.Loss]:
    """What is lost on the way, and what was lost on the way up and does not come back."""
    for number in sorted(beyond, reverse=True):
        file = _file(proof, number)
        parsed = scripts.read(tree.read(file) or b"")
        for hazard in hazards.losses(parsed.down or ()):
            if hazard.loss != "rename":
                yield plans.Loss(file, hazard.line, hazard.words)
        for hazard in hazards.losses(parsed.up):
            if hazard.loss != "rename":
                yield plans.Loss(file, hazard.line, hazard.words, is_past=True)


def _file(proof: plans.Prove, number: int) -> str:
    return proof.files[proof.versions.index(number)]
