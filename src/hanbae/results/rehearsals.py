"""What a rehearsal of migrations has shown."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hanbae import wording

Blocks = Literal["reads and writes", "writes"]
"""What others cannot do with a table while a lock is held."""


class Lock(Struct, frozen=True):
    """A lock on a table that was there before the step.

    Attributes:
        relation: The table or index.
        mode: PostgreSQL's name of it.
        blocks: What others cannot do meanwhile.
        statement: The kind of statement that took it; empty where it was only seen from the second connection.
        seen: Seconds for which the second connection saw it held; 0 for less than it looks.
    """

    relation: str
    mode: str
    blocks: Blocks
    statement: str = ""
    seen: float = 0.0


class Step(Struct, frozen=True):
    """One migration, run alone.

    Attributes:
        version: Its version.
        file: Its file's name.
        seconds: What goose took for it, its start included.
        locks: Locks that block others.
        rewritten: Tables whose rows were all written anew.
        is_slow: Whether it took longer than the budget.
    """

    version: int
    file: str
    seconds: float
    locks: tuple[Lock, ...] = ()
    rewritten: tuple[str, ...] = ()
    is_slow: bool = False


class Filled(Struct, frozen=True):
    """Rows that a table was given before the steps.

    Attributes:
        table: The table.
        rows: How many it was given.
        why_not: Why it was given none, or fewer, in PostgreSQL's words; empty where it was given all.
    """

    table: str
    rows: int
    why_not: str = ""


class Run(Struct, frozen=True):
    """One way up.

    Attributes:
        start: ``nothing``, or the environment whose version it begins at.
        version: The version that it begins at.
        steps: The migrations, in order.
        filled: What tables hold before them.
        failed: Name of the file at which goose stopped; empty where none failed.
        error: goose's words.
        image: The image whose migrations it begins with; empty where those of a commit stand in.
    """

    start: str
    version: int
    steps: tuple[Step, ...] = ()
    filled: tuple[Filled, ...] = ()
    failed: str = ""
    error: str = ""
    image: str = ""


class Back(Struct, frozen=True):
    """A migration taken back and applied again.

    Attributes:
        version: Its version.
        file: Its file's name.
        outcome: ``restored``: the schema is as it was before; ``differs``; ``failed``; ``none``: it has no Down part.
        differing: Lines of the schema that differ, each with ``-`` for what was and ``+`` for what is there now.
        error: goose's words, where it failed.
    """

    version: int
    file: str
    outcome: Literal["restored", "differs", "failed", "none"]
    differing: tuple[str, ...] = ()
    error: str = ""


class Database(Struct, frozen=True):
    """The rehearsal of one database.

    Attributes:
        name: Its name.
        files: Number of its migration files.
        runs: The ways up: from nothing, then from each environment's version.
        backs: The ways back, the newest first.
        is_settled: Whether a second run changed nothing.
    """

    name: str
    files: int
    runs: tuple[Run, ...]
    backs: tuple[Back, ...] = ()
    is_settled: bool = True

    @property
    def has_failed(self) -> bool:
        """Whether anything is wrong with it."""
        return (
            not self.is_settled
            or any(run.failed or run.error for run in self.runs)
            or any(step.is_slow for run in self.runs for step in run.steps)
            or any(back.outcome in {"differs", "failed"} for back in self.backs)
        )


class Rehearsal(Struct, frozen=True):
    """A rehearsal of a service's migrations.

    Attributes:
        service: The service.
        revision: The commit whose files were run; empty for the working tree.
        server: Version of the PostgreSQL that they ran in.
        budget: Seconds that each migration may take.
        databases: Its databases, in the order in which they are migrated.
        failed: Whether anything is wrong.
        unseen: What could not be looked at in this server.
        notices: Why environments begin with the migrations of their commits and not of the images that they run.
    """

    service: str
    revision: str
    server: str
    budget: float
    databases: tuple[Database, ...]
    failed: bool
    unseen: tuple[str, ...] = ()
    notices: tuple[wording.Text, ...] = ()
