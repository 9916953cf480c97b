"""``hanbae history copy``: adds what is missing, and can be run again."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest
from tests.commands.test_json_documents import schema
from tests.support import records

from hanbae.cli import main
from hanbae.history import stores


@pytest.fixture
def addresses(tmp_path: Path) -> tuple[str, str]:
    source, target = (f"sqlite:///{tmp_path / name}" for name in ("source.db", "target.db"))
    with stores.open_store(source) as store:
        store.append("d1", None, records.opened(), records.BEGUN)
        store.append("d1", None, records.closed(), records.BEGUN)
        store.append("d2", None, records.opened(), records.BEGUN)
    return source, target


def test_it_is_copied_once_and_said(
    addresses: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["--lang", "en", "history", "copy", *addresses]) == 0
    assert "Copied 3 events of 2 deployments" in capsys.readouterr().err
    assert main.run(["--lang", "en", "history", "copy", *addresses]) == 0
    assert "has all of it already" in capsys.readouterr().err
    with stores.open_store(addresses[1]) as store:
        assert store.deployment("d1").outcome == "succeeded"


def test_what_programs_read_is_as_its_schema_says(
    addresses: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["history", "copy", *addresses, "--output", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema_rs.validate(schema("history-copy", capsys), document)
    assert (document["deployments"], document["events"]) == (2, 3)


def test_another_record_of_the_same_id_is_refused_and_left_as_it_is(
    addresses: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with stores.open_store(addresses[1]) as store:
        store.append("d1", None, records.opened("other"), records.BEGUN)
    assert main.run(["--lang", "en", "history", "copy", *addresses]) == 5
    assert "d1 is recorded otherwise" in " ".join(capsys.readouterr().err.split())
    with stores.open_store(addresses[1]) as store:
        assert store.deployment("d1").service == "other"
        assert store.deployment("d2").outcome == "running", "all others are copied"


def test_an_address_that_holds_a_password_is_not_repeated(
    addresses: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--lang", "en", "history", "copy", addresses[0], "postgresql://u:s3cret@db/h"]
    assert main.run(words) == 2
    assert "s3cret" not in "".join(capsys.readouterr())
