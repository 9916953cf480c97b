"""The reference that the policy document names: tables and commands, for language models and people in a hurry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from hanbae.charts import filling
from hanbae.handbook import commands, document, layouts, markdown, tables
from hanbae.handbook.telling import Telling
from hanbae.policy import environments, naming

LONGEST: Final = 150
"""Lines of the whole reference."""
_LIMITS: Final = (60, 40, 24, 16, 10, 6, 4, 2, 1)
_LAYOUTS: Final = 12


def text(telling: Telling) -> str:
    """The reference; where the repository has so much that it would be too long, its tables are cut and say so."""
    shortest = ""
    for limit in _LIMITS:
        shortest = _text(telling, limit)
        if shortest.count("\n") <= LONGEST:
            break
    return shortest


def _made_of(telling: Telling) -> str:
    """What Secrets are made of."""
    secrets = telling.policy.secrets
    if secrets.are_external:
        return (
            f"ExternalSecret, wave {secrets.wave}: values are in a store, git only refers to them."
        )
    controller = markdown.code(secrets.controller)
    return f"SealedSecret, scope {secrets.scope}, wave {secrets.wave}, controller {controller}."


def _text(telling: Telling, limit: int) -> str:
    policy = telling.policy

    def cut(entries: Iterator[Sequence[str]], columns: int, most: int = limit) -> str:
        listed = list(entries)
        if len(listed) > most:
            rest = telling.words["more"].format(count=len(listed) - most)
            listed = [*listed[:most], (f"… {rest}", *[""] * (columns - 1))]
        return tables.rows(iter(listed), columns=columns)

    return filling.filled(
        "repository/reference.md",
        "en",
        {
            "repository": markdown.code(policy.argocd.repository),
            "environments": cut(_environments(telling), 7),
            "namespaces": cut(_namespaces(telling), 3),
            "services": cut(_services(telling), 6),
            "layout": cut(_layout(telling), 2, min(limit, _LAYOUTS)),
            "secrets_by": commands.secrets_by(telling),
            "made_of": _made_of(telling),
            "secret_command": (
                "hanbae secrets verify --live [SERVICE] [--env ENV]"
                if policy.secrets.are_external
                else "hanbae secrets seal SERVICE KEY... --env ENV"
            ),
            "secrets": cut(_secrets(telling), 3),
            "ttl": policy.migrations.ttl,
            "deadline": policy.migrations.deadline,
            "migrations": cut(_migrations(telling), 8),
            "checklists": cut(_checklists(telling), 3),
            "troubleshooting": cut(_troubles(telling), 2),
        },
    )


def _environments(telling: Telling) -> Iterator[Sequence[str]]:
    for name, settings in telling.policy.environments.items():
        yield (
            markdown.code(name),
            settings.platform,
            markdown.code(settings.branch or ""),
            settings.sync if settings.platform == "kubernetes" else "-",
            settings.engine if settings.platform == "kubernetes" else "-",
            markdown.code(environments.workload(settings) or ""),
            markdown.code(settings.overlay or ""),
        )


def _namespaces(telling: Telling) -> Iterator[Sequence[str]]:
    for name, space in telling.policy.namespaces.items():
        names = tables.unique(
            naming.suffixed(telling.policy, name, other) for other in telling.clusters
        )
        purpose = ", ".join(map(markdown.prose, space.purpose)) or "-"
        yield markdown.code(name), purpose, markdown.codes(names)


def _services(telling: Telling) -> Iterator[Sequence[str]]:
    policy = telling.policy
    for service in telling.services:
        name = service.name
        yield (
            markdown.code(name),
            markdown.code(service.folder),
            _names(naming.release(policy, name, other) for other in telling.clusters),
            _names(naming.application(policy, name, other) for other in telling.clusters),
            markdown.codes(tables.over(service, "workloads")),
            markdown.codes(tables.over(service, "services")),
        )


def _names(names: Iterable[str]) -> str:
    return markdown.codes(dict.fromkeys(names))


def _layout(telling: Telling) -> Iterator[Sequence[str]]:
    entries: dict[tuple[str, str], None] = {}
    for service in telling.services:
        for path in (*service.files, *(["values.yaml"] if service.is_values_ignored else [])):
            meaning = layouts.remark(telling, service, path)
            if meaning or path == "Chart.yaml":
                entries[path, meaning or "chart"] = None
    for path, meaning in entries:
        yield markdown.code(path), markdown.prose(meaning)


def _secrets(telling: Telling) -> Iterator[Sequence[str]]:
    for service in telling.services:
        for name, keys in tables.keys_of(service).items():
            yield markdown.code(service.name), markdown.code(name), markdown.codes(keys)


def _migrations(telling: Telling) -> Iterator[Sequence[str]]:
    jobs: dict[str, dict[tuple[str, ...], None]] = {}
    for service, _, migration in telling.migrations():
        columns = (
            markdown.code(migration.database),
            markdown.code(f"{migration.kind.lower()}/{migration.job}"),
            markdown.code(migration.phase),
            str(migration.wave),
            "-" if migration.backoff_limit is None else str(migration.backoff_limit),
            markdown.code(migration.key),
        )
        jobs.setdefault(service.name, {})[columns] = None
    for name, steps in jobs.items():
        for number, step in enumerate(steps, 1):
            yield (markdown.code(name), str(number), *step)


def _checklists(telling: Telling) -> Iterator[Sequence[str]]:
    lists = telling.policy.checklists
    for phase, items in (
        ("before", lists.before),
        ("during", lists.during),
        ("after", lists.after),
    ):
        for item in items:
            meaning = markdown.prose(telling.concrete(document.sentence(telling, item)))
            yield phase, meaning, document.decided(telling, item)


def _troubles(telling: Telling) -> Iterator[Sequence[str]]:
    for problem, solution in document.troubles(telling):
        yield markdown.prose(problem), markdown.prose(solution)
