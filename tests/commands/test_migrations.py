"""``hanbae migrations`` between two revisions: what is pending, what it does, in each format, and what is refused."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema_rs
import pytest
from tests.support import layouts

from hanbae import wording
from hanbae.actions import new_service, plan_migrations
from hanbae.charts import values
from hanbae.cli import json_schemas, main
from hanbae.cli.text import wrapping
from hanbae.planning import migration_plans as readings
from hanbae.results import effects, migration_plans

GOLDEN = Path(__file__).parents[1] / "golden" / "migrations"
CANARY = "c4n4ry-hunter2"
FIRST = "-- +goose Up\nCREATE TABLE accounts (id bigint);\n-- +goose Down\nDROP TABLE accounts;\n"
SECOND = """\
-- +goose Up
SET LOCAL lock_timeout = '5s';
ALTER TABLE accounts ADD COLUMN name text NOT NULL;
ALTER TABLE accounts DROP COLUMN old;
CREATE TABLE sessions (id uuid PRIMARY KEY, account bigint REFERENCES accounts);
INSERT INTO accounts VALUES (1, 'c4n4ry-hunter2');
CREATE ROLE reader PASSWORD 'c4n4ry-hunter2';

-- +goose Down
DROP TABLE sessions;
"""
THIRD = """\
-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY sessions_by_account ON sessions (account);
CREATE INDEX accounts_by_name ON accounts (name);
"""
FOURTH = "-- +goose Up\nSELECT 1\n"
FIFTH = "-- +goose Up\nCREATE TABLE e (id UInt64) ENGINE = MergeTree ORDER BY id;\n"
Run = Callable[..., tuple[int, str, str]]


def git(folder: Path, *words: str) -> None:
    options = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
    subprocess.run(["git", *options, *words], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, tag: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", tag)
    git(folder, "tag", tag)


def write(shop: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (shop / "services/auth/migrations" / name).write_text(text)


@pytest.fixture
def shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filled: Callable[..., None], layout: str
) -> Path:
    filled(tmp_path, twice_committed, layout)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path.parent / "state"))
    return tmp_path


def twice_committed(root: Path, layout: str) -> None:
    """A repository whose second commit brings migrations."""
    layouts.begin(root, layout)
    new_service.new_service(root, "auth", image="registry.example.com/shop/auth")
    path = root / "services/auth/helm/values-staging.yaml"
    with values.editing(path, path.name) as document:
        document.update({("image", "tag"): "1.0.0"})
    for old in (root / "services/auth/migrations").glob("*.sql"):
        old.unlink()
    write(root, {"00001_accounts.sql": FIRST})
    git(root, "init", "--quiet")
    commit(root, "one")
    write(
        root,
        {
            "00002_sessions.sql": SECOND,
            "00003_indexes.sql": THIRD,
            "00004_broken.sql": FOURTH,
            "00005_events.sql": FIFTH,
        },
    )
    commit(root, "two")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, lang: str = "en") -> tuple[int, str, str]:
        code = main.run(["--lang", lang, "migrations", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


PLAN = ("plan", "auth", "--env", "staging", "--base", "one", "--head", "two")


@pytest.mark.parametrize("layout", ["one-cluster"], indirect=True)
@pytest.mark.parametrize(("lang", "output"), [("en", "text"), ("ko", "text"), ("en", "markdown")])
def test_output_is_as_reviewed(
    shop: Path, run: Run, lang: str, output: str, request: pytest.FixtureRequest
) -> None:
    code, out, err = run(*PLAN, "--output", output, lang=lang)
    assert code == 0, err
    assert CANARY not in out + err
    shown = re.sub(r"\([0-9a-f\\]{12,}\)", "(COMMIT)", out)
    assert shown == (GOLDEN / f"{output}.{lang}.txt").read_text()


def test_a_plan_says_what_each_pending_file_does(shop: Path, run: Run) -> None:
    code, out, err = run(*PLAN, "--output", "json", "--exit-code")
    assert code == 3, err
    document = json.loads(out)
    published = json_schemas.schema("migrations-plan")
    jsonschema_rs.validate(published, document)
    assert published | {"title": "migrations-status"} == json_schemas.schema("migrations-status")
    (plan,) = document["plans"]
    (database,) = plan["databases"]
    assert (database["name"], database["basis"], database["at"]) == ("auth_db", "revision", 1)
    second, third, fourth, fifth = database["pending"]
    assert [second["transaction"], third["transaction"]] == [True, False]
    assert [second["way_back"], third["way_back"], fourth["way_back"]] == ["lossy", "none", "none"]
    added = next(i for i in second["impacts"] if i["effect"]["action"] == "column-added")
    assert (added["blocks"], added["timeout"], added["effect"]["fails"]) == ("all", "5s", True)
    blocks = [(i["effect"]["lock"], i["blocks"], i["timeout"]) for i in third["impacts"]]
    assert blocks == [("SHARE UPDATE EXCLUSIVE", "ddl", ""), ("SHARE", "writes", "")]
    assert fourth["unread"]["id"] == "migrations.unread-goose"
    assert fifth["unread"]["id"] == "migrations.unread-dialect"


@pytest.mark.parametrize("layout", ["one-cluster"], indirect=True)
def test_nothing_is_pending_between_a_revision_and_itself(shop: Path, run: Run) -> None:
    words = ("plan", "--env", "staging", "--base", "two", "--head", "two", "--exit-code")
    code, out, err = run(*words)
    assert code == 0
    assert "0 of 5" in out
    assert "Nothing is pending" in err


@pytest.mark.parametrize("layout", ["one-cluster"], indirect=True)
def test_what_nobody_knows_is_not_called_nothing(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = migration_plans.Database("auth_db", "unknown", 5, why_unknown="new")

    async def plan(*_: object, **__: object) -> tuple[migration_plans.Plan, ...]:
        return (migration_plans.Plan("auth", "staging", "c0ffee", (database,)),)

    monkeypatch.setattr(plan_migrations, "plan", plan)
    code, out, err = run("plan", "auth", "--env", "staging")
    assert code == 0
    assert "not known what the database has" in " ".join(out.split())
    assert err == ""
    _, out, _ = run("plan", "auth", "--env", "staging", "--output", "junit")
    suite = ET.fromstring(out).find("testsuite")  # noqa: S314  our own
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("1", "0", "1")


@pytest.mark.parametrize("layout", ["one-cluster"], indirect=True)
def test_what_was_proven_last_has_every_file_below_its_version(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proof names one version, and fails where a file below it is missing."""
    reading = readings.Reading("history", frozenset({3}))

    async def proven(*_: object) -> tuple[dict[str, readings.Reading], str]:
        return {"auth_db": reading}, ""

    monkeypatch.setattr(plan_migrations, "_last_proven", proven)
    code, out, err = run("plan", "--env", "staging", "--head", "two", "--output", "json")
    assert code == 0, err
    (database,) = json.loads(out)["plans"][0]["databases"]
    assert (database["basis"], database["at"], database["overtaken"]) == ("history", 3, [])
    assert [pending["version"] for pending in database["pending"]] == [4, 5]


