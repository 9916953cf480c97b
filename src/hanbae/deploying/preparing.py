"""Plans a run: the head of the environment's branch, its services, a plan for each."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from hanbae import errors, wording, workspaces
from hanbae.apis import serving
from hanbae.deploying import (
    approving,
    claiming,
    cluster_versions,
    going_back,
    helm_drift,
    holding,
    last_proofs,
    live_sources,
    older_commits,
    permitting,
    preflight,
    resuming,
    stating,
    verifying_plan,
)
from hanbae.gates import deciding
from hanbae.planning import deployments, freezing
from hanbae.policy import environments
from hanbae.repository import services
from hanbae.results import checklists, drifts, plans, saved_plans

_FORCED: Final = "--no-preflight"


class Prepared(Struct, frozen=True):
    """A run that has been planned.

    Attributes:
        by: Who deploys, as the control cluster knows them, or Argo CD's API where that is used.
        revision: The commit.
        plans: Deployment id → plan, in the order of services; what is resumed comes before what is new.
        resumed: Deployment id → what was done of it, for those that an earlier run has left half done.
        skipped: Services that were left out, because nothing was done for them since they were scaffolded.
        unchanged: Services that were left out, because they are as they were last proven.
        sources: The services at the commit, for those that are deployed anew.
        unchecked: What could not be looked at before, each followed by the reason.
        checked: Service → what became of the checklist before its deployment, for those that are deployed anew.
        waived: What somebody waives so that they may be deployed at all.
        drifted: What somebody has changed by hand in what Helm has installed, which the deployment puts back.
    """

    by: str
    revision: str
    plans: dict[str, plans.Plan]
    resumed: dict[str, resuming.Past] = {}
    skipped: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    sources: Mapping[str, deployments.Source] = {}
    unchecked: tuple[wording.Text, ...] = ()
    checked: Mapping[str, checklists.Checked] = {}
    waived: tuple[checklists.Decision, ...] = ()
    drifted: tuple[wording.Text, ...] = ()

    @property
    def waivers(self) -> checklists.Checked:
        """What is waived, for a deployment whose items are not decided anew."""
        return checklists.Checked("before", self.waived)

    @property
    def services(self) -> tuple[str, ...]:
        """The services that are deployed, each once, in the order in which they begin."""
        return tuple(dict.fromkeys(plan.service for plan in self.plans.values()))

    @property
    def chains(self) -> tuple[tuple[str, ...], ...]:
        """Deployments that go on one after the other: those of a service, and of services that share a database."""
        chains: list[tuple[set[str], list[str]]] = []
        for deployment, plan in self.plans.items():
            keys = {f"service {plan.service}", *map("database {}".format, _addresses(plan))}
            chain = [deployment]
            apart = []
            for entry in chains:
                # A deployment can connect chains that had nothing in common so far, so all that it
                # touches become one.
                if entry[0] & keys:
                    keys |= entry[0]
                    chain = entry[1] + chain
                else:
                    apart.append(entry)
            chains = [*apart, (keys, chain)]
        order = list(self.plans).index
        return tuple(
            sorted(
                (tuple(sorted(chain, key=order)) for _, chain in chains),
                key=lambda chain: order(chain[0]),
            )
        )


async def prepare(
    space: workspaces.Workspace,
    requested: tuple[str, ...],
    environment: str,
    *,
    claim: saved_plans.Frozen | None = None,
    forced: bool = False,
    changed_only: bool = False,
    older: str = "",
    back: going_back.Start | None = None,
    waives: str = "",
) -> Prepared:
    """Plan a run; deployments that nobody drives any more, of the same services, become part of it.

    Args:
        space: The workspace.
        requested: Services; empty for all of the branch that were begun.
        environment: The environment.
        claim: A saved plan, whose promises the deployments are held to.
        forced: Begin although a deployment is known to fail.
        changed_only: Leave out services that are as they were last proven.
        older: A commit that the branch contains, to be deployed instead of its head.
        back: Where a rollback to `older` begins; the databases go back before it is deployed.
        waives: Why something is deployed although the policy freezes the environment; empty where it is not.

    Raises:
        hanbae.errors.WrongUse: No such environment, branch or service; a fault in the files of the commit.
        hanbae.errors.Refused: The branch is elsewhere, it is known to fail, frozen or held, or nobody has approved it.
        hanbae.errors.Unreachable: The remote or a cluster did not answer.
    """
    if claim is not None:
        freezing.check_names(claim, space.policy, ())
    space.refuse_unknown(requested, environment)
    commit = await _commit(space, environment, claim, older, goes_back=back is not None)
    revision = space.checkout.revision(commit)
    revision_label = commit[:12] if older else space.environment(environment).branch or ""
    if claim is not None:
        freezing.check_names(claim, space.policy, services.every(space.policy, revision))
    names = services.chosen(
        space.policy, revision, requested, revision=revision_label, environment=environment
    )
    async with space.clusters(environment) as clusters:
        by, cluster = await asyncio.gather(
            clusters.identity(), cluster_versions.read(clusters.workload)
        )
        leftovers = await _left_half_done(space, clusters, names, environment, claim)
        resumed = {past.deployment: past for past in leftovers if past is not None}
        going_on = {past.plan.service for past in resumed.values() if past.revision == commit}
        anew = [name for name in names if name not in going_on]
        waived, approved = await _allowed(
            space, clusters, anew, environment, commit=commit, reason=waives, by=by
        )
        sources = {
            name: await live_sources.read(
                clusters, space.policy, revision, name, environment, cluster=cluster
            )
            for name in anew
        }
        skipped = () if requested else _not_begun(sources)
        sources = _without(sources, skipped)
        marks = await _marks(space, clusters, sources, environment)
        same: tuple[str, ...] = ()
        if changed_only:
            same = await last_proofs.unchanged(space, clusters, sources, cluster=cluster)
        sources = _without(sources, same)
        fresh = _planned(sources, claim, is_older=bool(older))
        fresh = await _going_back(space, clusters, sources, fresh, back=back, cluster=cluster)
        examined = await _check(
            space, clusters, sources, fresh, marks, is_older=bool(older), forced=forced
        )
        drifted = await _drifted(space, clusters, (*fresh, *same), environment)
    planned = _in_turn(space, names, leftovers, fresh)
    if back is None:
        _refuse_nothing((*planned, *same), skipped, environment)
    unchecked = tuple(text for answer in examined.values() for text in answer.unchecked)
    by_force = deciding.waived(space.policy, by, _FORCED, _identity(clusters)) if forced else None
    besides = (*waived, *approved)
    checked = {name: _with(by_force or entry.checked, besides) for name, entry in examined.items()}
    return Prepared(
        by, commit, planned, resumed, skipped, same, sources, unchecked, checked, waived, drifted
    )


async def _drifted(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    names: Iterable[str],
    environment: str,
) -> tuple[wording.Text, ...]:
    """What somebody has changed by hand since Helm has installed it; Argo CD says it by itself."""
    if not environments.by_helm(space.policy, environment):
        return ()
    installed = await asyncio.gather(
        *(helm_drift.of_service(space, clusters.workload, name, environment) for name in names)
    )
    return tuple(text for entry in installed for text in drifts.sentences(entry.drifts))


async def _allowed(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    services: Sequence[str],
    environment: str,
    *,
    commit: str,
    reason: str,
    by: str,
) -> tuple[tuple[checklists.Decision, ...], tuple[checklists.Decision, ...]]:
    """What is waived and who has approved, so that services may be deployed; what was begun before needs neither.

    Raises:
        hanbae.errors.Refused: The environment is frozen, or too few people have approved the commit.
    """
    if not services:
        return (), ()
    waived = permitting.waived(
        space, environment, reason=reason, by=by, identity=_identity(clusters)
    )
    return waived, await approving.approved(space, clusters, services, environment, commit)


def _identity(clusters: workspaces.Clusters) -> checklists.Identity:
    """Who knows whoever deploys by their name."""
    return "cluster" if clusters.argocd is None else "argocd"


def _in_turn(
    space: workspaces.Workspace,
    names: Iterable[str],
    leftovers: Iterable[resuming.Past | None],
    fresh: Mapping[str, plans.Plan],
) -> dict[str, plans.Plan]:
    """Deployment id → plan: for each service, what is left half done before what is new."""
    planned: dict[str, plans.Plan] = {}
    for name, past in zip(names, leftovers, strict=True):
        if past is not None:
            planned[past.deployment] = past.plan
        if name in fresh:
            planned[space.ids()] = fresh[name]
    return planned


def _with(phase: checklists.Checked, waived: tuple[checklists.Decision, ...]) -> checklists.Checked:
    return msgspec.structs.replace(phase, decisions=(*phase.decisions, *waived))


async def _marks(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    sources: Mapping[str, deployments.Source],
    environment: str,
) -> dict[str, Mapping[str, str]]:
    """Service → the marks of its Lease, among which is what people say of its checklist.

    Raises:
        hanbae.errors.Refused: Somebody holds a service, or this commit of it.
    """
    names = list(sources)
    leases = await asyncio.gather(
        *(claiming.lease(space.policy, clusters.workload, name, environment) for name in names)
    )
    marks = {name: lease.marks if lease else {} for name, lease in zip(names, leases, strict=True)}
    for name, source in sources.items():
        holding.refuse(marks[name], name, environment, source.revision.commit)
    return marks


async def _going_back(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    sources: Mapping[str, deployments.Source],
    fresh: Mapping[str, plans.Plan],
    *,
    back: going_back.Start | None,
    cluster: serving.Cluster,
) -> dict[str, plans.Plan]:
    """The plans of a rollback with the ways back of databases; without those in which nothing is to be done.

    Raises:
        hanbae.deploying.preflight.KnownToFail: A database cannot go back so far.
    """
    if back is None:
        return dict(fresh)
    planned = {
        name: await going_back.planned(
            space, clusters, sources[name], plan, begun=back, cluster=cluster
        )
        for name, plan in fresh.items()
    }
    return {name: plan for name, plan in planned.items() if plan.steps}


async def _commit(
    space: workspaces.Workspace,
    environment: str,
    claim: saved_plans.Frozen | None,
    older: str,
    *,
    goes_back: bool,
) -> str:
    """The commit that is deployed: the head of the branch, or an older one.

    Raises:
        hanbae.errors.Refused: The branch is elsewhere than the saved plan says, or does not contain the older commit.
    """
    head = await space.head(environment)
    if claim is not None:
        freezing.check_head(claim, head)
    if goes_back:
        older_commits.require_contained(space, environment, older, head)
        return older
    return older_commits.resolve(space, environment, older, head) if older else head


async def _left_half_done(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    names: Iterable[str],
    environment: str,
    claim: saved_plans.Frozen | None,
) -> list[resuming.Past | None]:
    """For each service, the deployment of an earlier run that nobody drives any more, or None."""
    leftovers = await asyncio.gather(
        *(resuming.of_application(space, clusters, name, environment) for name in names)
    )
    if claim is None:
        return leftovers
    return [past and await _held(space, clusters, past, claim) for past in leftovers]


def _without(
    sources: Mapping[str, deployments.Source], names: Collection[str]
) -> dict[str, deployments.Source]:
    return {name: source for name, source in sources.items() if name not in names}


def _addresses(plan: plans.Plan) -> Iterator[str]:
    """Where each database of a plan has its address from: the same key of the same Secret is the same database."""
    for step in plan.steps:
        if isinstance(step.does, plans.Prove):
            containers = step.does.job["spec"]["template"]["spec"]["containers"]
            for variable in containers[0].get("env") or []:
                source = (variable.get("valueFrom") or {}).get("secretKeyRef") or {}
                if source:
                    yield f"{step.does.hook.namespace}/{source.get('name')}/{source.get('key')}"


def _not_begun(sources: Mapping[str, deployments.Source]) -> tuple[str, ...]:
    """The services for which nothing was done since they were scaffolded."""
    return tuple(name for name, source in sources.items() if not preflight.is_begun(source))


def _planned(
    sources: Mapping[str, deployments.Source],
    claim: saved_plans.Frozen | None,
    *,
    is_older: bool = False,
) -> dict[str, plans.Plan]:
    """The plans of services, held to a saved plan where there is one.

    Raises:
        hanbae.deploying.preflight.KnownToFail: A service names no image, so there is nothing to plan.
    """
    unplanned = [preflight.without_plan(source) for source in sources.values()]
    _refuse(tuple(reason for reason in unplanned if reason is not None))
    planned = {}
    for name, source in sources.items():
        plan = deployments.plan(source, is_older=is_older)
        if claim is not None:
            plan = freezing.bound(plan, claim, freezing.promised(claim, name))
        planned[name] = plan
    return planned


async def _check(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    sources: Mapping[str, deployments.Source],
    planned: Mapping[str, plans.Plan],
    marks: Mapping[str, Mapping[str, str]],
    *,
    is_older: bool,
    forced: bool,
) -> dict[str, preflight.Examined]:
    """Refuse what is known to fail; a database that is past an older commit is no matter of force.

    Returns:
        Service → what is known of it; nothing of what is forced.

    Raises:
        hanbae.deploying.preflight.KnownToFail: Something is.
    """
    if is_older:
        _refuse(await older_commits.reasons(space, clusters, sources.values(), planned))
    if forced:
        return dict.fromkeys(planned, preflight.Examined())
    answers = await asyncio.gather(
        *(
            preflight.examine(
                space,
                clusters,
                sources[name],
                plan,
                stating.holding(marks[name], sources[name].revision.commit, space.clock()),
            )
            for name, plan in planned.items()
        )
    )
    _refuse(tuple(reason for answer in answers for reason in answer.reasons))
    return dict(zip(planned, answers, strict=True))


def _refuse_nothing(candidates: Collection[str], skipped: Iterable[str], environment: str) -> None:
    """Refuse a run in which nothing is left to be deployed, nor was found to be unchanged.

    Raises:
        hanbae.errors.Refused: Nothing is.
    """
    if not candidates:
        facts = {"environment": environment, "services": ", ".join(skipped)}
        raise errors.Refused("preflight.nothing-begun", place=None, **facts)


def _refuse(reasons: tuple[wording.Text, ...]) -> None:
    """Refuse what is known to fail.

    Raises:
        hanbae.deploying.preflight.KnownToFail: There are reasons.
    """
    if reasons:
        raise preflight.KnownToFail(reasons)


async def _held(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    past: resuming.Past,
    claim: saved_plans.Frozen,
) -> resuming.Past:
    """A deployment that was left half done, held to the saved plan where it is of the same commit.

    A deployment does not look at its guards again once it has begun, so here they are looked at before it goes on.
    """
    if past.revision != claim.revision:
        return past
    plan = freezing.bound(past.plan, claim, freezing.promised(claim, past.plan.service))
    await verifying_plan.keep(space, clusters, plan)
    return msgspec.structs.replace(past, plan=plan)
