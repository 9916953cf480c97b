"""The team's own rules: expressions in CEL over rendered objects, as the API server would evaluate them.

Google's own C++ implementation evaluates (see ADR 7): it checks types as the API server's does, counts iterations and
matches regular expressions in linear time. What texts grow to it does not count, so it evaluates in a process of its
own, with limits on time and memory; see :mod:`hanbae.rules.expression_worker`.
An expression that cannot be evaluated on an object is a finding too, because the API server refuses such an object.

One difference is left: the API server evaluates objects with its defaults filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from hanbae.policy import documents
from hanbae.results import findings
from hanbae.rules import compiled_expressions, expressions, rulebook, views

_SOURCE: Final = "hanbae.yaml, rules"


def rules(policy: documents.Policy) -> tuple[rulebook.Rule, ...]:
    """The rules of a policy, as rules like all others."""
    return tuple(_rule(own, f"rules[{number}]") for number, own in policy.own_rules.items())


def evaluated(expression: str, manifest: Mapping[str, Any]) -> bool | str:
    """Whether an expression is true of an object; CEL's words where it cannot be evaluated.

    Args:
        expression: The expression, over ``object``.
        manifest: The object.

    Raises:
        hanbae.rules.compiled_expressions.Unusable: It is no expression of a truth value.
    """
    compiled_expressions.compiled(expression)
    (verdict,) = expressions.evaluate(expression, [manifest])
    return verdict


def _rule(own: documents.OwnRule, key: str) -> rulebook.Rule:
    severity: findings.Severity = own.severity
    facts = {"id": own.id, "message": own.message, "expression": own.expression}
    scope: rulebook.Scope = "release"
    check: Callable[[Any], Iterator[rulebook.Hit]]
    try:
        compiled_expressions.compiled(own.expression)
        check = _over_objects(own)
    except compiled_expressions.Unusable as unusable:
        # Told once at its line in the policy, and not once a release.
        scope, check = "project", _unusable(f"{key}.expression", str(unusable))
    return rulebook.Rule(
        rulebook.OWN + own.id, severity, scope, check, _SOURCE, essential=True, facts=facts
    )


def _unusable(key: str, reason: str) -> Callable[[views.Project], Iterator[rulebook.Hit]]:
    def check(project: views.Project) -> Iterator[rulebook.Hit]:
        yield rulebook.Hit(project.place(key), {"reason": reason}, "unusable")

    return check


def _over_objects(own: documents.OwnRule) -> Callable[[views.Release], Iterator[rulebook.Hit]]:
    def check(release: views.Release) -> Iterator[rulebook.Hit]:
        if own.environments and release.environment not in own.environments:
            return
        selected = [manifest for manifest in release.objects if qualified(manifest) in own.kinds]
        verdicts = expressions.evaluate(own.expression, [as_admitted(item) for item in selected])
        for manifest, verdict in zip(selected, verdicts, strict=True):
            facts = {"object": manifest.label}
            if verdict is False:
                yield rulebook.Hit(views.On(manifest), facts)
            elif verdict is not True:
                yield rulebook.Hit(
                    views.On(manifest), {**facts, "reason": str(verdict)}, "failed-on"
                )

    return check


def qualified(manifest: views.Object) -> str:
    """An object's kind as the policy spells kinds: ``apps/Deployment``, ``Service``."""
    group, slash, _ = manifest.api_version.rpartition("/")
    return f"{group}{slash}{manifest.kind}"


def as_admitted(manifest: views.Object) -> dict[str, Any]:
    """An object as the API server shows it to an expression: with the namespace in which it is created."""
    metadata = manifest.data.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("namespace"):
        return manifest.data
    return {**manifest.data, "metadata": {**metadata, "namespace": manifest.namespace}}


def held(policy: documents.Policy) -> tuple[rulebook.Rule, ...]:
    """All rules that a repository is held to: hanbae's in its profile or with a setting, and those of its policy.

    Rules that the policy switches off are among them, because reports say how much they would find.
    """
    set_apart = {entry.code for entry in policy.rule_settings.values()}
    built_in = (
        rule
        for code, rule in rulebook.rules().items()
        if code in set_apart or in_profile(rule, policy.profile)
    )
    return (*built_in, *rules(policy))


def in_profile(rule: rulebook.Rule, profile: documents.Profile) -> bool:
    """Whether a rule of hanbae's is part of a profile."""
    return rule.essential or profile == "policy"
