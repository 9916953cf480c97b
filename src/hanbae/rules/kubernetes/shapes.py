"""Parts of objects that may have any shape, read without surprises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hanbae.rules import views


def mapping(thing: Any) -> dict[str, Any]:
    """A mapping; an empty one of anything else."""
    return thing if isinstance(thing, dict) else {}


def entries(thing: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """The mappings in a list, each with its index; none of anything else."""
    for at, each in enumerate(thing if isinstance(thing, list) else ()):
        if isinstance(each, dict):
            yield at, each


def shown(pointer: views.Pointer) -> str:
    """A part of an object as people write it: ``spec.containers[0].image``."""
    found = ""
    for part in pointer:
        if isinstance(part, int):
            found += f"[{part}]"
        else:
            found += f".{part}" if found else part
    return found


def number(thing: Any, default: float) -> float:
    """A number; the default for anything else."""
    return thing if isinstance(thing, int | float) and not isinstance(thing, bool) else default


def selects(selector: Any, labels: Mapping[str, Any]) -> bool:
    """Whether a label selector with ``matchLabels`` and ``matchExpressions`` selects labels; an empty one does not."""
    wanted, expressions = (
        mapping(mapping(selector).get("matchLabels")),
        mapping(selector).get("matchExpressions"),
    )
    if not wanted and not expressions:
        return False
    return contains(labels, wanted) and all(
        _holds(each, labels) for _, each in entries(expressions)
    )


def contains(labels: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether labels have all that are wanted."""
    return all(key in labels and labels[key] == value for key, value in wanted.items())


def _holds(expression: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    key, operator = str(expression.get("key")), expression.get("operator")
    values = expression.get("values")
    values = values if isinstance(values, list) else []
    if operator == "In":
        return key in labels and labels[key] in values
    if operator == "NotIn":
        return key not in labels or labels[key] not in values
    if operator == "Exists":
        return key in labels
    return operator != "DoesNotExist" or key not in labels


def pod_labels(each: views.Object) -> dict[str, Any]:
    """The labels of an object's pods; empty for what makes none."""
    return mapping(each.get(*each.template_metadata, "labels")) if each.pod is not None else {}
