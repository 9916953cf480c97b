"""A history keeps what it has promised to keep, in a file as on a server; and what only a server can do to it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import psycopg
import pytest
from tests.support import polling, postgresql, records, relays

from hanbae import errors, subjects
from hanbae.history import (
    listings,
    locations,
    protocol,
    server_schemas,
    servers,
    stored_events,
    stores,
)
from hanbae.results import checklists, events

NUMBERS = itertools.count(1)
POD = subjects.Ref("Pod", "services", "auth")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgresql.running(tmp_path_factory.mktemp("postgresql")) as url:
        yield url


def run_on(server: str, statement: str, *values: object, database: str = "postgres") -> list[Any]:
    """Run a statement as the administrator, to look behind hanbae's back."""
    with psycopg.connect(server, dbname=database, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


def name_database(monkeypatch: pytest.MonkeyPatch, url: str, *, user: str = "postgres") -> str:
    """Have the user name a database of a server, with the password in the environment."""
    parts = urlsplit(url)
    own = f"postgresql://{user}@{parts.hostname}:{parts.port}{parts.path}"
    monkeypatch.setenv(locations.VARIABLE, own)
    monkeypatch.setenv("PGPASSWORD", postgresql.PASSWORD)
    return own


@pytest.fixture
def on_server(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a database that nobody has used."""
    name = f"h{next(NUMBERS)}"
    run_on(server, f"CREATE DATABASE {name}")
    parts = urlsplit(server)
    return name_database(monkeypatch, parts._replace(path=f"/{name}").geturl())


@pytest.fixture(params=["file", "server"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return f"sqlite:///{tmp_path / 'history.db'}"
    return str(request.getfixturevalue("on_server"))


@pytest.fixture
def store(url: str) -> Iterator[stores.Store]:
    with stores.open_store(url) as opened:
        yield opened


def test_events_are_numbered_from_one_for_each_deployment(store: stores.Store) -> None:
    for deployment in ("a", "b"):
        store.append(deployment, None, records.opened(), records.BEGUN)
        store.append(deployment, "sync", events.Intended("k"), records.BEGUN)
    last = store.append("a", None, records.closed(), records.BEGUN)
    assert last.seq == 3
    assert [event.seq for event in store.events("a")] == [1, 2, 3]
    assert store.events("a", after=2) == [last]
    assert [event.seq for event in store.events("b")] == [1, 2]


def test_what_applications_log_is_read_as_it_was_written(store: stores.Store) -> None:
    line = "nul \0, 한글, \N{PILE OF POO}, 'quoted' %s :name \\u0000"
    store.append("a", None, records.opened(), records.BEGUN)
    event = store.append("a", None, events.Logged(POD, "app", line), records.BEGUN)
    assert store.events("a")[1] == event
    assert isinstance(event.fact, events.Logged)
    assert event.fact.line == line


def test_time_is_kept_in_utc_and_must_have_a_zone(store: stores.Store) -> None:
    seoul = datetime(2026, 11, 23, 9, tzinfo=timezone(timedelta(hours=9)))
    event = store.append("a", None, records.opened(), seoul)
    assert event.at == datetime(2026, 11, 23, tzinfo=UTC)
    assert store.events("a")[0].at.utcoffset() == timedelta(0)
    with pytest.raises(ValueError, match="time zone"):
        store.append("a", None, records.closed(), datetime(2026, 11, 23))  # noqa: DTZ001


def test_record_begins_with_opened_and_ends_with_closed(store: stores.Store) -> None:
    with pytest.raises(ValueError, match="Opened"):
        store.append("a", None, events.Intended("k"), records.BEGUN)
    store.append("a", None, records.opened(), records.BEGUN)
    with pytest.raises(ValueError, match="Opened"):
        store.append("a", None, records.opened(), records.BEGUN)
    store.append("a", None, records.closed(), records.BEGUN)
    with pytest.raises(ValueError, match="Closed"):
        store.append("a", None, events.Intended("k"), records.BEGUN)
    assert len(store.events("a")) == 2


def test_deployments_are_folded_newest_first_and_chosen(store: stores.Store) -> None:
    for number, (service, environment) in enumerate(
        [("auth", "dev"), ("identity", "dev"), ("auth", "production")]
    ):
        opened = records.opened(service, environment)
        store.append(f"d{number}", None, opened, records.BEGUN)
    store.append("d0", None, records.closed(), records.BEGUN)
    assert [deployment.id for deployment in store.deployments()] == ["d2", "d1", "d0"]
    assert [deployment.id for deployment in store.deployments(service="auth")] == ["d2", "d0"]
    newest = store.deployments(environment="dev", limit=1)
    assert [deployment.id for deployment in newest] == ["d1"]
    assert store.deployments(service="auth", environment="dev")[0].outcome == "succeeded"
    assert store.deployments(service="absent") == []
    assert store.plan("d2").environment == "production"


def test_deployments_of_a_time_are_oldest_first(store: stores.Store) -> None:
    days = [records.BEGUN + timedelta(days=day) for day in (2, 0, 1)]
    for day in days:
        store.append(f"d{day.day}", None, records.opened(), day)
    store.append("d24", None, records.closed("refused"), days[0])
    assert [deployment.id for deployment in store.opened().deployments] == ["d23", "d24", "d25"]
    chosen = store.opened(since=records.BEGUN, until=records.BEGUN + timedelta(days=2))
    assert [deployment.id for deployment in chosen.deployments] == ["d23", "d24"]
    later = store.opened(since=records.BEGUN + timedelta(microseconds=1), environment="dev")
    assert [deployment.id for deployment in later.deployments] == ["d24", "d25"]
    assert store.opened(service="absent").deployments == []


def test_the_last_deployment_of_each_service_is_not_one_that_was_refused(
    store: stores.Store,
) -> None:
    attempts = [("auth", "dev"), ("auth", "dev"), ("identity", "dev"), ("auth", "production")]
    for number, (service, environment) in enumerate(attempts):
        store.append(f"d{number}", None, records.opened(service, environment), records.BEGUN)
    store.append("d1", None, records.closed("refused"), records.BEGUN)
    last = {deployment.service: deployment.id for deployment in store.last("dev").deployments}
    assert last == {"auth": "d0", "identity": "d2"}
    assert store.last("staging").deployments == []
    assert "d1" not in {deployment.id for deployment in store.deployments(refused=False)}
    assert "d1" in {deployment.id for deployment in store.deployments()}


def put_in_place(store: stores.Store, seq: int, event: str, deployment: str = "a") -> None:
    """Put an event in the place of another, behind hanbae's back."""
    statement = "UPDATE events SET event = :event WHERE deployment = :deployment AND seq = :seq"
    values = {"seq": seq, "event": event, "deployment": deployment}
    store._database.transaction(lambda execute: execute(statement, values), deployment=deployment)


def decided() -> events.Decided:
    decision = checklists.Decision("logs", "", "person", "failed")
    return events.Decided(checklists.Checked("after", (decision,)))


def test_a_record_that_cannot_be_read_is_named_and_hides_no_other(
    store: stores.Store, tmp_path: Path
) -> None:
    for service in ("auth", "identity", "personal", "web"):
        for fact in (records.opened(service), decided()):
            store.append(f"of-{service}", None, fact, records.BEGUN)
    decision = stored_events.encode(store.events("of-auth")[1])
    put_in_place(store, 2, decision.replace('"seq":2', '"seq":"x"'), "of-auth")
    put_in_place(store, 1, decision.replace('"of-auth"', '"of-identity"'), "of-identity")
    put_in_place(store, 2, '{"of": "somebody"}', "of-personal")
    damaged = ["of-auth", "of-identity", "of-personal"]
    for listing in (store.listing(), store.opened(), store.last("dev")):
        assert [deployment.id for deployment in listing.deployments] == ["of-web"]
        assert sorted(record.deployment for record in listing.unreadable) == damaged
        with pytest.raises(
            errors.FileFault, match=r"history\.record-"
        ):  # who decides by it is told
            listing.require()
    phases, unread = store.phases(["of-auth", "of-web"])
    assert list(phases) == ["of-web"]
    (record,) = unread
    assert (record.deployment, record.row) == ("of-auth", 2)
    assert record.why.facts["address"].startswith(("sqlite:////", "postgresql://"))
    readable, unread = store.record("of-auth")
    assert ([event.seq for event in readable], len(unread)) == ([1], 1)
    with stores.open_store(f"sqlite:///{tmp_path / 'sound.db'}") as target:
        copied = target.take(store)
        assert (copied.deployments, copied.events) == (1, 2)
        assert sorted(record.deployment for record in copied.unreadable) == damaged
        assert target.events("of-web") == store.events("of-web")
        assert target.listing().unreadable == ()


def test_text_that_is_no_utf_8_spoils_its_own_record_alone(tmp_path: Path) -> None:
    """A server refuses such text; SQLite does not."""
    with stores.in_a_file(tmp_path / "history.db") as store:
        for name in ("a", "b"):
            store.append(name, None, records.opened(), records.BEGUN)
        spoilt = "CAST(replace(event, 'tester', CAST(x'ff' AS TEXT)) AS TEXT)"
        statement = f"UPDATE events SET event = {spoilt} WHERE deployment = 'a'"  # noqa: S608
        store._database.transaction(lambda execute: execute(statement, {}), deployment="a")
        listing = store.listing()
        assert [deployment.id for deployment in listing.deployments] == ["b"]
        assert [record.deployment for record in listing.unreadable] == ["a"]


def test_a_record_of_an_older_hanbae_is_read_and_gone_on_with(store: stores.Store) -> None:
    """It has neither the manifests' digest nor sync options; and what a newer one adds does not disturb this one."""
    began = events.Began("k", automated=False, revision="0" * 40)
    for fact in (records.opened(), began):
        store.append("a", None, fact, records.BEGUN)
    for event in store.events("a"):
        document = json.loads(stored_events.encode(event))
        for name in ("options", "prunes"):
            document["fact"].pop(name, None)
        if event.seq == 1:
            del document["fact"]["plan"]["manifests"]
        document["fact"]["of_a_newer_hanbae"] = True
        put_in_place(store, event.seq, json.dumps(document))
    store.append("a", None, records.closed(), records.BEGUN)
    folded = store.deployment("a")
    assert (folded.outcome, folded.manifests, folded.synced_with) == ("succeeded", "", ())


def test_what_was_applied_and_how_is_kept(store: stores.Store) -> None:
    opened = records.opened()
    plan = msgspec.structs.replace(opened.plan, manifests="a" * 64)
    store.append("a", None, msgspec.structs.replace(opened, plan=plan), records.BEGUN)
    for options in ((), ("ServerSideApply=true",)):  # the Secrets first, then the rest
        began = events.Began("k", False, "0" * 40, options, bool(options))
        store.append("a", None, began, records.BEGUN)
    (listed,) = store.deployments()
    assert listed == store.deployment("a")
    assert listed.manifests == "a" * 64
    assert listed.synced_with == ("ServerSideApply=true", "prune")


def test_prefix_finds_one_or_says_why_not(store: stores.Store) -> None:
    for deployment in ("abc1", "abd2", "ab", "x%_", "이력"):
        store.append(deployment, None, records.opened(), records.BEGUN)
    assert store.find("abc") == "abc1"
    assert store.find("ab") == "ab"
    assert store.find("x%") == "x%_"
    assert store.find("이") == "이력"
    with pytest.raises(errors.WrongUse) as caught:
        store.find("a")
    assert caught.value.text.id == "history.ambiguous"
    with pytest.raises(errors.WrongUse) as caught:
        store.find("%")
    assert caught.value.text.id == "history.no-deployment"


def test_a_mark_is_seen_by_others_as_long_as_it_is_there(url: str, store: stores.Store) -> None:
    with stores.open_store(url) as other:
        assert not other.is_watched("a")
        with store.watching("a"):
            assert other.is_watched("a")
            assert not other.is_watched("b")
        assert not other.is_watched("a")


def test_a_mark_stays_where_one_of_two_leaves(url: str, store: stores.Store) -> None:
    with stores.open_store(url) as earlier, stores.open_store(url) as other:
        with store.watching("a"):
            with earlier.watching("a"):
                pass
            assert other.is_watched("a")
        with contextlib.ExitStack() as later:
            with earlier.watching("a"):
                later.enter_context(store.watching("a"))  # who takes over stays longer
            assert other.is_watched("a")
        assert not other.is_watched("a")


def test_who_waits_is_told_of_what_another_adds(url: str, store: stores.Store) -> None:
    store.append("a", None, records.opened(), records.BEGUN)
    store.wait(0.01)  # from now on it listens
    waiting = threading.Thread(target=store.wait, args=[60])
    waiting.start()
    with stores.open_store(url) as other:
        while waiting.is_alive():
            other.append("a", None, events.Intended("k"), records.BEGUN)
            waiting.join(0.1)
            assert len(other.events("a")) < 300


WRITER = """
import sys
from hanbae.history import stores
from hanbae.results import events
from tests.support import records
with stores.open_store(sys.argv[1]) as store:
    print("open", flush=True)
    sys.stdin.readline()
    for number in range(int(sys.argv[3])):
        key = f"{sys.argv[2]}-{number}"
        print(store.append("a", None, events.Intended(key), records.BEGUN).seq, flush=True)
"""


def writer(url: str, name: str, count: int) -> subprocess.Popen[str]:
    """A process that appends so many events to one deployment."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, url, name, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_eight_writers_lose_nothing_and_may_all_come_first(url: str) -> None:
    """None of them meets a history that is there; all write to one deployment at once."""
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(writer(url, str(number), 200)) for number in range(8)]
        for process in writers:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
        with stores.open_store(url) as store:
            store.append("a", None, records.opened(), records.BEGUN)
        returned: list[int] = []
        for process in writers:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in writers:
            returned += map(int, process.communicate()[0].split())
            assert process.returncode == 0
    with stores.open_store(url) as store:
        kept = store.events("a")
    assert [event.seq for event in kept] == list(range(1, 1602))
    assert sorted(returned) == list(range(2, 1602))
    keys = {event.fact.key for event in kept if isinstance(event.fact, events.Intended)}
    assert keys == {f"{name}-{number}" for name in range(8) for number in range(200)}


def test_process_that_is_killed_has_lost_nothing_that_was_committed(url: str) -> None:
    with stores.open_store(url) as store:
        store.append("a", None, records.opened(), records.BEGUN)
    with writer(url, "w", 10**6) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        child.stdin.write("go\n")
        child.stdin.flush()
        committed = [int(child.stdout.readline()) for _ in range(50)]
        child.send_signal(signal.SIGKILL)
        committed += [int(line) for line in child.stdout.read().split("\n")[:-1] if line]
    with stores.open_store(url) as store:
        kept = [event.seq for event in store.events("a")]
        assert kept == list(range(1, len(kept) + 1))
        assert len(kept) >= committed[-1]
        assert store.append("a", None, records.closed(), records.BEGUN).seq == len(kept) + 1


def test_what_is_copied_is_the_same_there_and_in_the_order_of_time(
    url: str, on_server: str, tmp_path: Path
) -> None:
    """From a file to a server and, the other way round, from a server to a file."""
    other = on_server if url.startswith("sqlite") else f"sqlite:///{tmp_path / 'other.db'}"
    with stores.open_store(url) as source, stores.open_store(other) as target:
        for number in range(3):
            moment = records.BEGUN + timedelta(days=number)
            source.append(f"d{number}", None, records.opened(), moment)
        source.append("d0", None, events.Logged(POD, "app", "nul \0 한글"), records.BEGUN)
        target.append("newer", None, records.opened(), records.BEGUN + timedelta(days=9))
        assert target.take(source) == listings.Copied(3, 4)
        assert target.events("d0") == source.events("d0")
        listed = [deployment.id for deployment in target.deployments()]
        assert listed == ["newer", "d2", "d1", "d0"]
        assert [entry.id for entry in target.last("dev").deployments] == ["newer"]
        source.append("d2", None, records.closed(), records.BEGUN)
        assert target.take(source) == listings.Copied(1, 1)
        assert target.take(source) == listings.Copied(0, 0)
        assert target.deployment("d2").outcome == "succeeded"
        target.append("d1", None, records.closed("failed"), records.BEGUN)
        assert target.take(source) == listings.Copied(0, 0)  # it knows more
        source.append("d1", None, records.closed("succeeded"), records.BEGUN)
        source.append("d9", None, records.opened(), records.BEGUN)
        assert target.take(source) == listings.Copied(1, 1, differing=("d1",))
        assert target.deployment("d1").outcome == "failed"


# What only a server can do.


def drop_connections(server: str) -> None:
    """Have the server end every connection of hanbae's."""
    run_on(
        server,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hanbae'",
    )


def test_a_connection_that_is_lost_is_made_anew_with_its_marks(server: str, on_server: str) -> None:
    with stores.open_store(on_server) as store, stores.open_store(on_server) as other:
        store.append("a", None, records.opened(), records.BEGUN)
        with store.watching("a"):
            drop_connections(server)
            assert store.append("a", None, events.Intended("k"), records.BEGUN).seq == 2
            assert other.is_watched("a")
        assert [event.seq for event in other.events("a")] == [1, 2]


class LosingCommits(relays.Relay):
    """Loses the answer to the first commit: it is made, and nobody learns of it."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.armed = False
        self.meanwhile: Callable[[], object] | None = None

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.lost and self.meanwhile is not None:
            await asyncio.to_thread(self.meanwhile)
            self.meanwhile = None
        await super().__call__(reader, writer)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(65536):
            if self.armed and b"COMMIT" in chunk:
                self.armed, self.loses = False, True
            sink.write(chunk)
            await sink.drain()


@pytest.mark.parametrize("overtaken", [False, True])
async def test_an_event_whose_commit_nobody_learned_of_is_there_once(
    on_server: str, monkeypatch: pytest.MonkeyPatch, *, overtaken: bool
) -> None:
    other = stores.open_store(on_server)  # of somebody who adds the next event before we ask again
    parts = urlsplit(on_server)
    relay = LosingCommits(parts.port or 0)
    listening = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    url = name_database(monkeypatch, parts._replace(netloc=f"127.0.0.1:{port}").geturl())
    async with listening:
        store = await asyncio.to_thread(stores.open_store, url)
        await asyncio.to_thread(store.append, "a", None, records.opened(), records.BEGUN)
        relay.armed = True
        if overtaken:
            fact = events.Intended("other")
            relay.meanwhile = lambda: other.append("a", None, fact, records.BEGUN)
        event = await asyncio.to_thread(
            store.append, "a", None, events.Intended("k"), records.BEGUN
        )
        assert relay.lost == 1
        assert event.seq == 2
        assert [kept.fact for kept in await asyncio.to_thread(store.events, "a", after=1)] == [
            event.fact,
            *([events.Intended("other")] if overtaken else []),
        ]
        await asyncio.to_thread(store.close)
        other.close()
        await relay.idle.wait()


async def test_a_server_that_stays_away_is_named_and_goes_on_later(
    on_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "BUSY", 0.5)
    parts = urlsplit(on_server)
    relay = relays.Relay(parts.port or 0)
    listening = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    url = name_database(monkeypatch, parts._replace(netloc=f"127.0.0.1:{port}").geturl())
    async with listening:
        store = await asyncio.to_thread(stores.open_store, url)
        with relay.shut(), pytest.raises(errors.Unreachable) as caught:
            await asyncio.to_thread(store.append, "a", None, records.opened(), records.BEGUN)
        assert caught.value.text.id == "history.away"
        assert caught.value.text.facts["server"] == f"postgresql://127.0.0.1:{port}{parts.path}"
        event = await asyncio.to_thread(store.append, "a", None, records.opened(), records.BEGUN)
        assert event.seq == 1
        await asyncio.to_thread(store.close)
        await relay.idle.wait()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 megabytes."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "hanbae-test", str(folder)]
    subprocess.run(mount, check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def append_until_it_fails(store: stores.Store) -> tuple[int, errors.Error]:
    """How many events are kept, and what the next one met."""
    kept = 1
    while True:
        fact = events.Logged(POD, "app", os.urandom(40_000).hex())
        try:
            kept = store.append("a", None, fact, records.BEGUN).seq
        except errors.Error as error:
            return kept, error


def test_a_servers_full_disk_is_named_and_the_record_goes_on_later(
    server: str, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, name = urlsplit(server), f"h{next(NUMBERS)}"
    run_on(server, f"CREATE TABLESPACE {name} LOCATION '{small}'")
    run_on(server, f"CREATE DATABASE {name} TABLESPACE {name}")
    url = name_database(monkeypatch, parts._replace(path=f"/{name}").geturl())
    filler = small / "filler"
    with stores.open_store(url) as store:
        store.append("a", None, records.opened(), records.BEGUN)
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        kept, error = append_until_it_fails(store)
        assert error.text.id == "history.full"
        assert [event.seq for event in store.events("a")] == list(range(1, kept + 1))
        filler.unlink()
        assert store.append("a", None, records.closed(), records.BEGUN).seq == kept + 1
    run_on(server, f"DROP DATABASE {name}")
    run_on(server, f"DROP TABLESPACE {name}")


def test_what_a_newer_hanbae_made_is_refused_and_left_alone(server: str, on_server: str) -> None:
    database = urlsplit(on_server).path[1:]
    stores.open_store(on_server).close()
    newer = len(server_schemas.MIGRATIONS) + 1
    run_on(server, "INSERT INTO hanbae.versions VALUES (%s)", newer, database=database)
    with pytest.raises(errors.FileFault) as caught:
        stores.open_store(on_server)
    assert caught.value.text.id == "history.newer"
    assert run_on(server, "SELECT count(*) FROM hanbae.events", database=database) == [(0,)]


def test_tables_of_another_program_are_left_alone(server: str, on_server: str) -> None:
    database = urlsplit(on_server).path[1:]
    run_on(server, "CREATE SCHEMA hanbae", database=database)
    run_on(server, "CREATE TABLE hanbae.events (x int)", database=database)
    with pytest.raises(errors.Refused) as caught:
        stores.open_store(on_server)
    assert caught.value.text.id == "history.foreign-tables"
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'hanbae'"
    assert run_on(server, tables, database=database) == [(1,)]


def test_a_user_who_may_only_add_can_change_nothing(
    server: str, on_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = urlsplit(on_server).path[1:]
    role = f"{database}_writer"
    stores.open_store(on_server).close()
    for statement in (
        f"CREATE ROLE {role} LOGIN PASSWORD '{postgresql.PASSWORD}'",
        f"GRANT USAGE ON SCHEMA hanbae TO {role}",
        f"GRANT SELECT ON hanbae.versions TO {role}",
        f"GRANT SELECT, INSERT ON hanbae.events TO {role}",
    ):
        run_on(server, statement, database=database)
    url = name_database(monkeypatch, on_server, user=role)
    with stores.open_store(url) as store:
        store.append("a", None, records.opened(), records.BEGUN)
        with store.watching("a"):
            assert store.is_watched("a")
        with pytest.raises(errors.Forbidden) as caught:
            store._database.rows("DELETE FROM events", {})
        assert caught.value.text.id == "history.no-right"
        assert len(store.events("a")) == 1


def give_by_variable(monkeypatch: pytest.MonkeyPatch, folder: Path, url: str) -> None:
    monkeypatch.setenv("PGPASSWORD", postgresql.PASSWORD)


def give_by_file(monkeypatch: pytest.MonkeyPatch, folder: Path, url: str) -> None:
    (folder / "..data").write_text(f"{postgresql.PASSWORD}\n")
    (folder / "secret").symlink_to("..data")  # as Kubernetes mounts one
    monkeypatch.setenv(servers.PASSWORD_FILE, str(folder / "secret"))


def give_by_password_file(monkeypatch: pytest.MonkeyPatch, folder: Path, url: str) -> None:
    line = f"127.0.0.1:{urlsplit(url).port}:*:postgres:{postgresql.PASSWORD}\n"
    (folder / "pgpass").write_text(line)
    (folder / "pgpass").chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(folder / "pgpass"))


WAYS = [give_by_variable, give_by_file, give_by_password_file]


@pytest.mark.parametrize("give", WAYS, ids=lambda give: give.__name__)
def test_the_password_is_taken_from_where_the_user_has_it(
    on_server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    give: Callable[[pytest.MonkeyPatch, Path, str], None],
) -> None:
    monkeypatch.delenv("PGPASSWORD")
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "absent"))
    with pytest.raises(errors.Unreachable, match="no password supplied"):
        stores.open_store(on_server)
    give(monkeypatch, tmp_path, on_server)
    stores.open_store(on_server).close()


POLICY = subjects.Place("hanbae.yaml", 3)


def test_a_server_of_a_policys_gets_only_the_password_that_is_for_it(
    on_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment holds may be for any server, and a policy is whoever's can push a branch."""
    monkeypatch.delenv(locations.VARIABLE)
    passwords = tmp_path / "pgpass"
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    port = urlsplit(on_server).port
    for line in ("", f"*:{port}:*:postgres:x", f"other:{port}:*:*:x", "127.0.0.1:1:*:*:x"):
        passwords.write_text(f"# 127.0.0.1:{port}:*:*:x\n{line}\n")
        with pytest.raises(errors.Refused) as caught:
            locations.trusted(on_server, tmp_path, os.environ, POLICY)
        assert caught.value.text.id == "history.not-confirmed"
        assert caught.value.place == POLICY
    passwords.write_text(f"127.0.0.1:{port}:*:postgres:wrong\n")
    passwords.chmod(0o600)
    url = locations.trusted(on_server, tmp_path, os.environ, POLICY)
    with pytest.raises(errors.Unreachable, match="password authentication failed") as away:
        stores.open_store(url)  # and not with PGPASSWORD, which is right
    assert postgresql.PASSWORD not in str(away.value)
    give_by_password_file(monkeypatch, tmp_path, on_server)
    stores.open_store(locations.trusted(on_server, tmp_path, os.environ, POLICY)).close()


@pytest.mark.parametrize("option", ["sslmode=disable", "sslmode=require", "sslrootcert=ca.pem"])
def test_a_policy_does_not_weaken_the_way_to_its_server(tmp_path: Path, option: str) -> None:
    url = f"postgresql://ci@db.example.com/history?{option}"
    with pytest.raises(errors.Refused, match="weaker-tls"):
        locations.trusted(url, tmp_path, {}, POLICY)


def test_a_server_far_away_has_to_prove_who_it_is(server: str) -> None:
    far = servers.Server("db.example.com", 5432, "history", "ci")
    assert servers.options(far, None, {})["sslmode"] == "verify-full"
    weakened = servers.options(far, far, {"PGSSLMODE": "require"})
    assert weakened["sslmode"] == "require"
    assert weakened["require_auth"] == "!password,!md5"


def test_a_password_is_not_given_to_whom_asks_for_it_in_the_clear(
    server: str, on_server: str
) -> None:
    """As somebody would who answers in the server's place."""
    (rules,) = run_on(server, "SHOW hba_file")[0]
    path = Path(rules)
    before = path.read_text()
    try:
        path.write_text("host all all all password\n" + before)
        run_on(server, "SELECT pg_reload_conf()")
        polling.until(lambda: can_connect(server, require_auth="password"), within=30)
        with pytest.raises(errors.Unreachable, match="auth"):
            stores.open_store(on_server)
    finally:
        path.write_text(before)
        run_on(server, "SELECT pg_reload_conf()")


def can_connect(server: str, **options: str) -> bool:
    """Whether the server answers a client with these options."""
    try:
        psycopg.connect(server, **options).close()  # type: ignore[arg-type]
    except psycopg.OperationalError:
        return False
    return True
