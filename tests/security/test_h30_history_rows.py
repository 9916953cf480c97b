"""A history that others write to: whoever may add a row can make it say anything, and gets no more than words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.commands.test_json_documents import in_shop, shop
from tests.support import records

from hanbae import errors, wording
from hanbae.cli import main
from hanbae.history import stored_events, stores
from hanbae.results import events

__all__ = ["in_shop", "shop"]

Change = Callable[[dict[str, Any]], Any]
HOSTILE = "x\x1b]0;owned\x07\x1b[2J\n::error::\u202e"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[stores.Store]:
    with stores.in_a_file(tmp_path / "history.db") as opened:
        for fact in (records.opened("orders", "production"), records.closed()):
            opened.append("d1", None, fact, records.BEGUN)
        yield opened


def write(store: stores.Store, deployment: str, text: str, seq: int) -> None:
    """Put a row in the place of another, as somebody with a client of their own would."""
    statement = "UPDATE events SET event = :event WHERE deployment = :deployment AND seq = :seq"
    values = {"event": text, "deployment": deployment, "seq": seq}
    store._database.transaction(lambda execute: execute(statement, values), deployment=deployment)


def change(store: stores.Store, changes: Change, *, seq: int = 1) -> None:
    document = json.loads(stored_events.encode(store.events("d1")[seq - 1]))
    changes(document)
    write(store, "d1", json.dumps(document), seq)


def put(*path: str, value: Any) -> Change:
    def changes(document: dict[str, Any]) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return changes


NONE: dict[str, Change] = {
    "another deployment's": put("deployment", value="d2"),
    "of the year 1": put("at", value="0001-01-01T00:00:00Z"),
    "of the year 9999": put("at", value="9999-12-31T23:59:59Z"),
    "of no time zone": put("at", value="2026-11-23T00:00:00"),
    "of another number": put("seq", value="1"),
    "of a branch": put("fact", "revision", value="HEAD"),
    "of a pattern": put("fact", "revision", value=":/" + "(a+)+" * 50 + "b"),
    "of a short commit": put("fact", "revision", value="0" * 12),
    "of a kind that there is not": put("fact", "type", value="Executed"),
    "closed before it was opened": lambda document: document.update(
        fact=json.loads(stored_events.encode(records.stream([records.closed()])[0]))["fact"]
    ),
    "of other types": put("fact", "plan", "steps", value={"a": 1}),
}


@pytest.mark.parametrize("changes", NONE.values(), ids=NONE)
def test_an_event_that_is_none_is_damage_and_no_traceback(
    store: stores.Store, changes: Change
) -> None:
    change(store, changes)
    for read in (store.deployments, lambda: store.deployment("d1"), store.opened().require):
        with pytest.raises(errors.FileFault) as damaged:
            read()
        assert damaged.value.text.id in {"history.record-damaged", "history.record-newer"}
        assert damaged.value.text.facts["deployment"] == "d1"


@pytest.mark.parametrize("text", ["[" * 100_000 + "]" * 100_000, "{}", "null", '"x"', "1e999"])
def test_json_that_is_no_event_is_damage(store: stores.Store, text: str) -> None:
    try:
        write(store, "d1", text, 1)
    except errors.FileFault:
        return  # SQLite refuses it itself
    with pytest.raises(errors.FileFault):
        store.events("d1")


def test_numbers_that_no_computer_counts_to_are_damage_or_shown(store: stores.Store) -> None:
    proved = events.Proved("orders_db", 1, 1, (1,))
    store.append("d2", None, records.opened(), records.BEGUN)
    event = store.append("d2", None, proved, records.BEGUN)
    document = stored_events.encode(event).replace('"version":1', '"version":1' + "0" * 5000)
    write(store, "d2", document, 2)
    with pytest.raises(errors.FileFault):
        store.deployment("d2")


@pytest.mark.parametrize("name", ["d1; rm -rf ~", "d1\n::error::", "$(id)", "", "x" * 300, "-rf d"])
def test_an_id_that_a_shell_would_obey_is_never_shown(store: stores.Store, name: str) -> None:
    """It would stand in commands that people paste: `hanbae attach …`."""
    statement = "UPDATE events SET deployment = :name, event = replace(event, '\"d1\"', :quoted)"
    values = {"name": name, "quoted": json.dumps(name)}
    store._database.transaction(lambda execute: execute(statement, values), deployment="d1")
    with pytest.raises(errors.FileFault) as damaged:
        store.deployments()
    assert damaged.value.text.id == "history.record-damaged"
    assert not name or name not in str(damaged.value)
    (record,) = store.listing().unreadable
    assert (record.deployment, record.row) == ("", 1)


def copied(store: stores.Store, folder: Path) -> None:
    with stores.in_a_file(folder / "copy.db") as target:
        target.append("victim", None, records.opened(), records.BEGUN)
        (record,) = target.take(store).unreadable
        assert record.deployment == "d1"
        assert record.why.facts["place"] == store.place.file, "the one that is damaged is named"
        assert [event.seq for event in target.events("victim")] == [1]
        assert target.ids() == ["victim"], "all of a record, or none of it"


def test_a_copy_writes_into_no_other_record(store: stores.Store, tmp_path: Path) -> None:
    """Under the id of one deployment, a row that closes another one."""
    closing = records.stream([records.opened(), records.closed("failed")], deployment="victim")[1]
    write(store, "d1", stored_events.encode(closing), 2)
    copied(store, tmp_path)


@pytest.mark.parametrize("number", [1, 3, 0, -1, 2**40])
def test_a_copy_takes_no_record_with_gaps(store: stores.Store, tmp_path: Path, number: int) -> None:
    change(store, put("seq", value=number), seq=2)
    copied(store, tmp_path)


def test_a_copy_takes_nothing_after_an_end(store: stores.Store, tmp_path: Path) -> None:
    intended = records.stream([records.opened(), records.closed(), events.Intended("k")])[2]
    insert = (
        "INSERT INTO events (deployment, seq, kind, event, recorded)"
        " VALUES ('d1', 3, 'Intended', :event, '')"
    )
    values = {"event": stored_events.encode(intended)}
    store._database.transaction(lambda execute: execute(insert, values), deployment="d1")
    copied(store, tmp_path)


def test_words_of_others_steer_no_terminal_and_no_build_server(
    in_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = wording.Text("argo.sync-failed", {"message": HOSTILE, "phase": HOSTILE})
    facts: list[events.Fact] = [
        events.Opened(records.opened(HOSTILE, HOSTILE).plan, HOSTILE, "0" * 40),
        events.Began(HOSTILE, False, HOSTILE, (HOSTILE,), True),
        events.Noted(wording.Text(HOSTILE, {HOSTILE: HOSTILE})),
        events.Proved(HOSTILE, 1, 1, (1,), (HOSTILE,)),
        events.Closed("failed", text, ("hanbae", HOSTILE)),
    ]
    with stores.open_store() as store:
        for fact in facts:
            store.append("d1", "sync", fact, records.BEGUN)
    for words in (
        ["list", "--all"],
        ["show", "d1"],
        ["export", "--controls", "isms-p", "--from", "2020-01-01"],
        ["export", "--controls", "soc2", "--from", "2020-01-01", "--output", "csv"],
        ["dora", "--from", "2020-01-01"],
        ["dora", "--from", "2020-01-01", "--output", "openmetrics"],
        ["list", "--all", "--output", "json"],
        ["show", "d1", "--output", "jsonl"],
    ):
        assert main.run(["--lang", "en", "history", *words]) == 0, words
        captured = capsys.readouterr()
        shown = captured.out + captured.err
        assert "\x1b" not in shown, words
        assert not [line for line in shown.splitlines() if line.lstrip().startswith("::")], words
        if "json" not in " ".join(words):
            assert "\u202e" not in shown, words


def test_what_a_lone_surrogate_is_does_not_end_a_command(
    in_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with stores.open_store() as store:
        event = store.append("d1", None, records.opened("orders", "production"), records.BEGUN)
        document = stored_events.encode(event).replace('"tester"', '"\\ud800"')
        write(store, "d1", document, 1)
    for words in (["list"], ["show", "d1"], ["show", "d1", "--output", "json"]):
        assert main.run(["--lang", "en", "history", *words]) in {0, 2, 4}
        capsys.readouterr()


def test_an_id_that_is_no_utf_8_hides_no_other_record(
    in_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQLite keeps any bytes for a text, and takes the text that stands for them in no question."""
    statement = "UPDATE events SET deployment = CAST(x'64ff' AS TEXT) WHERE deployment = 'd1'"
    with stores.open_store() as store:
        for name, service in (("d1", "billing"), ("d2", "orders")):
            store.append(name, None, records.opened(service, "production"), records.BEGUN)
        store._database.transaction(lambda execute: execute(statement, {}), deployment="d1")
        for listing in (store.listing(), store.opened(), store.last("production")):
            assert [deployment.id for deployment in listing.deployments] == ["d2"]
            assert [(record.deployment, record.row) for record in listing.unreadable] == [("", 1)]
        assert (store.ids(), store.find("d")) == (["d2"], "d2")
        with stores.in_a_file(in_shop / "copy.db") as target:
            copied = target.take(store)
            assert (copied.deployments, len(copied.unreadable)) == (1, 1)
    for words in (["list"], ["dora"], ["export", "--controls", "soc2", "--from", "2020-01-01"]):
        assert main.run(["--lang", "en", "history", *words]) == 2, words
        captured = capsys.readouterr()
        assert "production" in captured.out, words
        assert "(row 1 of" in captured.err, words


def test_an_event_is_returned_as_it_is_stored(store: stores.Store) -> None:
    """It is shown as JSON, which has no word for half of a pair."""
    fact = events.Noted(wording.Text("argo.sync-failed", {"message": "\udcff", "phase": "x"}))
    added = store.append("d2", None, records.opened(), records.BEGUN)
    added = store.append("d2", None, fact, records.BEGUN)
    assert added == store.events("d2")[-1]
    assert b'"message":"?"' in msgspec.json.encode(added)
