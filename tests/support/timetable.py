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
"""Three scenes leave a third of two cores idle, as much of a deployment is waiting; more than five keep each other
waiting, in as much time."""


@dataclass(frozen=True)
class Scene:
    """One file of ``tests/e2e``.

    Attributes:
        file: Its name.
        uses: Environments of the demo's shop that it changes or looks at.
        fresh: It looks at what the demo itself has left; a second run has a demo of its own.
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
    Scene("test_tutorial.py", frozenset({_DEV, _STAGING})),
    Scene("test_crash_events.py"),
    Scene("test_stop_and_busy.py"),
    Scene("test_hub.py"),
    Scene("test_deploy_secrets.py", frozenset({_DEV, _PRODUCTION})),
    Scene("test_deploy_several.py"),
    Scene("test_what_you_see.py"),
    Scene("test_rollout.py", frozenset({_DEV, _PRODUCTION})),
    Scene("test_deploy_helm.py", frozenset({_PRODUCTION})),
    Scene("test_deploy_migrations.py", frozenset({_STAGING})),
    Scene("test_deploy_automated.py", frozenset({_DEV})),
    Scene("test_foreign_repository.py"),
    Scene("test_without_charts.py"),
    Scene("test_deploy_presync.py"),
    Scene("test_plan.py"),
    Scene("test_clusters_on_a_node.py"),
    Scene("test_deploy_transports.py", frozenset({_DEV, _STAGING})),
    Scene("test_early_failure.py"),
    Scene("test_doctor.py"),
    Scene("test_deploy_behind_another_sync.py", frozenset({_DEV, _STAGING})),
    Scene("test_deploy_hopeless.py", frozenset({_STAGING})),
    Scene("test_deploy_preflight.py", frozenset({_STAGING})),
    Scene("test_plan_saved.py"),
    Scene("test_checklist.py"),
    Scene("test_promote.py"),
    Scene("test_faults.py"),
    Scene("test_deploy_images.py"),
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


def play(scenes: Sequence[Scene], run: Callable[[Scene], None], *, at_once: int = AT_ONCE) -> None:
    """Run scenes side by side, each as early as the environments that it uses are free.

    Args:
        scenes: In the order in which they begin where nothing hinders them.
        run: Runs one scene, in one of several threads.
        at_once: How many at the same time.
    """
    waiting = list(scenes)
    playing: list[Scene] = []
    changed = threading.Condition()

    def next_scene() -> Scene | None:
        """The first scene that may begin now; waits for one, and returns None when none is left."""
        with changed:
            while waiting:
                before = list(playing)
                for scene in waiting:
                    if not any(_disturb(scene, other) for other in before):
                        waiting.remove(scene)
                        playing.append(scene)
                        return scene
                    # Who waits for an environment is not overtaken in it.
                    before.append(scene)
                changed.wait()
        return None

    def work() -> None:
        while scene := next_scene():
            try:
                run(scene)
            finally:
                with changed:
                    playing.remove(scene)
                    changed.notify_all()

    with futures.ThreadPoolExecutor(at_once) as workers:
        try:
            for worker in [workers.submit(work) for _ in range(at_once)]:
                worker.result()
        except BaseException:
            # What plays is played to its end (Ctrl-C has reached it as well), but nothing begins any more.
            with changed:
                waiting.clear()
                changed.notify_all()
            raise


def _disturb(scene: Scene, other: Scene) -> bool:
    """Whether two scenes may not play at the same time."""
    if scene.apart or other.apart:
        return False
    return scene.first or other.first or bool(scene.uses & other.uses)
