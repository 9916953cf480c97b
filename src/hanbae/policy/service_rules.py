"""What ``services`` of a policy must fulfil beyond the types of its fields: globs, templates and values files."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import Final

from hanbae import patterns
from hanbae.policy import boundaries, documents, environments, folders, naming, service_paths

_DATABASE: Final = patterns.lazy(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
# The closing brace may be missing, so that `{service` is noticed as well.
_PLACEHOLDER: Final = patterns.lazy(r"\{[^{}]*\}?")
_LONGEST_NAMESPACE: Final = 53
_PLAIN: Final = ("{service}", "{environment}")
_FIELDS: Final = {
    "release": _PLAIN,
    "secret": ("{release}", *_PLAIN),
    "application": _PLAIN,
    "namespace": _PLAIN,
}
"""Template → what it may hold."""
_OF_VALUES: Final = ("{release}", *_PLAIN)

Fault = tuple[str, str, dict[str, str]]
"""Text id, key path, facts."""


def check(policy: documents.Policy) -> Iterator[Fault]:
    """The rules that ``services`` breaks."""
    services = policy.services
    for field in ("release", "secret"):
        yield from template(f"services.{field}", field, getattr(services, field))
    yield from _paths(services)
    applications = {"services.application": services.application}
    applications |= {
        f"services.named.{name}.application": service.application
        for name, service in services.named.items()
        if service.application is not None
    }
    yield from template("services.application", "application", services.application)
    for key, text in applications.items():
        if "{environment}" not in text and _share_argocd(policy):
            yield "policy.template-lacks-environment", key, {"value": text}
    yield from template("services.namespace", "namespace", services.namespace)
    yield from values("services.values", services.values or (), chart_folders(services))
    if services.migrations is not None:
        yield from _migrations("services.migrations", services.migrations)
    for name, service in services.named.items():
        yield from _named(f"services.named.{name}", name, service, services)


def chart_folders(services: documents.Services) -> tuple[str, ...]:
    """The folders that charts may be in, with some name for a service."""
    by_name = (folder for _, folder in service_paths.folders(services))
    return (*(glob.folder("s") for glob in service_paths.globs(services)), *by_name)


def values(key: str, entries: Sequence[str], charts: Sequence[str]) -> Iterator[Fault]:
    """What is wrong in a list of values files: each must lie in the repository, whichever folder its chart is in.

    Args:
        key: The list's key path.
        entries: The list.
        charts: The folders that charts may be in.
    """
    for index, entry in enumerate(entries):
        where, facts = f"{key}[{index}]", {"value": entry}
        yield from _placeholders(where, entry, _OF_VALUES)
        plain = naming.filled(entry, "s", "e", release="r")
        # A folder that is none is said where it stands.
        fit = (chart for chart in charts if folders.is_root(chart) or boundaries.is_path(chart))
        paths = [naming.values_path(chart, plain) for chart in fit]
        if not plain or plain.endswith("/") or not all(map(boundaries.is_path, paths)):
            yield "policy.not-a-values-file", where, facts


def _paths(services: documents.Services) -> Iterator[Fault]:
    if not services.paths:
        yield "policy.no-path", "services.path", {}
    for index, path in enumerate(services.paths):
        key = "services.path" if isinstance(services.path, str) else f"services.path[{index}]"
        plain = path.replace(service_paths.ENVIRONMENT, "e")
        if path.split("/").count("*") != 1 or path.count("*") != 1:
            yield "policy.path-needs-one-star", key, {"value": path}
        elif placeholders := list(_placeholders(key, path, (service_paths.ENVIRONMENT,))):
            yield from placeholders
        elif not boundaries.is_path(plain.replace("*", "s")):
            yield "policy.not-a-path", key, {"value": path}
        elif path in services.paths[:index]:
            yield "policy.path-twice", key, {"value": path}
    for index, path in enumerate(services.exclude):
        if not boundaries.is_path(path.replace("*", "s")):
            yield "policy.not-a-path", f"services.exclude[{index}]", {"value": path}


def _named(
    key: str, name: str, service: documents.NamedService, services: documents.Services
) -> Iterator[Fault]:
    if service.path is not None:
        yield from _placeholders(f"{key}.path", service.path, (service_paths.ENVIRONMENT,))
        plain = service.path.replace(service_paths.ENVIRONMENT, "e")
        if service.path != folders.ROOT and not boundaries.is_path(plain):
            yield "policy.not-a-path", f"{key}.path", {"value": service.path}
    for field in _FIELDS:
        own = getattr(service, field)
        if own is not None:
            yield from template(f"{key}.{field}", field, own, of_one=True)
    if service.values is not None:
        folder = service_paths.place(services, name).chart
        yield from values(f"{key}.values", service.values, (folder,))
    if service.migrations is not None:
        yield from _migrations(f"{key}.migrations", service.migrations, of_one=True)
    for text, database in service.databases.items():
        yield from _placeholders(f"{key}.databases", text, _OF_VALUES)
        if not _DATABASE.fullmatch(database):
            yield "policy.not-a-database", f"{key}.databases.{text}", {"value": database}


def template(key: str, field: str, text: str, *, of_one: bool = False) -> Iterator[Fault]:
    """What is wrong with a template for names; that of all services must tell them apart.

    Args:
        key: Its key path.
        field: ``release``, ``application``, ``secret`` or ``namespace``.
        text: The template.
        of_one: Whether it is that of one service only.
    """
    facts = {"value": text}
    tells = "{service}" in text or (field == "secret" and "{release}" in text)
    if not tells and field != "namespace" and not of_one:
        yield "policy.template-lacks-service", key, facts
    plain = text
    for placeholder in _FIELDS[field]:
        plain = plain.replace(placeholder, "x")
    is_name = naming.is_object(plain, field)
    if field == "namespace":
        if not is_name or len(plain) > _LONGEST_NAMESPACE:
            yield "policy.not-a-name", key, facts
    elif not is_name:
        yield "policy.not-a-template", key, facts | {"known": ", ".join(_FIELDS[field])}


def _migrations(key: str, template: str, *, of_one: bool = False) -> Iterator[Fault]:
    facts = {"value": template}
    if "{service}" not in template and not of_one:
        yield "policy.template-lacks-service", key, facts
    yield from _placeholders(key, template, ("{service}",))
    if not boundaries.is_path(posixpath.normpath(naming.filled(template, "s", "e"))):
        yield "policy.not-a-path", key, facts


def _placeholders(key: str, template: str, allowed: Sequence[str]) -> Iterator[Fault]:
    for placeholder in _PLACEHOLDER.findall(template):
        if placeholder not in allowed:
            facts = {"value": template, "placeholder": placeholder, "known": ", ".join(allowed)}
            yield "policy.unknown-placeholder", key, facts


def _share_argocd(policy: documents.Policy) -> bool:
    """Whether two environments have their Applications in one Argo CD."""
    names = environments.deployed_by_argocd(policy)
    contexts = [environments.control(policy.environments[name]) for name in names]
    return len(set(contexts)) < len(contexts)
