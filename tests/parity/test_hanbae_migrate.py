"""hanbae-migrate on a real PostgreSQL: one run at a time, an end when its session is lost, and goose's own table."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from tests.support import pgbouncers, polling, postgresql, relays, runners

from hanbae.argo import proof_questions
from hanbae.diagnosing import programs
from hanbae.migrations import drifts, statuses
from hanbae.sandbox import building, golang, pins

COMPONENT = next(entry for entry in pins.COMPONENTS if entry.name == "hanbae-migrate")
UP = "-- +goose Up\n"
NO_TRANSACTION = "-- +goose NO TRANSACTION\n-- +goose Up\n"
TABLE = f"{UP}CREATE TABLE plans (id bigint);\n-- +goose Down\nDROP TABLE plans;\n"
COLUMN = f"{UP}ALTER TABLE plans ADD COLUMN name text;\n"
INDEX = f"{NO_TRANSACTION}CREATE INDEX CONCURRENTLY plans_by_id ON plans (id);\n"
SETTINGS = """-- +goose Up
CREATE TABLE settings AS SELECT name, setting::int FROM pg_settings
 WHERE name LIKE 'tcp_%' OR name = 'client_connection_check_interval';
"""
_NUMBERS = itertools.count()
FREED = 30
"""Seconds after which the lock of a run that was killed is free."""
NOTICED = 5
"""Seconds after which a run has ended that has lost its session."""


@pytest.fixture
def place(server: str, tmp_path: Path) -> runners.Place:
    """A database with one table."""
    place = runners.Place(server, f"runner{next(_NUMBERS)}", tmp_path / "migrations").created()
    place.write("00001_plans.sql", TABLE)
    ended = place.run()
    assert ended.code == 0, ended.log
    assert ended.proof["applied"] == [1]
    return place


@pytest.fixture
def traffic(place: runners.Place) -> Iterator[psycopg.Connection]:
    """A transaction that has used the table and does not end."""
    with psycopg.connect(place.url) as connection:
        connection.execute("INSERT INTO plans VALUES (1)")
        yield connection


def blocked(place: runners.Place) -> tuple[runners.Run, int]:
    """A run that holds the lock while its statement waits for the traffic, and its session."""
    run = place.begin()
    session = place.holder()
    polling.until(lambda: place.is_waiting(session), within=20)
    return run, session


def test_a_second_run_waits_without_hindering_the_first_and_names_it(
    place: runners.Place, traffic: psycopg.Connection
) -> None:
    """CREATE INDEX CONCURRENTLY waits for every statement that is older: also for one that waits for its lock."""
    place.write("00002_index.sql", INDEX)
    first, session = blocked(place)
    second = place.begin()
    line = second.says("waits for the lock")
    assert "hanbae-migrate@" in line
    assert f"(process {session} of postgres from 127.0.0.1, since " in line
    traffic.commit()
    ended = first.ended()
    assert (ended.code, ended.proof["applied"], ended.proof["version"]) == (0, [2], 2), ended.log
    after = second.ended()
    assert (after.code, after.proof["applied"], after.proof["version"]) == (0, [], 2), after.log
    assert after.proof["waited_s"] > 0
    assert place.rows("SELECT version_id FROM goose_db_version WHERE version_id = 2") == [(2,)]
    assert place.rows("SELECT to_regclass('hanbae_half_applied')") == [(None,)]


@pytest.mark.parametrize("lock", runners.LOCKS)
def test_a_run_and_gooses_own_providers_exclude_each_other(
    place: runners.Place, traffic: psycopg.Connection, lock: int
) -> None:
    own, others = "a program with a provider", "a program of another database"
    attempt = "SELECT pg_try_advisory_lock(%s)"
    with (
        psycopg.connect(place.url, autocommit=True, application_name=own) as provider,
        psycopg.connect(place.server, autocommit=True, application_name=others) as elsewhere,
    ):
        assert elsewhere.execute(attempt, (lock,)).fetchone() == (True,)
        assert provider.execute(attempt, (lock,)).fetchone() == (True,)
        refused = place.run("-wait=0s", "up")
        assert refused.code == 3, refused.log
        assert f"{own} (process {provider.info.backend_pid} of postgres" in refused.log
        assert own in refused.proof["error"]
        assert others not in refused.log
        lines = [*refused.log.splitlines(), json.dumps(refused.proof)]
        cause, line = programs._telling(lines, is_job=True) or ("", "")
        assert (cause, own in line) == ("diagnosis.migration-lock-held", True), line
        assert place.run("status").code == 0
        provider.execute("SELECT pg_advisory_unlock(%s)", (lock,))
        place.write("00002_name.sql", COLUMN)
        run, _ = blocked(place)
        assert provider.execute(attempt, (lock,)).fetchone() == (False,)
        traffic.commit()
        assert run.ended().code == 0
        # The server ends the session a moment after its program has ended.
        polling.until(
            lambda: provider.execute(attempt, (lock,)).fetchone() == (True,), within=FREED
        )


def test_a_run_that_waits_for_the_second_lock_gives_the_first_one_back(
    place: runners.Place,
) -> None:
    """Else a program of the newer releases would wait for it, though nobody migrates."""
    with psycopg.connect(place.url, autocommit=True) as provider:
        provider.execute("SELECT pg_advisory_lock(%s)", (runners.LOCKS[1],))
        run = place.begin()
        run.says("waits for the lock")
        attempt = "SELECT pg_try_advisory_lock(%s)"
        polling.until(
            lambda: provider.execute(attempt, (runners.LOCKS[0],)).fetchone() == (True,), within=10
        )
    assert run.ended().code == 0


def test_after_a_killed_run_whose_statement_waits_the_next_one_is_in(
    place: runners.Place, traffic: psycopg.Connection
) -> None:
    """The server has to look whether the client is there: nothing is sent while a statement waits for a table."""
    place.write("00002_name.sql", COLUMN)
    first, session = blocked(place)
    first.process.send_signal(signal.SIGKILL)
    begun = time.monotonic()
    second = place.begin()
    polling.until(lambda: place.holder() != session, within=FREED)
    assert time.monotonic() - begun < FREED
    traffic.commit()
    ended = second.ended()
    assert (ended.code, ended.proof["applied"]) == (0, [2]), ended.log
    first.ended()


def test_the_server_looks_for_a_client_that_is_gone_before_its_lock_has_to_be_free(
    place: runners.Place,
) -> None:
    """Of a machine that is gone nobody hears anything: the server asks, as its own settings say."""
    place.write("00002_settings.sql", SETTINGS)
    ended = place.run()
    assert ended.code == 0, ended.log
    settings = dict(place.rows("SELECT name, setting FROM settings"))
    idle, interval = settings["tcp_keepalives_idle"], settings["tcp_keepalives_interval"]
    assert idle + interval * settings["tcp_keepalives_count"] < FREED
    assert 0 < settings["tcp_user_timeout"] < FREED * 1000
    assert 0 < settings["client_connection_check_interval"] < FREED * 1000


def test_a_run_that_is_asked_to_end_says_how_it_ends_and_its_statement_ends_with_it(
    place: runners.Place, traffic: psycopg.Connection
) -> None:
    place.write("00002_name.sql", COLUMN)
    run, session = blocked(place)
    run.process.terminate()
    ended = run.ended(within=10)
    assert (ended.code, ended.proof["ok"], ended.proof["applied"]) == (1, False, None), ended.log
    polling.until(lambda: not place.is_waiting(session), within=10)
    traffic.commit()
    assert place.run().proof["applied"] == [2]


def test_a_run_whose_log_nobody_reads_ends_when_its_session_is_lost(
    place: runners.Place, traffic: psycopg.Connection
) -> None:
    """What it has to say waits for ever: its end does not."""
    place.write("00002_name.sql", COLUMN)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    run = place.begin(log=writing)
    os.close(writing)
    session = place.holder()
    polling.until(lambda: place.is_waiting(session), within=20)
    place.execute(f"SELECT pg_terminate_backend({session})")
    try:
        assert run.process.wait(NOTICED) == 4
    finally:
        run.process.kill()
        os.close(reading)
        run.ended()
    traffic.commit()


def test_a_run_ends_when_the_server_ends_its_session(
    place: runners.Place, traffic: psycopg.Connection
) -> None:
    place.write("00002_name.sql", COLUMN)
    run, session = blocked(place)
    # The watch alone may be lost: it comes again.
    watch = place.watch()
    place.execute(f"SELECT pg_terminate_backend({watch})")
    place.watch(other_than=watch)
    assert run.process.poll() is None
    place.execute(f"SELECT pg_terminate_backend({session})")
    begun = time.monotonic()
    ended = run.ended(within=NOTICED)
    assert time.monotonic() - begun < NOTICED
    assert ended.code == 4, ended.log
    assert "the session that holds the lock is lost" in ended.log
    assert "57P01" in ended.proof["error"]
    assert (ended.proof["ok"], ended.proof["version"]) == (False, None)
    traffic.commit()
    assert place.run().proof["applied"] == [2]


def test_a_watch_whose_connection_alone_is_silent_asks_over_another_one(
    place: runners.Place, traffic: psycopg.Connection
) -> None:
    place.write("00002_name.sql", COLUMN)
    run, _ = blocked(place)
    watch = place.watch()
    os.kill(watch, signal.SIGSTOP)
    try:
        place.watch(other_than=watch)
        assert run.process.poll() is None
    finally:
        os.kill(watch, signal.SIGCONT)
    traffic.commit()
    ended = run.ended()
    assert (ended.code, ended.proof["applied"]) == (0, [2]), ended.log


def test_a_run_that_gets_no_second_connection_changes_nothing(place: runners.Place) -> None:
    place.write("00002_name.sql", COLUMN)
    ended = place.run(url=place.as_role("alone", connections=1))
    assert (ended.code, ended.proof["ok"]) == (1, False), ended.log
    assert "no second connection" in ended.proof["error"]
    assert "53300" in ended.proof["error"]
    assert place.rows("SELECT max(version_id) FROM goose_db_version") == [(1,)]


def test_a_watch_that_is_refused_a_connection_tries_again(
    place: runners.Place, traffic: psycopg.Connection
) -> None:
    traffic.commit()
    place.write("00002_name.sql", f"{UP}SELECT pg_advisory_xact_lock(1);\n")
    with psycopg.connect(place.url) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(1)")
        run = place.begin(url=place.as_role("crowded", connections=2))
        session = place.holder()
        polling.until(lambda: place.is_waiting(session), within=20)
        watch = place.watch()
        place.execute("ALTER ROLE crowded CONNECTION LIMIT 1")
        place.execute(f"SELECT pg_terminate_backend({watch})")
        # The server's log is beside its data.
        refused = (
            "SELECT WHERE pg_read_file('../log') LIKE '%too many connections for role \"crowded\"%'"
        )
        polling.until(lambda: place.rows(refused), within=10)
        place.execute("ALTER ROLE crowded CONNECTION LIMIT 2")
        place.watch(other_than=watch)
    ended = run.ended()
    assert (ended.code, ended.proof["applied"]) == (0, [2]), ended.log


@pytest.mark.parametrize("is_ended", [True, False])
def test_a_session_that_is_lost_beside_its_migrations_is_called_lost_as_well(
    place: runners.Place, is_ended: bool
) -> None:
    """Before goose runs, the runner reads what is applied: there a session can be lost, too."""
    place.write("00002_name.sql", COLUMN)
    with psycopg.connect(place.url) as holder:
        holder.execute(f"LOCK TABLE {runners.TABLE}")
        run, session = blocked(place)
        watch = place.watch()
        if is_ended:
            place.execute(f"SELECT pg_terminate_backend({session})")
            ended = run.ended()
        else:
            # The watch is told nothing any more: neither is who would find out that the session is gone.
            postmaster = int(Path(f"/proc/{watch}/stat").read_text().split()[3])
            silent = (postmaster, watch)
            for process in silent:
                os.kill(process, signal.SIGSTOP)
            try:
                ended = run.ended()
            finally:
                for process in silent:
                    os.kill(process, signal.SIGCONT)
    assert ended.code == 4, ended.log
    assert "the session that holds the lock is lost" in ended.proof["error"]
    assert (ended.proof["ok"], ended.proof["version"]) == (False, None)
    assert place.run().proof["applied"] == [2]


@pytest.mark.parametrize(
    "loss", ["DISCARD ALL", *(f"SELECT pg_advisory_unlock({lock})" for lock in runners.LOCKS)]
)
def test_a_run_whose_session_no_longer_holds_the_lock_ends(place: runners.Place, loss: str) -> None:
    """A pooler's reset, or a migration, may give the lock back while the session lives."""
    place.write("00002_reset.sql", f"{NO_TRANSACTION}{loss};\nSELECT pg_sleep(60);\n")
    ended = place.run()
    assert ended.code == 4, ended.log
    assert "holds the lock no more" in ended.log
    sleeping = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'"
    polling.until(lambda: not place.rows(sleeping), within=10)


