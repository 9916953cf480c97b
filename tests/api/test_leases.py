"""Who drives an application, on a real API server: exclusion, takeover, lost answers, clocks that disagree."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.support import relays

from hanbae import errors
from hanbae.clusters import connections, kinds, leases, reading, writing
from hanbae.deploying import attaching, claiming, deadlines, phases, resuming
from hanbae.history import stores
from hanbae.policy import documents, labels
from hanbae.results import events, plans

Namer = Callable[[str], str]


def hold(
    cluster: connections.Cluster,
    name: str,
    holder: str,
    *,
    over: leases.State | None = None,
    ahead: timedelta = timedelta(),
) -> AbstractAsyncContextManager[leases.Lease]:
    marks = {"deployment": holder, "revision": "1" * 40}
    return leases.held(
        cluster,
        "default",
        name,
        holder=holder,
        marks=marks,
        over=over,
        clock=lambda: datetime.now(UTC) + ahead,
    )


async def lease_of(cluster: connections.Cluster, name: str) -> leases.State:
    lease = await leases.read(cluster, "default", name)
    assert lease is not None
    return lease


async def test_of_many_who_are_released_at_once_one_holds_it(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name, barrier, over = unique("hanbae-auth"), asyncio.Barrier(8), asyncio.Event()
    held, taken = [], []

    async def deployer(number: int) -> None:
        await barrier.wait()
        try:
            async with hold(cluster, name, f"d{number}") as lease:
                held.append(lease.holder)
                await over.wait()
        except leases.HeldByAnother as error:
            taken.append(error.lease.holder)
        if len(taken) == 7:
            over.set()

    async with asyncio.timeout(20):
        await asyncio.gather(*(deployer(number) for number in range(8)))
    assert len(held) == 1
    assert taken == held * 7


PLAN = plans.Plan(1, "auth", "dev", (plans.Step("sync", plans.Sync("auth-dev", "1" * 40)),))


def space_of(namespace: str) -> Any:
    """As much of a workspace as a claim needs."""
    policy = documents.Policy(
        version=1,
        argocd=documents.ArgoCD("https://git.example.com/shop.git"),
        services=documents.Services(namespace=namespace),
        environments={"dev": documents.Environment(branch="develop")},
    )
    return SimpleNamespace(policy=policy, clock=lambda: datetime.now(UTC))


async def test_where_its_namespace_is_not_the_command_that_makes_it_is_said(
    cluster: connections.Cluster, unique: Namer
) -> None:
    namespace = unique("nowhere")
    space = space_of(namespace)
    with pytest.raises(errors.Refused) as refused:
        async with claiming.claimed(space, cluster, "d1", PLAN, by="ann", driver="ann"):
            raise AssertionError
    assert refused.value.text.id == "claim.no-namespace"
    assert refused.value.text.facts == {"namespace": namespace, "environment": "dev"}


async def test_who_is_waited_for_longer_than_a_person_has_time_is_named(
    cluster: connections.Cluster,
) -> None:
    space = space_of("default")
    waited_for: list[str] = []

    async def wait(holder: leases.State) -> None:
        waited_for.append(holder.marks["by"])

    async with claiming.claimed(space, cluster, "d1", PLAN, by="ann", driver="ann"):
        with pytest.raises(errors.Refused) as refused:
            async with claiming.claimed(
                space,
                cluster,
                "d2",
                PLAN,
                by="ben",
                driver="ben",
                waits=wait,
                limit=deadlines.Limit.beginning(0.5),
            ):
                raise AssertionError
    assert waited_for == ["ann"]
    assert refused.value.text.id == "deploy.waited"
    assert refused.value.text.facts.items() >= {"by": "ann", "seconds": "0.5"}.items()


async def test_a_refused_deployment_leaves_what_is_known_of_the_one_before(
    cluster: connections.Cluster,
) -> None:
    space, plan = space_of("default"), msgspec.structs.replace(PLAN, service="kept")

    async def play(
        deployment: str, outcome: events.Outcome, *, resumes: bool = False, **marks: str
    ) -> dict[str, str]:
        async with AsyncExitStack() as stack:
            claim = claiming.claimed(
                space, cluster, deployment, plan, by="ann", driver="ann", resumes=resumes
            )
            lease, _ = await stack.enter_async_context(claim)
            await lease.mark(**marks)
            now = await claiming.lease(space.policy, cluster, "kept", "dev")
            assert now is not None
            await leases.mark(cluster, now, {"self": "somebody else's"})
            await lease.release(claiming.marks_at_end(lease, outcome, phases.Phase.REQUESTED))
        stored = await claiming.lease(space.policy, cluster, "kept", "dev")
        assert stored is not None
        return {name: value for name, value in stored.marks.items() if value}

    assert (await play("d1", "refused"))["outcome"] == "refused", "there was nothing before"
    succeeded = await play("d2", "succeeded", step="prove auth_db", key="k2")
    assert succeeded["outcome"] == "succeeded"
    assert await play("d3", "refused", step="sync", key="k3") == succeeded | {
        "unbegun": "d3 refused"
    }
    lease = await claiming.lease(space.policy, cluster, "kept", "dev")
    assert lease is not None
    ends = {name: claiming.end_of(lease, name) for name in ("d2", "d3", "d4")}
    assert ends == {"d2": "succeeded", "d3": "refused", "d4": None}
    assert await play("d3", "superseded", step="sync", key="k3") == succeeded | {
        "unbegun": "d3 superseded"
    }
    failed = await play("d4", "failed", step="sync", key="k4")
    assert (failed["deployment"], failed["outcome"]) == ("d4", "failed")
    assert "unbegun" not in failed
    resumed = await play("d4", "refused", resumes=True)
    assert (resumed["deployment"], resumed["outcome"]) == ("d4", "refused")


async def test_who_watches_a_refused_deployment_from_elsewhere_is_told_its_end_and_drives_nothing(
    cluster: connections.Cluster, tmp_path: Path
) -> None:
    space, plan = space_of("default"), msgspec.structs.replace(PLAN, service="watched")
    with stores.open_store(f"sqlite:///{tmp_path / 'history.db'}") as store:
        space.store = store
        ends: list[tuple[str, events.Outcome]] = [("d1", "succeeded"), ("d2", "refused")]
        for deployment, outcome in ends:
            async with AsyncExitStack() as stack:
                claim = claiming.claimed(space, cluster, deployment, plan, by="ann", driver="ann")
                lease, _ = await stack.enter_async_context(claim)
                past = resuming.Past(deployment, plan, "ann", (), dict(lease.marks))
                await lease.release(claiming.marks_at_end(lease, outcome, phases.Phase.REQUESTED))
        clusters: Any = SimpleNamespace(workload=cluster)
        watcher = attaching._Elsewhere(space, clusters, past)
        facts = [event.fact async for event in watcher.followed(stop_by="")]
    assert watcher.closed
    assert isinstance(facts[-1], events.Closed)
    assert facts[-1].outcome == "refused"


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(minutes=-10)])
async def test_a_living_holder_is_alive_whatever_its_clock_says(
    cluster: connections.Cluster, unique: Namer, ahead: timedelta
) -> None:
    name = unique("hanbae-auth")
    async with hold(cluster, name, "d1", ahead=ahead):
        assert await leases.is_held(cluster, await lease_of(cluster, name))


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(minutes=-10)])
async def test_a_dead_holder_is_dead_after_its_duration_by_the_observers_clock(
    cluster: connections.Cluster, unique: Namer, ahead: timedelta
) -> None:
    name = unique("hanbae-auth")
    # Nobody renews it, and its holder's clock is ten minutes away.
    stamp = (datetime.now(UTC) + ahead).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": "d1", "leaseDurationSeconds": 15, "renewTime": stamp}
    metadata = {"namespace": "default", "name": name}
    await writing.create(cluster, kinds.LEASE, {"metadata": metadata, "spec": spec})
    now, looks = 0.0, 0

    def clock() -> float:
        nonlocal now, looks
        looks += 1
        now += 1.0
        return now

    assert not await leases.is_held(cluster, await lease_of(cluster, name), clock=clock)
    assert looks >= 15, "it was given its duration"
    async with hold(cluster, name, "d2", over=await lease_of(cluster, name)):
        assert (await lease_of(cluster, name)).holder == "d2"


async def test_who_was_thought_dead_notices_and_writes_nothing_more(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("hanbae-auth")
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(hold(cluster, name, "d1"))
        over = await lease_of(cluster, name)
        new = await stack.enter_async_context(hold(cluster, name, "d2", over=over))
        with pytest.raises(leases.HeldByAnother):
            await old.mark(step="sync")
        await new.mark(step="prove")
        async with asyncio.timeout(5):
            with pytest.raises(leases.HeldByAnother):
                await old.marked("stop")
    assert (await lease_of(cluster, name)).marks["step"] == "prove"


async def test_a_wish_that_comes_too_late_is_not_heard_by_the_next_deployment(
    cluster: connections.Cluster, unique: Namer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = unique("hanbae-auth")
    patch = writing.merge_patch
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(hold(cluster, name, "d1"))
        meant = await lease_of(cluster, name)

        async def overtaken(*words: Any) -> kinds.Object:
            monkeypatch.setattr(writing, "merge_patch", patch)
            over = await lease_of(cluster, name)
            await stack.enter_async_context(hold(cluster, name, "d2", over=over))
            return await patch(*words)

        monkeypatch.setattr(writing, "merge_patch", overtaken)
        assert not await leases.mark(cluster, meant, {"stop": "jiwon"})
        now = await lease_of(cluster, name)
    assert now.marks["deployment"] == "d2"
    assert "stop" not in now.marks


async def test_a_wish_for_a_lease_that_is_deleted_meanwhile_is_not_written(
    cluster: connections.Cluster, unique: Namer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = unique("hanbae-auth")
    patch = writing.merge_patch
    async with hold(cluster, name, "d1"):
        meant = await lease_of(cluster, name)

        async def deleted(*words: Any) -> kinds.Object:
            await writing.delete(cluster, kinds.LEASE, "default", name)
            return await patch(*words)

        monkeypatch.setattr(writing, "merge_patch", deleted)
        assert not await leases.mark(cluster, meant, {"stop": "jiwon"})


async def test_leaving_keeps_the_marks_and_the_wish_of_others_is_heard(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name, deployment = unique("hanbae-auth"), unique("d")
    async with hold(cluster, name, deployment) as lease:
        await lease.mark(step="sync", key="d1.sync")
        assert await leases.mark(cluster, await lease_of(cluster, name), {"stop": "jiwon"})
        async with asyncio.timeout(leases.RENEWAL * 3):
            assert await lease.marked("stop") == "jiwon"
    left = await lease_of(cluster, name)
    assert left.holder == ""
    assert (left.marks["step"], left.marks["stop"]) == ("sync", "jiwon")
    (listed,) = await leases.find(cluster, "default", deployment)
    assert listed.name == name


async def test_a_lost_answer_to_the_claim_is_read_back(
    relayed: tuple[relays.Relay, connections.Cluster], unique: Namer
) -> None:
    relay, cluster = relayed
    name = unique("hanbae-auth")
    relay.loses = True
    async with hold(cluster, name, "d1") as lease:
        assert relay.lost == 1
        assert (await lease_of(cluster, name)).holder == lease.holder == "d1"
        relay.loses = True
        await lease.mark(step="sync")
        assert relay.lost == 2
        assert (await lease_of(cluster, name)).marks["step"] == "sync"


async def test_a_hold_outlives_every_deployment_and_no_holder_overwrites_it(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("hanbae-auth")
    holds = {"holds": "[]"}

    def add(_: object) -> dict[str, str]:
        return holds

    lease_made = await leases.amend(cluster, "default", name, add)
    assert (lease_made.holder, lease_made.marks["holds"]) == ("", "[]")
    async with hold(cluster, name, "d1", over=lease_made) as lease:
        # A deployment that knows nothing of holds would have lost it: deploying.claiming hands it on.
        await leases.amend(cluster, "default", name, add)
        await lease.mark(step="sync")
        marked = await lease_of(cluster, name)
        assert (marked.holder, marked.marks["holds"], marked.marks["step"]) == ("d1", "[]", "sync")
        await leases.amend(cluster, "default", name, lambda _: {"holds": ""})
        await lease.mark(step="prove")
    after = await lease_of(cluster, name)
    assert (after.marks["holds"], after.marks["step"]) == ("", "prove")
    listed = {lease.name: lease.marks for lease in await leases.every(cluster, "default")}
    assert not listed[name]["holds"]
    assert name not in await labelled(cluster)


async def labelled(cluster: connections.Cluster) -> set[str]:
    """The Leases that ``kubectl get leases -l hanbae.dev/holds=true`` lists."""
    selector = f"{labels.HOLDS}=true"
    stored = await reading.find(cluster, kinds.LEASE, "default", label_selector=selector)
    return {item["metadata"]["name"] for item in stored}


async def test_of_many_who_change_marks_at_once_nobody_is_lost(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("hanbae-auth")

    def adding(letter: str) -> Callable[[Mapping[str, str]], dict[str, str]]:
        return lambda marks: {"holds": marks.get("holds", "") + letter}

    await asyncio.gather(
        *(leases.amend(cluster, "default", name, adding(letter)) for letter in "abcd")
    )
    assert sorted((await lease_of(cluster, name)).marks["holds"]) == list("abcd")
    listed = {lease.name: lease.marks for lease in await leases.every(cluster, "default")}
    assert sorted(listed[name]["holds"]) == list("abcd")
    assert name in await labelled(cluster)
