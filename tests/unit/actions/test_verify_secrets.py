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

OUT_OF_REACH = errors.Unreachable("cluster.unreachable", context="c", server="s", why="w")
REFUSAL = errors.Refused("seal.unverified", environment="e", context="c", server="s")


class Controller:
    """One that opens everything, until it dies."""

    source = "kube-system/sealed-secrets"
    cluster = None
    answers = 99

    async def certificate(self) -> bytes:
        return sealing.certificate(sealing.key())

    async def opens(self, sealed: Any) -> bool:
        if not self.answers:
            raise OUT_OF_REACH
        self.answers -= 1
        return True


@pytest.fixture(autouse=True)
def failures(monkeypatch: pytest.MonkeyPatch) -> dict[str, errors.Error]:
    """Environment → why it is not asked."""
    failures: dict[str, errors.Error] = {"production": OUT_OF_REACH}

    @asynccontextmanager
    async def reached(_policy: object, environment: str, **_: object) -> AsyncIterator[Controller]:
        if environment in failures:
            raise failures[environment]
        yield Controller()

    async def images(*_: object) -> tuple[str, ...]:
        return ()

    monkeypatch.setattr(sealing_controllers, "reached", reached)
    monkeypatch.setattr(sealing_controllers, "images", images)
    return failures


def verified(
    environment: str | None = None, secrets: int = 1, among: tuple[str, ...] = ("dev", "production")
) -> verify_secrets.Answers:
    """What the controllers say of a value that each environment has."""
    project = releases.project()
    for name in set(project.policy.environments) - set(among):
        del project.policy.environments[name]
    service = views.Service(project, "auth")
    for name in project.environments:
        manifests = [releases.sealed(f"auth-{number}", A=True) for number in range(secrets)]
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


def test_an_only_environment_fails_as_one_that_is_named() -> None:
    with pytest.raises(errors.Unreachable):
        verified(among=("production",))


@pytest.mark.parametrize("kind", [errors.WrongUse, errors.FileFault])
def test_a_mistake_of_the_user_is_no_environment_out_of_reach(
    failures: dict[str, errors.Error], kind: type[errors.Error]
) -> None:
    failures["production"] = kind("cluster.no-context", context="typo")
    with pytest.raises(kind):
        verified()


def test_a_refusal_is_one_unless_another_environment_is_out_of_reach(
    failures: dict[str, errors.Error],
) -> None:
    failures["production"] = REFUSAL
    assert [entry.why.id for entry in verified().unreached] == ["seal.unverified"]
    assert verified().all_refused
    failures["dev"] = OUT_OF_REACH
    assert len(verified().unreached) == 2
    assert not verified().all_refused


def test_what_a_controller_has_said_stays_when_it_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Controller, "answers", 2)
    answers = verified(secrets=3)
    assert {where[1:3] for where in answers.keys} == {("dev", "auth-0"), ("dev", "auth-1")}
    assert {entry.environment for entry in answers.unreached} == {"dev", "production"}
