"""Runs the migrations of one database up, twice, back and up again, and up from where each environment is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from hanbae import wording
from hanbae.migrations import scripts
from hanbae.rehearsing import goose, observing, rows, schemas, servers
from hanbae.results import rehearsals


class Files(Struct, frozen=True):
    """Migration files in a folder of their own.

    Attributes:
        folder: The folder, in which nothing else is.
        names: Version → file name, ascending.
    """

    folder: Path
    names: Mapping[int, str]


class Order(Struct, frozen=True):
    """What is rehearsed of one database.

    Attributes:
        database: Its name.
        files: Its migrations.
        starts: Environment → the migrations that it has.
        rows: Rows that each table gets before what an environment has not; 0 for none.
        budget: Seconds that each migration may take.
        copy: A database of the server's whose copy is begun with, as it is; empty for a new one.
        images: Environment → the image that its migrations were read from.
    """

    database: str
    files: Files
    starts: Mapping[str, Files]
    rows: int = 0
    budget: float = 10.0
    copy: str = ""
    images: Mapping[str, str] = {}


Tell = Callable[[wording.Text], None]


class Rehearsing:
    """The rehearsals of one server.

    Args:
        server: The server.
        program: goose.
        tell: Is told how far it is.

    Attributes:
        unseen: What could not be looked at in this server, as ids of sentences.
    """

    def __init__(self, server: servers.Server, program: Path, tell: Tell) -> None:
        self._server = server
        self._program = program
        self._tell = tell
        self.unseen: set[str] = set()

    def rehearse(self, order: Order) -> rehearsals.Database:
        """Rehearse one database.

        Raises:
            hanbae.errors.Unreachable: The server does not answer.
            hanbae.errors.Failed: It makes no database, or a migration does not come to its end.
        """
        if order.copy:
            with servers.database(self._server, like=order.copy) as name:
                copied = self._from_copy(order, name)
            return rehearsals.Database(order.database, len(order.files.names), (copied,))
        with servers.database(self._server) as name:
            first, backs, is_settled = self._from_nothing(order, name)
        later = (
            msgspec.structs.replace(
                self._from_environment(order, start), image=order.images.get(start, "")
            )
            for start in order.starts
        )
        runs = (first, *later)
        return rehearsals.Database(order.database, len(order.files.names), runs, backs, is_settled)

    def _from_nothing(
        self, order: Order, name: str
    ) -> tuple[rehearsals.Run, tuple[rehearsals.Back, ...], bool]:
        """Up, once more, and back step by step."""
        self._say("rehearsal.from-nothing", order)
        runner = self._goose(order.files, name)
        shapes: dict[int, tuple[str, ...]] = {}
        with servers.connect(self._server, name) as connection:
            shapes[0] = schemas.read(connection)

            def reached(version: int) -> None:
                shapes[version] = schemas.read(connection)

            run = self._up(order, runner, "nothing", (), reached=reached)
            # Of a folder without files goose says that it has none.
            if run.failed or not order.files.names:
                return run, (), True
            again = runner.run("up")
            last = max(order.files.names, default=0)
            is_settled = not (again.error or again.changed)
            is_settled = is_settled and schemas.read(connection) == shapes[last]
            self._say("rehearsal.back", order)
            backs = tuple(_backs(order.files, runner, shapes, lambda: schemas.read(connection)))
            return run, backs, is_settled

    def _from_environment(self, order: Order, start: str) -> rehearsals.Run:
        """Up from the migrations that an environment has, with rows where they are asked for."""
        self._say("rehearsal.from-environment", order, start=start)
        theirs = order.starts[start]
        with servers.database(self._server) as name:
            before = self._goose(theirs, name).run("up") if theirs.names else None
            if before is not None and before.error:
                return rehearsals.Run(start, 0, failed=_last(theirs, before), error=before.error)
            filled: tuple[rehearsals.Filled, ...] = ()
            if order.rows:
                self._say("rehearsal.fills", order, rows=str(order.rows))
                with servers.connect(self._server, name) as connection:
                    filled = rows.fill(connection, order.rows)
            runner = self._goose(order.files, name)
            return self._up(order, runner, start, tuple(theirs.names), filled=filled)

    def _from_copy(self, order: Order, name: str) -> rehearsals.Run:
        """Up from a copy of a real database, as it is."""
        self._say("rehearsal.from-copy", order, start=order.copy)
        with servers.connect(self._server, name) as connection:
            present = _applied(connection)
        return self._up(order, self._goose(order.files, name), order.copy, present)

    def _up(
        self,
        order: Order,
        runner: goose.Goose,
        start: str,
        present: Sequence[int],
        *,
        reached: Callable[[int], None] | None = None,
        filled: tuple[rehearsals.Filled, ...] = (),
    ) -> rehearsals.Run:
        """Each migration that is not there yet, alone and watched."""
        steps: list[rehearsals.Step] = []
        version = max(present, default=0)
        witness = observing.Witness(self._server, runner.database)
        try:
            for number, file in order.files.names.items():
                if number in present:
                    continue
                with witness.watching() as noted:
                    ended = runner.run("up-to", str(number))
                if ended.error:
                    return rehearsals.Run(start, version, tuple(steps), filled, file, ended.error)
                slow = ended.seconds > order.budget
                step = rehearsals.Step(
                    number, file, round(ended.seconds, 3), noted.locks, noted.rewritten, slow
                )
                steps.append(step)
                if reached is not None:
                    reached(number)
        finally:
            if not witness.sees_statements:
                self.unseen.add("rehearsal.unseen-statements")
            witness.close()
        return rehearsals.Run(start, version, tuple(steps), filled)

    def _goose(self, files: Files, database: str) -> goose.Goose:
        return goose.Goose(self._program, files.folder, self._server, database)

    def _say(self, text_id: str, order: Order, **facts: str) -> None:
        self._tell(wording.Text(text_id, {"database": order.database, **facts}))


def _backs(
    files: Files,
    runner: goose.Goose,
    shapes: Mapping[int, tuple[str, ...]],
    shape: Callable[[], tuple[str, ...]],
) -> Iterator[rehearsals.Back]:
    """Each migration taken back, applied again, and taken back for the next; the newest first."""
    versions = sorted(files.names, reverse=True)
    for version, below in zip(versions, [*versions[1:], 0], strict=True):
        name = files.names[version]
        if not scripts.read((files.folder / name).read_bytes()).down:
            yield rehearsals.Back(version, name, "none")
            return  # goose would only forget it, and what is below stands on it
        for words, expected in (
            (("down-to", str(below)), below),
            (("up-to", str(version)), version),
        ):
            ended = runner.run(*words)
            if ended.error:
                yield rehearsals.Back(version, name, "failed", error=ended.error)
                return
            differing = schemas.differing(shapes[expected], shape())
            if differing:
                yield rehearsals.Back(version, name, "differs", differing)
                return
        yield rehearsals.Back(version, name, "restored")
        # This has just worked; were it to fail now, the next step would show it.
        runner.run("down-to", str(below))


def _applied(connection: object) -> tuple[int, ...]:
    """The versions that goose's table has: of each, the newest row counts. None where there is no table."""
    cursor = connection.execute("SELECT to_regclass('public.goose_db_version')")  # type: ignore[attr-defined]
    if cursor.fetchone()[0] is None:
        return ()
    query = """
    SELECT version_id FROM (SELECT DISTINCT ON (version_id) version_id, is_applied FROM public.goose_db_version
      ORDER BY version_id, id DESC) newest WHERE is_applied AND version_id > 0
    """
    return tuple(row[0] for row in connection.execute(query).fetchall())  # type: ignore[attr-defined]


def _last(files: Files, ended: goose.Ended) -> str:
    """The file that comes after the last one that was applied: where goose has stopped."""
    last = max(ended.changed, default=0)
    return next((name for version, name in files.names.items() if version > last), "-")
