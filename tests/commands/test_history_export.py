"""``hanbae history export``: a record with people, proofs and failures, as an auditor gets it."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest
from markdown_it import MarkdownIt
from tests.commands.test_history_dora import NOON, commit, own_shop
from tests.commands.test_json_documents import in_shop, schema, shop
from tests.support import records

from hanbae import subjects, wording
from hanbae.cli import main
from hanbae.history import stores
from hanbae.results import checklists, events, guards

__all__ = ["in_shop", "own_shop", "shop"]

HOUR = timedelta(hours=1)
HOSTILE = "=HYPERLINK(1)|<b>@ann</b>"
NAME = "=cmd|x"


def decision(item: str, outcome: str, **more: str) -> checklists.Decision:
    return checklists.Decision(item, "", "person", outcome, **more)  # type: ignore[arg-type]


def record(
    store: stores.Store,
    name: str,
    environment: str,
    revision: str,
    outcome: str,
    hours: int,
    *facts: events.Fact,
) -> None:
    """Record a deployment that takes ten minutes."""
    opened = records.opened("orders", environment, revision=revision)
    workload = subjects.Ref("Deployment", "shop", "orders-service")
    image = guards.RunningImage(workload, "app", f"registry.example.com/orders:{revision[:4]}")
    promised = guards.written([image])
    plan = msgspec.structs.replace(opened.plan, guards=promised, manifests=revision[:4] * 16)
    opened = msgspec.structs.replace(opened, plan=plan, by="cluster-user")
    moment = NOON + hours * HOUR
    began = events.Began("k", False, revision, ("PruneLast=true",), prunes=True)
    for fact in (opened, *([] if outcome == "refused" else [began]), *facts):
        store.append(name, None, fact, moment)
    store.append(name, None, records.closed(outcome), moment + timedelta(minutes=10))


@pytest.fixture
def audited(own_shop: Path) -> Path:
    """One change that was proven in staging, waived and deployed, one refused, one that failed and was mended."""
    first = commit(own_shop, "services/orders/app.txt", "1", NOON - 9 * HOUR)
    second = commit(
        own_shop, "services/orders/app.txt", "2", NOON - 8 * HOUR, author=NAME, subject=HOSTILE
    )
    third = commit(own_shop, "services/orders/app.txt", "3", NOON - 7 * HOUR)
    checked = checklists.Checked(
        "before",
        (
            decision("approved", "attested", by="ann"),
            decision("restore-point", "waived", by="ben", why="no data", until="2026-12-24"),
            decision("secrets", "failed"),
        ),
    )
    proof = events.Proved("orders_db", 2, 2, (2,), ("00002_add_total.sql",))
    cause = wording.Text("diagnosis.migration-failed", {"job": "Job/x", "file": "3.sql"})
    pod = subjects.Ref("Pod", "shop", "x")
    with stores.open_store() as store:
        record(store, "d1", "production", first, "succeeded", 0)
        record(store, "d2", "staging", second, "succeeded", 1)
        record(store, "d3", "production", second, "refused", 2)
        record(store, "d4", "production", second, "succeeded", 3, events.Decided(checked), proof)
        failed = events.Diagnosed(pod, cause, (), fatal=True)
        record(store, "d5", "production", third, "failed", 4, failed)
        record(store, "d6", "production", third, "succeeded", 5)
    return own_shop


def exported(capsys: pytest.CaptureFixture[str], *words: str, language: str = "en") -> str:
    assert main.run(["--lang", language, "history", "export", *words]) == 0
    return capsys.readouterr().out


def test_each_control_of_isms_p_has_its_evidence_in_korean(
    audited: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = exported(capsys, "--controls", "isms-p")
    rendered = MarkdownIt("commonmark").enable("table").render(written)
    for heading in (
        "2.2.2 직무 분리",
        "2.8.3 시험과 운영 환경 분리",
        "2.8.6 운영환경 이관",
        "2.9.1 변경관리",
        "2.9.2 성능 및 장애관리",
    ):
        assert f"<h2>{heading}</h2>" in rendered
    duties, environments, transfer, changes, failures = rendered.split("<h2>")[1:]
    assert "<td>cluster-user</td>" in duties
    assert "approved: ann" in duties
    assert "restore-point: ben, no data, 2026-12-24" in duties
    assert "<td>d3</td>" not in duties
    assert "staging d2" in environments
    assert "orders_db: 00002_add_total.sql" in transfer
    assert "PruneLast=true<br" in transfer
    assert "<th>매니페스트</th>" in transfer
    assert "1/3" in transfer
    assert "<td>d3</td>" in changes
    assert "거부됨" in changes
    assert "<td>d5</td>" in failures
    assert "<td>d6</td>" not in failures


def test_the_names_of_strangers_are_words_in_every_form(
    audited: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = exported(capsys, "--controls", "soc2")
    rendered = MarkdownIt("commonmark").enable("table").render(written)
    assert "<b>" not in rendered
    assert "=HYPERLINK(1)|&lt;b&gt;" in rendered
    rows = list(csv.reader(io.StringIO(exported(capsys, "--controls", "soc2", "--output", "csv"))))
    cells = [cell for row in rows for cell in row if "HYPERLINK" in cell or "cmd" in cell]
    assert cells
    assert all(cell.startswith("'=") for cell in cells)


def test_every_row_of_the_csv_has_its_control_and_the_same_columns(
    audited: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = exported(capsys, "--controls", "isms-p", "--output", "csv")
    assert text.startswith("\ufeff통제 항목,증적,배포")
    heading, *rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    assert {len(row) for row in rows} == {len(heading)}
    by_control: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_control.setdefault(row[0], []).append(dict(zip(heading, row, strict=True)))
    assert len(by_control) == 5
    (failure,) = by_control["2.9.2 성능 및 장애관리"]
    assert failure["배포"] == "d5"
    assert failure["복구"]
    places = [row["환경"] for row in by_control["2.8.3 시험과 운영 환경 분리"] if not row["배포"]]
    assert places == ["dev", "staging", "production"]


def test_what_programs_read_is_as_its_schema_says(
    audited: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(exported(capsys, "--controls", "isms-p", "--output", "json"))
    jsonschema_rs.validate(schema("history-export", capsys), document)
    by_id = {entry["deployment"]: entry for entry in document["records"]}
    assert list(by_id) == ["d1", "d2", "d3", "d4", "d5", "d6"]
    assert by_id["d4"]["authors"] == [NAME]
    assert by_id["d4"]["before"] == ["staging d2"]
    assert by_id["d4"]["options"] == ["PruneLast=true", "prune"]
    assert by_id["d4"]["manifests"] == by_id["d2"]["manifests"] != by_id["d5"]["manifests"]
    assert by_id["d3"]["options"] == [], "it was refused"
    assert by_id["d6"]["restored"] is None
    assert by_id["d5"]["restored"] == document["records"][5]["closed"]


def test_only_the_days_that_were_named_are_in_it(
    audited: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--controls", "soc2", "--from", "2020-01-01", "--to", "2020-12-31"]
    assert json.loads(exported(capsys, *words, "--output", "json"))["records"] == []
    assert "None in this time" in exported(capsys, *words)
