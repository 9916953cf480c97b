"""The history keeps what it has promised to keep."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import types
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import records

from hanbae import errors, subjects
from hanbae.history import locations, schemas, stores
from hanbae.results import events

# Surrogates cannot be written as UTF-8; nothing that hanbae decodes holds one.
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: WORDS,
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    type(None): st.none(),
    datetime: st.datetimes(timezones=st.just(UTC)),
}
PLAIN[Any] = st.recursive(
    WORDS | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Every value that a field of this type can have, whatever fields are added to the types of ``results``."""
    if annotation in PLAIN:
        return PLAIN[annotation]
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        fields = msgspec.structs.fields(annotation)
        return st.builds(annotation, **{field.name: values(field.type) for field in fields})
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    assert origin in {Union, types.UnionType}, annotation
    return st.one_of([values(argument) for argument in arguments])


FACTS = get_args(events.Fact)


@pytest.fixture
def store(tmp_path: Path) -> stores.Store:
    return stores.open_store(f"sqlite:///{tmp_path / 'history.db'}")


@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: kind.__name__)
@given(data=st.data(), moment=PLAIN[datetime], step=st.none() | WORDS)
def test_what_is_read_is_what_was_written(
    kind: type, data: st.DataObject, moment: datetime, step: str | None
) -> None:
    event = events.Event("d", 1, moment, step, data.draw(values(kind)))
    assert stores.decode(stores.encode(event)) == event


def test_events_are_numbered_from_one_for_each_deployment(store: stores.Store) -> None:
    with store:
        for deployment in ("a", "b"):
            store.append(deployment, None, records.opened(), records.BEGUN)
            store.append(deployment, "sync", events.Intended("k"), records.BEGUN)
        last = store.append("a", None, records.closed(), records.BEGUN)
        assert last.seq == 3
        assert [event.seq for event in store.events("a")] == [1, 2, 3]
        assert store.events("a", after=2) == [last]
        assert [event.seq for event in store.events("b")] == [1, 2]


def test_time_is_kept_in_utc_and_must_have_a_zone(store: stores.Store) -> None:
    seoul = datetime(2026, 11, 23, 9, tzinfo=timezone(timedelta(hours=9)))
    with store:
        event = store.append("a", None, records.opened(), seoul)
        assert event.at == datetime(2026, 11, 23, tzinfo=UTC)
        assert store.events("a")[0].at.utcoffset() == timedelta(0)
        with pytest.raises(ValueError, match="time zone"):
            store.append("a", None, records.closed(), datetime(2026, 11, 23))  # noqa: DTZ001


def test_record_begins_with_opened_and_ends_with_closed(store: stores.Store) -> None:
    with store:
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
    with store:
        for number, (service, environment) in enumerate(
            [("auth", "dev"), ("identity", "dev"), ("auth", "production")]
        ):
            opened = records.opened(service, environment)
            store.append(f"d{number}", None, opened, records.BEGUN)
        store.append("d0", None, records.closed(), records.BEGUN)
        assert [deployment.id for deployment in store.deployments()] == ["d2", "d1", "d0"]
        assert [deployment.id for deployment in store.deployments(service="auth")] == ["d2", "d0"]
        assert [deployment.id for deployment in store.deployments(environment="dev", limit=1)] == [
            "d1"
        ]
        assert store.deployments(service="auth", environment="dev")[0].outcome == "succeeded"
        assert store.deployments(service="absent") == []


def test_the_last_deployment_of_each_service_is_not_one_that_was_refused(
    store: stores.Store,
) -> None:
    with store:
        attempts = [("auth", "dev"), ("auth", "dev"), ("identity", "dev"), ("auth", "production")]
        for number, (service, environment) in enumerate(attempts):
            store.append(f"d{number}", None, records.opened(service, environment), records.BEGUN)
        store.append("d1", None, records.closed("refused"), records.BEGUN)
        last = {service: deployment.id for service, deployment in store.last("dev").items()}
        assert last == {"auth": "d0", "identity": "d2"}
        assert store.last("staging") == {}


def test_prefix_finds_one_or_says_why_not(store: stores.Store) -> None:
    with store:
        for deployment in ("abc1", "abd2", "ab", "x%_"):
            store.append(deployment, None, records.opened(), records.BEGUN)
        assert store.find("abc") == "abc1"
        assert store.find("ab") == "ab"
        assert store.find("x%") == "x%_"
        with pytest.raises(errors.WrongUse) as caught:
            store.find("a")
        assert caught.value.text.id == "history.ambiguous"
        with pytest.raises(errors.WrongUse) as caught:
            store.find("%")
        assert caught.value.text.id == "history.no-deployment"


def test_nobody_else_can_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    before = os.umask(0)
    try:
        with stores.open_store() as store:
            store.append("a", None, records.opened(), records.BEGUN)
            folder = store.path.parent
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(before)
    assert store.path == tmp_path / "hanbae" / "history.db"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes == {"history.db": 0o600, "history.db-wal": 0o600, "history.db-shm": 0o600}


