"""The history keeps what it has promised to keep."""

from __future__ import annotations

import functools
import os
import sqlite3
import stat
import subprocess
import sys
import types
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import records

from hanbae import errors, subjects
from hanbae.history import locations, schemas, stored_events, stores
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


@functools.cache  # to make a strategy takes longer than to draw from it
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
    assert stored_events.decode(stored_events.encode(event)) == event


def test_nobody_else_can_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    before = os.umask(0)
    try:
        with stores.open_store() as store:
            store.append("a", None, records.opened(), records.BEGUN)
            folder = Path(store.place.file).parent
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(before)
    assert store.place.file == str(tmp_path / "hanbae" / "history.db")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes == {"history.db": 0o600, "history.db-wal": 0o600, "history.db-shm": 0o600}


def test_folder_of_the_users_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    stores.open_store(f"sqlite:///{tmp_path / 'h.db'}").close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("postgresql://u:p4ssword@db/h", "history.password-in-url"),
        ("postgresql://u@db/", "history.bad-server-url"),
        ("postgresql://u@db/h/x", "history.bad-server-url"),
        ("postgresql://u@db:port/h", "history.bad-server-url"),
        ("postgresql://u@one,two/h", "history.bad-server-url"),
        ("postgresql://u@db/h?passfile=/tmp/x", "history.bad-server-url"),
        ("postgresql://u@db/h?sslmode=never", "history.bad-server-url"),
        ("postgresql://[::1/h", "history.bad-url"),
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
        with sqlite3.connect(store.place.file) as connection:
            connection.execute(
                "INSERT INTO events (deployment, seq, kind, event) SELECT deployment, 2, 'Foretold', "
                "json_set(event, '$.fact', json('{\"type\": \"Foretold\"}')) FROM events"
            )
        connection.close()
        with pytest.raises(errors.FileFault) as caught:
            store.events("a")
    assert caught.value.text.id == "history.record-newer"


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
        assert store.append("a", None, records.closed(), records.BEGUN).seq == 2
    with sqlite3.connect(tmp_path / "h.db") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(more),)
        assert connection.execute("SELECT count(*) FROM later").fetchone() == (0,)
    connection.close()


def test_file_of_the_first_version_is_searched_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What people search by stands beside the events only since the second version."""
    path = tmp_path / "h.db"
    with sqlite3.connect(path, isolation_level=None) as connection:
        with monkeypatch.context() as former:
            former.setattr(schemas, "MIGRATIONS", schemas.MIGRATIONS[:1])
            schemas.migrate(connection)
        for number, fact in enumerate(
            (records.opened("auth", "dev"), records.opened("orders", "production"))
        ):
            event = events.Event(f"d{number}", 1, records.BEGUN, None, fact)
            row = (event.deployment, 1, "Opened", stored_events.encode(event))
            connection.execute("INSERT INTO events VALUES (?, ?, ?, ?)", row)
        event = events.Event("d1", 2, records.BEGUN, None, records.closed("refused"))
        connection.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?)",
            ("d1", 2, "Closed", stored_events.encode(event)),
        )
    connection.close()
    with stores.open_store(f"sqlite:///{path}") as store:
        assert [deployment.id for deployment in store.deployments()] == ["d1", "d0"]
        assert [deployment.id for deployment in store.deployments(refused=False)] == ["d0"]
        assert [deployment.id for deployment in store.deployments(service="orders")] == ["d1"]
        assert store.last("production").deployments == []
        assert [entry.id for entry in store.opened(since=records.BEGUN).deployments] == ["d0", "d1"]


UPDATING = """
import resource, sqlite3, sys
from hanbae.history import schemas
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
known, schemas.MIGRATIONS = schemas.MIGRATIONS, schemas.MIGRATIONS[:1]
schemas.migrate(connection)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("SELECT count(*) FROM events").fetchone()  # the log's index takes more than the limit
schemas.MIGRATIONS = known
resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
try:
    schemas.migrate(connection)
except sqlite3.OperationalError as error:
    print(error)
"""


def test_what_keeps_a_file_from_being_brought_up_to_date_is_the_error_that_is_told(
    tmp_path: Path,
) -> None:
    """SQLite rolls back itself where a log cannot be written."""
    updating = subprocess.run(
        [sys.executable, "-c", UPDATING, str(tmp_path / "h.db")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert updating.stdout == "disk I/O error\n"


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


def test_what_is_no_utf8_is_stored_with_question_marks(tmp_path: Path) -> None:
    """A reason and a name come from a command line, whose bytes may be any."""
    opened = msgspec.structs.replace(records.opened(), by="가\udcff")
    with stores.in_a_file(tmp_path / "history.db") as store:
        store.append("d1", None, opened, records.BEGUN)
        assert store.deployment("d1").by == "가?"
        assert not store.deployments(service="\udcff")
        with pytest.raises(errors.WrongUse):
            store.find("d1\udcff")
