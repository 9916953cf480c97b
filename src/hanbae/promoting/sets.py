"""The set that runs in an environment and was proven there: by the Leases, the history and what runs now.

What a deployment has proven, its Lease says to everybody; whether that still runs, the environment itself says. A set
is only what both say.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from hanbae import wording, workspaces
from hanbae.apis import serving
from hanbae.deploying import claiming, cluster_versions, holding, last_proofs, live_sources
from hanbae.planning import deployments, freezing
from hanbae.promoting import refusals
from hanbae.results import checklists, promotions, saved_plans, standings

_UNSETTLED: Final = frozenset({"drifted", "busy", "progressing", "degraded", "absent", "unknown"})
_AT_ONCE: Final = 8
_SHORT: Final = 12


async def of(
    space: workspaces.Workspace,
    listed: Sequence[standings.Standing],
    environment: str,
    *,
    named: bool,
) -> promotions.ProvenSet:
    """The proven set of an environment.

    Args:
        space: The workspace.
        listed: Where its services stand.
        environment: The environment.
        named: Whether somebody has named these services; else those that were never deployed are left out.

    Raises:
        hanbae.promoting.refusals.NotPromotable: A service is not as it was proven, or was not proven at all.
        hanbae.errors.Refused: Somebody holds a service there.
        hanbae.errors.Unreachable: A cluster did not answer.
    """
    entries = [entry for entry in listed if named or entry.state != "absent"]
    reasons = [_unsettled(entry) for entry in entries if _is_unsettled(entry)]
    if not entries:
        reasons = [wording.Text("promotion.empty", {"environment": environment})]
    refusals.refuse(reasons)
    commit = _common(space, entries)
    async with space.clusters(environment) as clusters:
        cluster = await cluster_versions.read(clusters.workload)
        sources = await _sources(space, clusters, entries, commit, cluster)
        proofs = await _proofs(space, clusters, sources.values())
        same = await last_proofs.unchanged(space, clusters, sources, cluster=cluster)
        changed = [entry for entry in entries if entry.service not in same]
        refusals.refuse([_changed(entry, proofs[entry.service]) for entry in changed])
        for entry in entries:
            proof = proofs[entry.service]
            if proof is not None and entry.deployed not in {commit, proof.commit}:
                source = sources[entry.service]
                runs = await last_proofs.is_as_at(
                    space, clusters, source, entry.deployed, cluster=cluster
                )
                refusals.refuse([] if runs else [_changed(entry, proof)])
    members = [_member(space, source, proofs[name]) for name, source in sources.items()]
    promised = [freezing.service(source, {}) for source in sources.values()]
    return promotions.ProvenSet(_id(promised), environment, commit, tuple(members))


def _is_unsettled(entry: standings.Standing) -> bool:
    return entry.state in _UNSETTLED or not entry.deployed


def _common(space: workspaces.Workspace, entries: Sequence[standings.Standing]) -> str:
    """The newest of the commits that run, which all others must lead to.

    Raises:
        hanbae.promoting.refusals.NotPromotable: There is none.
    """
    commits = list(dict.fromkeys(entry.deployed for entry in entries))
    for commit in commits:
        others = (other for other in commits if other != commit)
        if all(space.checkout.is_ancestor(other, commit) for other in others):
            return commit
    names = ", ".join(f"{entry.service} {entry.deployed[:_SHORT]}" for entry in entries)
    facts = {"environment": entries[0].environment, "services": names}
    raise refusals.NotPromotable((wording.Text("promotion.no-common-commit", facts),))


async def _sources(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    entries: Iterable[standings.Standing],
    commit: str,
    cluster: serving.Cluster,
) -> dict[str, deployments.Source]:
    revision = space.checkout.revision(commit)
    places = asyncio.Semaphore(_AT_ONCE)

    async def read(entry: standings.Standing) -> deployments.Source:
        async with places:
            return await live_sources.read(
                clusters, space.policy, revision, entry.service, entry.environment, cluster=cluster
            )

    sources = await asyncio.gather(*map(read, entries))
    return {source.service: source for source in sources}


async def _proofs(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    sources: Iterable[deployments.Source],
) -> Mapping[str, last_proofs.Proof | None]:
    """Service → its proof; a service that somebody holds has none that counts.

    Raises:
        hanbae.errors.Refused: Somebody holds one.
    """
    proofs = {}
    for source in sources:
        service, environment = source.service, source.environment
        proof = await last_proofs.last_proof(space, clusters, service, environment)
        lease = await claiming.lease(space.policy, clusters.workload, service, environment)
        if lease is not None and proof is not None:
            holding.refuse(lease.marks, service, environment, proof.commit)
        proofs[service] = proof
    return proofs


def _member(
    space: workspaces.Workspace,
    source: deployments.Source,
    proof: last_proofs.Proof | None,
) -> promotions.Member:
    promised = freezing.service(source, {})
    deployment, commit, by = (
        (proof.deployment, proof.commit, proof.by) if proof is not None else ("", "", "")
    )
    checklist: tuple[checklists.Checked, ...] = ()
    with contextlib.suppress(ValueError):  # somebody else has deployed it: their history has it
        checklist = space.store.deployment(deployment).checklist
    return promotions.Member(
        source.service,
        commit,
        deployment,
        by,
        freezing.references(source),
        {database: tuple(files) for database, files in promised.migrations.items()},
        checklist,
    )


def _changed(entry: standings.Standing, proof: last_proofs.Proof | None) -> wording.Text:
    about = {"service": entry.service, "environment": entry.environment}
    if proof is None:
        return wording.Text("promotion.not-proven", about)
    commits = {"proven": proof.commit[:_SHORT], "running": entry.deployed[:_SHORT]}
    return wording.Text("promotion.changed", {**about, **commits})


def _unsettled(entry: standings.Standing) -> wording.Text:
    about = {"service": entry.service, "environment": entry.environment, "state": entry.state}
    return wording.Text("promotion.unsettled", about)


def _id(promised: Sequence[saved_plans.Service]) -> str:
    plain = msgspec.to_builtins(promised, str_keys=True)
    encoded = msgspec.json.encode(plain, order="deterministic")
    return hashlib.sha256(encoded).hexdigest()[:_SHORT]
