"""The team's own rules: expressions in CEL over rendered objects, as the API server would evaluate them.

Google's own C++ implementation evaluates (see ADR 7): it checks types as the API server's does, counts iterations and
gives up on expressions that would take too long, and matches regular expressions in linear time.
An expression that cannot be evaluated on an object is a finding too, because the API server refuses such an object.

One difference is left: the API server evaluates objects with its defaults filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from hanbae.policy import documents
from hanbae.results import findings
from hanbae.rules import rulebook, views

_SOURCE: Final = "hanbae.yaml, rules"
_LONGEST: Final = 300


class Unusable(Exception):
    """An expression that is not one, or not one of a truth value; its words are CEL's."""


def rules(policy: documents.Policy) -> tuple[rulebook.Rule, ...]:
    """The rules of a policy, as rules like all others."""
    return tuple(_rule(own, f"rules[{at}]") for at, own in enumerate(policy.rules))


def evaluated(expression: str, thing: Mapping[str, Any]) -> bool | str:
    """Whether an expression is true of an object; CEL's words where it cannot be evaluated.

    Args:
        expression: The expression, over ``object``.
        thing: The object.

    Raises:
        Unusable: It is no expression of a truth value.
    """
    program = compiled(expression)
    try:
        value = program.eval(data={"object": thing}).value()
    except RuntimeError as error:  # the budget of iterations is used up, for one
        return str(error)[:_LONGEST]
    return value if isinstance(value, bool) else str(value)[:_LONGEST]


@cache
def compiled(expression: str) -> Any:
    """A checked expression.

    Raises:
        Unusable: It is no expression of a truth value.
    """
    from cel_expr_python import cel

    try:
        found = _environment().compile(expression)
    except (RuntimeError, ValueError) as error:
        raise Unusable(str(error)[:_LONGEST]) from error
    kind = found.return_type()
    if kind != cel.Type.BOOL:
        # The API server asks for exactly that as well, so `object.spec.x` alone will not do.
        raise Unusable(f"{kind.name()} instead of BOOL")
    return found


@cache
def _environment() -> Any:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_optional, ext_strings

    return cel.NewEnv(
        variables={"object": cel.Type.DYN},
        extensions=[ext_optional.ExtOptional(), ext_strings.ExtStrings()],
    )


def _rule(own: documents.OwnRule, key: str) -> rulebook.Rule:
    severity: findings.Severity = own.severity
    facts = {"id": own.id, "message": own.message, "expression": own.expression}
    scope: rulebook.Scope = "release"
    check: Callable[[Any], Iterator[rulebook.Hit]]
    try:
        compiled(own.expression)
        check = _over_objects(own)
    except Unusable as unusable:
        scope, check = "project", _unusable(f"{key}.expression", str(unusable))
    return rulebook.Rule(rulebook.OWN + own.id, severity, scope, check, _SOURCE, facts=facts)


def _unusable(key: str, reason: str) -> Callable[[views.Project], Iterator[rulebook.Hit]]:
    def check(project: views.Project) -> Iterator[rulebook.Hit]:
        yield rulebook.Hit(project.place(key), {"reason": reason}, "unusable")

    return check


def _over_objects(own: documents.OwnRule) -> Callable[[views.Release], Iterator[rulebook.Hit]]:
    def check(release: views.Release) -> Iterator[rulebook.Hit]:
        if own.environments and release.environment not in own.environments:
            return
        for each in release.objects:
            if qualified(each) not in own.kinds:
                continue
            verdict = evaluated(own.expression, as_admitted(each))
            facts = {"object": each.label}
            if verdict is False:
                yield rulebook.Hit(views.On(each), facts)
            elif verdict is not True:
                yield rulebook.Hit(views.On(each), {**facts, "reason": verdict}, "failed-on")

    return check


def qualified(thing: views.Object) -> str:
    """An object's kind as the policy spells kinds: ``apps/Deployment``, ``Service``."""
    group, slash, _ = thing.api_version.rpartition("/")
    return f"{group}{slash}{thing.kind}"


def as_admitted(thing: views.Object) -> dict[str, Any]:
    """An object as the API server shows it to an expression: with the namespace in which it is created."""
    metadata = thing.data.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("namespace"):
        return thing.data
    return {**thing.data, "metadata": {**metadata, "namespace": thing.namespace}}


def held(policy: documents.Policy) -> tuple[rulebook.Rule, ...]:
    """All rules that a repository is held to: hanbae's, and those of its policy."""
    return (*rulebook.rules().values(), *rules(policy))
