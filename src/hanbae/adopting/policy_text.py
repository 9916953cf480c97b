"""The text of a proposed ``hanbae.yaml``, with a comment wherever something was guessed."""

from __future__ import annotations

import json
from collections.abc import Iterable

from hanbae.adopting import proposal
from hanbae.charts import filling


def text(policy: proposal.Proposal, language: str) -> str:
    """The file's text.

    Args:
        policy: What it says.
        language: ``en`` or ``ko``, of its comments and of messages.
    """
    path = policy.paths[0] if len(policy.paths) == 1 else list(policy.paths)
    guesses = ("namespace", "release", "application", "secret", "values", "environments")
    facts = {f"guessed_{key}": _guess(key, language) * (key in policy.guesses) for key in guesses}
    facts |= {
        "language": language,
        "argocd_namespace": _quoted(policy.argocd_namespace),
        "repository": _quoted(policy.repository),
        "path": _guess("path", language, "adopted") + f"\n  path: {_quoted(path)}" if path else "",
        "exclude": f"  exclude: {_quoted(list(policy.exclude))}" if policy.exclude else "",
        "namespace": _quoted(policy.namespace),
        "release": _quoted(policy.release),
        "application": _quoted(policy.application),
        "secret": _quoted(policy.secret),
        "migrations": f"  migrations: {_quoted(policy.migrations)}" if policy.migrations else "",
        "phase": "\n".join(_phase(policy, language)),
        "registries": "\n".join(_registries(policy, language)),
        "values": _quoted(list(policy.values)),
        "named": "\n".join(_named(policy)),
        "environments": "\n".join(_environments(policy, language)),
    }
    return filling.filled("repository/adopted.yaml", language, facts)


def _guess(key: str, language: str, kind: str = "guessed") -> str:
    return filling.filled(f"repository/{kind}-{key}.yaml", language, {}).rstrip("\n")


def _named(policy: proposal.Proposal) -> Iterable[str]:
    if policy.named:
        yield "  named:"
    for service, keys in sorted(policy.named.items()):
        fields = ", ".join(f"{key}: {_quoted(value)}" for key, value in keys.items())
        yield f"    {service}: {{{fields}}}"


def _phase(policy: proposal.Proposal, language: str) -> Iterable[str]:
    if policy.phase:
        yield ""
        yield _guess("phase", language, "adopted")
        yield "migrations:"
        yield f"  phase: {policy.phase}"


def _registries(policy: proposal.Proposal, language: str) -> Iterable[str]:
    if policy.registries:
        yield ""
        if "registries" in policy.guesses:
            yield _guess("registries", language)
        yield "registries:"
    for host in policy.registries:
        yield f"  {_quoted(host)}: {{plain_http: true}}"


def _environments(policy: proposal.Proposal, language: str) -> Iterable[str]:
    for item in policy.environments:
        yield f"  {item.name}:"
        if "branch" in item.guessed:
            yield _guess("branch", language)
        yield f"    branch: {_quoted(item.branch)}"
        yield f"    sync: {'auto' if item.automated else 'manual'}"
        if item.suffix:
            yield f"    namespace_suffix: {_quoted(item.suffix)}"
        if item.overlay:
            yield f"    overlay: {_quoted(item.overlay)}"
        if item.workload:
            yield f"    workload: {_quoted(item.workload)}"
        if item.control:
            if "control" in item.guessed:
                yield _guess("control", language)
            yield f"    control: {_quoted(item.control)}"


def _quoted(value: str | list[str]) -> str:
    """In YAML as in JSON, which is YAML too."""
    return json.dumps(value, ensure_ascii=False)
