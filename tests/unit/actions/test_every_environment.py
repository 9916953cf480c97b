"""What is answers of every environment is answers of those that Helm deploys as well."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pygit2
import pytest

from hanbae import errors, workspaces
from hanbae.actions import every_environment, hold, init


@pytest.fixture
def root(tmp_path: Path) -> Path:
    pygit2.init_repository(tmp_path)
    init.init(tmp_path, repository="https://git.example.com/shop.git", one_cluster=True)
    policy = tmp_path / "hanbae.yaml"
    before = policy.read_text()
    policy.write_text(before.replace("  staging:\n", "  staging:\n    engine: helm\n", 1))
    assert "engine: helm" in policy.read_text()
    return tmp_path


async def nowhere(_: workspaces.Workspace, services: Sequence[str], environment: str) -> str:
    if environment == "dev":
        raise errors.Unreachable("cluster.failing", place=None)
    return f"{','.join(services)} in {environment}"


async def test_one_that_does_not_answer_hides_no_other(root: Path) -> None:
    with workspaces.opened(root) as space:
        answers = await every_environment.ask(space, (), (), nowhere)
    assert answers.services == ()
    assert answers.environments == ("dev", "staging", "production"), "Helm deploys staging"
    (entry,) = answers.unreached
    assert (entry.environment, entry.why.id) == ("dev", "cluster.failing")
    assert answers.of == {"staging": " in staging", "production": " in production"}


async def test_what_is_held_where_helm_deploys_is_listed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments: list[str] = []

    async def of_environment(_: object, __: object, environment: str) -> list[object]:
        environments.append(environment)
        return []

    monkeypatch.setattr(hold, "_of_environment", of_environment)
    with workspaces.opened(root) as space:
        await hold.listed(space)
    assert environments == ["dev", "staging", "production"]


async def test_a_fault_of_ours_is_no_answer(root: Path) -> None:
    async def broken(*_: object) -> str:
        message = "a bug"
        raise ValueError(message)

    with workspaces.opened(root) as space, pytest.raises(ValueError, match="a bug"):
        await every_environment.ask(space, (), (), broken)