async def test_a_run_ends_when_the_network_is_gone(
    place: runners.Place, traffic: psycopg.Connection
) -> None:
    """Nobody breaks the connection, and keepalives are answered: only the server's answers are missing."""
    place.write("00002_name.sql", COLUMN)
    target = urlsplit(place.url)
    assert target.port is not None
    relay = relays.Relay(target.port)
    listening = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    run = place.begin(url=place.url.replace(f":{target.port}/", f":{port}/"))
    session = await asyncio.to_thread(place.holder)
    await polling.reached(lambda: asyncio.to_thread(place.is_waiting, session), within=20)
    with relay.silent():
        begun = time.monotonic()
        ended = await asyncio.to_thread(run.ended, within=NOTICED + 1)
        assert time.monotonic() - begun < NOTICED
    assert ended.code == 4, ended.log
    assert "the session that holds the lock is lost" in ended.proof["error"]
    await asyncio.wait_for(relay.idle.wait(), 20)
    listening.close()
    traffic.commit()
    after = await asyncio.to_thread(place.run)
    assert (after.code, after.proof["applied"]) == (0, [2]), after.log


async def test_a_run_that_waits_ends_when_the_network_is_gone(place: runners.Place) -> None:
    target = urlsplit(place.url)
    assert target.port is not None
    relay = relays.Relay(target.port)
    listening = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    with psycopg.connect(place.url, autocommit=True) as holding:
        holding.execute("SELECT pg_advisory_lock(%s)", (runners.LOCKS[0],))
        run = place.begin(url=place.url.replace(f":{target.port}/", f":{port}/"))
        await asyncio.to_thread(run.says, "waits for the lock")
        with relay.silent():
            ended = await asyncio.to_thread(run.ended, within=20)
    assert ended.code == 1, ended.log
    assert "the server does not answer for 10s" in ended.proof["error"]
    await asyncio.wait_for(relay.idle.wait(), 20)
    listening.close()


