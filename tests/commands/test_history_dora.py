"""``hanbae history dora``: from a record and real commits to a table, JSON and OpenMetrics."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema_rs
import pytest
from prometheus_client.openmetrics import parser
from tests.commands.test_json_documents import in_shop, schema, shop
from tests.support import records

from hanbae.cli import main
from hanbae.cli.text import wrapping
from hanbae.history import stores
from hanbae.results import events

__all__ = ["in_shop", "shop"]

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)


def commit(
    root: Path,
    path: str,
    content: str,
    moment: datetime,
    *,
    author: str = "Ann Author",
    subject: str = "A change",
) -> str:
    """A commit of one file, written at a moment."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    stamp = moment.isoformat()
    environment = os.environ | {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": NOON.isoformat()}
    environment["GIT_AUTHOR_NAME"] = author
    git = [
        "git",
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.com",
        "-c",
        "commit.gpgsign=false",
    ]
    subprocess.run([*git, "add", "-A"], cwd=root, check=True)
    subprocess.run(
        [*git, "commit", "-qm", subject], cwd=root, check=True, env=environment, capture_output=True
    )
    shown = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, check=True, capture_output=True, text=True
    )
    return shown.stdout.strip()


def deploy(store: stores.Store, name: str, revision: str, outcome: str, opened: datetime) -> None:
    """Record a deployment that takes ten minutes."""
    store.append(name, None, records.opened("orders", "production", revision=revision), opened)
    store.append(name, None, events.Began("k", automated=False, revision=revision), opened)
    store.append(name, None, records.closed(outcome), opened + timedelta(minutes=10))


@pytest.fixture
def own_shop(in_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone that a test may commit to."""
    root = tmp_path / "shop"
    shutil.copytree(in_shop, root, symlinks=True)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def delivered(own_shop: Path) -> Path:
    """A change of two commits that failed, then succeeded, and was reverted; and one of another service's."""
    hour = timedelta(hours=1)
    first = commit(own_shop, "services/orders/app.txt", "1", NOON - 40 * hour)
    commit(own_shop, "services/orders/app.txt", "2", NOON - 20 * hour)
    second = commit(own_shop, "services/orders/app.txt", "3", NOON - 2 * hour)
    other = commit(own_shop, "README.txt", "elsewhere", NOON - 30 * hour)
    reverted = commit(own_shop, "services/orders/app.txt", "1", NOON)
    with stores.open_store() as store:
        deploy(store, "d1", first, "succeeded", NOON - 10 * hour)
        deploy(store, "d2", second, "failed", NOON)
        deploy(store, "d3", second, "succeeded", NOON + hour)
        deploy(store, "d4", other, "succeeded", NOON + 2 * hour)
        deploy(store, "d5", reverted, "succeeded", NOON + 3 * hour)
    return own_shop


def dora(capsys: pytest.CaptureFixture[str], *words: str, language: str = "en") -> str:
    assert main.run(["--lang", language, "history", "dora", *words]) == 0
    return capsys.readouterr().out


def test_changes_are_counted_by_the_commits_of_the_service(
    delivered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(dora(capsys, "--output", "json"))
    jsonschema_rs.validate(schema("history-dora", capsys), document)
    (total, orders) = document["deliveries"]
    assert orders["service"] == "orders"
    assert (total["changes"], total["tried"], total["failed"]) == (2, 2, 1)
    assert total["leads"] == 1
    assert total["lead_median"] == timedelta(hours=21, minutes=10).total_seconds()
    (failure,) = document["failures"]
    assert (failure["deployment"], failure["how"]) == ("d2", "failed")


def test_what_is_read_out_of_openmetrics_is_what_was_measured(
    delivered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = dora(capsys, "--output", "openmetrics")
    families = {family.name: family for family in parser.text_string_to_metric_families(written)}
    values = {
        (sample.name, sample.labels.get("quantile")): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert families["hanbae_delivery_lead_time_seconds"].type == "summary"
    assert values["hanbae_delivery_changes", None] == 2
    assert values["hanbae_delivery_failure_ratio", None] == 0.5
    assert values["hanbae_delivery_lead_time_seconds", "0.5"] == 76200
    assert values["hanbae_delivery_restore_seconds_count", None] == 1
    labels = families["hanbae_delivery_failed"].samples[0].labels
    assert labels == {"environment": "production", "service": "orders"}


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_table_fits_and_names_what_failed(
    columns: int,
    language: str,
    delivered: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = dora(capsys, language=language).splitlines()
    assert all(wrapping.cells(line) <= columns for line in lines if "(d2)" not in line)
    (row,) = [line for line in lines if line.startswith("production")]
    assert "50% (1/2)" in row
    assert "d2" in "\n".join(lines)


def test_a_time_that_ends_before_it_begins_is_refused(
    in_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["history", "dora", "--from", "2026-11-02", "--to", "2026-11-01"]
    assert main.run(["--lang", "en", *words]) == 2
    assert "before the first" in capsys.readouterr().err


def test_nothing_on_record_is_no_silence(in_shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--lang", "en", "history", "dora"]) == 0
    assert "No deployments" in capsys.readouterr().err
