"""One sandbox for all scenarios, made by the demo itself; each scenario has services or environments of its own.

What the demo itself has left is looked at first (``test_demo.py``): the scenarios of ``test_deploy_*.py`` add to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support import projects, scenes

from hanbae.policy import naming
from hanbae.sandbox import running

#: One name, so that a run that was killed leaves nothing that the next one does not take; two runs on one machine
#: need two.
NAME = os.environ.get("HANBAE_TEST_SANDBOX", "e2e")
#: Seconds. The first demo builds the sandbox's programs unless `./dev test` did; a failing migration is tried for
#: eighty seconds.
LONGEST = 900
REFUSED = 5
FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)
    for item in items:
        if item.path.parent == FOLDER:
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(LONGEST))


def _turn(item: pytest.Item) -> int:
    """What the demo has left is looked at first; who adds to it without numbers of their own comes last."""
    name = item.path.name
    if item.path.parent != FOLDER or name == "test_demo.py":
        return 0
    return 1 if name.startswith(("test_demo_", "test_deploy_")) else 2


@dataclass(frozen=True)
class Ran:
    """The demo, and the sandbox that it has left running."""

    ended: scenes.Ended
    sandbox: running.Sandbox


@pytest.fixture(scope="session")
def demo() -> Iterator[Ran]:
    ended = scenes.hanbae("demo", "--keep", "--name", NAME, "--output", "json")
    # Refused: another run of the tests has it, and it is theirs to take down.
    assert ended.code != REFUSED, ended.err
    try:
        assert ended.code == 0, ended.err[-4000:]
        yield Ran(ended, running.attach(NAME))
    finally:
        running.down(NAME)


@pytest.fixture(scope="session")
def sandbox(demo: Ran) -> running.Sandbox:
    """The demo's sandbox, for tests that need no more than a cluster."""
    return demo.sandbox


@pytest.fixture
def scene(demo: Ran) -> Callable[[str], scenes.Scene]:
    """Enters an environment of the demo's shop."""
    shop = scenes.shop(demo.sandbox)

    def enter(environment: str) -> scenes.Scene:
        entered = scenes.Scene(shop, environment)
        entered.enter()
        return entered

    return enter


@pytest.fixture
def served(demo: Ran, scene: Callable[[str], scenes.Scene]) -> Callable[[str], scenes.Scene]:
    """Enters an environment that is driven through Argo CD's API, with a project's token."""
    shop = scenes.shop(demo.sandbox)

    def enter(environment: str) -> scenes.Scene:
        project = naming.project(shop.policy, environment)
        token = projects.Projects(demo.sandbox).token(project, "deployer")
        entered = scenes.Scene(shop, environment, token)
        entered.enter()
        entered.speak_to_api()
        return entered

    return enter


@pytest.fixture(params=["kubernetes", "argocd-api"])
def either(
    request: pytest.FixtureRequest,
    scene: Callable[[str], scenes.Scene],
    served: Callable[[str], scenes.Scene],
) -> Callable[[str], scenes.Scene]:
    """Enters an environment, once through each transport."""
    return served if request.param == "argocd-api" else scene


@pytest.fixture
def staging(scene: Callable[[str], scenes.Scene]) -> scenes.Scene:
    return scene("staging")


@pytest.fixture
def production(scene: Callable[[str], scenes.Scene]) -> scenes.Scene:
    return scene("production")
