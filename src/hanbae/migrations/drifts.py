"""What a database reports of itself beyond goose's status, and the drift that it shows.

The question is :data:`hanbae.argo.proof_questions.DRIFT`; its answer is the error with which it ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from hanbae import foreign_json, wording

_MARK: Final = "hanbae drift {"
"""How an answer begins; in the statement, which goose writes as well, another letter follows."""


class Answer(Struct, frozen=True):
    """What a database has said.

    Attributes:
        setting: Its search_path, as it is set.
        path: The schemas of it that there are, in order; the first one is written to.
        tables: Schema on the path, or ``public`` → the versions that goose's table there has, the newest thousand.
        invalid: Indexes there that an interrupted build has left unusable, at most twenty.
    """

    setting: str
    path: tuple[str, ...]
    tables: Mapping[str, tuple[int, ...]]
    invalid: tuple[str, ...] = ()

    def versions(self, table: str) -> tuple[int, ...]:
        """The versions that one of goose's tables has.

        Args:
            table: The table, as goose is given it; its schema may be left out.
        """
        return self.tables.get(self._home(table), ())

    def _home(self, table: str) -> str:
        schema, dot, _ = table.rpartition(".")
        if dot:
            return schema
        return next((schema for schema in self.path if schema in self.tables), "")

    def strays(self, database: str, table: str) -> Iterator[wording.Text]:
        """Where connections write elsewhere than goose's table is, or there are two of it.

        Args:
            database: Name of the database.
            table: goose's table, as goose is given it.
        """
        facts = {"database": database, "setting": self.setting, "table": table}
        if not self.path:
            yield wording.Text("drift.no-schema", facts)
            return
        schema, dot, _ = table.rpartition(".")
        if dot and schema != self.path[0]:
            yield wording.Text("drift.other-schema", facts | {"schema": self.path[0]})
        elif len(self.tables) > 1:
            yield wording.Text("drift.two-tables", facts | {"schemas": ", ".join(self.tables)})

    def unusable(self, database: str) -> Iterator[wording.Text]:
        """Indexes that an interrupted build has left.

        Args:
            database: Name of the database.
        """
        if self.invalid:
            facts = {"database": database, "indexes": ", ".join(self.invalid)}
            yield wording.Text("drift.invalid", facts | {"index": self.invalid[0]})


def answer(lines: Iterable[str]) -> Answer | None:
    """What a database has said, in the lines that goose or PostgreSQL has written; None where they hold no answer."""
    for line in lines:
        _, mark, rest = line.rpartition(_MARK)
        body, brace, _ = rest.rpartition("}")  # the SQLSTATE comes after it
        if not (mark and brace):
            continue
        try:
            return foreign_json.decode(f"{{{body}}}", Answer)
        except foreign_json.Fault:
            return None
    return None


def drift(
    reported: Answer,
    *,
    database: str,
    table: str,
    files: Collection[int],
    service: str,
    environment: str,
) -> tuple[wording.Text, ...]:
    """What is not as a deployment leaves it, each with its cure.

    Args:
        reported: What the database has said.
        database: Its name.
        table: goose's table, as goose is given it.
        files: Versions of the files that the commit or the image has.
        service: The service.
        environment: The environment.
    """
    # 0 is the row with which goose begins its table.
    ahead = sorted(set(reported.versions(table)) - set(files) - {0})
    facts = {"database": database, "service": service, "environment": environment}
    sentences = [*reported.strays(database, table), *reported.unusable(database)]
    if ahead:
        facts |= {"versions": ", ".join(map(str, ahead))}
        sentences.insert(0, wording.Text("drift.ahead", facts))
    return tuple(sentences)
