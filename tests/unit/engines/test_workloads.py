"""Which objects belong to a deployment, and which are leftovers of the ones before."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tests.support import applications, objects

from hanbae import subjects
from hanbae.argo import operations
from hanbae.clusters import kinds, watching
from hanbae.engines import workloads
from hanbae.engines.argocd import engine as argocd

HOOK = subjects.Ref("Job", "services-dev", "auth-service-migrate")


def own(
    *objects: kinds.Object,
    old: tuple[str, ...] = (),
    warned: dict[str, str] | None = None,
    before: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
) -> set[str]:
    workload = workloads.Workload(
        None,  # type: ignore[arg-type]  nothing is asked of the cluster here
        "services-dev",
        "auth-service",
        "auth-secrets",
        [HOOK],
        old=old,
        warned_before=warned,
        before=before,
    )
    for manifest in objects:
        workload._keep(kinds.ref(manifest), manifest)
    if state is not None:
        recorded = operations.recorded(applications.application(state=state))
        workload._operation = argocd.operation_of(recorded)
    return {ref.name for ref in workload.objects}


def owned(dependent: kinds.Object, owner: kinds.Object) -> kinds.Object:
    name = owner["metadata"]["name"]
    dependent["metadata"]["ownerReferences"] = [
        {"kind": owner["kind"], "name": name, "controller": True}
    ]
    return dependent


def test_a_new_job_of_the_hook_and_its_pods_belong() -> None:
    job = objects.job("auth-service-migrate")
    pod = owned(objects.pod("auth-service-migrate-x"), job)
    stranger = owned(objects.pod("other-x"), objects.job("other"))
    assert own(job, pod, stranger) == {"auth-service-migrate", "auth-service-migrate-x"}


def test_the_job_of_the_deployment_before_does_not_belong() -> None:
    job = objects.job("auth-service-migrate")
    pod = owned(objects.pod("auth-service-migrate-x"), job)
    assert own(job, pod, old=(job["metadata"]["uid"],)) == set()


def test_a_job_that_an_operation_made_before_we_looked_belongs_to_it() -> None:
    job = objects.job("auth-service-migrate")
    old = (job["metadata"]["uid"],)
    job["metadata"]["creationTimestamp"] = "2026-11-23T11:00:03Z"
    assert own(job, old=old, state=applications.state("Running")) == {"auth-service-migrate"}
    job["metadata"]["creationTimestamp"] = "2026-11-23T10:59:59Z"
    assert own(job, old=old, state=applications.state("Running")) == set()


def rollout(*, generation: int = 2) -> tuple[kinds.Object, ...]:
    """A Deployment with its newest and its last ReplicaSet, each with a pod."""

    def number(value: str) -> dict[str, Any]:
        return {"annotations": {"deployment.kubernetes.io/revision": value}}

    deployment = objects.live(
        kinds.DEPLOYMENT,
        "auth-service",
        metadata={"generation": generation, **number("2")},
        status={"observedGeneration": 2},
    )
    new = owned(objects.live(kinds.REPLICASET, "new", metadata=number("2")), deployment)
    old = owned(objects.live(kinds.REPLICASET, "old", metadata=number("1")), deployment)
    return deployment, new, old, owned(objects.pod("new-x"), new), owned(objects.pod("old-x"), old)


APPLIED = applications.state("Running", results=[applications.result("Deployment", "auth-service")])


def test_broken_pods_of_the_version_before_do_not_belong() -> None:
    assert own(*rollout(), state=APPLIED) == {"auth-service", "new", "new-x"}


def test_nothing_of_a_deployment_belongs_before_it_was_applied() -> None:
    assert own(*rollout(), state=applications.state("Running")) == set()


def test_replica_sets_are_not_told_apart_before_the_controller_has_seen_the_new_spec() -> None:
    assert own(*rollout(generation=3), state=APPLIED) == {"auth-service"}


def test_a_sealed_secret_that_has_changed_belongs_before_argo_cd_has_recorded_it() -> None:
    sealed = objects.live(kinds.SEALEDSECRET, "auth-secrets", metadata={"generation": 2})
    uid = sealed["metadata"]["uid"]
    assert own(sealed, before={}) == {"auth-secrets"}, "it is new"
    assert own(sealed, before={uid: 1}) == {"auth-secrets"}, "it is another version"
    assert own(sealed, before={uid: 2}) == set(), "it is as it was"
    assert own(sealed, before=None) == set(), "somebody else may have changed it"


def test_new_pods_belong_before_argo_cd_has_recorded_it_but_not_because_of_a_new_scale() -> None:
    objects = rollout()
    deployment = objects[0]
    deployment["spec"] = {"replicas": 2, "template": {"spec": {"containers": [{"image": "new"}]}}}
    uid, template = deployment["metadata"]["uid"], deployment["spec"]["template"]
    before = {uid: {"spec": {"containers": [{"image": "old"}]}}}
    assert own(*objects, before=before) == {"auth-service", "new", "new-x"}
    deployment["spec"]["replicas"] = 3
    assert own(*objects, before={uid: template}) == set()


def test_warnings_belong_with_their_object_unless_they_were_given_before() -> None:
    job = objects.job("auth-service-migrate")
    warning = objects.event(job, "FailedCreate", "exceeded quota")
    stranger = objects.event(objects.job("other"), "FailedCreate", "exceeded quota")
    assert own(job, warning, stranger) == {"auth-service-migrate", warning["metadata"]["name"]}
    metadata = warning["metadata"]
    warned = {metadata["uid"]: metadata["resourceVersion"]}
    assert own(job, warning, warned=warned) == {"auth-service-migrate"}
    # The same warning once more is a new version of the Event.
    metadata["resourceVersion"] = "999999"
    assert own(job, warning, warned=warned) == {"auth-service-migrate", metadata["name"]}


async def test_a_hook_whose_job_has_gone_does_not_run_though_argo_cd_has_not_seen_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As with ``ttlSecondsAfterFinished: 0`` in an outage."""
    job = objects.job(HOOK.name)

    async def watch(*_: object, **__: object) -> AsyncGenerator[watching.WatchEvent]:
        yield watching.WatchEvent("added", job)
        assert workload.runs_hooks
        yield watching.WatchEvent("deleted", job)

    monkeypatch.setattr(watching, "watch", watch)
    cluster: Any = None
    workload = workloads.Workload(cluster, "services-dev", "auth-service", "auth-secrets", [HOOK])
    result = applications.result(HOOK.kind, HOOK.name, hook="Sync", phase="Running")
    state = applications.state("Running", results=[result])
    recorded = operations.recorded(applications.application(state=state))
    workload._operation = argocd.operation_of(recorded)
    assert workload.runs_hooks, "Argo CD has made it, and no watch has told of it yet"
    await workload._watch(kinds.JOB)
    assert not workload.runs_hooks
