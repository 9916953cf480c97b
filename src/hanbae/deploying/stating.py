"""What people say of the items of a checklist, on the Lease of the application, where the whole team finds it.

A deployment decides its items by itself; a person can say that an item that only people decide is so, and that one
that does not pass need not. Both stand in the record of the deployment with their name. What cannot be read says
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from hanbae import excerpts, foreign_json, workspaces
from hanbae.clusters import connections, leases
from hanbae.policy import naming
from hanbae.results import checklists

MARK: Final = "statements"
"""The mark of the Lease that has them."""
MOST: Final = 50
"""Statements about one service in one environment; the oldest go first."""
LONGEST: Final = 400
"""Characters of a reason."""


def of(marks: Mapping[str, str]) -> tuple[checklists.Statement, ...]:
    """The statements among a Lease's marks."""
    text = marks.get(MARK, "")
    if not text:
        return ()
    try:
        return foreign_json.decode(text, tuple[checklists.Statement, ...])[-MOST:]
    except foreign_json.Fault:
        return ()


def holding(
    marks: Mapping[str, str], revision: str, now: datetime
) -> tuple[checklists.Statement, ...]:
    """The statements that hold for a commit at a time.

    Args:
        marks: The marks of the application's Lease.
        revision: The commit, in full.
        now: The time.
    """
    today = now.astimezone(UTC).date().isoformat()
    return tuple(
        msgspec.structs.replace(
            statement,
            why=excerpts.one_line(statement.why, LONGEST),
            by=excerpts.one_line(statement.by, LONGEST),
        )
        for statement in of(marks)
        if statement.revision in {"", revision} and today <= (statement.until or today)
    )


async def add(
    space: workspaces.Workspace,
    workload: connections.Cluster,
    service: str,
    environment: str,
    statement: checklists.Statement,
) -> None:
    """Add a statement; what was said before of the same item and commit is replaced, and what is over goes.

    Raises:
        hanbae.errors.Refused: The namespace is not there.
        hanbae.errors.Unreachable: The cluster did not answer, or does not let us.
    """
    today = space.clock().astimezone(UTC).date().isoformat()

    def marks(before: Mapping[str, str]) -> dict[str, str]:
        statements = tuple(
            earlier
            for earlier in of(before)
            if (earlier.item, earlier.revision) != (statement.item, statement.revision)
            and today <= (earlier.until or today)
        )
        return {MARK: msgspec.json.encode((*statements, statement)[-MOST:]).decode()}

    namespace = naming.namespace(space.policy, service, environment)
    await leases.amend(workload, namespace, naming.lease(service, environment), marks)
