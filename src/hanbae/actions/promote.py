"""``hanbae promote``: the set that was proven in one environment, as a merge request for the next one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from msgspec import Struct

from hanbae import errors, wording, workspaces
from hanbae.actions import plan_revisions, status
from hanbae.charts import pools
from hanbae.policy import environments
from hanbae.promoting import (
    contents,
    permitting,
    promoted_images,
    promoted_migrations,
    refusals,
    sending,
    sets,
)
from hanbae.repository import commit_graph, drafts, services
from hanbae.results import images, promotions

_MOST_COMMITS: Final = 50
_LONGEST_BRANCH: Final = 100


class _Commit(Struct, frozen=True):
    """The commit that carries a set."""

    commit: str
    images: tuple[images.ImageSet, ...]
    notes: tuple[wording.Text, ...]


async def prepare(
    space: workspaces.Workspace,
    requested: Sequence[str],
    source: str,
    target: str,
    *,
    waives: str = "",
) -> promotions.Promotion:
    """Work out a promotion; nothing leaves this machine.

    Args:
        space: The workspace.
        requested: Services; empty for all that run in the source.
        source: The environment that they were proven in.
        target: The environment that they are for.
        waives: Why something is promoted although the policy freezes the target; empty where it is not.

    Raises:
        hanbae.errors.WrongUse: There is no such service or environment, or the target does not come after the source.
        hanbae.errors.FileFault: A file of the proven commit, or of the target's branch, has a fault.
        hanbae.errors.Refused: The set is not as it was proven, the target's branch has what it lacks, the target is
            frozen, or somebody holds a service.
        hanbae.errors.Unreachable: The remote or a cluster did not answer.
    """
    _check(space, source, target)
    head = await space.head(target)
    listed = await status.status(space, requested, (source,))
    for unreached in listed.unreached:
        raise errors.Unreachable(unreached.why.id, place=None, **unreached.why.facts)
    proven = await sets.of(space, listed.standings, source, named=bool(requested))
    names = tuple(member.service for member in proven.members)
    policy = services.located(space.policy, space.checkout.revision(proven.commit))
    waived, unseen = await permitting.waived(space, policy, proven, target, reason=waives)
    move = contents.Move(policy, source, target, proven.commit, head, names, not requested)
    graph = commit_graph.Graph(space.checkout.root)
    outcome = await _commit(space, move, graph, proven)
    comparison = await plan_revisions.compare(
        space.checkout.root, base=head, head=outcome.commit, services=names, environment=target
    )
    refusals.refuse(tuple(promoted_migrations.disordered(comparison.services, target)))
    tree = space.checkout.revision(outcome.commit)
    coming = graph.between(outcome.commit, head)
    commits = [entry for entry in coming if entry.id != outcome.commit]
    return promotions.Promotion(
        source,
        target,
        proven,
        head,
        outcome.commit,
        _branch(source, target, requested),
        space.environment(target).branch or "",
        outcome.images,
        tuple(
            promotions.Commit(entry.id, entry.author, entry.subject)
            for entry in islice(commits, _MOST_COMMITS)
        ),
        max(0, len(commits) - _MOST_COMMITS),
        comparison,
        tuple(promoted_migrations.of(policy, tree, comparison.services)),
        (*outcome.notes, *unseen),
        waived,
    )


async def carry_out(
    space: workspaces.Workspace,
    promotion: promotions.Promotion,
    words: sending.Words,
    environment: Mapping[str, str],
) -> promotions.Promoted:
    """Push a promotion and open its merge request, or bring that up to date.

    Args:
        space: The workspace.
        promotion: The promotion.
        words: What is said of it.
        environment: Variables, among which may be the forge's token.

    Raises:
        hanbae.errors.Refused: The remote or the forge does not want it.
        hanbae.errors.Unreachable: The remote or the forge did not answer.
    """
    if not promotion.changes:
        return promotions.Promoted(promotion, "nothing")
    return await sending.send(space, promotion, words, environment)


def _check(space: workspaces.Workspace, source: str, target: str) -> None:
    """Refuse environments that do not follow each other."""
    for name in (source, target):
        space.environment(name)
    order = environments.on_kubernetes(space.policy)
    if order.index(source) >= order.index(target):
        facts = {"source": source, "target": target, "order": ", ".join(order)}
        raise errors.WrongUse("promotion.backwards", place=None, **facts)


def _branch(source: str, target: str, requested: Sequence[str]) -> str:
    """The branch of a promotion: one for each pair of environments, and for each choice of services."""
    names = "+".join(sorted(set(requested)))
    branch = f"hanbae/{source}-to-{target}{f'.{names}' if names else ''}"
    if len(branch) <= _LONGEST_BRANCH:
        return branch
    # Cut short, two choices that begin alike would be one branch, and one merge request.
    digest = hashlib.sha256(branch.encode()).hexdigest()[:8]
    return f"{branch[: _LONGEST_BRANCH - 1 - len(digest)]}-{digest}"


async def _commit(
    space: workspaces.Workspace,
    move: contents.Move,
    graph: commit_graph.Graph,
    proven: promotions.ProvenSet,
) -> _Commit:
    """Make the commit: the proven files, the target's own, and in these the proven images."""
    draft = drafts.Drafts(space.checkout.root)
    composed = await asyncio.to_thread(contents.of, move, graph, draft)
    # Images are edited in values as the target will have them, so the charts are rendered from
    # these files. The commit is on no branch and becomes part of nothing.
    bare = draft.commit(composed.files, "", composed.parents)
    edited = await _edited(space, move, bare)
    files = dict(composed.files)
    for entry in edited:
        for path, content in entry.files.items():
            files[path] = draft.content(content), files[path][1]
    notes = tuple(note for entry in edited for note in entry.notes)
    written = tuple(entry.image for entry in edited)
    # Nothing would change on the target's branch, so an empty commit is not offered for it.
    if files == graph.files(move.head):
        return _Commit(move.head, written, notes)
    return _Commit(draft.commit(files, _message(move, proven), composed.parents), written, notes)


async def _edited(
    space: workspaces.Workspace, move: contents.Move, bare: str
) -> list[promoted_images.Edited]:
    proven, tree = space.checkout.revision(move.proven), space.checkout.revision(bare)
    environments_ = (move.source, move.target)
    async with pools.opened(1) as pool:
        return [
            await promoted_images.taken(
                pool, move.policy, proven, tree, service, environments=environments_
            )
            for service in move.services
        ]


def _message(move: contents.Move, proven: promotions.ProvenSet) -> str:
    names = ", ".join(move.services)
    return (
        f"Promote {move.source} to {move.target}: {names}\n\n"
        f"{sending.TRAILER}: {proven.id}\n"
        f"Proven-In: {move.source} {proven.commit}\n"
    )
