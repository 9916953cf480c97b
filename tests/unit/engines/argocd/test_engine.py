"""What who resumes a deployment takes for it, by what was known before it was asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import applications as samples

from hanbae import subjects
from hanbae.argo import operations
from hanbae.clusters import kinds
from hanbae.engines.argocd import engine
from hanbae.results import plans

REF = subjects.Ref("Application", "argocd", "auth-dev")
BEFORE, LATER = "2026-11-20T11:00:00Z", "2026-11-23T12:00:00Z"
SYNC = plans.Sync("auth-dev", samples.REVISION)


def argocd(application: kinds.Object) -> engine.ArgoCD:
    async def existing() -> kinds.Object:
        return application

    through: Any = SimpleNamespace(ref=REF, existing=existing)
    target = engine.Target("auth-dev", "argocd", "services-dev", "auth-service", "auth-secrets")
    about = {"revision": samples.REVISION}
    cluster: Any = None
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