def test_a_pooler_is_refused_unless_the_server_itself_is_named(
    place: runners.Place, tmp_path: Path
) -> None:
    place.write("00002_name.sql", COLUMN)
    folder = tmp_path / "pgbouncer"
    folder.mkdir()
    with pgbouncers.running(place.server, folder) as pooler:
        url = f"{pooler}/{place.database}"
        for variables in ({}, {"PGOPTIONS": "-c lock_timeout=5000"}):
            refused = place.run(url=url, **variables)
            assert refused.code == 1, refused.log
            assert "give the server's own address in HANBAE_MIGRATE_DBSTRING" in refused.log
            assert postgresql.PASSWORD not in refused.log
        assert place.rows("SELECT max(version_id) FROM goose_db_version") == [(1,)]
        ended = place.run(url=url, HANBAE_MIGRATE_DBSTRING=place.url)
    assert (ended.code, ended.proof["applied"]) == (0, [2]), ended.log


def test_what_is_half_applied_is_recorded_and_named_until_it_is_done(place: runners.Place) -> None:
    """Statement by statement, without the value of a variable, and not in goose's table."""
    columns = "SELECT attname FROM pg_attribute WHERE attrelid = 'goose_db_version'::regclass AND attnum > 0"
    goose = place.rows(columns)
    place.execute("INSERT INTO plans VALUES (7), (7)")
    place.write("00002_token.sql", f"{UP}CREATE TABLE tokens (token text);\n")
    # goose quotes what it writes, and the value begins with another one that is hidden.
    secret = f'{postgresql.PASSWORD}\\"and-more'
    text = (
        "-- +goose NO TRANSACTION\n-- +goose Up\nINSERT INTO tokens VALUES ('first');\n"
        "CREATE UNIQUE INDEX CONCURRENTLY plans_once ON plans (id);\n"
        "-- +goose ENVSUB ON\nINSERT INTO tokens VALUES ('${TOKEN}');\n"
    )
    place.write("00003_tokens.sql", text)
    ended = place.run(TOKEN=secret)
    assert ended.code == 1, ended.log
    assert ended.proof["applied"] == [2]
    (half,) = ended.proof["half_applied"]
    assert (half["version"], half["file"], half["direction"]) == (3, "00003_tokens.sql", "up")
    assert half["statement"] == 2
    assert half["sql"] == "CREATE UNIQUE INDEX CONCURRENTLY plans_once ON plans (id);"
    assert ended.proof["invalid_indexes"] == ["plans_once"]
    assert ended.proof["pending"] == [3]
    assert place.rows(columns) == goose
    assert statuses.failure(ended.log.splitlines()).file == "00003_tokens.sql"  # type: ignore[union-attr]

    place.execute("DROP INDEX plans_once; TRUNCATE plans")
    place.write(
        "00003_tokens.sql",
        text.replace("INSERT INTO tokens VALUES ('${", "INSERT INTO x VALUES ('${"),
    )
    ended = place.run(TOKEN=secret)
    assert ended.code == 1
    assert "00003_tokens.sql is half applied (up)" in ended.log
    assert "statement 2" in ended.log
    (half,) = ended.proof["half_applied"]
    assert (half["statement"], half["sql"]) == (3, "INSERT INTO x VALUES ('***');")
    assert "and-more" not in f"{ended.log}{ended.proof}"

    place.execute("DROP INDEX plans_once")
    place.write("00003_tokens.sql", text)
    ended = place.run(TOKEN=secret)
    assert (ended.code, ended.proof["applied"], ended.proof["half_applied"]) == (0, [3], [])
    assert "00003_tokens.sql is half applied" in ended.log
    assert place.rows("SELECT to_regclass('hanbae_half_applied')") == [(None,)]
    assert place.run().log.count("half applied") == 0


