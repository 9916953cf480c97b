"""What a failure costs its user: from the push of a fix to its sync, and from the cluster's word to the verdict."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from bench.rows import Row
from tests.support import crashing, delays, operations, scenes

from hanbae.sandbox import running

SERVICE = "personal"
WRONG = "00090_wrong.sql"
_COLUMNS: Final = (
    "R:.status.containerStatuses[*].restartCount,"
    "W:.status.containerStatuses[*].state.waiting.reason,"
    "T:.status.containerStatuses[*].state.terminated.exitCode"
)
_THIRD_CRASH: Final = re.compile(rf"^{SERVICE}-\S+ +(2 +(CrashLoopBackOff|\S+ +[1-9])|[3-9] )")
_FAILED_JOB: Final = re.compile(rf"^{SERVICE}-\S*migrat\S+ +\d+ +\S+ +[1-9]")


def failures(sandbox: running.Sandbox) -> list[Row]:
    """All three, in environments of the demo's shop."""
    automated = scenes.Scene(scenes.shop(sandbox, "dev"), "dev")
    manual = scenes.Scene(scenes.shop(sandbox, "staging"), "staging")
    automated.enter()
    manual.enter()
    return [
        Row("from the push of a fix to its sync", _fix(automated), None, "15 s", 1),
        Row("from the third crash to the verdict", _crash(manual), None, "", 1),
        Row("from wrong SQL to the verdict", _wrong_sql(manual), None, "", 1),
    ]


def _fix(scene: scenes.Scene) -> float:
    """A fix that is pushed and deployed while Argo CD's own sync of a missing image hangs."""
    operations.hang_own_sync(scene, SERVICE)
    scene.build(SERVICE)
    fix = scene.publish("The image is there")
    pushed = datetime.now(UTC)
    ended = scene.deploy(SERVICE)
    operation = scene.operation(SERVICE)["status"]["operationState"]
    if ended.code or operation["operation"]["sync"]["revision"] != fix:
        raise SystemExit(ended.err)
    return (datetime.fromisoformat(operation["startedAt"]) - pushed).total_seconds()


def _crash(scene: scenes.Scene) -> float:
    """A new program that ends by itself."""
    scene.set_environment(SERVICE, REQUIRED_TABLES="elsewhere.nothing")
    scene.publish("A table that is in no database")
    seconds = _verdict(scene, _THIRD_CRASH)
    scene.replace(SERVICE, '\nenv:\n  REQUIRED_TABLES: "elsewhere.nothing"\n', "\nenv: {}\n")
    scene.publish("Only tables that there are")
    return seconds


def _wrong_sql(scene: scenes.Scene) -> float:
    """A migration that cannot pass by waiting."""
    statement = "ALTER TABLE nowhere ADD COLUMN a text;"
    scenes.write_migrations(scene.migrations(SERVICE), {WRONG: [statement]})
    scene.build(SERVICE)
    scene.publish("A table that is not there")
    return _verdict(scene, _FAILED_JOB)


def _verdict(scene: scenes.Scene, word: re.Pattern[str]) -> float:
    """Seconds from an independent watcher's sight of the cluster's word to the end of the deployment."""
    with delays.watching(scene, "pods", _COLUMNS) as lines:
        ended = scene.deploy(SERVICE)
    if ended.code != 1:
        raise SystemExit(ended.err)
    closed = crashing.events_of(scene)[ended.only["id"]][-1].at
    return (closed - _first(lines, word)).total_seconds()


def _first(lines: list[tuple[datetime, str]], word: re.Pattern[str]) -> datetime:
    sights: Iterator[datetime] = (stamp for stamp, line in lines if word.search(line))
    sight = next(sights, None)
    if sight is None:
        raise SystemExit("the cluster never said it:\n" + "".join(line for _, line in lines))
    return sight
