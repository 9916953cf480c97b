"""Which end-to-end tests play at the same time on the one sandbox: each file is one process of pytest.

Files that use the same environment of the demo's shop play one after the other, in the order of this table; all
others have environments, namespaces or a whole sandbox of their own. The long ones come first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Final

AT_ONCE: Final = 5
"""Three scenes leave a third of two slow cores idle, as much of a deployment is waiting; with more than five these keep
each other waiting, in as much time."""
AT_MOST: Final = 8
"""As many where processors idle nevertheless: faster ones wait for the same clocks and back-offs."""


@dataclass(frozen=True)
class Scene:
    """One file of ``tests/e2e``.

    Attributes:
        file: Its name.
        uses: Environments of the demo's shop that it changes or looks at.
        fresh: It needs what the demo itself has left, or leaves what nobody takes away; a second run has a demo of its
            own.
        apart: It touches nothing of the demo's sandbox: its sandboxes are its own.
        first: It makes the demo's sandbox, so only scenes apart from that play beside it.
    """

    file: str
    uses: frozenset[str] = frozenset()
    fresh: bool = False
    apart: bool = False
    first: bool = False


_DEV, _STAGING, _PRODUCTION = "dev", "staging", "production"

DEMO: Final = Scene("the demo", first=True)
"""What all but those apart stand on; no file."""
APART: Final = (
    # They wait for nobody, and are long: while the demo's sandbox comes up, they use what it leaves of the machine.
    Scene("test_argocd_in_trouble.py", apart=True),
    Scene("test_sandbox.py", apart=True),
    Scene("test_demo_stopped.py", apart=True),
)
TOGETHER: Final = (
    # What the demo has left is looked at before anything adds to it.
    Scene("test_demo.py", frozenset({_DEV, _STAGING, _PRODUCTION}), fresh=True),
    # A reader finds what the demo has left.
    Scene("test_tutorial.py", frozenset({_DEV, _STAGING}), fresh=True),
    # The chains of those who wait for one another's environments are as long as all: each begins early.
    Scene("test_deploy_migrations.py", frozenset({_STAGING})),
    Scene("test_deploy_automated.py", frozenset({_DEV})),
    Scene("test_deploy_several.py"),
    Scene("test_stop_and_busy.py"),
    Scene("test_crash_events.py"),
    Scene("test_deploy_hopeless.py", frozenset({_STAGING})),
    Scene("test_deploy_preflight.py", frozenset({_STAGING})),
    Scene("test_deploy_transports.py", frozenset({_DEV, _STAGING})),
    Scene("test_deploy_secrets.py", frozenset({_PRODUCTION})),
    Scene("test_what_you_see.py"),
    Scene("test_deploy_behind_another_sync.py", frozenset({_DEV, _STAGING})),
    Scene("test_deploy_helm.py"),
    Scene("test_rollout.py", frozenset({_DEV, _PRODUCTION})),
    Scene("test_clusters_on_a_node.py"),
    Scene("test_hub.py"),
    Scene("test_deploy_presync.py"),
    Scene("test_plan.py"),
    Scene("test_broken_services.py"),
    Scene("test_promote.py"),
    Scene("test_foreign_repository.py", fresh=True),
    Scene("test_faults.py"),
    Scene("test_checklist.py"),
    Scene("test_plan_saved.py"),
    Scene("test_without_charts.py", fresh=True),
    Scene("test_what_you_see_behind_a_sync.py"),
    Scene("test_readme.py"),
    Scene("test_deploy_first.py"),
    Scene("test_render.py"),
    Scene("test_example_app.py"),
)
ALONE: Final = (Scene("test_sandbox_alone.py"),)
"""What looks at the whole machine."""


def together(folder: Path) -> list[Scene]:
    """What plays side by side: the tables' files, and after them those that nobody has put on one yet.

    Of these nothing is known, so each waits for every environment of the demo's shop.

    Args:
        folder: The end-to-end tests.
    """
    listed = {scene.file for scene in (*APART, *TOGETHER, *ALONE)}
    files = sorted(path.name for path in folder.glob("test_*.py") if path.name not in listed)
    unknown = (Scene(file, frozenset({_DEV, _STAGING, _PRODUCTION})) for file in files)
    return [*APART, *TOGETHER, *unknown]


def play(
    scenes: Sequence[Scene],
    run: Callable[[Scene], None],
    *,
    at_once: int = AT_ONCE,
    room: Callable[[], bool] | None = None,
    at_most: int = AT_MOST,
) -> None:
    """Run scenes side by side, each as early as the environments that it uses are free.

    Args:
        scenes: In the order in which they begin where nothing hinders them.
        run: Runs one scene, in one of several threads.
        at_once: How many at the same time.
        room: Looks for a while whether the machine could play one more, and is asked by one thread at a time. Without
            it there is none.
        at_most: How many at the same time as long as there is room.
    """
    stage = _Stage(scenes, run)
    with futures.ThreadPoolExecutor(at_most) as workers:
        working = [workers.submit(stage.play_all) for _ in range(at_once)]
        if room is not None:
            more = range(at_most - at_once)
            working += [workers.submit(stage.play_where_is_room, room) for _ in more]
        try:
            for worker in futures.as_completed(working):
                worker.result()
        except BaseException:
            # What plays is played to its end (Ctrl-C has reached it as well), but nothing begins any more.
            stage.close()
            raise


class _Stage:
    """What has not begun, and what plays, for the threads that play it."""

    def __init__(self, scenes: Sequence[Scene], run: Callable[[Scene], None]) -> None:
        self._waiting = list(scenes)
        self._playing: list[Scene] = []
        self._changed = threading.Condition()
        self._looking = threading.Lock()
        self._run = run

    def play_all(self) -> None:
        """Play one scene after the other until none is left."""
        while scene := self._next():
            self._play(scene)

    def play_where_is_room(self, room: Callable[[], bool]) -> None:
        """Play a scene whenever there is room for one more, until none is left."""
        while self._waiting:
            with self._looking:
                # What is free only later may find no room any more: it is looked for again then.
                scene = self._next(waits=False) if self._waiting and room() else None
            if scene:
                self._play(scene)

    def close(self) -> None:
        """Let nothing begin any more."""
        with self._changed:
            self._waiting.clear()
            self._changed.notify_all()

    def _next(self, *, waits: bool = True) -> Scene | None:
        """The first scene that may begin now; waits for one if there is none, and returns None when none is left."""
        with self._changed:
            while self._waiting:
                before = list(self._playing)
                for scene in self._waiting:
                    if not any(_disturb(scene, other) for other in before):
                        self._waiting.remove(scene)
                        self._playing.append(scene)
                        return scene
                    # Who waits for an environment is not overtaken in it.
                    before.append(scene)
                if not waits:
                    return None
                self._changed.wait()
        return None

    def _play(self, scene: Scene) -> None:
        try:
            self._run(scene)
        finally:
            with self._changed:
                self._playing.remove(scene)
                self._changed.notify_all()


def _disturb(scene: Scene, other: Scene) -> bool:
    """Whether two scenes may not play at the same time."""
    if scene.apart or other.apart:
        return False
    return scene.first or other.first or bool(scene.uses & other.uses)