@pytest.mark.parametrize("end", ["COMMIT;\n", ""])
def test_a_transaction_that_a_file_begins_itself_ends_as_it_does_with_goose(
    place: runners.Place, end: str
) -> None:
    """goose goes on over a new connection; a run has only the one that holds the lock."""
    rows = "INSERT INTO plans VALUES (1);\nINSERT INTO plans VALUES (2);\n"
    place.write("00002_rows.sql", f"{NO_TRANSACTION}{rows}BEGIN;\n{end}")
    place.write("00003_rows.sql", f"{NO_TRANSACTION}BEGIN;\n{rows}{end}")
    ended = place.run()
    assert (ended.code, ended.proof["applied"], ended.proof["half_applied"]) == (0, [2, 3], [])
    assert place.rows("SELECT id FROM plans ORDER BY id") == [(1,), (1,), (2,), (2,)]
    assert place.rows("SELECT max(version_id) FROM goose_db_version") == [(3,)]


@pytest.mark.parametrize("back", ["SET search_path = public;\n", ""])
def test_a_file_that_changes_the_search_path_hides_no_table_from_the_proof(
    place: runners.Place, back: str
) -> None:
    """goose itself finds its table no more, where the file does not change it back."""
    place.write(
        "00002_path.sql",
        f"{NO_TRANSACTION}CREATE SCHEMA app;\nSET search_path = app;\nCREATE TABLE app.x ();\n{back}",
    )
    ended = place.run("-table=goose_db_version", "up")
    assert place.rows("SELECT to_regclass('app.x') IS NOT NULL") == [(True,)], ended.log
    assert (ended.proof["table"], ended.proof["reverted"]) == ("goose_db_version", [])
    assert ended.code == (0 if back else 1), ended.log
    assert ended.proof["applied"] == ([2] if back else [])
    assert ended.proof["version"] == (2 if back else 1)
    halves = [(half["version"], half["statement"]) for half in ended.proof["half_applied"]]
    assert halves == ([] if back else [(2, 3)])


