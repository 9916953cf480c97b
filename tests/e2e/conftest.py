"""One sandbox for all scenarios, made by the demo itself; each scenario has services or environments of its own.

What the demo itself has left is looked at first (``test_demo.py``): the scenarios of ``test_deploy_*.py`` add to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support import demos, outcomes, scenes

from hanbae.sandbox import running

#: Seconds. The first demo builds the sandbox's programs unless `./dev test` did; a failing migration is tried for
#: eighty seconds.
LONGEST = 900
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


@pytest.fixture(scope="session")
def demo(request: pytest.FixtureRequest) -> Iterator[demos.Demo]:
    """The runner's demo, or one for this process alone."""
    kept = demos.kept()
    if kept is not None:
        yield kept
        if not request.session.testsfailed:  # what has failed is looked at
            scenes.clear()
        return
    try:
        yield demos.begin()
    finally:
        demos.end()


@pytest.fixture(scope="session")
def sandbox(demo: demos.Demo) -> running.Sandbox:
    """The demo's sandbox, for tests that need no more than a cluster."""
    return demo.sandbox


@pytest.fixture(scope="session")
def entered(demo: demos.Demo) -> Callable[[str], scenes.Scene]:
    """An environment of the demo's shop; in a second run a new one like it, without what the first has left."""
    fresh: dict[str, scenes.Scene] = {}

    def enter(environment: str) -> scenes.Scene:
        if outcomes.AGAIN not in os.environ or demos.kept() is None:
            return scenes.Scene(scenes.shop(demo.sandbox, environment), environment)
        if environment not in fresh:
            scene = scenes.own(demo.sandbox, environment, automated=environment == "dev")
            ended = scene.deploy(*scene.shop.services)
            assert ended.code == 0, ended.err
            fresh[environment] = scene
        return fresh[environment]

    return enter


@pytest.fixture
def scene(entered: Callable[[str], scenes.Scene]) -> Callable[[str], scenes.Scene]:
    """Enters an environment of the demo's shop."""

    def enter(environment: str) -> scenes.Scene:
        scene = entered(environment)
        scene.enter()
        return scene

    return enter


@pytest.fixture
def served(scene: Callable[[str], scenes.Scene]) -> Callable[[str], scenes.Scene]:
    """Enters an environment that is driven through Argo CD's API, with a project's token."""

    def enter(environment: str) -> scenes.Scene:
        return scene(environment).served()

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
