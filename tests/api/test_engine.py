"""The engine against a real API server and Argo CD's real CRDs; the test writes the statuses that Argo CD would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from tests.support import applications as samples
from tests.support import objects, polling, relays, standing_shops

from hanbae import errors, object_shapes, subjects
from hanbae.argo import applications, operations
from hanbae.clusters import connections, kinds, reading, watching, writing
from hanbae.engines import protocol
from hanbae.engines.argocd import application_handles, refreshing
from hanbae.engines.argocd import engine as argocd
from hanbae.results import events, plans

Namer = Callable[[str], str]
HOOK = subjects.Ref("Job", "default", "auth-service-migrate")
LABELS = {"app.kubernetes.io/instance": "auth-service"}
REVISED = {"deployment.kubernetes.io/revision": "1"}


@pytest.fixture(scope="module", autouse=True)
def custom_resources(control_plane: Any) -> None:
    """The kinds of Argo CD and Sealed Secrets, from their own manifests."""
    programs = control_plane.programs
    kubectl = standing_shops.Kubectl(programs.path("kubectl"), control_plane.kubeconfig)
    for folder in (programs.argocd_manifests / "crds", programs.sealed_secrets_chart / "crds"):
        kubectl.define(folder)


async def create(cluster: connections.Cluster, name: str, **parts: Any) -> subjects.Ref:
    """An Application as an ApplicationSet makes it, with what the test says of its status."""
    built = samples.application(**parts)
    built["metadata"] = {"name": name, "namespace": "default"}
    built["spec"] |= {
        "project": "services",
        "destination": {"namespace": "default", "server": "https://kubernetes.default.svc"},
        "source": {**built["spec"]["source"], "path": "services/auth/helm"},
    }

    await create_of_kind(cluster, kinds.APPLICATION, built)
    return subjects.Ref("Application", "default", name)


async def create_set(cluster: connections.Cluster, name: str) -> None:
    """An ApplicationSet that makes nothing."""
    template = {
        "metadata": {"name": "x"},
        "spec": {"project": "services", "destination": {}, "source": {"repoURL": "x"}},
    }
    spec = {"generators": [{"list": {"elements": []}}], "template": template}
    built = {"metadata": {"name": name, "namespace": "default"}, "spec": spec}
    await create_of_kind(cluster, kinds.APPLICATIONSET, built)


async def create_of_kind(
    cluster: connections.Cluster, kind: kinds.Kind, built: kinds.Object
) -> None:
    async def is_created() -> bool:
        try:
            await writing.create(cluster, kind, built)
        except errors.WrongUse:  # the kind is served a moment after it is created
            return False
        return True

    await polling.reached(is_created, within=30, pause=0.1)


async def read(cluster: connections.Cluster, ref: subjects.Ref) -> kinds.Object:
    live = await reading.get(cluster, kinds.named(ref.kind), ref.namespace, ref.name)
    assert live is not None
    return live


async def until(
    cluster: connections.Cluster, ref: subjects.Ref, is_so: Callable[[kinds.Object], bool]
) -> kinds.Object:
    stream = watching.watch(
        cluster, kinds.named(ref.kind), ref.namespace, field_selector=f"metadata.name={ref.name}"
    )
    async with asyncio.timeout(20), aclosing(stream):
        async for change in stream:
            if is_so(change.object):
                return change.object
    raise AssertionError(ref)


async def argo(cluster: connections.Cluster, ref: subjects.Ref, **state: Any) -> None:
    """Do as the controller does: record the operation's state, and remove the request when it has ended."""
    live = await read(cluster, ref)
    last = (live.get("status") or {}).get("operationState") or {}
    operation = live.get("operation") or last["operation"]
    patch: dict[str, Any] = {"status": {"operationState": samples.state(of=operation, **state)}}
    if state["phase"] in {"Succeeded", "Failed"}:
        patch["operation"] = None
    await writing.merge_patch(cluster, kinds.APPLICATION, ref.namespace, ref.name, patch)


def sync(ref: subjects.Ref, *hooks: subjects.Ref) -> plans.Sync:
    return plans.Sync(ref.name, samples.REVISION, hooks=hooks)