def test_a_statement_that_fails_in_a_transaction_of_its_own_leaves_a_whole_proof(
    place: runners.Place,
) -> None:
    block = "-- +goose StatementBegin\nBEGIN;\nINSERT INTO plans VALUES (1 / 0);\n-- +goose StatementEnd\n"
    place.write("00002_rows.sql", f"{NO_TRANSACTION}SELECT 1;\n{block}")
    ended = place.run()
    assert (ended.code, ended.proof["version"], ended.proof["pending"]) == (1, 1, [2])
    assert "22012" in ended.proof["error"]
    (half,) = ended.proof["half_applied"]
    assert (half["version"], half["statement"]) == (2, 2)


def test_a_value_is_in_no_part_of_a_long_statement_that_is_recorded(place: runners.Place) -> None:
    """What is recorded is cut, and not within a value: nobody would know its beginning for one."""
    secret = "pa55-of-a-variable"
    statement = "INSERT INTO nowhere VALUES ('" + "x" * 1960 + "${TOKEN}');\n"
    place.write("00002_long.sql", f"{NO_TRANSACTION}-- +goose ENVSUB ON\n{statement}")
    (half,) = place.run(TOKEN=secret).proof["half_applied"]
    assert half["sql"].startswith("INSERT INTO nowhere VALUES ('xxx")
    assert "pa55" not in half["sql"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        # goose leaves the lines out that begin as comments do, and empty ones.
        ("-----BEGIN PRIVATE KEY-----\nYm9keS1vZi10aGUta2V5\n\n-----END PRIVATE KEY-----\n", "KEY"),
        ("Ym9keS1vZi10aGUta2V5-and-more", "KEY:0:20"),
        ("longer-Ym9keS1vZi10aGUta2V5", "KEY: -20"),
    ],
)
@pytest.mark.parametrize("annotation", ["+goose ENVSUB ON", "+goose envsub on", "ENVSUB ON +goose"])
def test_a_value_is_not_told_in_the_form_that_goose_gives_it(
    place: runners.Place, value: str, written: str, annotation: str
) -> None:
    block = f"-- +goose StatementBegin\nINSERT INTO x VALUES ('${{{written}}}');\n"
    place.write(
        "00002_key.sql", f"{NO_TRANSACTION}-- {annotation}\n{block}-- +goose StatementEnd\n"
    )
    ended = place.run(KEY=value)
    assert (ended.code, len(ended.proof["half_applied"])) == (1, 1), ended.log
    assert "INSERT INTO x VALUES ('" in ended.log
    assert "Ym9keS1vZi10aGUta2V5" not in f"{ended.log}{ended.proof}"


