from __future__ import annotations

from typing import Any

import pytest

from hanbae import errors
from hanbae.migrations import declared_databases

ROW = {"name": "identity_db", "urlKey": "IDENTITY_DATABASE_URL", "dir": "identity_db", "wave": -5}


def declared(migration: Any) -> tuple[declared_databases.Database, ...]:
    return declared_databases.declared(
        {"migration": migration}, "identity", wave=-5, file="values-dev.yaml"
    )


def test_a_service_without_a_list_has_one_database_named_after_itself() -> None:
    only = declared_databases.Database("identity_db", "DATABASE_URL", "", -5)
    assert declared({"enabled": True}) == (only,)
    assert declared({"enabled": True, "databases": []}) == (only,)


@pytest.mark.parametrize("migration", [None, {}, {"enabled": False, "databases": [ROW]}])
def test_nothing_is_migrated_where_it_is_not_enabled(migration: Any) -> None:
    assert declared(migration) == ()


def test_databases_come_in_the_order_of_their_waves() -> None:
    late = {"name": "legal_db", "urlKey": "L", "dir": "legal_db", "wave": -3}
    names = [database.name for database in declared({"enabled": True, "databases": [late, ROW]})]
    assert names == ["identity_db", "legal_db"]


@pytest.mark.parametrize(
    ("migration", "text_id"),
    [
        ("yes", "migrations.not-a-mapping"),
        ({"enabled": True, "databases": "identity_db"}, "migrations.not-a-list"),
        ({"enabled": True, "databases": [{"dir": "x"}]}, "migrations.database-without-name"),
        ({"enabled": True, "databases": [ROW, ROW]}, "migrations.database-twice"),
        ({"enabled": True, "databases": [ROW | {"dir": "../x"}]}, "migrations.folder-outside"),
        ({"enabled": True, "databases": [ROW | {"dir": "/etc"}]}, "migrations.folder-outside"),
    ],
)
def test_what_the_contract_does_not_allow_is_a_fault_of_the_values_file(
    migration: Any, text_id: str
) -> None:
    with pytest.raises(errors.FileFault) as caught:
        declared(migration)
    assert caught.value.text.id == text_id
    assert str(caught.value.place) == "values-dev.yaml"
