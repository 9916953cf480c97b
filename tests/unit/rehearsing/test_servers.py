"""What goose is told of the server of a rehearsal."""

from __future__ import annotations

import pytest
from psycopg import conninfo

from hanbae.rehearsing import servers


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