def test_what_machines_read_is_whole_whatever_a_variable_holds(place: runners.Place) -> None:
    """A name of a file, a version, a time: all of them have a short value in them, or a word."""
    dollars = (
        "-- +goose ENVSUB OFF\n-- +goose StatementBegin\nDO $outside$ BEGIN NULL; END $outside$;\n"
    )
    place.write(
        "00002_users.sql",
        f"{UP}-- +goose ENVSUB ON\nCREATE TABLE ${{TABLE}} (id int DEFAULT ${{SHARDS}});\n"
        f"{dollars}-- +goose StatementEnd\n",
    )
    variables = {"TABLE": "users", "SHARDS": "2", "outside": "division"}
    ended = place.run(**variables)
    assert ended.code == 0, ended.log
    assert next(statuses.applied(line) for line in ended.log.splitlines()) == 2
    assert statuses.reached(ended.log.splitlines()[-1]) == 2
    status = place.run("status", **variables).log.splitlines()
    assert statuses.status(status) == statuses.Status((1, 2), ())
    place.write(
        "00003_users.sql", f"{UP}-- +goose ENVSUB ON\nSELECT '${{TABLE}}', ${{SHARDS}} / 0;\n"
    )
    ended = place.run(**variables)
    assert "division by zero (SQLSTATE 22012)" in ended.log
    assert "SELECT '***', 2 / 0" in ended.log


def test_a_way_back_that_stops_is_recorded_as_one_with_its_own_statements(
    place: runners.Place,
) -> None:
    place.write(
        "00002_a.sql", f"{NO_TRANSACTION}SELECT 1;\n-- +goose Down\nSELECT 1;\nSELECT 1/0;\n"
    )
    place.write("00003_b.sql", f"{NO_TRANSACTION}SELECT 1;\n-- +goose Down\nSELECT 2;\nSELECT 3;\n")
    assert place.run().proof["applied"] == [2, 3]
    ended = place.run("down-to", "1")
    assert (ended.code, ended.proof["reverted"]) == (1, [3]), ended.log
    (half,) = ended.proof["half_applied"]
    assert (half["version"], half["direction"], half["statement"]) == (2, "down", 2)
    place.write("00002_a.sql", f"{NO_TRANSACTION}SELECT 1;\n-- +goose Down\nSELECT 1;\n")
    ended = place.run("down-to", "1")
    assert (ended.code, ended.proof["reverted"], ended.proof["half_applied"]) == (0, [2], [])
    assert place.rows("SELECT to_regclass('hanbae_half_applied')") == [(None,)]


