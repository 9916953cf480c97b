"""Whether what a migration does can be taken back and done again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from hanbae import subjects
from hanbae.migrations import effects
from hanbae.rules import rulebook, views
from hanbae.rules.migrations import locking

_ANNOTATIONS: Final = "https://pressly.github.io/goose/documentation/annotations/"
_CREATES: Final = {
    "table-created": "table-dropped",
    "column-added": "column-dropped",
    "index-created": "index-dropped",
}
"""What an Up part makes → what its Down part takes away."""
_CREATED: Final = {"table-created": "table", "column-added": "column", "index-created": "index"}
"""What it makes → which sentence says it."""


@rulebook.of_service("MIG034", "warning", source=_ANNOTATIONS, essential=False)
def left_behind(service: views.Service) -> Iterator[rulebook.Hit]:
    """What Up makes and Down leaves there: the next Up fails on it."""
    for path, parsed in locking.readable(service):
        if not parsed.down:
            continue  # that nothing is undone is MIG007's
        down = effects.of(parsed.down)
        if any(effect.action in ("block", "unread", "other") for effect in down):
            continue  # what it drops is not all to be seen
        for effect in service.once(locking.ups)[path]:
            if effect.action in _CREATES and not effect.again and not _dropped(effect, down):
                facts = locking.facts(effect)
                variant = _CREATED[effect.action]
                yield rulebook.Hit(subjects.Place(path, effect.line), facts, variant)


def _dropped(created: effects.Effect, down: Iterable[effects.Effect]) -> bool:
    """Whether a Down part takes away what was made, itself or with its table."""
    table = _bare(created.table)
    for effect in down:
        if effect.action in ("table-dropped", "table-renamed") and _bare(effect.table) == table:
            return True
        if effect.action != _CREATES[created.action]:
            continue
        if created.action == "index-created":
            if not created.name or _bare(effect.name) == created.name:
                return True
        elif (_bare(effect.table), effect.name) == (table, created.name):
            return True
    # An index goes with the column that it is on, and which that is, is not read.
    dropped = (effect for effect in down if effect.action == "column-dropped")
    return created.action == "index-created" and any(_bare(e.table) == table for e in dropped)


def _bare(name: str) -> str:
    return name.rpartition(".")[2]
