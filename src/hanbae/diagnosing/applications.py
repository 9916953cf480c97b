"""Why Argo CD itself does not go on: it cannot read the repository, render the chart or apply an object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae.argo import applications, operations
from hanbae.diagnosing import pictures

_CANNOT_BEGIN: Final = frozenset({"ComparisonError", "InvalidSpecError", "UnknownError"})


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes in the Application of the picture."""
    for ref, application in picture.of("Application"):
        describe = ("kubectl", "describe", "application", ref.name, "-n", ref.namespace)
        for condition in applications.conditions(application):
            if condition.type in _CANNOT_BEGIN:
                facts = {
                    "application": ref.name,
                    "type": condition.type,
                    "message": condition.message,
                }
                yield pictures.cause(
                    ref, f"diagnosis.{_said(condition.type)}", facts, describe, fatal=True
                )
        operation = operations.recorded(application)
        if operation is None:
            continue
        for result in operation.results:
            if result.status == "SyncFailed":
                facts = {"object": str(result.ref), "message": result.message}
                yield pictures.cause(
                    result.ref, "diagnosis.not-applied", facts, describe, fatal=False, owner=ref
                )


def _said(condition: str) -> str:
    return {"ComparisonError": "not-compared", "InvalidSpecError": "invalid-application"}.get(
        condition, "application-error"
    )
