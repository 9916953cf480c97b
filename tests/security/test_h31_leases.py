"""A Lease that others write to: it may name any deployment, and only one of its own application is gone on with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import records

from hanbae import errors
from hanbae.clusters import leases
from hanbae.deploying import choosing_engine, claiming, going_back, older_commits, resuming, runs
from hanbae.history import stores
from hanbae.policy import documents
from hanbae.repository import services
from hanbae.results import plans

OWN = {
    "deployment": "d1",
    "service": "auth",
    "environment": "staging",
    "revision": "1" * 40,
    "step": "sync",
}
FOREIGN: dict[str, Mapping[str, str]] = {
    "another environment's": OWN | {"environment": "production"},
    "another service's": OWN | {"service": "payments"},
    "of no service": {"deployment": "d1"},
    "of no commit": OWN | {"revision": ""},
}


def lease(marks: Mapping[str, str], name: str = "hanbae-auth-staging") -> leases.State:
    return leases.State("services-staging", name, "", "", marks, 15.0, "1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[stores.Store]:
    with stores.in_a_file(tmp_path / "history.db") as opened:
        yield opened


@pytest.fixture
def space(store: stores.Store) -> Any:
    policy = documents.Policy(
        version=1,
        argocd=documents.ArgoCD(repository="https://git.example.com/shop.git"),
        environments={
            "staging": documents.Environment(branch="release", namespace_suffix="-staging")
        },
    )
    return SimpleNamespace(store=store, policy=policy, loaded=None)


@pytest.fixture
def clusters(monkeypatch: pytest.MonkeyPatch, stored: list[leases.State]) -> Any:
    """Clusters with the Leases that are stored, and no operation that says anything."""

    async def read(*_: object) -> leases.State | None:
        return stored[0] if stored else None

    async def find(*_: object) -> list[leases.State]:
        return stored

    monkeypatch.setattr(claiming, "lease", read)
    monkeypatch.setattr(leases, "find", find)
    monkeypatch.setattr(services, "of_checkout", lambda _: ("auth",))
    return SimpleNamespace(workload=None)


@pytest.fixture
def stored() -> list[leases.State]:
    return []


def test_the_deployment_of_its_own_application_is_left_open(space: Any) -> None:
    assert resuming.left_open(space, lease(OWN), "auth", "staging") == "d1"


@pytest.mark.parametrize("marks", FOREIGN.values(), ids=FOREIGN)
async def test_a_deployment_that_is_not_the_applications_is_not_gone_on_with(
    space: Any, clusters: Any, stored: list[leases.State], marks: Mapping[str, str]
) -> None:
    stored.append(lease(marks))
    assert resuming.left_open(space, stored[0], "auth", "staging") == ""
    assert await resuming.of_application(space, clusters, "auth", "staging") is None


async def test_the_record_of_another_applications_deployment_is_not_gone_on_with(
    space: Any, store: stores.Store, clusters: Any, stored: list[leases.State]
) -> None:
    store.append("d1", None, records.opened("payments", "production"), records.BEGUN)
    stored.append(lease(OWN))
    assert await resuming.of_application(space, clusters, "auth", "staging") is None


async def test_the_record_of_its_own_deployment_is_gone_on_with(
    space: Any, store: stores.Store, clusters: Any, stored: list[leases.State]
) -> None:
    store.append("d1", None, records.opened("auth", "staging"), records.BEGUN)
    stored.append(lease({"deployment": "d1"}))
    past = await resuming.of_application(space, clusters, "auth", "staging")
    assert past is not None
    assert past.deployment == "d1"


async def test_what_is_driven_for_another_application_is_not_followed(
    space: Any,
    clusters: Any,
    stored: list[leases.State],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def is_driven(*_: object) -> bool:
        return True

    monkeypatch.setattr(claiming, "is_driven", is_driven)
    space.clusters = Connected(clusters)
    stored.append(lease(FOREIGN["another environment's"]))
    plan = plans.Plan(format=1, service="auth", environment="staging", steps=())
    assert await runs._driven(space, plan) is None
    stored[:] = [lease(OWN)]
    assert await runs._driven(space, plan) == "d1"


LOCATED: dict[str, leases.State] = {
    **{name: lease(marks) for name, marks in FOREIGN.items()},
    "on another service's Lease": lease(OWN, "hanbae-payments-staging"),
}


@pytest.mark.parametrize("foreign", LOCATED.values(), ids=LOCATED)
async def test_an_id_is_not_located_by_a_lease_or_an_operation_of_another_application(
    space: Any,
    clusters: Any,
    stored: list[leases.State],
    monkeypatch: pytest.MonkeyPatch,
    foreign: leases.State,
) -> None:
    async def marks(*_: object) -> Mapping[str, str]:
        return FOREIGN["another environment's"]

    monkeypatch.setattr(choosing_engine, "marks", marks)
    space.clusters = Connected(clusters)
    stored.append(foreign)
    with pytest.raises(errors.WrongUse) as raised:
        await resuming.locate(space, "d1", environment="staging")
    assert raised.value.text.id == "attach.nowhere"
    stored[:] = [lease(OWN)]
    assert await resuming.locate(space, "d1", environment="staging") == ("d1", OWN)


async def test_a_services_deployment_is_located_by_no_other_services_lease(
    space: Any, clusters: Any, stored: list[leases.State], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id on one Lease may have been taken from another, whose deployment goes on."""

    async def marks(*_: object) -> Mapping[str, str]:
        return {}

    monkeypatch.setattr(choosing_engine, "marks", marks)
    space.clusters = Connected(clusters)
    theirs = OWN | {"service": "payments"}
    stored.append(lease(theirs, "hanbae-payments-staging"))
    with pytest.raises(errors.WrongUse):
        await resuming.locate(space, "d1", environment="staging", service="auth")
    assert await resuming.locate(space, "d1", environment="staging") == ("d1", theirs)


async def test_a_way_back_without_its_commit_is_not_gone_on_with(
    space: Any, clusters: Any, stored: list[leases.State], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def applied(*_: object) -> tuple[older_commits.Applied, ...]:
        return (older_commits.Applied("2" * 40, {}, "d0", True),)

    monkeypatch.setattr(older_commits, "applied", applied)
    stored.append(lease(OWN | {"back": "3" * 40, "revision": ""}))
    assert (await going_back.start(space, clusters, "auth", "staging")).commit == "2" * 40


class Connected:
    """Opens the clusters of every environment."""

    def __init__(self, clusters: Any) -> None:
        self._clusters = clusters

    def __call__(self, _: str) -> Connected:
        return self

    async def __aenter__(self) -> Any:
        return self._clusters

    async def __aexit__(self, *_: object) -> None: ...
