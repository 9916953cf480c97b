"""``hanbae history list``: one line per deployment, with its whole id, at any usual width."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest
from tests.commands.test_json_documents import in_shop, schema, shop
from tests.support import records

from hanbae import subjects
from hanbae.cli import main
from hanbae.cli.text import wrapping
from hanbae.history import stores, watching
from hanbae.results import events, guards

__all__ = ["in_shop", "shop"]

ACCOUNT = "system:serviceaccount:hanbae-services-production:hanbae-deployer"
IMAGE = "registry.example.com:5000/shop/orders:1.4.2@sha256:" + "9" * 64
IDS = [f"20261128-1226{number:02}-22x2{number:02}" for number in range(4)]


@pytest.fixture
def recorded(in_shop: Path) -> Path:
    """One that succeeded, one that failed, one that goes on, and a refused one as the latest."""
    workload = subjects.Ref("Deployment", "shop-production", "orders-service")
    promised = guards.written([guards.RunningImage(workload, "app", IMAGE)])
    outcomes = ["succeeded", "failed", None, "refused"]
    with stores.open_store() as store:
        for deployment, outcome in zip(IDS, outcomes, strict=True):
            opened = records.opened("orders", "production")
            plan = msgspec.structs.replace(opened.plan, guards=promised)
            opened = msgspec.structs.replace(opened, plan=plan, by=ACCOUNT)
            facts = [opened, *([records.closed(outcome)] if outcome else [])]
            for event in records.stream(facts, deployment=deployment):
                store.append(event.deployment, event.step, event.fact, event.at)
    return in_shop


def listed(
    capsys: pytest.CaptureFixture[str], *arguments: str, language: str = "en"
) -> tuple[list[str], str]:
    assert main.run(["--lang", language, "history", "list", *arguments]) == 0
    captured = capsys.readouterr()
    return captured.out.splitlines(), captured.err


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_each_deployment_is_one_line_with_its_id(
    columns: int,
    language: str,
    recorded: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines, _ = listed(capsys, language=language)
    assert len(lines) == 2 + 3  # the heading and its line
    assert [line.split()[0] for line in lines[2:]] == IDS[2::-1]
    assert all(wrapping.cells(line) <= columns for line in lines)
    if columns >= 80:
        assert all("1.4.2" in line and ":" in line for line in lines[2:])
    if columns >= 100:
        assert all("hanbae-deployer" in line for line in lines[2:])


def test_refused_attempts_are_left_out_and_mentioned(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, err = listed(capsys)
    assert IDS[3] not in "".join(lines)
    assert "hanbae history list --all" in err
    lines, err = listed(capsys, "--all")
    assert IDS[3] in "".join(lines)
    assert "--all" not in err
    lines, _ = listed(capsys, "--limit", "1")
    assert IDS[2] in "".join(lines), "a refused one took the place of another"


def test_json_says_by_whom_and_which_image(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, _ = listed(capsys, "--output", "json")
    newest, *_ = json.loads("\n".join(lines))["deployments"]
    assert newest["by"] == ACCOUNT
    assert newest["images"] == [IMAGE]


@pytest.mark.parametrize(("language", "words"), [("en", "Sync options: "), ("ko", "동기화 옵션: ")])
def test_what_was_applied_and_how_is_shown_on_eighty_columns(
    in_shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str, words: str
) -> None:  # fmt: skip
    monkeypatch.setenv("COLUMNS", "80")
    opened = records.opened("orders", "production")
    plan = msgspec.structs.replace(opened.plan, manifests="a" * 64)
    hostile = "x\x1b[2J\n::error::"
    began = events.Began("k", True, "0" * 40, ("ServerSideApply=true", hostile), prunes=True)
    with stores.open_store() as store:
        for fact in (msgspec.structs.replace(opened, plan=plan), began, records.closed()):
            store.append("d1", None, fact, records.BEGUN)
    assert main.run(["--lang", language, "history", "show", "d1"]) == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert lines[1].endswith("a" * 64)
    assert lines[2].startswith(f"{words}ServerSideApply=true, x")
    assert lines[2].endswith(", prune")
    assert "\x1b" not in shown
    assert max(map(wrapping.cells, lines)) <= 80
    assert main.run(["history", "show", "d1", "--output", "json"]) == 0
    document = json.loads(capsys.readouterr().out)["deployment"]
    assert (document["manifests"], document["prunes"]) == ("a" * 64, True)
    assert document["options"][0] == "ServerSideApply=true"


def test_service_that_never_was_is_an_error(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["--lang", "en", "history", "list", "ordes"]) == 2
    assert "Did you mean orders?" in " ".join(capsys.readouterr().err.split())


def test_empty_history_is_no_silence(in_shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines, err = listed(capsys)
    assert lines == []
    assert "No deployments" in err


def test_service_needs_an_environment_to_be_attached_to(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["--lang", "en", "attach", "orders"]) == 2
    assert "--env" in capsys.readouterr().err


def test_running_one_that_nobody_drives_is_not_watched(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, err = listed(capsys)
    assert "not watched" in lines[2]
    assert f"hanbae attach {IDS[2]}" in err
    with stores.open_store() as store, store.watching(IDS[2]):
        lines, err = listed(capsys)
    assert "running" in lines[2]
    assert err.count("attach") == 0
    lines, _ = listed(capsys)
    assert "not watched" in lines[2]
    assert main.run(["--lang", "en", "history", "show", IDS[2]]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith(" not watched")


def test_mark_of_a_process_that_was_killed_counts_for_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from hanbae.history import watching\n"
        "with watching.watching(pathlib.Path(sys.argv[1]), 'd1'):\n"
        "    print('marked', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "history.db")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "marked\n"
    assert watching.is_watched(tmp_path / "history.db", "d1")
    process.kill()
    process.communicate()
    assert not watching.is_watched(tmp_path / "history.db", "d1")


@pytest.fixture
def damaged(recorded: Path) -> Path:
    """The record of the one that failed is damaged."""
    with stores.open_store() as store:
        statement = "UPDATE events SET event = '{}' WHERE deployment = :id AND seq = 2"
        values = {"id": IDS[1]}
        store._database.transaction(lambda execute: execute(statement, values), deployment=IDS[1])
    return recorded


def test_a_record_that_cannot_be_read_is_named_below_the_others(
    damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["--lang", "en", "history", "list"]) == 2
    captured = capsys.readouterr()
    assert [line.split()[0] for line in captured.out.splitlines()[2:]] == [IDS[2], IDS[0]]
    narration = " ".join(captured.err.split())
    assert f"The record of the deployment {IDS[1]}" in narration
    assert "hanbae history copy sqlite:////" in narration
    assert main.run(["--lang", "ko", "history", "list", "--limit", "1"]) == 0, (
        "it is not among these"
    )


def test_programs_read_which_records_are_missing(
    damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["history", "list", "--output", "json"]) == 2
    document = json.loads(capsys.readouterr().out)
    jsonschema_rs.validate(schema("history-list", capsys), document)
    assert [entry["id"] for entry in document["deployments"]] == [IDS[2], IDS[0]]
    (record,) = document["unreadable"]
    assert (record["deployment"], record["why"]["id"]) == (IDS[1], "history.record-damaged")
    assert main.run(["history", "show", IDS[1], "--output", "json"]) == 2
    document = json.loads(capsys.readouterr().out)
    jsonschema_rs.validate(schema("history-show", capsys), document)
    assert (document["deployment"], len(document["events"])) == (None, 1)
    assert [entry["deployment"] for entry in document["unreadable"]] == [IDS[1]]


def test_what_can_be_read_of_a_damaged_record_is_shown(
    damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["--lang", "en", "history", "show", IDS[1]]) == 2
    captured = capsys.readouterr()
    assert "orders" in captured.out
    assert IDS[1] in captured.err


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("dora", "--from", "2020-01-01"), ""),
        (("dora", "--from", "2020-01-01", "--output", "openmetrics"), "unreadable_records 1"),
        (("export", "--controls", "soc2", "--from", "2020-01-01"), IDS[1]),
        (("export", "--controls", "soc2", "--from", "2020-01-01", "--output", "csv"), IDS[1]),
        (("export", "--controls", "isms-p", "--from", "2020-01-01", "--output", "json"), IDS[1]),
    ],
)
def test_what_is_counted_without_a_record_says_so(
    damaged: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], names: str
) -> None:
    assert main.run(["--lang", "en", "history", *words]) == 2
    captured = capsys.readouterr()
    assert IDS[1] in captured.err
    shown = captured.out.replace("\\", "")
    assert names in shown
    assert IDS[0] in shown or words[0] == "dora", "the others are there"


def test_a_copy_leaves_out_what_is_damaged_and_takes_the_rest(
    damaged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    assert main.run(["--lang", "en", "history", "copy", "sqlite", target]) == 2
    narration = " ".join(capsys.readouterr().err.split())
    assert "Copied 5 events of 3 deployments" in narration
    assert f"The record of the deployment {IDS[1]}" in narration
    assert "left out: 1" in narration
    with stores.open_store(target) as store:
        assert {deployment.id for deployment in store.deployments()} == {IDS[0], *IDS[2:]}


@pytest.mark.parametrize(
    "words", [("history", "show"), ("history", "list"), ("attach",), ("stop",)], ids=" ".join
)
def test_an_argument_that_is_no_utf8_names_nothing(words: tuple[str, ...], recorded: Path) -> None:
    assert main.run(["--lang", "en", *words, "2026\udcff"]) in {0, 2}
