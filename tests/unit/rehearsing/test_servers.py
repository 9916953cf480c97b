"""The server of a rehearsal: how goose is told of it, and what is said where nothing can reach it."""

from __future__ import annotations

import sys

import pytest
from psycopg import conninfo

from hanbae import errors, masking
from hanbae.rehearsing import servers
from hanbae.sandbox import database_access


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "db.example.com", "port": "5433", "user": "kim"},
        {"host": "/my files/hanbae-rehearsal-1", "user": "kim lee"},
        {"options": "-c statement_timeout=0", "application_name": "it's \\ mine"},
    ],
)
def test_goose_is_told_the_settings_that_hanbae_connects_with(settings: dict[str, str]) -> None:
    with servers.addressed(servers.Server(settings), "copy 1") as (variables, _):
        read = conninfo.conninfo_to_dict(variables["GOOSE_DBSTRING"])
    assert read == settings | {"dbname": "copy 1"}


def test_database_without_the_driver_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    password = masking.Masked(b"c4n4ry")
    postgres = database_access.Postgres("127.0.0.1", 1, "postgres", password)
    with pytest.raises(errors.Lacking, match="needs-extra"):
        database_access.Databases(postgres).create("auth", "auth", password)
    with (
        pytest.raises(errors.Lacking, match="needs-extra"),
        servers.database(servers.Server({"host": "127.0.0.1"})),
    ):
        pass
