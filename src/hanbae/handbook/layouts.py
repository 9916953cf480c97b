"""The folders of the charts as trees, one for all services whose charts look the same, and a Job as YAML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from hanbae import yaml_scalars
from hanbae.handbook import facts, markdown
from hanbae.handbook.telling import Telling
from hanbae.policy import naming

_MOST: Final = 40
"""Files of one tree; the rest is counted."""
_FIRST: Final = ("Chart.yaml", "values.yaml.example", "values.yaml")


def charts(telling: Telling) -> str:
    """A tree for each layout of charts, with the services that have it."""
    by_layout: dict[tuple[str, ...], list[facts.Service]] = {}
    for service in telling.services:
        if service.folder:
            by_layout.setdefault(_listed(service), []).append(service)
    parts = []
    for files, services in by_layout.items():
        lines = [markdown.codes(service.folder for service in services), ""]
        parts.append("\n".join([*lines, markdown.block(_tree(telling, services[0], files), "")]))
    return "\n\n".join(parts) or telling.none("no-charts")


def _listed(service: facts.Service) -> tuple[str, ...]:
    """The files of a chart that say something of it: its own ones, and its templates."""
    files = {path for path in service.files if "/" not in path or path.startswith("templates/")}
    files = {
        path for path in files if not path.startswith(".")
    }  # programs keep those for themselves
    if service.is_values_ignored:
        files.add("values.yaml")
    rank = {name: number for number, name in enumerate(_FIRST)}
    order = sorted(files, key=lambda path: ("/" in path, rank.get(path, len(rank)), path))
    return tuple(order)


def _tree(telling: Telling, service: facts.Service, files: Sequence[str]) -> Iterator[str]:
    paths = files[:_MOST]
    top = [path for path in paths if "/" not in path]
    inside = [path.partition("/")[2] for path in paths if "/" in path]
    yield f"{markdown.line(service.folder)}/"
    for path in top:
        branch = "├──" if inside or path != top[-1] else "└──"
        yield _entry(branch, path, remark(telling, service, path))
    if inside:
        yield "└── templates/"
    for path in inside:
        branch = "└──" if path == inside[-1] else "├──"
        yield _entry(f"    {branch}", path, remark(telling, service, f"templates/{path}"))
    if len(files) > _MOST:
        yield telling.words["more"].format(count=len(files) - _MOST)


def _entry(branch: str, path: str, meaning: str) -> str:
    entry = f"{branch} {markdown.line(path)}"
    return f"{entry:<37}# {meaning}" if meaning else entry


def remark(telling: Telling, service: facts.Service, path: str) -> str:
    """What a file of a chart is, where the policy says it."""
    words = telling.words
    if path == "values.yaml.example":
        return words["example"]
    if path == "values.yaml" and service.is_values_ignored:
        return words["ignored"]
    own = [
        environment
        for environment in telling.clusters
        if naming.values_name(telling.policy, service.name, environment) == path
    ]
    if own:
        return words["values-of"].format(environment=", ".join(own))
    phases = {migration.phase for _, _, migration in telling.migrations() if migration.phase}
    if path == "templates/migration-job.yaml" and phases:
        return words["hook"].format(phase="/".join(sorted(phases)))
    return ""


def job(telling: Telling) -> str:
    """The first migration as the cluster is given it, without what the policy says nothing of."""
    for _, _, migration in telling.migrations():
        return markdown.block(_job(migration), "yaml")
    return telling.none("no-migrations")


def _job(migration: facts.Migration) -> Iterator[str]:
    yield "apiVersion: batch/v1"
    yield f"kind: {_scalar(migration.kind)}"
    yield "metadata:"
    yield f"  name: {_scalar(migration.job)}"
    yield "  annotations:"
    if migration.phase:
        yield f"    argocd.argoproj.io/hook: {migration.phase}"
    if migration.delete_policy:
        yield f"    argocd.argoproj.io/hook-delete-policy: {_scalar(migration.delete_policy)}"
    yield f'    argocd.argoproj.io/sync-wave: "{migration.wave}"'
    yield "spec:"
    if migration.ttl is not None:
        yield f"  ttlSecondsAfterFinished: {migration.ttl}"
    if migration.backoff_limit is not None:
        yield f"  backoffLimit: {migration.backoff_limit}"
    yield "  template:"
    yield "    spec:"
    if migration.restart_policy:
        yield f"      restartPolicy: {_scalar(migration.restart_policy)}"
    yield "      containers:"
    yield f"        - name: {_scalar(migration.container)}"
    if migration.image:
        yield f"          image: {_scalar(migration.image)}"
    if migration.command:
        yield "          command:"
        yield from (f"            - {_scalar(word)}" for word in migration.command)
    if migration.secret:
        yield from _address(migration)


def _address(migration: facts.Migration) -> Iterator[str]:
    secret, key = _scalar(migration.secret), _scalar(migration.key)
    if migration.reads_all:
        yield "          envFrom:"
        yield "            - secretRef:"
        yield f"                name: {secret}"
        return
    yield "          env:"
    yield f"            - name: {_scalar(migration.variable)}"
    yield "              valueFrom:"
    yield "                secretKeyRef:"
    yield f"                  name: {secret}"
    yield f"                  key: {key}"


def _scalar(word: str) -> str:
    """A word as YAML reads it back, on one line."""
    scalar = markdown.line(word)
    plain = scalar.replace("/", "").replace("_", "").replace("-", "").replace(".", "").isalnum()
    is_text = isinstance(yaml_scalars.scalar(scalar), str)  # neither a number nor `true`
    return (
        scalar
        if plain and is_text and not scalar.startswith("-")
        else '"' + scalar.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )
