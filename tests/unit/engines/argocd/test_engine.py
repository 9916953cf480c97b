"""What who resumes a deployment takes for it, by what was known before it was asked for."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import applications as samples
from tests.support import quiet_clusters

from hanbae import errors, subjects
from hanbae.argo import operations
from hanbae.clusters import connections, kinds, reading
from hanbae.engines import owning_releases
from hanbae.engines.argocd import application_handles, engine, steering
from hanbae.results import plans
from hanbae.streams import channels

REF = subjects.Ref("Application", "argocd", "auth-dev")
BEFORE, LATER = "2026-11-20T11:00:00Z", "2026-11-23T12:00:00Z"
SYNC = plans.Sync("auth-dev", samples.REVISION)


def argocd(application: kinds.Object) -> engine.ArgoCD:
    async def existing() -> kinds.Object:
        return application

    through: Any = SimpleNamespace(ref=REF, existing=existing)
    target = engine.Target("auth-dev", "argocd", "services-dev", "auth-service", "auth-secrets")
    about = {"revision": samples.REVISION}
    unsent: Any = None
    cluster = connections.Cluster(unsent, context="control", server="https://10.0.0.1:6443")
    return engine.ArgoCD(through, cluster, target, by="hanbae/jiwon", about=about)


async def test_a_deployment_that_waited_for_somebody_elses_operation_has_not_run_before_it() -> (
    None
):
    """An older commit stands in the history from the last time that it was deployed."""
    theirs = samples.operation(revision=samples.OTHER, automated=False)
    history = [{"revision": samples.REVISION, "deployStartedAt": BEFORE}]
    running = samples.application(
        automated=False, state=samples.state("Running", of=theirs), history=history
    )
    previous = await argocd(running).previous()
    assert previous == samples.STARTED
    ended = samples.application(
        automated=False, state=samples.state("Succeeded", of=theirs), history=history
    )
    assert not argocd(ended)._has_run(ended, SYNC, "d1.sync", previous)
    own = {"revision": samples.REVISION, "deployStartedAt": LATER}
    deployed = samples.application(
        automated=False, state=samples.state("Succeeded", of=theirs), history=[*history, own]
    )
    assert argocd(deployed)._has_run(deployed, SYNC, "d1.sync", previous)


@pytest.mark.parametrize(
    ("phase", "previous"), [("Running", ""), ("Succeeded", samples.STARTED)], ids=["runs", "ended"]
)
async def test_automations_own_operation_of_the_commit_is_the_deployments_while_it_runs(
    phase: str, previous: str
) -> None:
    application = samples.application(state=samples.state(phase))
    assert operations.recorded(application) is not None
    assert await argocd(application).previous() == previous


HELMS = {"meta.helm.sh/release-name": "auth-service"}
APPLIED = [samples.result("Deployment", "auth")]
DRY = samples.operation() | {"sync": {"revision": samples.REVISION, "dryRun": True}}


@pytest.mark.parametrize(
    ("label", "namespace", "state", "is_refused"),
    [
        ("auth-service", "services-dev", None, True),
        ("", "", None, True),
        ("auth-dev", "services-dev", None, False),
        ("auth-service", "services-dev", samples.state("Failed", results=APPLIED), False),
        ("auth-service", "services-dev", samples.state("Failed", of=DRY, results=APPLIED), True),
        ("", "others", None, False),
    ],
    ids=["helm's", "without label", "argo cd's label", "applied", "dry run", "other namespace"],
)
async def test_what_argo_cd_has_taken_over_is_not_helms_for_the_annotations_that_helm_has_left(
    monkeypatch: pytest.MonkeyPatch,
    label: str,
    namespace: str,
    state: dict[str, Any] | None,
    is_refused: bool,
) -> None:
    """With ``resourceTrackingMethod: label`` Argo CD writes no annotation of its own."""
    marks = HELMS | ({"meta.helm.sh/release-namespace": namespace} if namespace else {})
    labels = {"app.kubernetes.io/instance": label} if label else {}
    live = {"metadata": {"name": "auth", "annotations": marks, "labels": labels}}

    async def metadata(_: object, kind: kinds.Kind, __: str) -> list[kinds.Object]:
        return [live] if kind is kinds.DEPLOYMENT else []

    monkeypatch.setattr(reading, "metadata", metadata)
    # Argo CD lists what is in git among the resources, whosever the live object is.
    listed = [{"kind": "Deployment", "namespace": "services-dev", "name": "auth"}]
    application = samples.application(state=state, resources=listed)
    applied = operations.applied(application)
    if not is_refused:
        await argocd(application)._refuse_helm(applied)
        return
    with pytest.raises(errors.Refused, match=r"argo\.helm-owns") as refused:
        await argocd(application)._refuse_helm(applied)
    assert refused.value.text.facts["command"] == (
        "kubectl delete secret -n services-dev -l owner=helm,name=auth-service --context control"
    )


def test_a_label_that_is_the_releases_as_well_as_the_applications_is_not_argo_cds_alone() -> None:
    live = {"metadata": {"labels": {"app.kubernetes.io/instance": "auth"}}}
    assert not owning_releases.is_labelled(live, application="auth", release="auth")
    assert owning_releases.is_labelled(live, application="auth", release="auth-service")


async def test_an_application_that_goes_before_it_is_followed_ends_the_deployment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def nothing(*_: object, **__: object) -> None:
        pass

    handle = application_handles.Application(quiet_clusters.quiet(monkeypatch), REF)
    steered = steering.Steering(SYNC, "d1.sync", REF)
    steered.since(samples.application(state=samples.state("Running")))
    begun: Any = SimpleNamespace(
        steering=steered, workload=SimpleNamespace(applies=nothing, drained=nothing)
    )
    target = engine.Target("auth-dev", "argocd", "services-dev", "auth-service", "auth-secrets")
    argo = engine.ArgoCD(handle, handle._cluster, target, by="hanbae/jiwon")
    with pytest.raises(errors.Failed) as caught:
        async with asyncio.timeout(5):
            await argo._steer(begun, channels.Channel(), asyncio.Event())
    assert caught.value.text.id == "argo.application-deleted"
