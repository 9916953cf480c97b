"""Parts of objects that may have any shape, read without surprises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hanbae.rules import views


def mapping(document: Any) -> dict[str, Any]:
    """A mapping; an empty one of anything else."""
    return document if isinstance(document, dict) else {}


def entries(document: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """The mappings in a list, each with its index; none of anything else."""
    for index, entry in enumerate(document if isinstance(document, list) else ()):
        if isinstance(entry, dict):
            yield index, entry


def shown(pointer: views.Pointer) -> str:
    """A part of an object as people write it: ``spec.containers[0].image``."""
    text = ""
    for part in pointer:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def number(document: Any, default: float) -> float:
    """A number; the default for anything else."""
    return (
        document
        if isinstance(document, int | float) and not isinstance(document, bool)
        else default
    )


def selects(selector: Any, labels: Mapping[str, Any]) -> bool:
    """Whether a label selector with ``matchLabels`` and ``matchExpressions`` selects labels; an empty one does not."""
    required, expressions = (
        mapping(mapping(selector).get("matchLabels")),
        mapping(selector).get("matchExpressions"),
    )
    if not required and not expressions:
        return False
    return contains(labels, required) and all(
        _holds(expression, labels) for _, expression in entries(expressions)
    )


def contains(labels: Mapping[str, Any], required: Mapping[str, Any]) -> bool:
    """Whether labels have all that are wanted."""
    return all(key in labels and labels[key] == value for key, value in required.items())


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


def pod_labels(manifest: views.Object) -> dict[str, Any]:
    """The labels of an object's pods; empty for what makes none."""
    return (
        mapping(manifest.get(*manifest.template_metadata, "labels"))
        if manifest.pod is not None
        else {}
    )