FAULTS: dict[str, dict[str, Any]] = {
    "00002_late.sql come before 5": {"overtaken": ("services/auth/migrations/00002_late.sql",)},
    "without a file here: 9": {"untracked": (9,)},
    "public.one_n": {"invalid": ("public.one_n",)},
    "app": {"drift": (wording.Text("drift.no-schema", {"setting": "app", "database": "auth_db"}),)},
}


@pytest.mark.parametrize("layout", ["one-cluster"], indirect=True)
@pytest.mark.parametrize("verb", ["plan", "status"])
@pytest.mark.parametrize("says", FAULTS)
def test_every_fault_of_a_database_is_named_and_fails(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch, says: str, verb: str
) -> None:
    """In each format; a status says nothing of statements."""
    effect = effects.Effect("table-dropped", 7, "accounts", lock="ACCESS EXCLUSIVE")
    impacts = (migration_plans.Impact(effect, "all"),)
    file = "services/auth/migrations/00006_drop.sql"
    pending = migration_plans.Pending(6, file, True, "none", impacts)
    database = migration_plans.Database("auth_db", "database", 6, 5, (pending,), **FAULTS[says])

    async def plan(*_: object, **__: object) -> tuple[migration_plans.Plan, ...]:
        return (migration_plans.Plan("auth", "staging", "c0ffee", (database,)),)

    monkeypatch.setattr(plan_migrations, "plan", plan)
    words = (verb, "auth", "--env", "staging")
    code, out, err = run(*words)
    assert code == 1, err
    assert says in " ".join(out.split())
    assert ("00006_drop.sql" in out) is (verb == "plan")
    _, out, _ = run(*words, "--output", "markdown")
    assert says in " ".join(out.replace("\\", "").split())
    _, out, _ = run(*words, "--output", "junit")
    suite = ET.fromstring(out).find("testsuite")  # noqa: S314  our own
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert says in " ".join(str(failure.text).split())


