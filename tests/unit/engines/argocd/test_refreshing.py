"""When Argo CD is asked to look again, and when it is left in peace."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from tests.support import applications as samples
from tests.support import objects

from hanbae import errors, subjects
from hanbae.argocd_api import application_calls
from hanbae.clusters import answers, kinds, reading, writing
from hanbae.engines import workloads
from hanbae.engines.argocd import (
    application_handles,
    engine,
    refreshing,
    served,
    steering,
    transports,
)
from hanbae.results import plans

REF = subjects.Ref("Application", "argocd", "auth-dev")
KEY = "d1.sync"
HOOK = subjects.Ref("Job", "services-dev", "auth-service-migrate")
SYNC = plans.Sync(REF.name, samples.REVISION)
MINE = samples.operation(automated=False, key=KEY)
RUNNING = samples.state("Running", of=MINE)


class Argo:
    """An Application that notes when and how it is asked to look, and may refuse it."""

    def __init__(self, most: int, error: errors.Error | None) -> None:
        self.enough = asyncio.Event()
        self.kinds: list[str] = []
        self._most = most
        self.times: list[float] = []
        self._error = error

    async def refresh(self, how: str = "normal") -> kinds.Object:
        self.kinds.append(how)
        self.times.append(asyncio.get_running_loop().time())
        if len(self.kinds) == self._most:
            self.enough.set()
        if self._error is not None:
            raise self._error
        return {}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshing, "SILENT_AFTER", 0.01)


def workload_of(*live: kinds.Object) -> workloads.Workload:
    cluster: Any = None  # nothing is asked of it here
    workload = workloads.Workload(cluster, "services-dev", "auth-service", "auth-secrets", [HOOK])
    for manifest in live:
        workload._keep(kinds.ref(manifest), manifest)
    return workload


async def silence(
    application: kinds.Object,
    *live: kinds.Object,
    does: plans.Sync = SYNC,
    error: errors.Error | None = None,
    most: int = 100,
) -> Argo:
    """How Argo CD is asked while nothing more is heard of this Application, so often or for a while."""
    steered = steering.Steering(does, KEY, REF)
    workload = workload_of(*live)
    for _ in steered.see(application):
        pass
    workload._operation = engine.operation_of(steered.operation)
    argo = Argo(most, error)
    through: Any = argo
    asking = asyncio.create_task(refreshing.after_silence(through, steered, workload))
    enough = asyncio.create_task(argo.enough.wait())
    # Many times as long as it would be before it is asked.
    await asyncio.wait({asking, enough}, timeout=0.3, return_when=asyncio.FIRST_COMPLETED)
    for task in (asking, enough):
        task.cancel()
    await asyncio.wait({asking, enough})
    return argo


@pytest.mark.parametrize(
    ("pending", "how"), [(False, ["normal"]), ("normal", ["hard"]), ("hard", [])]
)
async def test_argo_cd_is_asked_for_more_than_was_asked_for_already_and_never_for_less(
    pending: bool | str, how: list[str]
) -> None:
    application = samples.application(state=RUNNING, refreshing=pending)
    argo = await silence(application, most=1)
    assert argo.kinds == how


def deployment(*, ready: bool) -> kinds.Object:
    """A Deployment of two pods, which warm up or are ready."""
    status = {
        "observedGeneration": 1,
        "replicas": 2,
        "updatedReplicas": 2,
        "availableReplicas": 2 if ready else 1,
    }
    metadata = {"generation": 1}
    return objects.live(
        kinds.DEPLOYMENT, "auth-service", metadata=metadata, spec={"replicas": 2}, status=status
    )


@pytest.mark.parametrize(
    ("health", "ready", "is_asked"),
    [("Progressing", False, False), ("Progressing", True, True), ("Healthy", True, False)],
    ids=["its pods warm up", "Argo CD has not seen the end", "nothing lacks"],
)
async def test_argo_cd_is_left_in_peace_during_a_rollout_that_it_could_say_nothing_about(
    health: str, *, ready: bool, is_asked: bool
) -> None:
    results = [samples.result("Deployment", "auth-service")]
    ended = samples.state("Succeeded", of=MINE, results=results)
    application = samples.application(state=ended, health=health)
    argo = await silence(application, deployment(ready=ready), most=1)
    assert bool(argo.kinds) == is_asked


async def test_argo_cd_is_left_in_peace_after_a_selective_sync() -> None:
    """It waits for what it syncs; what the Application lacks else is not its own."""
    secret = subjects.Ref("SealedSecret", "services-dev", "auth-secrets")
    does = plans.Sync(REF.name, samples.REVISION, only=(secret,))
    selective = samples.operation(automated=False, key=KEY, selected=True)
    ended = samples.state("Succeeded", of=selective)
    argo = await silence(samples.application(state=ended, health="Degraded"), does=does)
    assert not argo.kinds


@pytest.mark.parametrize("kind", ["Job", "Pod", "Workflow"])
async def test_argo_cd_is_left_in_peace_while_a_hook_of_whatever_kind_runs(kind: str) -> None:
    result = samples.result(kind, "auth-migrate", hook="PreSync", phase="Running")
    state = samples.state("Running", of=MINE, results=[result])
    assert not (await silence(samples.application(state=state))).kinds


@pytest.mark.parametrize("kind", ["Job", "Pod"])
async def test_argo_cd_is_asked_where_it_has_not_seen_the_end_of_a_hook(kind: str) -> None:
    result = samples.result(kind, HOOK.name, hook="PreSync", phase="Running")
    state = samples.state("Running", of=MINE, results=[result])
    ended = [objects.terminated(0, name="goose")]
    pod = objects.pod(HOOK.name, containers=ended)
    hook = pod if kind == "Pod" else objects.job(HOOK.name, condition="Complete")
    argo = await silence(samples.application(state=state), hook, most=1)
    assert argo.kinds == ["normal"]


async def test_argo_cd_is_asked_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshing, "LONGEST", 0.04)
    argo = await silence(samples.application(state=RUNNING), most=5)
    pauses = [later - earlier for earlier, later in pairwise(argo.times)]
    assert all(
        pause >= least - 0.002
        for pause, least in zip(pauses, (0.02, 0.04, 0.04, 0.04), strict=True)
    )


async def test_argo_cd_is_not_asked_for_ever_by_whom_it_refuses() -> None:
    argo = await silence(
        samples.application(state=RUNNING), error=errors.Forbidden("cluster.forbidden")
    )
    assert len(argo.kinds) == refreshing.REFUSALS


@pytest.mark.parametrize("comes", ["before", "meanwhile", "never"])
async def test_a_hard_refresh_is_not_replaced_by_a_normal_one(
    monkeypatch: pytest.MonkeyPatch, comes: str
) -> None:
    """A person asks for it, maybe between the look at the Application and the request."""
    hard = samples.application(refreshing="hard", version=8)
    now = [hard if comes == "before" else samples.application(version=7)]
    patches: list[kinds.Object] = []

    async def get(*_: object) -> kinds.Object:
        return now[-1]

    async def merge_patch(*arguments: Any) -> kinds.Object:
        patch = arguments[-1]
        if comes == "meanwhile":
            now.append(hard)
        if patch["metadata"].get("resourceVersion", "8") != now[-1]["metadata"]["resourceVersion"]:
            raise answers.Conflict("cluster.conflict")
        patches.append(patch["metadata"]["annotations"])
        return now[-1]

    monkeypatch.setattr(reading, "get", get)
    monkeypatch.setattr(writing, "merge_patch", merge_patch)
    cluster: Any = None
    answer = await application_handles.Application(cluster, REF).refresh()
    assert answer is now[-1]
    assert len(patches) == (comes == "never")


async def test_argo_cds_api_is_asked_for_a_hard_refresh_where_one_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its answer comes when that has been worked off; a normal request would replace it."""
    kinds_: list[str] = []

    async def get(*_: object) -> kinds.Object:
        return samples.application(refreshing="hard")

    async def refresh(*_: object, how: str) -> kinds.Object:
        kinds_.append(how)
        return samples.application()

    monkeypatch.setattr(application_calls, "get", get)
    monkeypatch.setattr(application_calls, "refresh", refresh)
    server: Any = None
    through: transports.Application = served.Application(server, REF, project="services")
    await through.refresh()
    assert kinds_ == ["hard"]
