"""Expressions of selectors, of whatever object (``pkg/apis/meta/v1/validation`` of Kubernetes)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hanbae.releases.objects import Object
from hanbae.rules.kubernetes import shapes
from hanbae.rules.kubernetes.validation import refusals

_VALUELESS: Final = frozenset({"Exists", "DoesNotExist"})
_NUMERIC: Final = frozenset({"Gt", "Lt"})
_EXPRESSIONS: Final = "matchExpressions"
_DEEPEST: Final = 40
_OF_OBJECT: Final = ("aggregationRule", "webhooks")
_OF_SPEC: Final = (
    "egress",
    "ingress",
    "podSelector",
    "scopeSelector",
    "selector",
    "volumeClaimTemplates",
)
_OF_PODS: Final = ("affinity", "topologySpreadConstraints", "volumes")


def expressions(manifest: Object) -> refusals.Refusals:
    """The expressions of all selectors in an object, which are at a few places and below them."""
    around: tuple[tuple[refusals.Pointer, tuple[str, ...]], ...] = (
        ((), _OF_OBJECT),
        (("spec",), _OF_SPEC),
        *(((manifest.pod, _OF_PODS),) if manifest.pod else ()),
    )
    waiting: list[tuple[refusals.Pointer, Any]] = [
        ((*pointer, name), part[name])
        for pointer, names in around
        if isinstance(part := manifest.get(*pointer), dict)
        for name in names
        if name in part
    ]
    while waiting:
        pointer, node = waiting.pop()
        if isinstance(node, dict):
            for key, value in node.items():
                if key == _EXPRESSIONS:
                    for index, expression in shapes.entries(value):
                        yield from requirement(expression, (*pointer, key, index))
                elif isinstance(value, dict | list) and len(pointer) < _DEEPEST:
                    waiting.append(((*pointer, key), value))
        elif isinstance(node, list):
            waiting += [
                ((*pointer, index), value)
                for index, value in enumerate(node)
                if isinstance(value, dict | list)
            ]


def requirement(expression: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """An expression of a selector: its operator says how many values there are."""
    operator, values = str(expression.get("operator")), expression.get("values") or []
    if operator in _VALUELESS and values:
        yield refusals.beside((*pointer, "values"), f"operator: {operator}")
    if operator in {"In", "NotIn"} and not values:
        yield refusals.missing(pointer, "values", f"operator: {operator}")
    if operator in _NUMERIC and isinstance(values, list) and len(values) != 1:
        yield refusals.invalid((*pointer, "values"), values, "one number")