@pytest.mark.parametrize("layout", ["one-cluster"], indirect=True)
def test_a_service_without_an_image_is_passed_over_and_refused_by_name(
    shop: Path, run: Run
) -> None:
    new_service.new_service(shop, "web", image="registry.example.com/shop/web")
    commit(shop, "three")
    words = ("plan", "--env", "staging", "--base", "one", "--head", "three")
    code, out, err = run(*words, "--output", "json")
    assert code == 0, err
    assert [plan["service"] for plan in json.loads(out)["plans"]] == ["auth"]
    code, _, err = run("plan", "web", *words[1:])
    assert code == 5
    assert "hanbae image set web" in " ".join(err.split())

    path = shop / "services/web/helm/values-staging.yaml"
    with values.editing(path, path.name) as document:
        document.update({("image", "tag"): "1.0.0"})
    commit(shop, "four")
    for base in ("one", "three"):  # without the service, and with one that was not begun
        code, out, err = run("plan", "web", "--env", "staging", "--base", base, "--head", "four")
        assert code == 0, err
        assert "1 of 1 migration(s) pending" in " ".join(out.split())


@pytest.mark.parametrize("layout", ["one-cluster"], indirect=True)
def test_a_migration_that_comes_too_late_and_one_without_a_file_are_faults(
    shop: Path, run: Run
) -> None:
    (shop / "services/auth/migrations/00001_accounts.sql").unlink()
    write(shop, {"00009_late.sql": FIRST})
    commit(shop, "three")
    code, out, err = run("plan", "auth", "--env", "staging", "--base", "three", "--head", "one")
    assert code == 1, err
    assert "00001_accounts.sql come before 9" in out
    assert "without a file here: 2, 3, 4, 5, 9" in out


@pytest.mark.parametrize("layout", ["one-cluster"], indirect=True)
def test_sarif_and_junit_point_at_the_line_and_fail_at_what_fails(shop: Path, run: Run) -> None:
    code, out, _ = run(*PLAN, "--output", "sarif")
    assert code == 0
    results = json.loads(out)["runs"][0]["results"]
    by_rule: dict[str, dict[str, Any]] = {result["ruleId"]: result for result in results}
    added = by_rule["migration/column-added"]
    assert added["level"] == "error"
    where = added["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == "services/auth/migrations/00002_sessions.sql"
    assert where["region"]["startLine"] == 3
    assert by_rule["migration/column-dropped"]["level"] == "warning"
    levels = [r["level"] for r in results if r["ruleId"] == "migration/index-created"]
    assert levels == ["note", "warning"], "the first one is built concurrently"
    assert by_rule["migration/table-created"]["level"] == "note"
    unread = [r["locations"][0] for r in results if r["ruleId"] == "migration/unread"]
    assert len(unread) == 2
    _, out, _ = run(*PLAN, "--output", "junit")
    root = ET.fromstring(out)  # noqa: S314  our own
    suite = root.find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("5", "1")


@pytest.mark.parametrize("layout", ["one-cluster"], indirect=True)
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_lines_fit_a_narrow_terminal(
    shop: Path, run: Run, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrapping, "width", lambda *_, **__: 60)
    _, out, _ = run(*PLAN, lang=lang)
    assert [line for line in out.splitlines() if wrapping.cells(line) > 60] == []


@pytest.mark.parametrize("layout", ["one-cluster"], indirect=True)
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("plan", "auth", "--env", "nowhere", "--base", "one"), 2, "nowhere"),
        (("plan", "nosuch", "--env", "staging", "--base", "one", "--head", "two"), 2, "nosuch"),
        (("plan", "auth", "--env", "staging", "--base", "nosuch", "--head", "two"), 2, "nosuch"),
        (("plan", "--env", "staging", "--base", "one", "--database", "a=B"), 2, "exclude"),
        (("plan", "--env", "staging", "--database", "postgres://u:c4n4ry@h/d"), 2, "NAME=VARIABLE"),
        (
            ("plan", "--env", "staging", "--database", "a=postgres://u:c4n4ry@h/d"),
            2,
            "NAME=VARIABLE",
        ),
        (
            ("status", "--env", "staging", "--database", "auth_db=NOT_SET_AT_ALL"),
            2,
            "NOT_SET_AT_ALL",
        ),
    ],
)
def test_wrong_use_is_refused_and_no_password_is_shown(
    shop: Path, run: Run, words: tuple[str, ...], code: int, says: str
) -> None:
    ended, out, err = run(*words)
    assert ended == code, err
    assert says in err
    assert "c4n4ry" not in out + err
