"""Which environments are asked what their controllers open, and what is told where one of them does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support import releases, sealing

from hanbae import errors
from hanbae.actions import verify_secrets
from hanbae.clusters import sealing_controllers
from hanbae.policy import loading
from hanbae.rules import views


class Controller:
    """One that opens everything."""

    source = "kube-system/sealed-secrets"
    cluster = None

    async def certificate(self) -> bytes:
        return sealing.certificate(sealing.key())

    async def opens(self, sealed: Any) -> bool:
        return True


@pytest.fixture(autouse=True)
def dev_alone_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def reached(_policy: object, environment: str, **_: object) -> AsyncIterator[Controller]:
        if environment != "dev":
            raise errors.Unreachable("cluster.unreachable", context="c", server="s", why="w")
        yield Controller()

    async def images(*_: object) -> tuple[str, ...]:
        return ()

    monkeypatch.setattr(sealing_controllers, "reached", reached)
    monkeypatch.setattr(sealing_controllers, "images", images)


def verified(environment: str | None = None) -> verify_secrets.Answers:
    """What the controllers say of a value that each environment has."""
    project = releases.project()
    service = views.Service(project, "auth")
    for name in project.environments:
        manifests = [releases.sealed(A=True)]
        releases.release(manifests, environment=name, service=service)
    loaded = loading.Loaded(project.policy, Path("hanbae.yaml"), Path(), {})
    return asyncio.run(verify_secrets.verify([service], loaded, environment=environment))


def test_a_controller_that_does_not_answer_hides_no_other() -> None:
    answers = verified()
    states = {where[1]: key.state for where, key in answers.keys.items()}
    assert states == {"dev": "opened"}
    (entry,) = answers.unreached
    assert (entry.environment, entry.why.id) == ("production", "cluster.unreachable")


def test_the_one_environment_that_is_asked_about_fails_as_before() -> None:
    assert verified("dev").unreached == ()
    with pytest.raises(errors.Unreachable):
        verified("production")