def test_folder_of_the_users_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    stores.open_store(f"sqlite:///{tmp_path / 'h.db'}").close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("postgresql://u:p4ssword@db/h", "history.not-available"),
        ("mysql://u:p4ssword@db/h", "history.bad-url"),
        ("sqlite://host/file", "history.bad-url"),
        ("sqlite:///", "history.bad-url"),
        ("history.db", "history.bad-url"),
    ],
)
def test_address_that_cannot_be_is_wrong_use_without_its_password(url: str, text: str) -> None:
    with pytest.raises(errors.WrongUse) as caught:
        locations.resolve(url, {})
    assert caught.value.text.id == text
    assert "p4ssword" not in str(caught.value)


def test_damaged_foreign_and_newer_files_are_told_apart_and_left_alone(tmp_path: Path) -> None:
    damaged, foreign, newer = (tmp_path / name for name in ("damaged", "foreign", "newer"))
    stores.open_store(f"sqlite:///{damaged}").close()
    content = damaged.read_bytes()[:100] + b"not a database" * 1000
    damaged.write_bytes(content)
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE somebody (x)")
    connection.close()
    stores.open_store(f"sqlite:///{newer}").close()
    with sqlite3.connect(newer) as connection:
        connection.execute(f"PRAGMA user_version = {len(schemas.MIGRATIONS) + 1}")
    connection.close()
    for path, text in ((damaged, "damaged"), (foreign, "not-a-history"), (newer, "newer")):
        with pytest.raises(errors.FileFault) as caught:
            stores.open_store(f"sqlite:///{path}")
        assert caught.value.text.id == f"history.{text}"
        assert caught.value.place == subjects.Place(str(path))
    assert damaged.read_bytes() == content


def test_event_of_a_newer_hanbae_is_told(store: stores.Store) -> None:
    with store:
        store.append("a", None, records.opened(), records.BEGUN)
        store._connection.execute(
            "INSERT INTO events SELECT deployment, 2, 'Foretold', "
            "json_set(event, '$.fact', json('{\"type\": \"Foretold\"}')) FROM events"
        )
        with pytest.raises(errors.FileFault) as caught:
            store.events("a")
    assert caught.value.text.id == "history.newer"


def test_older_file_is_brought_up_to_date_and_keeps_its_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'h.db'}"
    with stores.open_store(url) as store:
        store.append("a", None, records.opened(), records.BEGUN)
    more = (*schemas.MIGRATIONS, ("CREATE TABLE later (x)",))
    monkeypatch.setattr(schemas, "MIGRATIONS", more)
    with stores.open_store(url) as store:
        assert len(store.events("a")) == 1
        assert store._connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert store._connection.execute("SELECT count(*) FROM later").fetchone() == (0,)


def test_several_writers_leave_no_gap(tmp_path: Path) -> None:
    """Four processes' worth of connections append to one deployment at once."""
    url = f"sqlite:///{tmp_path / 'h.db'}"
    with stores.open_store(url) as first:
        first.append("a", None, records.opened(), records.BEGUN)

    def write() -> None:
        with stores.open_store(url) as own:
            for number in range(25):
                own.append("a", None, events.Intended(str(number)), records.BEGUN)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with stores.open_store(url) as store:
        assert [event.seq for event in store.events("a")] == list(range(1, 102))


WRITER = """
import itertools, sys
from hanbae.history import stores
from hanbae.results import events
from tests.support import records
store = stores.open_store(sys.argv[1])
store.append("a", None, records.opened(), records.BEGUN)
for number in itertools.count():
    event = store.append("a", None, events.Intended(str(number)), records.BEGUN)
    print(event.seq, flush=True)
"""


def test_process_that_is_killed_has_lost_nothing_that_was_committed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'h.db'}"
    with subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        committed = [int(child.stdout.readline()) for _ in range(50)]
        child.send_signal(signal.SIGKILL)
        committed += [int(line) for line in child.stdout.read().split(b"\n")[:-1] if line]
    with stores.open_store(url) as store:
        kept = [event.seq for event in store.events("a")]
        assert kept == list(range(1, len(kept) + 1))
        assert len(kept) >= committed[-1]
        assert store.append("a", None, records.closed(), records.BEGUN).seq == len(kept) + 1


LOCKING = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
"""


@pytest.mark.parametrize("openings", [1, 2])
def test_open_history_keeps_its_locks_however_often_it_is_opened(
    tmp_path: Path, openings: int
) -> None:
    path = tmp_path / "history.db"
    stores.open_store(f"sqlite:///{path}").close()
    opened = [stores.open_store(f"sqlite:///{path}") for _ in range(openings)]
    # The bytes that every connection holds a shared lock on, as SQLite's file format has them.
    locking = subprocess.run(
        [sys.executable, "-c", LOCKING, str(path)], capture_output=True, text=True, check=False
    )
    for store in opened:
        store.close()
    assert "BlockingIOError" in locking.stderr
