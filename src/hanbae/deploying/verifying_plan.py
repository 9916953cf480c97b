"""Reads again what a plan rests on, under the lock, from git, the registry and the cluster; nothing is believed.

What may differ from a saved plan is what the cluster has of the objects now: the plan promises what will be there in
the end, and whatever somebody has changed by hand is what a deployment takes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from hanbae import _version, errors, subjects, workspaces
from hanbae.clusters import kinds, reading
from hanbae.deploying import cluster_versions, live_sources, older_commits
from hanbae.engines import rollouts
from hanbae.images import references, sources
from hanbae.planning import freezing
from hanbae.policy import documents, loading
from hanbae.results import guards, plans, saved_plans


async def keep(
    space: workspaces.Workspace, clusters: workspaces.Clusters, plan: plans.Plan
) -> None:
    """Hold the world against a plan's promises.

    Raises:
        hanbae.errors.Refused: Something is not what the plan says.
    """
    head = await space.head(plan.environment)
    if guards.is_frozen(plan):
        freezing.refuse_moved(guards.head(plan), head, (plan.service,), plan.environment)
        current = await _current(space, clusters, plan, head)
        differing = freezing.differences(guards.of(plan), current)
        freezing.refuse(differing, (plan.service,), plan.environment)
        return
    older = guards.contained(plan)
    if older is not None:
        older_commits.require_contained(space, plan.environment, older.commit, head)
        return
    promised = guards.head(plan)
    if promised is not None and head != promised.commit:
        raise errors.Refused(
            "deploy.head-moved",
            branch=promised.branch,
            expected=promised.commit[:12],
            head=head[:12],
        )


async def _current(
    space: workspaces.Workspace, clusters: workspaces.Clusters, plan: plans.Plan, head: str
) -> tuple[guards.Guard, ...]:
    """What could be promised of the branch's head now."""
    # Loaded again: the policy is part of the promise and may have been edited since this
    # command began.
    policy = loading.load(space.loaded.path).policy
    now = await promise(
        space, clusters, policy, (plan.service,), environment=plan.environment, commit=head
    )
    (service,) = now.services
    return tuple(freezing.guards(now, service))


async def promise(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    policy: documents.Policy,
    names: Sequence[str],
    *,
    environment: str,
    commit: str,
) -> saved_plans.Frozen:
    """What a deployment of a commit promises, worked out from git, the registry and the cluster.

    Raises:
        hanbae.errors.FileFault: A fault in the files of the commit.
        hanbae.errors.Refused: A registry does not have an image.
        hanbae.errors.Unreachable: A registry or the cluster did not answer.
    """
    cluster, served = await asyncio.gather(
        reading.uid(clusters.workload), cluster_versions.read(clusters.workload)
    )
    revision = space.checkout.revision(commit)
    promised = []
    for name in names:
        source = await live_sources.read(
            clusters, policy, revision, name, environment, cluster=served
        )
        images = await digests(
            freezing.references(source), sources.of(policy, insecure=space.insecure)
        )
        promised.append(freezing.service(source, images))
    return saved_plans.Frozen(
        kind="hanbae-plan",
        format=1,
        hanbae=_version.version,
        environment=environment,
        branch=space.environment(environment).branch or "",
        revision=revision.commit,
        policy=freezing.policy_digest(policy),
        cluster=cluster,
        services=tuple(promised),
    )


async def digests(
    images: tuple[str, ...], registries: sources.Sources | None = None
) -> dict[str, str]:
    """Reference → digest: the one that it names, else what its tag stands for in the registry now.

    A digest cannot come to stand for something else, so nobody is asked about one.

    Args:
        images: References.
        registries: How registries are asked; by default as their names say.

    Raises:
        hanbae.errors.Refused: The registry does not have it.
        hanbae.errors.Unreachable: The registry did not say.
    """
    resolved = {}
    for image in images:
        reference = references.parse(image)
        digest = reference.digest or await (registries or sources.Sources()).digest(reference)
        if digest is None:
            raise errors.Refused("image.not-there", reference=image)
        resolved[image] = digest
    return resolved


async def check_running(
    clusters: workspaces.Clusters,
    plan: plans.Plan,
    objects: Mapping[subjects.Ref, Mapping[str, Any]],
) -> None:
    """Hold what the pods run, by the container runtime's own ids, against the promised digests.

    Hooks are left out: their pods may be gone by now.

    Args:
        clusters: The environment's clusters.
        plan: The plan.
        objects: The objects of the release as they are now.

    Raises:
        hanbae.errors.Failed: A container runs another image.
    """
    promised = {
        guard.reference: guard.digest
        for guard in guards.of(plan)
        if isinstance(guard, guards.FrozenDigest)
    }
    if not promised:
        return
    for workload in objects.values():
        if workload.get("kind") not in rollouts.KINDS:
            continue
        labels = (workload["spec"].get("selector") or {}).get("matchLabels") or {}
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        where = workload["metadata"]["namespace"]
        for pod in await reading.find(clusters.workload, kinds.POD, where, label_selector=selector):
            _check(pod, rollouts.images(workload), promised)


def _check(pod: Mapping[str, Any], images: Mapping[str, str], promised: Mapping[str, str]) -> None:
    """One pod; those that are ending are of the rollout before."""
    metadata = pod["metadata"]
    if "deletionTimestamp" in metadata:
        return
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        digest = promised.get(images.get(status["name"], ""))
        if digest is not None and not str(status.get("imageID") or "").endswith(digest):
            raise errors.Failed(
                "deploy.other-image",
                object=f"Pod/{metadata['namespace']}/{metadata['name']}:{status['name']}",
                expected=digest,
                image=status.get("imageID") or "-",
            )
