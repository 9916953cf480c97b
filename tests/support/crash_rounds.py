"""One round of the crash enumeration: kill a deployment after one event, resume it, and hold what happened once."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from typing import Any, Literal

from tests.support import crashing, scenes

SERVICE = "identity"
"""Three databases, migrated one after the other."""

Resume = Literal["attach", "deploy", "elsewhere"]


def migrate(scene: scenes.Scene, service: str, number: int, *, like: str | None = None) -> str:
    """One more migration for each database, in a new image, pushed.

    Returns:
        The commit.
    """
    root = scene.migrations(service)
    for folder in sorted(path for path in root.iterdir() if path.is_dir()) or [root]:
        name = f"{number:05}_round.sql"
        scenes.write_migrations(folder, {name: [f"CREATE TABLE round_{number} (id bigint);"]})
    scene.build(service, acts_as=like)
    return scene.publish(f"Round {number}")


def play(
    scene: scenes.Scene,
    number: int,
    *,
    after: str,
    resume: Resume,
    service: str = SERVICE,
    like: str | None = None,
    operations: int = 1,
) -> dict[str, Any] | None:
    """Kill at a moment, resume, and hold what the witness, the databases and the record say.

    Args:
        scene: The environment; the service is deployed in it already.
        number: Version of this round's migrations, one more than the last.
        after: When; see :func:`tests.support.crashing.die_after`.
        resume: By ``hanbae attach``, by the next deployment, or by one with an empty history.
        service: What is deployed.
        like: Which of the shop's services its program is; by default the one of its name.
        operations: How many its deployment consists of.

    Returns:
        The resumed deployment, or None when it ended before that.

    Raises:
        AssertionError: Something happened twice, or not at all.
    """
    names = [row.name for row in scene.shop.declared(service, scene.environment)]
    revision = migrate(scene, service, number, like=like)
    with crashing.witness(scene, service) as witness:
        code = crashing.killed(scene, service, after=after)
        if code == 0:
            return None
        _hold(code == -signal.SIGKILL, f"ended with {code} instead of being killed")
        ended, recorded, deployment = _resumed(scene, service, resume)
    _hold(ended.code == 0, f"after event {after}, {resume}: {ended.code}\n{ended.err[-4000:]}")
    _hold(ended.only["outcome"] == "succeeded", str(ended.only))
    _hold(ended.only["revision"] == revision, str(ended.only))
    uids = {name: len(jobs) for name, jobs in witness.jobs.items()}
    _hold(list(uids.values()) == [1] * len(names), f"after event {after}: migration Jobs {uids}")
    started = witness.operations
    _hold(len(started) == operations, f"after event {after}: operations {started}")
    for database in names:
        versions = scene.versions(service, database)
        _hold(versions == list(range(1, number + 1)), f"{database}: {versions}")
    facts = crashing.closings(recorded[ended.only["id"]])
    _hold(facts["Closed"] == facts["Opened"] == 1, str(facts))
    _hold(facts["Proved"] == len(names), str(facts))
    if resume != "elsewhere" or after not in {"1", "Opened:1"}:
        _hold(ended.only["id"] == deployment, "another deployment was made of it")
        _hold(deployment in ended.err, "what was half done was not named")
    return ended.only


def _resumed(
    scene: scenes.Scene, service: str, resume: Resume
) -> tuple[scenes.Ended, dict[str, Any], str]:
    recorded = crashing.events_of(scene)
    deployment = next(iter(recorded))
    words = ["deploy", service, "--env", scene.environment]
    if resume == "attach":
        words = ["attach", deployment]
    with tempfile.TemporaryDirectory(prefix="hanbae-crash-") as folder:
        variables = scene.deployer()
        away = resume == "elsewhere"
        directory = elsewhere(scene, Path(folder)) if away else scene.clone
        ended = scenes.hanbae(*words, "--output", "json", directory=directory, **variables)
        history = Path(folder) / "history.db" if resume == "elsewhere" else None
        return ended, crashing.events_of(scene, history=history), deployment


def elsewhere(scene: scenes.Scene, folder: Path) -> Path:
    """A clone on what could be another machine: with an empty history of its own, and not of this one's processes."""
    from hanbae.charts import values
    from hanbae.history import stores
    from hanbae.sandbox import demo_repository

    remote = scene.shop.repository.url
    demo_repository.git(folder, "clone", "--quiet", "--branch", scene.branch, remote, "clone")
    clone = folder / "clone"
    with values.editing(clone / "hanbae.yaml", "hanbae.yaml") as policy:
        history = f"sqlite:///{folder / 'history.db'}"
        stores.open_store(history).close()
        policy.update({("history", "url"): history})
    return clone


def _hold(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)
