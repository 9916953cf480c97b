"""What goose does with the arguments that the deployer's admission policy refuses, and with those that it takes.

That an API server refuses them is in ``tests/api/test_authorizing.py``, from the same table.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ruamel.yaml import YAML
from tests.support import postgresql
from tests.support.registries import Quiet

from hanbae.argo import proof_rules
from hanbae.planning import proofs
from hanbae.releases import objects, reading

TABLE = Path(__file__).parents[1] / "api" / "forbidden_writes.yaml"
REFUSED: dict[str, list[Any]] = YAML(typ="safe").load(TABLE)["job"]
ACCOUNTS = "create table accounts (id int); insert into accounts values (1)"


@pytest.fixture(scope="module")
def goose() -> str:
    program = shutil.which("goose")
    if program is None:
        from hanbae.sandbox import binaries

        program = str(binaries.obtain(progress=Quiet()).path("goose"))
    return program


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgresql.running(tmp_path_factory.mktemp("postgresql")) as url:
        yield url


@pytest.fixture
def url(server: str, goose: str, tmp_path: Path) -> str:
    """A database that goose has migrated, with something in it that is worth keeping."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("drop database if exists auth with (force)")
        connection.execute("create database auth")
    address = server.removesuffix("/postgres") + "/auth"
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "1_accounts.sql").write_text(f"-- +goose Up\n{ACCOUNTS};\n")
    run(goose, address, ["-env=none", "-dir", str(folder), "-table", "public.goose_db_version", "up"])  # fmt: skip
    assert tables(address) == {"accounts": 1, "goose_db_version": 2}
    return address


def environment(url: str, variables: list[dict[str, Any]]) -> dict[str, str]:
    """The environment of a container: later variables win, and ``$(NAME)`` stands for one before it."""
    result: dict[str, str] = {}
    for variable in variables:
        value = variable.get("value", url)  # what has no value of its own is of the Secret
        result[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda name: result[name[1]], value)
    return result


HONEST: list[dict[str, Any]] = [
    {"name": "GOOSE_DRIVER", "value": "postgres"},
    {"name": "GOOSE_DBSTRING"},
]


def run(
    goose: str, url: str, args: list[str], variables: list[dict[str, Any]] | None = None
) -> str:
    """What goose says."""
    ended = subprocess.run(
        [goose, *args],
        env=environment(url, variables or HONEST),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd="/",
    )
    return ended.stdout + ended.stderr


def tables(url: str) -> dict[str, int]:
    """The tables of the database and how many rows they have."""
    with psycopg.connect(url, autocommit=True) as connection:
        names = connection.execute(
            "select tablename from pg_tables where schemaname = 'public'"
        ).fetchall()
        return {
            name: connection.execute(f'select count(*) from "{name}"').fetchone()[0]  # type: ignore[index,call-overload]  # noqa: S608
            for (name,) in names
        }


def refused(name: str, folder: Path) -> list[str]:
    """The arguments that the table refuses under a name, with this database's folder."""
    args: list[str] = REFUSED[name][2]
    return [str(folder) if arg == "/app" else arg for arg in args]


def test_a_table_name_is_enough_to_run_any_sql(goose: str, url: str, tmp_path: Path) -> None:
    variables = REFUSED["url-in-simple-protocol"][2]
    run(goose, url, refused("any-sql", tmp_path / "app"), variables)
    assert "accounts" not in tables(url)
    assert "owned" in tables(url)


def test_another_table_is_created(goose: str, url: str, tmp_path: Path) -> None:
    run(goose, url, refused("other-table", tmp_path / "app"))
    assert "evil" in tables(url)


def test_the_password_is_sent_to_whoever_a_variable_names(
    goose: str, url: str, tmp_path: Path
) -> None:
    received = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)

        def listen() -> None:
            connection, _ = listener.accept()
            with connection:
                received.extend(connection.recv(4096))
            listener.close()  # so that another attempt is refused, not left to wait

        thread = threading.Thread(target=listen)
        thread.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        variables = [
            {**variable, "value": variable["value"].replace("10.9.9.9", address)}
            if "value" in variable
            else variable
            for variable in REFUSED["url-elsewhere"][2]
        ]
        args = ["-env=none", "-dir", str(tmp_path / "app"), "-table", "public.goose_db_version"]
        run(goose, url, [*args, "status"], variables)
        thread.join()
    assert postgresql.PASSWORD.encode() in received


def test_a_proof_changes_nothing_and_says_nothing_secret(
    goose: str, url: str, tmp_path: Path
) -> None:
    """The very arguments that hanbae makes, which are those that the policy takes."""
    address = {"secretKeyRef": {"name": "auth-secrets", "key": "DATABASE_URL"}}
    container = {
        "command": ["goose"],
        "args": ["-table=public.goose_db_version", "--dir", "/app", "up"],
        "env": [
            {"name": "GOOSE_DRIVER", "value": "postgres"},
            {"name": "GOOSE_DBSTRING", "valueFrom": address},
        ],
    }
    hook = {
        "kind": "Job",
        "metadata": {"name": "migrate"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    manifest = objects.Object(hook, "", 0, "x")
    (migration,) = reading.of([manifest], service="auth", namespace="x", name="x").migrations
    job = proofs.of(migration, namespace="x", account="x")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    args = container["args"]
    assert args == ["-env=none", "-dir", "/app", "-table", "public.goose_db_version", "status"]
    assert args[4] in proof_rules.TABLES
    before = tables(url)
    output = run(goose, url, [str(tmp_path / "app") if arg == "/app" else arg for arg in args])
    assert "1_accounts.sql" in output
    assert postgresql.PASSWORD not in output
    assert tables(url) == before
