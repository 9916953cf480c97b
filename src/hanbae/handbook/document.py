"""The policy document: every section of it, with the names of this repository."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from hanbae.charts import filling
from hanbae.handbook import commands, layouts, markdown, tables
from hanbae.handbook.telling import Telling
from hanbae.policy import documents


def text(telling: Telling) -> str:
    """The whole document.

    Args:
        telling: The repository, and the language.
    """
    lists = telling.policy.checklists
    return filling.filled(
        "repository/policy.md",
        telling.language,
        {
            "environments": tables.environments(telling),
            "namespaces": tables.namespaces(telling),
            "services": tables.services(telling),
            "charts": layouts.charts(telling),
            "secrets_by": commands.secrets_by(telling),
            "secrets_section": _secrets(telling),
            "migrations": tables.migrations(telling),
            "job": layouts.job(telling),
            "several": tables.several(telling),
            "deploying": commands.deploying(telling),
            "kustomize": commands.kustomize(telling),
            "helm": commands.helm(telling),
            "rollout": commands.rollout(telling),
            "checklist": _checklist(telling),
            "before": _items(telling, lists.before),
            "during": _items(telling, lists.during),
            "after": _items(telling, lists.after),
            "doctor": _doctor(telling),
            "troubleshooting": _troubles(telling),
            "logs": commands.logs(telling),
        },
    )


def _secrets(telling: Telling) -> str:
    """How secrets come into the cluster: sealed, or from a store."""
    words = {"secrets": tables.secrets(telling)}
    if telling.policy.secrets.are_external:
        name, words["referring"] = "policy-external.md", commands.referring(telling)
    else:
        name, words["sealing"] = "policy-sealed.md", commands.sealing(telling)
        words["kubeseal"] = commands.kubeseal(telling)
    return filling.filled(f"repository/{name}", telling.language, words).rstrip("\n")


# Rows that hanbae itself lays: they are told in the document's language, whichever the policy has.
_BUILT_IN: Final = ("trouble-migration", "trouble-pod", "trouble-secret", "trouble-image")


def _checklist(telling: Telling) -> str:
    service, environment = telling.example()
    return markdown.block(
        markdown.command("hanbae", "checklist", "run", service, "--env", environment, *phase)
        for phase in ((), ("--phase", "before"))
    )


def _doctor(telling: Telling) -> str:
    service, environment = telling.example()
    return markdown.block(
        [
            markdown.command("hanbae", "doctor", service, "--env", environment),
            markdown.command("hanbae", "doctor", "--env", environment),
        ]
    )


def _items(telling: Telling, items: Sequence[documents.Item]) -> str:
    return (
        "\n".join(
            f"- [ ] {markdown.prose(telling.concrete(sentence(telling, item)))} ({decided(telling, item)})"
            for item in items
        )
        or "-"
    )


def sentence(telling: Telling, item: documents.Item) -> str:
    """An item in words: the policy's, else those of the gate that it is called after."""
    return telling.spoken(item.id, item.text) or item.id


def decided(telling: Telling, item: documents.Item) -> str:
    """What decides an item."""
    by = item.decided_by
    return telling.words["person"] if by == "person" else markdown.code(by)


def troubles(telling: Telling) -> Iterator[tuple[str, str]]:
    """The policy's troubleshooting table: problem and solution, with the names of a service of this repository."""
    for trouble in telling.policy.troubleshooting:
        problem = next(
            (
                laid
                for name in _BUILT_IN
                if (laid := telling.spoken(name, trouble.problem)) != trouble.problem
            ),
            trouble.problem,
        )
        yield problem, telling.concrete(_as_code(trouble.solution))
    if not telling.policy.troubleshooting:
        for name in _BUILT_IN:
            solution = telling.words[name.replace("trouble", "solution")]
            yield telling.words[name], telling.concrete(solution)


def _as_code(solution: str) -> str:
    """A solution that is a command, as code."""
    return f"`{solution}`" if solution.startswith("kubectl ") and "`" not in solution else solution


def _troubles(telling: Telling) -> str:
    return markdown.table(
        (markdown.prose(problem), markdown.prose(solution))
        for problem, solution in troubles(telling)
    )
