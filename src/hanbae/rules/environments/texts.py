"""Text that YAML or Helm rewrites on its way from a file into the cluster, and values that templates overrule."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any, Final

from hanbae import patterns, subjects
from hanbae.policy import folders
from hanbae.results import findings
from hanbae.rules import rulebook, views
from hanbae.rules.kubernetes import shapes

_HELM: Final = "https://helm.sh/docs/chart_best_practices/values/#make-types-clear"
_IMAGE: Final = "image"


@rulebook.of_release("ENV020", "warning", source=_HELM, essential=True)
def rewritten(release: views.Release) -> Iterator[rulebook.Hit]:
    """A value that is one text in the values file and another one in the cluster."""
    for text in release.rewritten:
        facts = {
            "object": text.on.object.label,
            "field": shapes.shown(text.on.pointer),
            "source": text.source[:80],
            "result": text.result[:80],
        }
        variant = "secret" if text.secret else ""
        severity: findings.Severity | None = "error" if text.on.pointer[-1:] == (_IMAGE,) else None
        yield rulebook.Hit(text.place, facts, variant, severity=severity)


# Every repetition is bounded: templates are hostile, and `\s*` would look at a run of spaces once
# for each place in it to begin at.
_KEYS: Final = r"\.Values\.(?P<keys>[\w.()]{1,200})"
_PARENTHESES: Final = patterns.lazy("[()]")
_NOT_FALSE: Final = r"[\"']?(?P<default>true|[1-9][0-9]*)\b"
_ANY: Final = r"\s{0,20}"
_SOME: Final = r"\s{1,20}"
# A pattern that begins with a word is looked for by it, and one of all of these would be tried in every place.
_DEFAULTS: Final = (
    patterns.lazy(rf"{_KEYS}{_ANY}\|{_ANY}default{_SOME}{_NOT_FALSE}"),
    patterns.lazy(rf"default(?<=\bdefault){_SOME}{_NOT_FALSE}[\"']?{_SOME}[($]?{_KEYS}"),
    patterns.lazy(rf"or(?<=\bor){_SOME}[($]?{_KEYS}{_SOME}{_NOT_FALSE}"),
    patterns.lazy(rf"coalesce(?<=\bcoalesce){_SOME}[($]?{_KEYS}{_SOME}{_NOT_FALSE}"),
)
"""A value that is taken only where Helm does not call it empty: ``false`` and 0 are."""


@rulebook.of_release(
    "ENV021",
    "warning",
    source="https://helm.sh/docs/chart_template_guide/function_list/#default",
    essential=True,
)
def overruled(release: views.Release) -> Iterator[rulebook.Hit]:
    """A value of ``false`` or 0 whose template takes a default instead."""
    for path, keys, default, line in release.service.once(_defaults):
        value: Any = release.value(*keys)
        if value is False or (isinstance(value, int | float) and value == 0):
            text = "false" if value is False else "0"
            facts = {"key": ".".join(keys), "value": text, "default": default}
            yield rulebook.Hit(subjects.Place(path, line), facts)


def _defaults(service: views.Service) -> tuple[tuple[str, tuple[str, ...], str, int], ...]:
    """Every default of the templates that false cannot say no to: file, keys, the default, and the line."""
    results = []
    for path, text in service.templates:
        if "default" not in text and "coalesce" not in text and "or " not in text:
            continue
        parts = folders.name(service.chart, path).split("/")
        # The values of a dependency are below its name in those of the chart around it.
        above = tuple(name for mark, name in itertools.pairwise(parts) if mark == "charts")
        line, counted = 1, 0
        for match in _matches(text):
            line, counted = line + text.count("\n", counted, match.start()), match.start()
            keys = _PARENTHESES.sub("", match["keys"]).strip(".").split(".")
            results.append((path, (*above, *keys), match["default"], line))
    return tuple(results)


def _matches(text: str) -> Iterator[re.Match[str]]:
    """What the patterns match, in order and none within another."""
    waiting = [match for pattern in _DEFAULTS if (match := pattern.search(text))]
    while waiting:
        first = min(waiting, key=re.Match.start)
        yield first
        end = first.end()
        later = (match if match.start() >= end else match.re.search(text, end) for match in waiting)
        waiting = [match for match in later if match]
