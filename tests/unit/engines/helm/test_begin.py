"""What Helm's engine does where somebody else's Helm works on the release, or was ended in the middle."""

from __future__ import annotations

from typing import Any

import pytest

from hanbae import subjects, wording
from hanbae.engines import beforehand, owning_releases, protocol
from hanbae.engines.helm import engine, program, records
from hanbae.results import plans

TARGET = engine.Target(
    "services", "auth-service", "auth-secrets", subjects.Ref("Application", "argocd", "auth-dev")
)
DOES = plans.Upgrade("auth-service", "a" * 40)


def record(number: int, status: str, key: str = "") -> records.Record:
    moment = "2026-11-29T10:00:00Z"
    return records.Record(f"v{number}", f"u{number}", number, status, moment, key, "")


class World:
    """A release with the records that a test wants, and a Helm that only says that it could."""

    def __init__(self, *kept: records.Record) -> None:
        self.kept = list(kept)
        self.tries = 0
        self.waited_for: list[wording.Text] = []

    async def every(self, *_: object) -> list[records.Record]:
        return list(self.kept)

    async def forget(self, _: object, __: str, gone: records.Record) -> None:
        self.kept.remove(gone)

    async def upgrade(self, *_: object, dry: bool, **__: object) -> None:
        assert dry
        self.tries += 1

    async def wait(self, text: wording.Text) -> None:
        self.waited_for.append(text)
        self.kept[-1] = record(self.kept[-1].number, "deployed")

    async def begin(self, *, waits: bool = False) -> None:
        async def read() -> engine.Release:
            return engine.Release({}, program.Chart("auth-service", "services", {}, ()))

        cluster: Any = type("Cluster", (), {"context": "here"})()
        helm = engine.Helm(cluster, cluster, TARGET, read, waits=self.wait if waits else None)
        await helm.begin(DOES, "d1.sync")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    async def nothing(*_: object, **__: object) -> Any:
        return "helm"

    monkeypatch.setattr(records, "every", world.every)
    monkeypatch.setattr(records, "forget", world.forget)
    monkeypatch.setattr(program, "require", nothing)
    monkeypatch.setattr(program, "upgrade", world.upgrade)
    monkeypatch.setattr(beforehand, "workload", nothing)
    monkeypatch.setattr(owning_releases, "refuse_argo_cd", nothing)
    monkeypatch.setattr(owning_releases, "refuse_application", nothing)
    return world


@pytest.mark.parametrize(
    ("kept", "command"),
    [
        (
            [record(4, "superseded"), record(5, "deployed"), record(6, "pending-upgrade")],
            "helm rollback auth-service 5 --namespace services",
        ),
        (
            [record(4, "deployed"), record(5, "failed"), record(6, "pending-rollback")],
            "helm rollback auth-service 4 --namespace services",
        ),
        (  # the pods of a first install that took too long may serve
            [record(1, "failed"), record(2, "pending-upgrade")],
            "helm rollback auth-service 1 --namespace services",
        ),
        ([record(1, "pending-install")], "helm uninstall auth-service --namespace services"),
        (
            [record(1, "superseded"), record(2, "uninstalled"), record(3, "pending-install")],
            "helm uninstall auth-service --namespace services",
        ),
    ],
)
async def test_what_takes_back_a_helm_that_was_ended_in_the_middle_is_said(
    world: World, kept: list[records.Record], command: str
) -> None:
    world.kept = list(kept)
    with pytest.raises(protocol.Busy) as busy:
        await world.begin()
    assert busy.value.text.facts["command"] == command
    assert busy.value.text.facts["revision"] == f"{kept[-1].number} {kept[-1].status}"
    assert busy.value.text.facts["since"] == "2026-11-29T10:00:00Z"
    assert (world.kept, world.tries) == (kept, 0), "nothing was changed, nor tried"


async def test_somebody_elses_helm_is_waited_for_where_that_is_wanted(world: World) -> None:
    world.kept = [record(5, "deployed"), record(6, "pending-upgrade")]
    await world.begin(waits=True)
    assert [text.id for text in world.waited_for] == ["upgrade.busy-since"]
    assert [entry.status for entry in world.kept] == ["deployed", "deployed"]
    assert world.tries == 1


async def test_what_hanbae_has_left_pending_is_nobodys(world: World) -> None:
    world.kept = [record(5, "deployed", "d0.sync"), record(6, "pending-upgrade", "d1.sync")]
    await world.begin()
    assert [entry.number for entry in world.kept] == [5]
    assert (world.waited_for, world.tries) == ([], 1)
