"""The demo says "proven" only of what is; and two demos never share a sandbox."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hanbae import errors
from hanbae.results import deployments
from hanbae.sandbox import demo, demo_promotion, demo_repository, demo_shop, folders, running

VALUES = {
    ("auth", "dev"): {"auth_db": (3, 3)},
    ("identity", "dev"): {"identity_db": (2, 20), "legal_db": (1, 1)},
}


def deployed(
    service: str, *migrations: tuple[str, int, int], outcome: deployments.Outcome = "succeeded"
) -> deployments.Deployment:
    return deployments.Deployment(
        id=service,
        service=service,
        environment="dev",
        revision="0" * 40,
        outcome=outcome,
        migrations=tuple(deployments.Migration(*row) for row in migrations),
    )


AUTH = deployed("auth", ("auth_db", 3, 3))
IDENTITY = deployed("identity", ("identity_db", 2, 20), ("legal_db", 1, 1))


def test_everything_proven_leaves_nothing() -> None:
    assert list(demo.unproven(VALUES, [AUTH, IDENTITY])) == []


@pytest.mark.parametrize(
    "auth",
    [
        pytest.param(None, id="never deployed"),
        pytest.param(deployed("auth", ("auth_db", 3, 3), outcome="failed"), id="failed"),
        pytest.param(deployed("auth", ("auth_db", 3, 3), outcome="running"), id="not closed"),
        pytest.param(deployed("auth"), id="no proof"),
        pytest.param(deployed("auth", ("auth_db", 3, 2)), id="a migration is missing"),
        pytest.param(deployed("auth", ("auth_db", 2, 3)), id="a file is missing"),
        pytest.param(deployed("auth", ("other_db", 3, 3)), id="another database"),
    ],
)
def test_what_is_not_wholly_proven_is_named(auth: deployments.Deployment | None) -> None:
    ended = [IDENTITY] if auth is None else [auth, IDENTITY]
    assert list(demo.unproven(VALUES, ended)) == ["auth/dev"]


async def test_nothing_is_promoted_after_an_environment_that_has_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shop = SimpleNamespace(
        environments=("dev", "staging"),
        apply=lambda _: None,
        repository=SimpleNamespace(clone=tmp_path),
    )
    deployed_to: list[str] = []

    async def publish(*_: object) -> object:
        return shop

    async def deploy_all(_: object, environment: str, __: object) -> list[deployments.Deployment]:
        deployed_to.append(environment)
        return [AUTH, deployed("identity", outcome="failed")]

    async def carry_out(*_: object) -> None:
        pytest.fail("what has failed was promoted")

    monkeypatch.setattr(demo, "_publish", publish)
    monkeypatch.setattr(demo, "deploy_all", deploy_all)
    monkeypatch.setattr(
        demo, "expected", lambda _: VALUES | {("auth", "staging"): {"auth_db": (3, 3)}}
    )
    monkeypatch.setattr(demo_promotion, "carry_out", carry_out)
    telling = SimpleNamespace(step=lambda _: None)
    outcome = await demo._main_job(None, tmp_path, telling, stays_up=False)  # type: ignore[arg-type]
    assert deployed_to == ["dev"]
    assert outcome.unproven == ("identity/dev",)


def test_second_demo_on_a_sandbox_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = folders.of("busy")
    with demo._alone(folder), pytest.raises(errors.Refused) as refused, demo._alone(folder):
        pass
    assert refused.value.text.id == "demo.running"
    with demo._alone(folder):
        pass


@pytest.mark.parametrize(
    ("whole", "mark", "taken_down"),
    [
        pytest.param(True, False, 0, id="somebody's, stopped"),
        pytest.param(False, False, 1, id="never whole"),
        pytest.param(True, True, 2, id="a demo's"),
    ],
)
def test_demo_takes_down_no_sandbox_that_is_not_a_demos(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    whole: bool,
    mark: bool,
    taken_down: int,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = folders.of("default")
    folder.make()
    if whole:
        folder.ready.touch()
    if mark:
        (folder.root / "demo").touch()
    downs: list[str] = []

    def down(name: str, **_: object) -> None:
        downs.append(name)
        folder.remove()

    monkeypatch.setattr(running, "require", lambda _: None)
    monkeypatch.setattr(running, "up", lambda *_, **__: None)
    monkeypatch.setattr(running, "down", down)

    def outcome(*_: object, stays_up: bool) -> SimpleNamespace:
        return SimpleNamespace(unproven=(), kept=stays_up)

    monkeypatch.setattr(demo, "_on", outcome)
    telling: Any = SimpleNamespace(step=lambda _: None, note=lambda _: None)
    assert demo.run(telling).kept is not bool(taken_down)
    assert len(downs) == taken_down


def test_databases_of_environments_and_services_are_told_apart() -> None:
    names = {
        demo_shop.database_name(environment, service, database)
        for environment in ("dev", "staging", "production")
        for service, database in (("auth", "auth_db"), ("identity", "auth_db"))
    }
    assert len(names) == 6
    assert demo_shop.database_name("dev", "my-shop", "my_db") == "dev_my_shop_my_db"


def test_example_is_found_in_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "hanbae"
    (package / "sandbox" / "shop").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(demo_repository.hanbae, "__file__", str(package / "__init__.py"))
    with pytest.raises(errors.Lacking):
        demo_repository.example()
    (package / "sandbox" / "shop" / "hanbae.yaml").write_text("version: 1\n")
    assert demo_repository.example() == package / "sandbox" / "shop"
