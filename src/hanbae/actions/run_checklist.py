"""``hanbae checklist run``: decides the items of a service's checklist, and deploys nothing."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence

from hanbae import errors, wording, workspaces
from hanbae.deploying import (
    claiming,
    cluster_versions,
    live_sources,
    proving,
    stating,
    trusting,
)
from hanbae.engines import secrets
from hanbae.gates import deciding, targets
from hanbae.images import sources
from hanbae.planning import deployments
from hanbae.policy import naming
from hanbae.results import checklists, events, plans


async def run(
    space: workspaces.Workspace,
    service: str,
    environment: str,
    *,
    phases: Sequence[checklists.Phase] = checklists.PHASES,
) -> checklists.Checklist:
    """Decide the items of some phases.

    What only a deployment can show (that its migration was watched, say) is read from the record of the last one of
    the same commit; goose is asked for its versions anew.

    Args:
        space: The workspace.
        service: The service.
        environment: The environment.
        phases: The phases.

    Raises:
        hanbae.errors.WrongUse: No such environment, branch or service; a fault in the files of the commit.
        hanbae.errors.Unreachable: The remote or the cluster did not answer.
    """
    space.refuse_unknown((service,), environment)
    commit = await space.head(environment)
    revision = space.checkout.revision(commit)
    async with space.clusters(environment) as clusters:
        served = await cluster_versions.read(clusters.workload)
        source = await live_sources.read(
            clusters, space.policy, revision, service, environment, cluster=served
        )
        keeper = secrets.Keeper(
            clusters.workload, source.namespace, naming.secret(space.policy, service, environment)
        )
        await keeper.refresh()
        plan = deployments.plan(source)
        recorded = _recorded(space, service, environment, commit)
        proved: tuple[events.Proved, ...] = ()
        refuted: dict[str, wording.Text] = {}
        if "after" in phases and "versions-updated" in deciding.gates(space.policy, "after"):
            name = naming.release(space.policy, service, environment)
            proved, refuted = await _proven(
                clusters, plan, name=name, key=space.ids(), redact=keeper.redact
            )
        target = targets.Target(
            source,
            plan,
            clusters.workload,
            sources.of(space.policy, insecure=space.insecure),
            recorded=recorded,
            redact=keeper.redact,
            proved=proved,
            refuted=refuted,
            began=deciding.began(recorded),
            trusted=trusting.commands(space),
            clock=space.clock,
            stated=await _stated(space, clusters, service, environment, commit),
            typed=functools.partial(space.typed, environment),
        )
        decided = [await deciding.decide(phase, target) for phase in phases]
    return checklists.Checklist(service, environment, commit, tuple(decided))


async def _stated(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    service: str,
    environment: str,
    commit: str,
) -> tuple[checklists.Statement, ...]:
    """What people say of the items of a commit."""
    lease = await claiming.lease(space.policy, clusters.workload, service, environment)
    marks = lease.marks if lease is not None else {}
    return stating.holding(marks, commit, space.clock())


def _recorded(
    space: workspaces.Workspace, service: str, environment: str, commit: str
) -> tuple[events.Event, ...]:
    """The record of the last deployment of the commit that has changed something; empty where there is none."""
    for deployment in space.store.deployments(service=service, environment=environment):
        if deployment.revision == commit and deployment.began is not None:
            return tuple(space.store.events(deployment.id))
    return ()


async def _proven(
    clusters: workspaces.Clusters,
    plan: plans.Plan,
    *,
    name: str,
    key: str,
    redact: Callable[[str], str],
) -> tuple[tuple[events.Proved, ...], dict[str, wording.Text]]:
    """What goose says of each database now: the proofs, and database → why one has failed."""
    proofs = {step.id: step.does for step in plan.steps if isinstance(step.does, plans.Prove)}
    # All proofs are waited for: at the first failure gather would leave the others alone with their
    # Jobs, and what is wrong with one database says nothing of another one.
    answers = await asyncio.gather(
        *(
            proving.prove(
                clusters.workload,
                plan,
                proof,
                name=f"{name}-{step}",
                key=proving.key(key, step),
                applied=(),
                redact=redact,
            )
            for step, proof in proofs.items()
        ),
        return_exceptions=True,
    )
    proved = []
    refuted = {}
    for proof, answer in zip(proofs.values(), answers, strict=True):
        # That is goose's answer about this database. Any other failure, such as a cluster that is
        # away, ends the command.
        if isinstance(answer, errors.Failed):
            refuted[proof.database] = answer.text
        elif isinstance(answer, BaseException):
            raise answer
        else:
            proved.append(answer)
    return tuple(proved), refuted