async def test_who_asks_again_with_the_same_key_finds_the_operation(
    cluster: connections.Cluster, unique: Namer
) -> None:
    ref = await create(cluster, unique("auth"), automated=False, state=samples.state("Failed"))
    application = application_handles.Application(cluster, ref)
    first = await application.ask(sync(ref), "d1.sync", "hanbae/jiwon")
    assert "operationState" not in first["status"]
    again = await application.ask(sync(ref), "d1.sync", "hanbae/jiwon")
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    await argo(cluster, ref, phase="Succeeded")
    ended = await application.ask(sync(ref), "d1.sync", "hanbae/jiwon")
    assert "operation" not in ended, "it has run; asking again does not run it again"


async def test_somebody_elses_operation_is_left_alone(
    cluster: connections.Cluster, unique: Namer
) -> None:
    ref = await create(cluster, unique("auth"), state=samples.state("Running"))
    before = await read(cluster, ref)
    application = application_handles.Application(cluster, ref)
    with pytest.raises(errors.Refused) as caught:
        await application.ask(sync(ref), "d1.sync", "hanbae/jiwon")
    assert caught.value.text.id == "argo.busy"
    assert not await application.terminate(lambda operation: operation.key == "d1.sync")
    assert await read(cluster, ref) == before


async def test_of_many_who_ask_at_once_one_starts_an_operation(
    cluster: connections.Cluster, unique: Namer
) -> None:
    ref = await create(cluster, unique("auth"), automated=False)
    released = asyncio.Event()

    async def deployer(number: int) -> kinds.Object:
        await released.wait()
        application = application_handles.Application(cluster, ref)
        return await application.ask(sync(ref), f"d{number}.sync", f"hanbae/{number}")

    waiting = [asyncio.create_task(deployer(number)) for number in range(8)]
    released.set()
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    (started,) = [end for end in ends if not isinstance(end, BaseException)]
    assert all(isinstance(end, protocol.Busy) for end in ends if end is not started), ends
    active, own = operations.active(await read(cluster, ref)), operations.active(started)
    assert active is not None
    assert own is not None
    assert active.key == own.key


