"""Migrations that go on for as long as a test wants, and deployments that wait for them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator

from tests.support import interrupting, polling, scenes

from hanbae.sandbox import demo_shop

LOCK = 4711
"""The advisory lock that a slow migration waits for."""
# pg_locks has those of all databases: scenes that play beside this one wait for locks of the same number.
_WAITED_FOR = """
SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.objid = %s AND NOT l.granted
"""


def slow(
    scene: scenes.Scene, service: str, database: str, number: int, *, bare: bool = False
) -> str:
    """A migration that waits for the lock, in a new image, pushed.

    Args:
        scene: The environment.
        service: The service.
        database: One of its databases, of which it has a folder if it has several.
        number: The migration's version.
        bare: It runs outside of a transaction.

    Returns:
        The commit.
    """
    root = scene.migrations(service)
    folder = root / database if (root / database).is_dir() else root
    path = folder / f"{number:05}_slow.sql"
    how = "-- +goose NO TRANSACTION\n" if bare else ""
    path.write_text(f"{how}-- +goose Up\nSELECT pg_advisory_lock({LOCK});\n")
    scene.build(service)
    return scene.publish("A slow migration")


@contextlib.contextmanager
def locked(scene: scenes.Scene, service: str, database: str) -> Iterator[None]:
    """As long as this holds the lock, the migration goes on."""
    name = demo_shop.database_name(scene.environment, service, database)
    with scene.shop.sandbox.postgres.connect(name) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        yield


def until_waited_for(
    scene: scenes.Scene,
    service: str,
    database: str,
    *,
    driver: subprocess.Popen[str] | None = None,
) -> None:
    """Wait until somebody in the database waits for the lock.

    Args:
        scene: The environment.
        service: The service.
        database: The database.
        driver: Whose migration is to wait.

    Raises:
        AssertionError: Nobody waits in time, or the driver has ended before.
    """
    name = demo_shop.database_name(scene.environment, service, database)

    def is_waited_for() -> bool:
        assert driver is None or driver.poll() is None, "it has ended, and has waited for nothing"
        return connection.execute(_WAITED_FOR, (LOCK,)).fetchone() is not None

    with scene.shop.sandbox.postgres.connect(name) as connection:
        polling.until(is_waited_for)


@contextlib.contextmanager
def deploying(
    scene: scenes.Scene,
    service: str,
    *options: str,
    until: tuple[str, ...],
    command: str = "deploy",
) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A deployment, or a rollback, that has said some words in one line; what it says goes on into the list."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", interrupting.START),
            *(command, service, "--env", scene.environment, *options),
        ],
        cwd=scene.clone,
        env=scenes.clean_environment() | scene.deployer(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    output = process.stderr
    assert output is not None, "it is a pipe"
    reader = threading.Thread(target=lambda: lines.extend(output))
    try:
        for line in output:
            lines.append(line)
            if all(words in line for words in until):
                break
        else:
            message = "".join((*lines, f"it has ended without {until}"))
            raise AssertionError(message)
        reader.start()
        yield process, lines
    finally:
        process.kill()
        process.wait()
        if reader.ident is not None:
            reader.join()
        output.close()


def until_said(lines: list[str], words: str) -> None:
    """Wait until a line with these words is there.

    Raises:
        AssertionError: None comes.
    """
    polling.until(lambda: any(words in line for line in lines), state=lambda: "".join(lines))
