"""Several services at once: how many go on together, in which order, and what one that breaks off does to others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support import records

from hanbae import subjects
from hanbae.deploying import claiming, driver, preparing, runs
from hanbae.results import events, plans


def plan(service: str, *addresses: str) -> plans.Plan:
    """A plan with a proof for each address, ``secret/key``."""
    steps: list[plans.Step] = [plans.Step("sync", plans.Sync(f"{service}-staging", "0" * 40))]
    for index, address in enumerate(addresses):
        secret, _, key = address.partition("/")
        source = {"valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        variables = [
            {"name": "GOOSE_DRIVER", "value": "postgres"},
            {"name": "GOOSE_DBSTRING"} | source,
        ]
        job = {"spec": {"template": {"spec": {"containers": [{"env": variables}]}}}}
        hook = subjects.Ref("Job", "services", f"{service}-migrate")
        steps.append(plans.Step(f"prove-{index}", plans.Prove(f"db{index}", (1,), hook, job)))
    return plans.Plan(format=1, service=service, environment="staging", steps=tuple(steps))


def prepared(*planned: plans.Plan) -> preparing.Prepared:
    """Deployments ``d0``, ``d1`` … of plans."""
    return preparing.Prepared(
        "tester", "0" * 40, {f"d{index}": plan for index, plan in enumerate(planned)}
    )


class Driven:
    """Deployments that go on until the test lets them end."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.broken: set[str] = set()
        self.changed = asyncio.Condition()
        self._gates: dict[str, asyncio.Event] = {}

    def gate(self, service: str) -> asyncio.Event:
        return self._gates.setdefault(service, asyncio.Event())

    @asynccontextmanager
    async def deploying(
        self, _space: object, plan: plans.Plan, *, deployment: str, **_: object
    ) -> AsyncIterator[AsyncIterator[events.Event]]:
        yield self._events(plan.service, deployment)

    async def _events(self, service: str, deployment: str) -> AsyncIterator[events.Event]:
        async with self.changed:
            self.begun.append(service)
            self.changed.notify_all()
        opened, closed = records.stream(
            [records.opened(service, "staging"), records.closed()], deployment=deployment
        )
        yield opened
        await self.gate(service).wait()
        if service in self.broken:
            raise claiming.TakenOver("deploy.taken-over", place=None)
        yield closed
        self.ended.append(service)

    async def until(self, begun: Sequence[str]) -> None:
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(lambda: self.begun == list(begun)), 10)


@pytest.fixture
def driven(monkeypatch: pytest.MonkeyPatch) -> Driven:
    driven = Driven()
    monkeypatch.setattr(driver, "deploying", driven.deploying)
    return driven


async def run(planned: preparing.Prepared, concurrency: int) -> list[events.Event]:
    space: Any = None
    async with runs.deploying_all(space, planned, concurrency=concurrency) as stream:
        return [event async for event in stream]


async def test_services_begin_in_their_order_and_never_more_at_once_than_allowed(
    driven: Driven,
) -> None:
    names = ["a", "b", "c", "d", "e"]
    running = asyncio.create_task(run(prepared(*map(plan, names)), 2))
    await driven.until(["a", "b"])
    for _ in range(20):  # whoever could begin has had every chance to
        await asyncio.sleep(0)
    assert driven.begun == ["a", "b"]
    driven.gate("b").set()
    await driven.until(["a", "b", "c"])
    for name in names:
        driven.gate(name).set()
    await running
    assert driven.begun == names


async def test_services_with_one_database_are_deployed_one_after_the_other(driven: Driven) -> None:
    planned = prepared(
        plan("auth", "shop/DATABASE_URL"),
        plan("menu", "menu/DATABASE_URL"),
        plan("orders", "orders/A", "shop/DATABASE_URL"),
    )
    running = asyncio.create_task(run(planned, 4))
    await driven.until(["auth", "menu"])
    for _ in range(20):
        await asyncio.sleep(0)
    assert driven.begun == ["auth", "menu"]
    driven.gate("auth").set()
    await driven.until(["auth", "menu", "orders"])
    driven.gate("menu").set()
    driven.gate("orders").set()
    await running


def test_databases_join_services_over_others_in_the_order_of_the_run() -> None:
    planned = prepared(
        plan("a", "x/k"), plan("b", "y/k"), plan("c", "z/k"), plan("d", "y/k", "x/k")
    )
    assert planned.chains == (("d0", "d1", "d3"), ("d2",))
    assert planned.services == ("a", "b", "c", "d")


def test_the_same_key_of_another_secret_is_another_database() -> None:
    assert prepared(plan("a", "a/URL"), plan("b", "b/URL")).chains == (("d0",), ("d1",))


async def test_one_that_breaks_off_ends_no_other_and_is_heard_of_in_the_end(driven: Driven) -> None:
    driven.broken = {"a"}
    for name in ("a", "b", "c"):
        driven.gate(name).set()
    with pytest.raises(claiming.TakenOver):
        await run(prepared(plan("a"), plan("b"), plan("c")), 1)
    assert driven.ended == ["b", "c"]