async def test_an_operation_whose_answer_is_lost_is_read_back_and_not_started_twice(
    relayed: tuple[relays.Relay, connections.Cluster],
    cluster: connections.Cluster,
    unique: Namer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    relay, through = relayed
    ref = await create(cluster, unique("auth"), automated=False)
    application = application_handles.Application(through, ref)
    replace = writing.replace

    async def unanswered(*arguments: Any) -> kinds.Object:
        relay.loses = not relay.lost
        return await replace(*arguments)

    monkeypatch.setattr(writing, "replace", unanswered)
    started = await application.ask(sync(ref), "d1.sync", "hanbae/jiwon")
    assert relay.lost == 1
    live = await read(cluster, ref)
    assert live["metadata"]["resourceVersion"] == started["metadata"]["resourceVersion"]
    assert live["metadata"]["generation"] == 2, "it was written once"


async def test_controllers_that_write_meanwhile_do_not_lose_the_operation(
    cluster: connections.Cluster, unique: Namer
) -> None:
    ref = await create(cluster, unique("auth"), automated=False)
    writers = [
        writing.merge_patch(
            cluster,
            kinds.APPLICATION,
            ref.namespace,
            ref.name,
            {"status": {"reconciledAt": f"2026-11-23T11:00:{number:02}Z"}},
        )
        for number in range(10)
    ]
    application = application_handles.Application(cluster, ref)
    await asyncio.gather(application.ask(sync(ref), "d1.sync", "hanbae/jiwon"), *writers)
    operation = operations.active(await read(cluster, ref))
    assert operation is not None
    assert operation.key == "d1.sync"


async def test_terminating_waits_for_the_end(cluster: connections.Cluster, unique: Namer) -> None:
    ref = await create(cluster, unique("auth"), automated=False)
    application = application_handles.Application(cluster, ref)
    await application.ask(sync(ref), "d1.sync", "hanbae/jiwon")
    await argo(cluster, ref, phase="Running")
    ending = asyncio.create_task(application.terminate(lambda op: op.key == "d1.sync"))
    await until(
        cluster, ref, lambda live: live["status"]["operationState"]["phase"] == "Terminating"
    )
    assert not ending.done()
    await argo(cluster, ref, phase="Failed", message="Operation terminated")
    assert await ending


async def test_word_to_end_that_argo_cd_has_overwritten_is_said_again(
    cluster: connections.Cluster, unique: Namer
) -> None:
    ref = await create(cluster, unique("auth"), automated=False)
    application = application_handles.Application(cluster, ref)
    await application.ask(sync(ref), "d1.sync", "hanbae/jiwon")
    await argo(cluster, ref, phase="Running")
    ending = asyncio.create_task(application.terminate(lambda op: op.key == "d1.sync"))
    for message in ("waiting for the first hook", "waiting for the second hook"):
        await until(
            cluster, ref, lambda live: live["status"]["operationState"]["phase"] == "Terminating"
        )
        # Argo CD patches its progress over whatever has been written since it last looked.
        await argo(cluster, ref, phase="Running", message=message)
    await until(
        cluster, ref, lambda live: live["status"]["operationState"]["phase"] == "Terminating"
    )
    await argo(cluster, ref, phase="Failed", message="Operation terminated")
    assert await ending


async def test_an_application_that_its_set_has_not_made_yet_is_waited_for(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("auth")
    owner = subjects.Ref("ApplicationSet", "default", unique("services"))
    await create_set(cluster, owner.name)
    ref = subjects.Ref("Application", "default", name)
    application = application_handles.Application(cluster, ref, made_by=owner.name)
    waiting = asyncio.create_task(application.existing(within=15))
    refresh = "argocd.argoproj.io/application-set-refresh"
    await until(cluster, owner, lambda live: refresh in (live["metadata"].get("annotations") or {}))
    await create(cluster, name)
    assert (await waiting)["metadata"]["name"] == name
    nobodys = subjects.Ref("Application", "default", unique("missing"))
    with pytest.raises(errors.Refused) as caught:
        await application_handles.Application(cluster, nobodys).existing(within=0.5)
    assert caught.value.text.id == "argo.no-application"


UNKNOWN_CLUSTER = (
    'application destination spec is invalid: error getting cluster by name "staging":'
    " there are no clusters with this name: staging"
)


async def failing_set(
    cluster: connections.Cluster,
    name: str,
    message: str,
    *,
    reason: str = "ApplicationValidationError",
) -> None:
    """An ApplicationSet that has failed once, as Argo CD's controller writes it down."""
    await create_set(cluster, name)
    condition = {
        "type": "ErrorOccurred",
        "status": "True",
        "reason": reason,
        "message": message,
    }
    await cluster.ask(
        cluster.describe("patch", kinds.APPLICATIONSET, "default", name=name),
        "PATCH",
        kinds.APPLICATIONSET.path("default", name) + "/status",
        body={"status": {"conditions": [condition]}},
        content_type="application/merge-patch+json",
    )


async def test_a_cluster_that_argo_cd_does_not_know_is_named_when_its_set_has_looked_again(
    cluster: connections.Cluster, unique: Namer
) -> None:
    owner = subjects.Ref("ApplicationSet", "default", unique("services"))
    await failing_set(cluster, owner.name, UNKNOWN_CLUSTER)
    ref = subjects.Ref("Application", "default", unique("auth"))
    application = application_handles.Application(cluster, ref, made_by=owner.name)
    waiting = asyncio.create_task(application.existing(within=60))
    refresh = "argocd.argoproj.io/application-set-refresh"
    await until(cluster, owner, lambda live: refresh in (live["metadata"].get("annotations") or {}))
    # What it said before it has looked again may have been mended since, so it is not the answer.
    await asyncio.wait({waiting}, timeout=2.5)
    assert not waiting.done()
    taken = {"metadata": {"annotations": {refresh: None}}}
    await writing.merge_patch(cluster, kinds.APPLICATIONSET, "default", owner.name, taken)
    with pytest.raises(errors.Refused) as caught:
        await asyncio.wait_for(waiting, timeout=20)
    assert caught.value.text.id == "argo.cluster-unknown"
    assert caught.value.text.facts["command"] == "argocd cluster add staging --name staging"


@pytest.mark.parametrize(
    ("reason", "message", "within"),
    [
        (
            "ApplicationValidationError",
            "application references project services-qa which does not exist",
            60,
        ),
        ("ApplicationGenerationFromParamsError", "authentication required", 1.5),
    ],
    ids=["at once", "after it was waited for"],
)
async def test_what_an_application_set_says_of_its_failure_is_told(
    cluster: connections.Cluster, unique: Namer, reason: str, message: str, within: float
) -> None:
    owner = subjects.Ref("ApplicationSet", "default", unique("services"))
    await failing_set(cluster, owner.name, message, reason=reason)
    ref = subjects.Ref("Application", "default", unique("auth"))
    application = application_handles.Application(cluster, ref, made_by=owner.name)
    waiting = asyncio.create_task(application.existing(within=within))
    refresh = "argocd.argoproj.io/application-set-refresh"
    await until(cluster, owner, lambda live: refresh in (live["metadata"].get("annotations") or {}))
    taken = {"metadata": {"annotations": {refresh: None}}}
    await writing.merge_patch(cluster, kinds.APPLICATIONSET, "default", owner.name, taken)
    with pytest.raises(errors.Refused) as caught:
        await asyncio.wait_for(waiting, timeout=20)
    assert caught.value.text.id == "argo.not-made"
    assert caught.value.text.facts["message"] == message


async def world(cluster: connections.Cluster, ref: subjects.Ref) -> None:
    """What happens in a manual sync: a hook runs, a Deployment is applied and rolls out."""
    await hook_runs(cluster, ref)
    await succeed(cluster, ref)


async def hook_runs(cluster: connections.Cluster, ref: subjects.Ref) -> None:
    """The first half: Argo CD has begun, and waits for the hook."""
    for kind, name in ((kinds.JOB, HOOK.name), (kinds.DEPLOYMENT, "auth-service")):
        await writing.delete(cluster, kind, "default", name)
    await until(cluster, ref, lambda live: "operation" in live)
    await argo(cluster, ref, phase="Running", message="waiting for completion of hook")
    template = objects.job(HOOK.name)["spec"]["template"]
    job = {
        "metadata": {"name": HOOK.name, "namespace": "default", "labels": LABELS},
        "spec": {"template": template},
    }
    await writing.create(cluster, kinds.JOB, job)


async def succeed(cluster: connections.Cluster, ref: subjects.Ref) -> None:
    """The second half: the hook has ended, the rest is applied and rolls out."""
    template = objects.job(HOOK.name)["spec"]["template"]
    pod = {"metadata": {"labels": LABELS}, "spec": template["spec"] | {"restartPolicy": "Always"}}
    deployment = {
        "metadata": {"name": "auth-service", "namespace": "default", "labels": LABELS},
        "spec": {"selector": {"matchLabels": LABELS}, "template": pod},
    }
    created = await writing.create(cluster, kinds.DEPLOYMENT, deployment)
    results = [
        samples.result("Job", HOOK.name, namespace="default", hook="Sync"),
        samples.result("Deployment", "auth-service", namespace="default"),
    ]
    await argo(cluster, ref, phase="Succeeded", results=results)
    complete = {
        "observedGeneration": created["metadata"]["generation"],
        "replicas": 1,
        "updatedReplicas": 1,
        "availableReplicas": 1,
        "readyReplicas": 1,
    }
    await show(cluster, "auth-service", complete)


async def show(cluster: connections.Cluster, name: str, status: dict[str, Any]) -> None:
    """Write the status of a Deployment, as its controller does."""
    await cluster.ask(
        cluster.describe("patch", kinds.DEPLOYMENT, "default", name=name),
        "PATCH",
        kinds.DEPLOYMENT.path("default", name, "status"),
        body={"status": status},
        content_type="application/merge-patch+json",
    )


def engine(cluster: connections.Cluster, ref: subjects.Ref) -> argocd.ArgoCD:
    target = argocd.Target(ref.name, "default", "default", "auth-service", "auth-secrets")
    through = application_handles.Application(cluster, ref)
    return argocd.ArgoCD(through, cluster, target, by="hanbae/jiwon")


@asynccontextmanager
async def followed(
    deploys: argocd.ArgoCD, operation: str, *, within: float = 30
) -> AsyncIterator[tuple[asyncio.TaskGroup, AsyncIterator[protocol.EngineEvent]]]:
    """What is told of an operation, and a group for what happens to it meanwhile."""
    async with (
        asyncio.timeout(within),
        asyncio.TaskGroup() as group,
        deploys.follow(operation) as stream,
    ):
        yield group, stream


async def test_a_sync_is_followed_through_its_hook_to_the_end_of_the_rollout(
    cluster: connections.Cluster, unique: Namer
) -> None:
    ref = await create(cluster, unique("auth"), automated=False)
    await writing.delete(cluster, kinds.JOB, "default", HOOK.name)
    deploys = engine(cluster, ref)
    operation = await deploys.begin(sync(ref, HOOK), "d1.sync")
    async with followed(deploys, operation) as (group, stream):
        group.create_task(world(cluster, ref))
        facts = [fact async for fact in stream]
    began = [fact for fact in facts if isinstance(fact, events.Began)]
    assert began == [events.Began("d1.sync", automated=False, revision=samples.REVISION)]
    states = [(f.on.kind, f.state) for f in facts if isinstance(f, events.Observed)]
    assert ("Job", "Pending") in states
    assert states.index(("Application", "Succeeded")) < states.index(("Deployment", "Complete"))
    assert {ref.kind for ref in deploys.objects} == {"Application", "Job", "Deployment"}


async def test_the_stream_goes_on_when_the_api_server_has_crashed_meanwhile(
    control_plane: Any, cluster: connections.Cluster, unique: Namer
) -> None:
    ref = await create(cluster, unique("auth"), automated=False)
    await writing.delete(cluster, kinds.JOB, "default", HOOK.name)
    deploys = engine(cluster, ref)
    operation = await deploys.begin(sync(ref, HOOK), "d1.sync")
    facts = []
    async with followed(deploys, operation, within=90) as (group, stream):
        async for fact in stream:
            facts.append(fact)
            if isinstance(fact, events.Began):
                control_plane.kill_apiserver()
                await asyncio.to_thread(control_plane.start_apiserver)
                group.create_task(world(cluster, ref))
    assert sum(isinstance(fact, events.Began) for fact in facts) == 1
    assert ("Deployment", "Complete") in [
        (fact.on.kind, fact.state) for fact in facts if isinstance(fact, events.Observed)
    ]


async def test_a_job_that_went_while_etcd_was_compacted_is_gone_and_nothing_is_told_twice(
    control_plane: Any,
    relayed: tuple[relays.Relay, connections.Cluster],
    cluster: connections.Cluster,
    unique: Namer,
) -> None:
    """The network breaks; meanwhile a Job ends and is cleaned up, and the API server forgets the version we had."""
    relay, through = relayed
    ref = await create(cluster, unique("auth"), automated=False)
    await writing.delete(cluster, kinds.JOB, "default", HOOK.name)
    deploys = engine(through, ref)
    operation = await deploys.begin(sync(ref, HOOK), "d1.sync")
    facts = []
    async with followed(deploys, operation, within=90) as (group, stream):
        async for fact in stream:
            facts.append(fact)
            if isinstance(fact, events.Began):
                group.create_task(hook_runs(cluster, ref))
            elif isinstance(fact, events.Observed) and fact.on == HOOK:
                with relay.shut():
                    await writing.delete(cluster, kinds.JOB, "default", HOOK.name)
                    control_plane.compact()
                    control_plane.kill_apiserver()
                    await asyncio.to_thread(control_plane.start_apiserver)
                # That it is gone is reported to nobody.
                await polling.reached(lambda: HOOK not in deploys.objects, within=30)
                await succeed(cluster, ref)
    assert len([fact for fact in facts if isinstance(fact, events.Began)]) == 1
    observed = [fact for fact in facts if isinstance(fact, events.Observed)]
    assert len(observed) == len(set(observed)), "something was told twice"
    assert ("Deployment", "Complete") in [(fact.on.kind, fact.state) for fact in observed]


@pytest.mark.parametrize("stage", ["operation", "status", "refresh"])
async def test_argo_cd_is_asked_to_look_again_for_what_it_has_let_go_in_an_outage(
    cluster: connections.Cluster, unique: Namer, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """An operation whose turn fell into it, the status after one, and a refresh that was asked for; no hook runs."""
    monkeypatch.setattr(refreshing, "SILENT_AFTER", 0.5)
    ref = await create(cluster, unique("auth"), automated=False, health="Progressing")
    deploys = engine(cluster, ref)
    operation = await deploys.begin(sync(ref), "d1.sync")
    how: object_shapes.RefreshKind = "normal"
    if stage == "refresh":
        await application_handles.Application(cluster, ref).refresh()
        how = "hard"
    await argo(cluster, ref, phase="Running" if stage == "operation" else "Succeeded")

    async def goes_on() -> None:
        """As the controller: it looks at what it has let go once it is asked to."""
        await until(cluster, ref, lambda live: applications.is_refreshing(live, how))
        if stage == "operation":
            await argo(cluster, ref, phase="Succeeded")
        written = {
            "metadata": {"annotations": {applications.REFRESH: None}},
            "status": {"health": {"status": "Healthy"}},
        }
        await writing.merge_patch(cluster, kinds.APPLICATION, ref.namespace, ref.name, written)

    async with followed(deploys, operation) as (group, stream):
        group.create_task(goes_on())
        facts = [fact async for fact in stream]
    assert [fact.state for fact in facts if isinstance(fact, events.Observed)][-1] == "Succeeded"


async def test_who_waits_for_an_operation_is_told_that_its_application_has_gone(
    cluster: connections.Cluster, unique: Namer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at it and the watch of it the API server may be away."""
    ref = await create(cluster, unique("auth"), state=samples.state("Running"))
    look = reading.get

    async def then_gone(*arguments: Any) -> kinds.Object | None:
        answer = await look(*arguments)
        await writing.delete(cluster, kinds.APPLICATION, ref.namespace, ref.name)
        return answer

    application = application_handles.Application(cluster, ref)
    with monkeypatch.context() as patched:
        patched.setattr(reading, "get", then_gone)
        async with asyncio.timeout(20):
            await application.idle()
    assert await application.read() is None


async def test_argo_cd_is_left_in_peace_while_a_hook_runs(
    cluster: connections.Cluster, unique: Namer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refreshing, "SILENT_AFTER", 0.2)
    refresh, refreshes = application_handles.Application.refresh, []

    async def counted(application: application_handles.Application, *how: Any) -> kinds.Object:
        refreshes.append(application.ref)
        return await refresh(application, *how)

    monkeypatch.setattr(application_handles.Application, "refresh", counted)
    ref = await create(cluster, unique("auth"), automated=False)
    await writing.delete(cluster, kinds.JOB, "default", HOOK.name)
    deploys = engine(cluster, ref)
    operation = await deploys.begin(sync(ref, HOOK), "d1.sync")
    async with followed(deploys, operation) as (group, stream):
        group.create_task(hook_runs(cluster, ref))
        async for fact in stream:
            if isinstance(fact, events.Observed) and fact.on == HOOK:
                break
        refreshes.clear()
        await asyncio.sleep(1.0)  # several times as long as it would be before it is asked
    assert not refreshes


async def test_leaving_the_stream_leaves_the_operation(
    cluster: connections.Cluster, unique: Namer
) -> None:
    ref = await create(cluster, unique("auth"), automated=False)
    deploys = engine(cluster, ref)
    operation = await deploys.begin(sync(ref), "d1.sync")
    async with deploys.follow(operation) as stream:
        assert isinstance(await anext(stream), events.Began)
    active = operations.active(await read(cluster, ref))
    assert active is not None
    assert active.key == "d1.sync"


async def unmarked(
    cluster: connections.Cluster, name: str, kind: kinds.Kind, owner: kinds.Object, **labels: str
) -> kinds.Object:
    """A pod or a ReplicaSet without the release's label, as a controller makes it."""
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    metadata = {"name": name, "namespace": "default", "labels": labels, "annotations": REVISED}
    template = objects.job("x")["spec"]["template"]["spec"] | {"restartPolicy": "Always"}
    spec = template
    if kind is kinds.REPLICASET:
        pods = {"metadata": {"labels": labels}, "spec": template}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pods}
    dependent = {"metadata": {**metadata, "ownerReferences": [reference]}, "spec": spec}
    return await writing.create(cluster, kind, dependent)


async def test_pods_without_the_releases_label_are_found_through_what_owns_them(
    cluster: connections.Cluster, unique: Namer
) -> None:
    ref = await create(cluster, unique("auth"), automated=False)
    name = unique("plain")
    hook = subjects.Ref("Job", "default", f"{name}-migrate")
    template = objects.job(hook.name)["spec"]["template"]
    job = {"metadata": {"name": hook.name, "namespace": "default"}, "spec": {"template": template}}
    former = await writing.create(cluster, kinds.JOB, job)
    deploys = engine(cluster, ref)
    operation = await deploys.begin(sync(ref, hook), "d1.sync")
    labels = {"app": name}

    async def act() -> None:
        await until(cluster, ref, lambda live: "operation" in live)
        await writing.delete(cluster, kinds.JOB, "default", hook.name)
        own = await writing.create(cluster, kinds.JOB, job)
        results = [samples.result("Job", hook.name, namespace="default", hook="PreSync")]
        await argo(cluster, ref, phase="Running", results=results)
        uid = {"batch.kubernetes.io/controller-uid": own["metadata"]["uid"]}
        await unmarked(cluster, f"{hook.name}-x", kinds.POD, own, **uid)
        pod = {
            "metadata": {"labels": labels},
            "spec": template["spec"] | {"restartPolicy": "Always"},
        }
        deployment = {
            "metadata": {"name": name, "namespace": "default", "annotations": REVISED},
            "spec": {"selector": {"matchLabels": labels}, "template": pod},
        }
        rolled = await writing.create(cluster, kinds.DEPLOYMENT, deployment)
        status = {"observedGeneration": rolled["metadata"]["generation"]}
        await show(cluster, name, status)
        replicaset = await unmarked(cluster, f"{name}-1", kinds.REPLICASET, rolled, **labels)
        await unmarked(cluster, f"{name}-1-x", kinds.POD, replicaset, **labels)
        await unmarked(cluster, f"{name}-stranger", kinds.POD, former, **labels)
        results.append(samples.result("Deployment", name, namespace="default"))
        await argo(cluster, ref, phase="Running", results=results)

    expected = {hook.name, f"{hook.name}-x", name, f"{name}-1", f"{name}-1-x", ref.name}
    async with asyncio.timeout(60), deploys.follow(operation) as stream:
        acting = asyncio.create_task(act())
        async for _ in stream:
            if {ref.name for ref in deploys.objects} >= expected:
                break
        await acting
    assert {ref.name for ref in deploys.objects} == expected


async def test_what_helm_has_installed_is_not_taken_over_unless_argo_cd_has_deployed_it(
    cluster: connections.Cluster, unique: Namer
) -> None:
    release = unique("helms")
    labels = {"app": release}  # not every chart marks its objects with their release
    template = objects.job(HOOK.name)["spec"]["template"]
    pod = {"metadata": {"labels": labels}, "spec": template["spec"] | {"restartPolicy": "Always"}}
    metadata: dict[str, Any] = {"name": release, "namespace": "default"}
    metadata |= {"annotations": {"meta.helm.sh/release-name": release}}
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    await writing.create(cluster, kinds.DEPLOYMENT, {"metadata": metadata, "spec": spec})

    def over(ref: subjects.Ref) -> argocd.ArgoCD:
        target = argocd.Target(ref.name, "default", "default", release, "auth-secrets")
        through = application_handles.Application(cluster, ref)
        return argocd.ArgoCD(through, cluster, target, by="hanbae/jiwon")

    fresh = await create(cluster, unique("auth"), automated=False)
    with pytest.raises(errors.Refused, match=r"argo\.helm-owns") as refused:
        await over(fresh).begin(sync(fresh), "d1.sync")
    assert refused.value.text.facts["release"] == release
    assert "operation" not in await read(cluster, fresh)

    history = [{"id": 1, "revision": samples.REVISION, "deployedAt": "2026-11-23T11:00:00Z"}]
    adopted = await create(cluster, unique("auth"), automated=False, history=history)
    await over(adopted).begin(sync(adopted), "d1.sync")
    assert "operation" in await read(cluster, adopted)
