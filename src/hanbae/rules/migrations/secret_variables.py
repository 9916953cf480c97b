"""Variables that goose puts into SQL and that hold secrets: the SQL of a statement that fails is in goose's log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hanbae import foreign_json, subjects
from hanbae.releases import parts
from hanbae.rules import rulebook, views
from hanbae.rules.migrations import drivers

_ENVSUB: Final = "https://pressly.github.io/goose/documentation/environment-variables/"


@rulebook.of_release("MIG035", "error", source=_ENVSUB, essential=True)
def secret_in_sql(release: views.Release) -> Iterator[rulebook.Hit]:
    """A statement into which goose puts a variable whose value is from a Secret."""
    names = {
        name: migration.part.object.label
        for migration in drivers.goose(release)
        for name in _from_secrets(release, migration)
    }
    if not names:
        return
    for path, parsed in release.service.parsed_migrations.items():
        for statement in (*parsed.up, *(parsed.down or ())):
            for variable in statement.variables:
                if variable in names:
                    facts = {"variable": variable, "object": names[variable]}
                    yield rulebook.Hit(subjects.Place(path, statement.line), facts)


def _from_secrets(release: views.Release, migration: parts.Migration) -> Iterator[str]:
    """The variables of a migration's container that are from Secrets."""
    container = migration.part.object.get(*migration.part.pointer)
    fields: dict[str, Any] = container if isinstance(container, dict) else {}
    for variable in foreign_json.mappings(fields.get("env")):
        name = variable.get("name")
        if isinstance(name, str) and foreign_json.below(variable, "valueFrom", "secretKeyRef"):
            yield name
    for source in foreign_json.mappings(fields.get("envFrom")):
        secret = foreign_json.below(source, "secretRef").get("name")
        prefix = source.get("prefix")
        for maker in release.model.makes:
            if maker.kind == "Secret" and maker.name == secret:
                yield from (f"{prefix or ''}{key}" for key in maker.keys or ())