def test_what_is_applied_once_more_is_recorded_as_on_its_way_up(place: runners.Place) -> None:
    """A migration is taken back and applied in one run, whose second half stops."""
    place.write(
        "00002_once.sql",
        f"{NO_TRANSACTION}CREATE TABLE once (id int);\n-- +goose Down\nSELECT 1;\n",
    )
    assert place.run().proof["applied"] == [2]
    (half,) = place.run("redo").proof["half_applied"]
    assert (half["version"], half["direction"], half["statement"]) == (2, "up", 1)


def test_a_killed_run_has_recorded_where_it_was(
    place: runners.Place, traffic: psycopg.Connection
) -> None:
    place.write(
        "00002_index.sql", f"{NO_TRANSACTION}SELECT 1;\n{INDEX.removeprefix(NO_TRANSACTION)}"
    )
    run, session = blocked(place)
    run.process.kill()
    run.ended()
    ended = f"SELECT FROM pg_stat_activity WHERE pid = {session}"
    polling.until(lambda: not place.rows(ended), within=FREED)
    traffic.commit()
    status = place.run("status")
    (half,) = status.proof["half_applied"]
    assert (half["file"], half["statement"]) == ("00002_index.sql", 2)
    assert status.proof["pending"] == [2]
    shown = statuses.status(status.log.splitlines())
    assert shown == statuses.Status((1,), (2,))


def test_status_calls_half_applied_only_what_has_not_ended(place: runners.Place) -> None:
    """A row stays where a run is killed after its file has ended, or where goose ends the file afterwards."""
    place.write("00002_once.sql", f"{NO_TRANSACTION}SELECT 1;\nSELECT 1 / 0;\n")
    (half,) = place.run().proof["half_applied"]
    assert half["version"] == 2
    place.execute("INSERT INTO goose_db_version (version_id, is_applied) VALUES (2, true)")
    ended = place.run("status")
    assert (ended.proof["half_applied"], ended.proof["pending"]) == ([], [])
    assert "half applied" not in ended.log
    place.execute("DELETE FROM goose_db_version WHERE version_id = 2")
    assert [half["version"] for half in place.run("status").proof["half_applied"]] == [2]


def test_status_does_not_call_broken_off_what_a_run_is_in_the_middle_of(
    place: runners.Place, traffic: psycopg.Connection
) -> None:
    place.write("00002_index.sql", INDEX)
    run, _ = blocked(place)
    ended = place.run("status")
    assert (ended.code, ended.proof["pending"]) == (0, [2]), ended.log
    assert (ended.proof["half_applied"], ended.proof["invalid_indexes"]) == (None, [])
    assert "half applied" not in ended.log
    lines = [*ended.log.splitlines(), json.dumps(ended.proof, separators=(",", ":"))]
    assert statuses.status(lines) == statuses.Status((1,), (2,))
    traffic.commit()
    assert run.ended().code == 0


def test_the_proof_names_versions_that_have_no_file(place: runners.Place) -> None:
    place.execute(
        "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9, true), (8, true), (8, false)"
    )
    proof = place.run().proof
    assert (proof["ok"], proof["version"], proof["untracked"]) == (True, 9, [9])
    place.write("00002_name.sql", COLUMN)
    ended = place.run()
    assert (ended.code, ended.proof["pending"]) == (1, [2])
    assert "missing migrations" in ended.proof["error"]
    assert place.run("-allow-missing", "up").proof["applied"] == [2]


def test_the_proof_says_where_and_by_what_it_was_made(place: runners.Place) -> None:
    # An index on a partitioned table alone is no build that was broken off.
    place.execute("CREATE TABLE parted (id int) PARTITION BY LIST (id)")
    place.execute("CREATE TABLE part PARTITION OF parted FOR VALUES IN (1)")
    place.execute("CREATE INDEX ON ONLY parted (id)")
    ((server,),) = place.rows("SHOW server_version")
    parameters = "?options=-csearch_path%3Dpublic%2Cpg_temp"
    assert place.run(url=place.url + parameters).proof == {
        "kind": "hanbae-migrate",
        "format": 1,
        "command": "up",
        "ok": True,
        "error": "",
        "table": runners.TABLE,
        "version": 1,
        "applied": [],
        "reverted": [],
        "pending": [],
        "untracked": [],
        "half_applied": [],
        "invalid_indexes": [],
        "search_path": "public,pg_temp",
        "server": server,
        "waited_s": pytest.approx(0, abs=5),
    }


