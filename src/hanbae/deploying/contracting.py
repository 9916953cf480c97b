"""Refuses a migration that takes away what the version that runs still uses: expand first, contract afterwards.

Migrations run before the pods change, so it is the old version that meets the new schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from hanbae import errors, wording, workspaces
from hanbae.deploying import last_proofs
from hanbae.migrations import contracts, effects, goose_files, scripts, usages
from hanbae.planning import deployments
from hanbae.policy import folders, naming
from hanbae.repository import revisions
from hanbae.results import plans


async def reasons(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    source: deployments.Source,
    plan: plans.Plan,
) -> tuple[wording.Text, ...]:
    """Why migrations of a commit must wait; none where nobody knows which version runs.

    Args:
        space: The workspace.
        clusters: The environment's clusters.
        source: The service at the commit.
        plan: Its plan.
    """
    candidates = [step.does for step in plan.steps if isinstance(step.does, plans.Prove)]
    if not any(_taken(source, path) for proof in candidates for path in proof.files):
        return ()  # nearly always: then nobody needs to be asked which version runs
    last = await last_proofs.last_proof(space, clusters, source.service, source.environment)
    try:
        running = space.checkout.revision(last.commit) if last is not None else None
    except errors.Error:
        running = None
    if running is None:
        return ()
    return tuple(text for proof in candidates for text in of(source, proof, running))


def of(
    source: deployments.Source, proof: plans.Prove, running: revisions.Revision
) -> Iterator[wording.Text]:
    """Why migrations of one database must wait for another version to run.

    Args:
        source: The service at the commit that is to be deployed.
        proof: The proof of the database.
        running: The commit that runs.
    """
    if not proof.files:
        return
    folder = str(PurePosixPath(proof.files[0]).parent)
    running_versions = _versions(running, folder)
    for version, path in zip(proof.versions, proof.files, strict=True):
        if version in running_versions:
            continue
        text = (source.revision.read(path) or b"").decode("utf-8", "replace")
        mark = contracts.mark(text)
        for removal in _taken(source, path):
            facts = {
                "migration": f"{path}:{removal.line}",
                "name": removal.called,
                "environment": source.environment,
                "service": source.service,
                "revision": running.commit[:12],
            }
            # A mark is taken at its word: once that migration is there, the code is not searched.
            if mark is not None and mark.after is not None:
                if mark.after not in running_versions:
                    about = facts | {"after": proof.named(mark.after)}
                    yield wording.Text("contract.before-expand", about)
                    # One sentence per file: the mark covers everything that it takes away.
                    break
                continue
            usage = usages.of(removal, _code(source, running), running.read)
            if usage is not None:
                about = facts | {"usage": f"{usage.path}:{usage.line}"}
                yield wording.Text("contract.still-used", about)


def _taken(source: deployments.Source, path: str) -> tuple[contracts.Removal, ...]:
    data = source.revision.read(path)
    if data is None or goose_files.is_go(path.rpartition("/")[2]):
        return ()
    return contracts.removals(effects.of(scripts.read(data).up))


def _versions(revision: revisions.Revision, folder: str) -> Mapping[int, str]:
    """The versions of a folder at a commit."""
    names = (folders.name(folder, path) for path in revision.files(folder))
    return {
        version: name for name in names if (version := goose_files.version_of(name)) is not None
    }


def _code(source: deployments.Source, revision: revisions.Revision) -> list[str]:
    """The service's own source files at a commit, without its migrations and its chart."""
    around = str(naming.around(source.policy, source.service))
    own = "" if folders.is_root(around) else around
    outside = (source.migrations, str(naming.chart(source.policy, source.service)))
    return [
        path
        for path in revision.files(own)
        if usages.is_code(path) and not any(folders.holds(folder, path) for folder in outside)
    ]
