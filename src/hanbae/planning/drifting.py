"""What of a release is not as it was applied last, and who has changed it.

An object that is there is compared as a deployment would change it, so what a controller or the API server fills in is
no difference; who manages the fields that differ is in ``managedFields``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hanbae import foreign_json, subjects
from hanbae.planning import forecasting
from hanbae.results import drifts, plans


def of(
    present: Mapping[subjects.Ref, forecasting.Live],
    applied: Iterable[Mapping[str, Any]],
    namespace: str,
    *,
    manager: str,
) -> tuple[drifts.Drift, ...]:
    """What differs.

    Args:
        present: What is in the cluster, of what was applied; what may not be read is said nothing of.
        applied: The objects as they were applied.
        namespace: Where objects are that name no namespace.
        manager: As whom they were applied.
    """
    return tuple(_of(present, applied, namespace, manager))


def _of(
    present: Mapping[subjects.Ref, forecasting.Live],
    applied: Iterable[Mapping[str, Any]],
    namespace: str,
    manager: str,
) -> Iterator[drifts.Drift]:
    for change in forecasting.live(present, applied, namespace, manager=manager):
        if change.outcome == "created":
            yield drifts.Drift(change.object, is_gone=True)
        if change.outcome == "changed":
            live = present[change.object].object or {}
            author, when = _author(live, change.fields, manager)
            fields = tuple(field.path for field in change.fields)
            yield drifts.Drift(change.object, fields, author, when)


def _author(
    live: Mapping[str, Any], fields: Iterable[plans.Field], manager: str
) -> tuple[str, str]:
    """Who has changed fields last, and when: who manages them now, else who has written the object last."""
    managing = {name for field in fields for name in field.managers} - {manager}
    entries = [
        (str(entry.get("time") or ""), str(entry.get("manager") or ""))
        for entry in foreign_json.mappings(
            foreign_json.below(live, "metadata").get("managedFields")
        )
        if entry.get("subresource") != "status" and entry.get("manager") != manager
    ]
    own = [entry for entry in entries if entry[1] in managing]
    # The API server writes all times in UTC and in one form, so they are compared as texts.
    when, author = max(own or entries, default=("", ""))
    return author, when
