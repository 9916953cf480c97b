"""The rules by code, and what a rule says when it finds something.

A rule is a function over one view, registered by a decorator::

    @rulebook.of_release("ARG001", "error", source="https://…", essential=True)
    def misspelt_hook(release: views.Release) -> Iterator[rulebook.Hit]:
        for each in release.objects:
            ...
            yield rulebook.Hit(views.On(each, ("metadata", "annotations", name)), {"value": value})

Its words are in the catalogue under its code: ``rule.arg001-title``, ``-why``, ``-found`` and ``-fix``; a hit with a
variant says ``rule.arg001-found-VARIANT`` instead.
Its examples, one that fails and one that passes, are in ``rules/examples/ARG001.yaml``; they are its tests as well.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

from msgspec import Struct

from hanbae import subjects, wording
from hanbae.results import findings
from hanbae.rules import views

Scope = Literal["project", "service", "release"]

FAMILIES: Final = {
    "INP": "inputs",
    "LAY": "layout",
    "ENV": "environments",
    "ARG": "argo",
    "SEC": "secrets",
    "MIG": "migrations",
    "KUB": "kubernetes",
    "KUS": "kustomize",
}
"""Prefix of a code → module in :mod:`hanbae.rules` (a module or a package) that registers the family's rules."""


OWN: Final = "OWN-"
"""Beginning of the code of a rule of the team's own; its id follows."""


FAILED: Final = "failed"
"""The variant of what the runner says when a rule itself failed; no rule has a sentence of this name."""


class Hit(Struct, frozen=True):
    """One thing that a rule has found.

    Attributes:
        place: A place in a file, or a part of a rendered object, whose place is traced afterwards.
        facts: What goes into the sentence.
        variant: Which of the rule's sentences; empty for its only one.
        edits: What mends it, where the rule is sure.
        severity: Where it differs from the rule's own.
        fault: What the rule could not read; it is said instead, in its own words.
        fix: Id of the sentence that says what to do, where that is not the rule's own; it gets the same facts.
    """

    place: subjects.Place | views.On
    facts: dict[str, str] = {}
    variant: str = ""
    edits: tuple[findings.Edit, ...] = ()
    severity: findings.Severity | None = None
    fault: wording.Text | None = None
    fix: str = ""


class Rule(Struct, frozen=True):
    """A rule.

    Attributes:
        code: Its stable code.
        severity: How grave what it finds is.
        scope: What it looks at, one at a time.
        check: Yields what it finds.
        source: Where the rule comes from: a URL, or a document of the project.
        essential: Whether what it finds breaks in a cluster, or gives a secret away, in any repository; false for
            rules of layout, style and good practice, which the profile ``essential`` leaves out.
        fixable: Whether some of its hits carry edits.
        facts: What all of its texts are given; its words are those of ``rule.own`` then, for a rule of the team's.
    """

    code: str
    severity: findings.Severity
    scope: Scope
    check: Callable[[Any], Iterator[Hit]]
    source: str
    essential: bool
    fixable: bool = False
    facts: dict[str, str] = {}

    @property
    def family(self) -> str:
        """Name of its family."""
        return FAMILIES.get(self.code[:3], "own")

    def text(self, part: str, facts: dict[str, str] | None = None) -> wording.Text:
        """One of its texts: ``title``, ``why``, ``fix``, ``found`` or ``found-VARIANT``."""
        words = "own" if self.code.startswith(OWN) else self.code.lower()
        return wording.Text(f"rule.{words}-{part}", self.facts | (facts or {}))


_RULES: Final[dict[str, Rule]] = {}
_Check = Callable[[Any], Iterator[Hit]]


def _registering(scope: Scope) -> Callable[..., Callable[[_Check], _Check]]:
    def of(
        code: str,
        severity: findings.Severity,
        *,
        source: str,
        essential: bool,
        fixable: bool = False,
    ) -> Callable[[_Check], _Check]:
        def register(check: _Check) -> _Check:
            if code in _RULES and _RULES[code].check.__qualname__ != check.__qualname__:
                message = f"two rules have the code {code}"
                raise ValueError(message)
            _RULES[code] = Rule(code, severity, scope, check, source, essential, fixable)
            return check

        return register

    return of


of_project = _registering("project")
"""Registers a rule over the whole repository, called once."""
of_service = _registering("service")
"""Registers a rule over a service in all its environments."""
of_release = _registering("release")
"""Registers a rule over a service in one environment."""


def reported(
    code: str, severity: findings.Severity, scope: Scope, *, source: str, essential: bool
) -> None:
    """Register a rule that is not run, because its findings come from elsewhere: a renderer, git's history, a cluster.

    It has a code, words and examples like every other one, and can be accepted and explained like it.

    Args:
        code: Its stable code.
        severity: How grave its findings are.
        scope: What its findings are about.
        source: Where the rule comes from.
        essential: Whether the profile ``essential`` has it.
    """
    _RULES[code] = Rule(code, severity, scope, _nothing, source, essential)


def _nothing(_: object) -> Iterator[Hit]:
    return iter(())


def failure(rule: Rule, facts: dict[str, str]) -> wording.Text:
    """What is said when a rule itself failed."""
    return wording.Text("check.rule-failed", {"code": rule.code, **facts})


def rules() -> dict[str, Rule]:
    """All rules by code, in the order of families and codes."""
    for module in FAMILIES.values():
        # A rule registers itself when its module is imported.
        importlib.import_module(f"hanbae.rules.{module}")
    order = list(FAMILIES)
    return dict(sorted(_RULES.items(), key=lambda item: (order.index(item[0][:3]), item[0])))
