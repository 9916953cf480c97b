"""What is left after a deployment that did not succeed: where each database stands, and which pods still serve."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from hanbae import errors, subjects, wording
from hanbae.clusters import connections, kinds, reading
from hanbae.deploying import following
from hanbae.engines import rollouts
from hanbae.history import stores
from hanbae.results import deployments, events, guards, plans

_TEMPLATE_LABELS = {
    "Deployment": "pod-template-hash",
    "StatefulSet": "controller-revision-hash",
}
"""Kind → the label by which its pods of one template are told from those of another."""


def databases(
    plan: plans.Plan,
    followed: following.Following,
    *,
    applied: Mapping[str, Iterable[int]],
    stood_before: Mapping[str, int],
    proven: Iterable[str],
) -> Iterator[events.Migrated]:
    """Where the databases stand that were not proven, by the logs of their migrations.

    Args:
        plan: The deployment's plan.
        followed: What was seen of it.
        applied: Database → versions that this deployment's log says were applied.
        stood_before: Database → version at which the last deployment left it, proven or not.
        proven: Databases that this deployment proved.
    """
    proven_here = frozenset(proven)
    for step in plan.steps:
        proof = step.does
        if not isinstance(proof, plans.Prove) or proof.database in proven_here:
            continue
        now = sorted(set(applied.get(proof.database, ())) & set(proof.versions))
        before = followed.reached.get(proof.hook, stood_before.get(proof.database))
        version = max([*now, *([] if before is None else [before])], default=None)
        yield events.Migrated(
            proof.database,
            len(proof.versions),
            version,
            sum(1 for number in proof.versions if version is not None and number <= version),
            tuple(now),
            tuple(map(proof.named, now)),
            followed.failed(proof.hook),
        )


def stood(listed: Iterable[deployments.Deployment], *, besides: str) -> dict[str, int]:
    """Database → version at which the last deployment that came to it left it, however that one ended.

    Args:
        listed: Deployments of a service to an environment, the newest first.
        besides: Id of the deployment that is looked at now.
    """
    versions: dict[str, int | None] = {}
    for deployment in listed:
        if deployment.id != besides:
            for migration in deployment.migrations:
                # The newest entry counts even if it is None: an older one says nothing about now.
                versions.setdefault(migration.database, migration.version)
    return {name: version for name, version in versions.items() if version is not None}


def before(store: stores.Store, plan: plans.Plan, deployment: str) -> dict[str, int]:
    """Database → version at which it stood before the migrations of a deployment, what that took back included.

    Args:
        store: The history.
        plan: The deployment's plan.
        deployment: Its id.
    """
    listed = store.deployments(service=plan.service, environment=plan.environment)
    facts = (event.fact for event in store.events(deployment))
    return stood(listed, besides=deployment) | {
        fact.database: fact.version for fact in facts if isinstance(fact, events.TakenBack)
    }


async def serving(cluster: connections.Cluster, plan: plans.Plan) -> tuple[wording.Text, ...]:
    """Which pods still serve: those from before the deployment, others, or none; nothing where that cannot be seen."""
    sentences = []
    planned: dict[subjects.Ref, dict[str, str]] = {}
    for guard in guards.of(plan):
        if isinstance(guard, guards.RunningImage):
            planned.setdefault(guard.workload, {})[guard.container] = guard.image
    for ref, images in planned.items():
        try:
            sentence = await _of_workload(cluster, ref, images)
        except errors.Error:
            continue
        if sentence is not None:
            sentences.append(sentence)
    return tuple(sentences)


async def _of_workload(
    cluster: connections.Cluster, ref: subjects.Ref, planned: Mapping[str, str]
) -> wording.Text | None:
    workload = await reading.get(cluster, kinds.named(ref.kind), ref.namespace, ref.name)
    if workload is None:
        return None
    labels = (workload["spec"].get("selector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    pods = await reading.find(cluster, kinds.POD, ref.namespace, label_selector=selector)
    newest = await _newest(cluster, ref, workload, selector)
    return standing(ref, pods, planned=planned, newest=newest)


def standing(
    ref: subjects.Ref,
    pods: Iterable[kinds.Object],
    *,
    planned: Mapping[str, str],
    newest: str,
) -> wording.Text:
    """Which of a workload's pods serve.

    A deployment that ended before its workload was changed leaves pods of the newest template there is, which are
    not its own; so they are its own at most where they run its images, and even then that is not said.

    Args:
        ref: The workload.
        pods: Its pods.
        planned: Container → image, as the deployment has them.
        newest: Value of the label by which pods of the newest template are known.
    """
    ready = [pod for pod in pods if _is_ready(pod)]
    label = _TEMPLATE_LABELS[ref.kind]
    former = [
        pod
        for pod in ready
        if (pod["metadata"].get("labels") or {}).get(label) != newest
        or any(_images(pod).get(container) != image for container, image in planned.items())
    ]
    serving = former or ready
    facts = {"workload": str(ref), "ready": str(len(serving))}
    if not serving:
        return wording.Text("deploy.none-serve", facts)
    images = dict.fromkeys(image for pod in serving for image in _images(pod).values())
    text_id = "deploy.former-serve" if former else "deploy.pods-serve"
    return wording.Text(text_id, facts | {"images": ", ".join(images)})


def _images(pod: kinds.Object) -> dict[str, str]:
    """Container → image, as the pod's specification names it."""
    containers = pod["spec"].get("containers") or []
    return {
        str(container.get("name")): str(container.get("image") or "-") for container in containers
    }


async def _newest(
    cluster: connections.Cluster, ref: subjects.Ref, workload: kinds.Object, selector: str
) -> str:
    """The label's value of the pods of the newest template."""
    if ref.kind == "StatefulSet":
        return str((workload.get("status") or {}).get("updateRevision") or "")
    replicasets = await reading.find(
        cluster, kinds.REPLICASET, ref.namespace, label_selector=selector
    )
    for replicaset in replicasets:
        if rollouts.newest(workload, replicaset):
            return str((replicaset["metadata"].get("labels") or {}).get("pod-template-hash") or "")
    return ""


def _is_ready(pod: kinds.Object) -> bool:
    if "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in conditions
    )


def proven(store: stores.Store, plan: plans.Plan, *, besides: str) -> dict[str, int]:
    """Database → version, by the last deployment in the history that proved it.

    Args:
        store: The history.
        plan: The deployment's plan.
        besides: Id of the deployment itself, which does not count.
    """
    versions: dict[str, int] = {}
    for deployment in store.deployments(service=plan.service, environment=plan.environment):
        if deployment.id == besides:
            continue
        for migration in deployment.migrations:
            if migration.proven and migration.version is not None:
                versions.setdefault(migration.database, migration.version)
    return versions