def test_a_run_that_finds_no_server_says_so_in_its_proof(tmp_path: Path) -> None:
    address = "postgres://a:pa55w0rd@127.0.0.1:1/c"
    ended = runners.Place("", "", tmp_path).run(url=address)
    assert ended.code == 1
    assert (ended.proof["ok"], ended.proof["version"]) == (False, None)
    assert "no connection" in ended.proof["error"]
    assert "pa55w0rd" not in f"{ended.log}{ended.proof}"


def test_the_question_about_drift_is_asked_by_the_runner_as_by_goose(place: runners.Place) -> None:
    """In the proof's second container, whatever has the lock, and nothing is recorded."""
    question = runners.Place(place.server, place.database, place.folder.with_name("question"))
    question.write(proof_questions.DRIFT_FILE, proof_questions.DRIFT)
    with psycopg.connect(place.url, autocommit=True) as holding:
        holding.execute("SELECT pg_advisory_lock(%s)", (runners.LOCKS[0],))
        ended = question.run("-no-versioning", "up")
    assert (ended.code, ended.proof) == (1, {})
    answer = drifts.answer(ended.log.splitlines())
    assert answer is not None
    assert answer.versions(runners.TABLE) == (1, 0)
    assert place.rows("SELECT to_regclass('hanbae_half_applied')") == [(None,)]


def test_down_to_takes_back_under_the_lock(
    place: runners.Place, traffic: psycopg.Connection
) -> None:
    traffic.commit()
    place.write("00002_name.sql", f"{COLUMN}-- +goose Down\nALTER TABLE plans DROP COLUMN name;\n")
    assert place.run().proof["applied"] == [2]
    assert place.run("down-to", "1").proof["reverted"] == [2]
    with psycopg.connect(place.url, autocommit=True) as holding:
        holding.execute("SELECT pg_advisory_lock(%s)", (runners.LOCKS[0],))
        assert place.run("-wait=0s", "down-to", "0").code == 3


@pytest.mark.parametrize(
    ("arguments", "variables", "reason"),
    [
        (("postgres", "postgres://a:pa55w0rd@b/c", "up"), {}, "the first word is no command"),
        (("up",), {"GOOSE_DBSTRING": ""}, "GOOSE_DBSTRING is empty"),
        (("up",), {"GOOSE_DBSTRING": "postgres://a:pa55w0rd@b:x/c"}, "no address of PostgreSQL"),
        (
            ("up",),
            {"GOOSE_DBSTRING": "postgres://a:pa55w0rd@b/c?sslmode=verify-ca&sslrootcert=/none.pem"},
            "/none.pem: no such file",
        ),
        (("up",), {"GOOSE_DBSTRING": "postgres://a:pa55w0rd@b/c?sslmode=x"}, "sslmode is invalid"),
        (("up",), {"GOOSE_DBSTRING": "host=b service=x password=pa55w0rd"}, "read service"),
        (("up",), {"GOOSE_DRIVER": "clickhouse"}, "use goose itself"),
        (("-table", "a; DROP TABLE b", "up"), {}, "no plain name of a table"),
        (("-env=.env", "up"), {}, "read from no file"),
        (("up-to",), {}, "takes 1 more words"),
        (("-frobnicate", "up"), {}, "wrong arguments"),
    ],
)
def test_wrong_use_is_refused_without_repeating_a_password(
    arguments: tuple[str, ...], variables: dict[str, str], reason: str
) -> None:
    environment = {"GOOSE_DBSTRING": "postgres://a:pa55w0rd@127.0.0.1:1/c"} | variables
    ended = subprocess.run(
        [runners.program(), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert reason in ended.stderr
    assert "pa55w0rd" not in ended.stderr + ended.stdout


def test_go_finds_nothing_to_say_about_the_sources() -> None:
    folder = building.sources(COMPONENT)
    go = golang.find().path
    words = [go, "vet", *golang.FLAGS, "./..."]
    ended = subprocess.run(
        words, cwd=folder, env=golang.environment(), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    gofmt = go.with_name("gofmt")
    ended = subprocess.run(
        [gofmt, "-l", "."], cwd=folder, capture_output=True, text=True, check=True
    )
    assert ended.stdout == ""
