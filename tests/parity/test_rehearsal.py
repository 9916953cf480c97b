"""A rehearsal on a real PostgreSQL with the real goose: what it finds, and what it leaves behind."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from tests.support import registries, shown_pages
from tests.support.registries import Quiet

from hanbae import masking, wording
from hanbae.charts import values
from hanbae.cli import main
from hanbae.images import layouts, references
from hanbae.images import registry as pushing
from hanbae.rehearsing import rehearsal, servers
from hanbae.results import rehearsals
from hanbae.sandbox import binaries, demo_repository, rehearsal_server

Rehearse = Callable[..., rehearsals.Database]
Running = tuple[servers.Server, Path]

ACCOUNTS = """-- +goose Up
CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, born int);
CREATE TYPE kind AS ENUM ('plain', 'other');
CREATE TABLE sessions (account bigint NOT NULL REFERENCES accounts, kind kind NOT NULL, at timestamptz NOT NULL);
-- +goose Down
DROP TABLE sessions;
DROP TYPE kind;
DROP TABLE accounts;
"""
INDEX = """-- +goose Up
CREATE INDEX sessions_at ON sessions (at);
-- +goose Down
DROP INDEX sessions_at;
"""
REWRITE = """-- +goose Up
ALTER TABLE accounts ALTER COLUMN born TYPE bigint;
-- +goose Down
ALTER TABLE accounts ALTER COLUMN born TYPE int;
"""
FORGETFUL = """-- +goose Up
ALTER TABLE accounts ADD COLUMN nick text, ADD COLUMN age int;
-- +goose Down
ALTER TABLE accounts DROP COLUMN nick;
"""
FINAL = "-- +goose Up\nALTER TABLE accounts DROP COLUMN born;\n"
BROKEN = "-- +goose Up\nALTER TABLE nowhere ADD COLUMN a int;\n-- +goose Down\nSELECT 1;\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with rehearsal_server.running(Quiet()) as running:
        yield running


@pytest.fixture
def rehearse(server: Running, tmp_path: Path) -> Rehearse:
    def run(
        *texts: str, deployed: int | None = None, rows: int = 0, budget: float = 60.0
    ) -> rehearsals.Database:
        sentences: list[wording.Text] = []
        ours = written(tmp_path / "ours", texts)
        starts = {}
        if deployed is not None:
            starts["production"] = written(tmp_path / "theirs", texts[:deployed])
        order = rehearsal.Order("auth_db", ours, starts, rows, budget)
        rehearsed = rehearsal.Rehearsing(*server, sentences.append).rehearse(order)
        assert sentences
        return rehearsed

    return run


def written(folder: Path, texts: tuple[str, ...]) -> rehearsal.Files:
    folder.mkdir()
    names = {number: f"{number:05d}_m.sql" for number in range(1, len(texts) + 1)}
    for (_, name), text in zip(names.items(), texts, strict=True):
        (folder / name).write_text(text)
    return rehearsal.Files(folder, names)


def databases(server: servers.Server) -> set[str]:
    with servers.connect(server, "postgres") as connection:
        return {row[0] for row in connection.execute("SELECT datname FROM pg_database").fetchall()}


def test_good_migrations_go_up_and_back_and_leave_nothing_behind(
    rehearse: Rehearse, server: Running
) -> None:
    before = databases(server[0])
    database = rehearse(ACCOUNTS, INDEX)
    assert not database.has_failed
    assert database.is_settled
    (run,) = database.runs
    assert [step.version for step in run.steps] == [1, 2]
    assert [(back.version, back.outcome) for back in database.backs] == [
        (2, "restored"),
        (1, "restored"),
    ]
    assert databases(server[0]) == before


def test_a_rewrite_and_the_locks_are_seen_on_rows_of_a_real_scale(rehearse: Rehearse) -> None:
    database = rehearse(ACCOUNTS, INDEX, REWRITE, deployed=1, rows=2000)
    run = database.runs[1]
    assert (run.start, run.version) == ("production", 1)
    assert {table.table: (table.rows, table.why_not) for table in run.filled} == {
        "public.accounts": (2000, ""),
        "public.sessions": (2000, ""),
    }
    index, rewrite = run.steps
    locks = {(lock.relation, lock.mode): lock for lock in index.locks}
    assert locks["public.sessions", "Share"].blocks == "writes"
    assert not index.rewritten
    assert rewrite.rewritten == ("public.accounts",)
    locks = {(lock.relation, lock.mode): lock for lock in rewrite.locks}
    lock = locks["public.accounts", "AccessExclusive"]
    assert (lock.blocks, lock.statement) == ("reads and writes", "ALTER TABLE")


def test_a_lock_that_is_held_is_timed_by_the_second_connection(rehearse: Rehearse) -> None:
    slow = "-- +goose Up\nLOCK TABLE accounts IN EXCLUSIVE MODE;\nSELECT pg_sleep(1.2);\n-- +goose Down\nSELECT 1;\n"
    database = rehearse(ACCOUNTS, slow, budget=1.0)
    step = database.runs[0].steps[1]
    (lock,) = [lock for lock in step.locks if lock.relation == "public.accounts"]
    assert lock.mode == "Exclusive"
    assert lock.statement == "", "no event trigger sees what is no DDL"
    assert lock.seen >= 0.5
    assert step.is_slow
    assert database.has_failed


def test_a_down_that_forgets_something_is_told_with_what_is_left(rehearse: Rehearse) -> None:
    database = rehearse(ACCOUNTS, FORGETFUL)
    (back,) = database.backs
    assert (back.version, back.outcome) == (2, "differs")
    assert back.differing == ("+ column public.accounts.age integer",)
    assert database.has_failed


def test_no_way_leads_past_a_migration_without_a_down_part(rehearse: Rehearse) -> None:
    database = rehearse(ACCOUNTS, FINAL)
    assert [(back.version, back.outcome) for back in database.backs] == [(2, "none")]
    assert not database.has_failed, "an irreversible migration is a choice, and no fault"


def test_goose_that_stops_is_told_with_its_file_and_its_words(rehearse: Rehearse) -> None:
    database = rehearse(ACCOUNTS, BROKEN, INDEX, deployed=1)
    assert [run.failed for run in database.runs] == ["00002_m.sql", "00002_m.sql"]
    assert 'relation "nowhere" does not exist' in database.runs[0].error
    assert database.has_failed
    assert not database.backs


def test_a_migration_that_does_something_on_each_run_is_not_settled(rehearse: Rehearse) -> None:
    # goose runs nothing twice; what it is given again is a file that its table does not have.
    forgetting = "-- +goose Up\nDELETE FROM public.goose_db_version WHERE version_id = 1;\n-- +goose Down\nSELECT 1;\n"
    database = rehearse("-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 1;\n", forgetting)
    assert not database.is_settled
    assert database.has_failed


def test_a_copy_is_migrated_and_what_it_was_made_of_is_not(server: Running, tmp_path: Path) -> None:
    files = written(tmp_path / "ours", (ACCOUNTS, INDEX))
    theirs = written(tmp_path / "theirs", (ACCOUNTS,))
    with servers.database(server[0]) as copy:
        runner = rehearsal.Rehearsing(*server, lambda _: None)
        runner._goose(theirs, copy).run("up")
        database = runner.rehearse(rehearsal.Order("auth_db", files, {}, copy=copy))
        (run,) = database.runs
        assert (run.start, run.version, [step.version for step in run.steps]) == (copy, 1, [2])
        with servers.connect(server[0], copy) as connection:
            rows = connection.execute("SELECT max(version_id) FROM goose_db_version").fetchall()
        assert rows == [(1,)]


def test_a_password_is_in_no_variable_and_in_no_file(server: Running) -> None:
    secret = b"c4n4ry:of\\the-rehearsal"
    guarded = servers.Server(server[0].settings, masking.Masked(secret))
    with servers.addressed(guarded, "auth") as (variables, descriptors):
        assert secret.decode() not in json.dumps(variables)
        (descriptor,) = descriptors
        link = Path(f"/proc/self/fd/{descriptor}").readlink()
        assert str(link).startswith("/memfd:")
        line = Path(variables["PGPASSFILE"]).read_bytes()
    assert line == b"*:*:*:*:c4n4ry\\:of\\\\the-rehearsal\n"


def git(folder: Path, *words: str) -> None:
    settings = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
    subprocess.run(["git", "-C", str(folder), *settings, *words], check=True, capture_output=True)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of the example whose production has the first two migrations of auth."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    git(tmp_path, "init", "--quiet", "--bare", "origin")
    root = tmp_path / "shop"
    git(tmp_path, "clone", "--quiet", str(tmp_path / "origin"), str(root))
    shutil.copytree(demo_repository.example(), root, dirs_exist_ok=True)
    third = root / "services/auth/migrations/00003_index_sessions_by_account.sql"
    text = third.read_text()
    third.unlink()
    git(root, "checkout", "--quiet", "-b", "main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "first")
    git(root, "push", "--quiet", "origin", "main")
    third.write_text(text)
    return root


def test_the_command_begins_with_what_an_environment_has(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["-C", str(shop), "migrations", "rehearse", "auth", "--from", "production"]
    assert main.run(["--lang", "en", *words, "--rows", "50", "--output", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (database,) = document["databases"]
    nothing, production = database["runs"]
    assert [len(run["steps"]) for run in (nothing, production)] == [3, 1]
    assert (production["start"], production["version"]) == ("production", 2)
    assert not document["failed"]

    (shop / "services/auth/migrations/00004_broken.sql").write_text(BROKEN)
    assert main.run(["--lang", "en", *words, "--output", "markdown"]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("### ❌ Migrations of auth (working tree)")
    assert "goose stopped at 00004_broken.sql" in shown
    assert main.run(["--lang", "ko", *words]) == 1
    assert "00004_broken.sql 파일에서 멈췄습니다" in capsys.readouterr().out


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A registry on this machine to which the user is logged in."""
    folder = tmp_path / "registry"
    folder.mkdir()
    with registries.running(folder) as address:
        token = base64.b64encode(f"{registries.USER}:{registries.PASSWORD}".encode())
        config = {"auths": {address: {"auth": token.decode()}}}
        (tmp_path / "config.json").write_text(json.dumps(config))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        yield address


def use_image(shop: Path, registry: str, texts: dict[str, str]) -> str:
    """Have production run an image with these migrations, which no commit has like that."""
    folder = "/app/services/auth/migrations"
    files = [layouts.File(f"{folder}/{name}", text.encode()) for name, text in texts.items()]
    image = layouts.image([layouts.layer([layouts.File(folder, mode=0o755), *files])], {})
    reference = references.parse(f"{registry}/shop/auth@{image.digest}")
    asyncio.run(pushing.push(image, reference, registries.login(registry), insecure=True))
    with values.editing(shop / "hanbae.yaml", "hanbae.yaml") as policy:
        policy.update({("registries", registry, "plain_http"): True})
    path = shop / "services/auth/helm/values-prod.yaml"
    with values.editing(path, path.name) as document:
        document.update(
            {
                ("image", "repository"): f"{registry}/shop/auth",
                ("image", "digest"): image.digest,
            }
        )
    git(shop, "add", "hanbae.yaml", str(path))
    git(shop, "commit", "--quiet", "--message", "an image")
    git(shop, "push", "--quiet", "origin", "main")
    return str(reference)


def test_it_begins_with_the_migrations_of_the_image_that_runs_there(
    shop: Path, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The image was built from elsewhere: it has another second migration, whose column the next one needs."""
    migrations = shop / "services/auth/migrations"
    first, second, *_ = sorted(migrations.glob("*.sql"))
    other = "-- +goose Up\nALTER TABLE accounts ADD COLUMN built text;\n"
    reference = use_image(
        shop, registry, {first.name: first.read_text(), second.name: other, "README.md": "no"}
    )
    (migrations / "00004_index.sql").write_text(
        "-- +goose Up\nCREATE INDEX built ON accounts (built);\n-- +goose Down\nDROP INDEX built;\n"
    )
    words = ["-C", str(shop), "migrations", "rehearse", "auth", "--from", "production"]
    capsys.readouterr()
    main.run(["--lang", "en", *words, "--output", "json"])
    streams = capsys.readouterr()
    nothing, production = json.loads(streams.out)["databases"][0]["runs"]
    assert nothing["failed"] == "00004_index.sql"
    assert (production["image"], production["version"]) == (reference, 2)
    assert production["failed"] != "00004_index.sql", "only the image has what it asks for"
    assert "are taken" not in streams.err


def test_the_commit_stands_in_for_an_image_that_is_not_read(
    shop: Path, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = min((shop / "services/auth/migrations").glob("*.sql"))
    reference = use_image(shop, registry, {first.name: first.read_text()})
    path = shop / "services/auth/helm/values-prod.yaml"
    path.write_text(path.read_text().replace(reference[-64:], "0" * 64))
    git(shop, "commit", "--quiet", "--all", "--message", "an image that nobody has pushed")
    git(shop, "push", "--quiet", "origin", "main")
    words = ["-C", str(shop), "migrations", "rehearse", "auth", "--from", "production"]
    assert main.run(["--lang", "en", *words, "--output", "json"]) == 0
    streams = capsys.readouterr()
    (_, production) = json.loads(streams.out)["databases"][0]["runs"]
    assert (production["image"], production["version"]) == ("", 2)
    assert "the migrations of its commit" in " ".join(streams.err.split())
    assert "is not in its registry" in " ".join(streams.err.split())


REHEARSED = [block for block in shown_pages.blocks() if block.scene == "rehearsal"]


@pytest.mark.parametrize("block", REHEARSED, ids=str)
def test_what_the_page_shows_is_what_a_rehearsal_says(
    shop: Path, block: shown_pages.Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop / "services/auth/migrations/00004_add_plan.sql").write_text(shown_pages.PLAN)
    monkeypatch.chdir(shop)
    monkeypatch.setenv("COLUMNS", "80")
    block.compare()


@pytest.mark.parametrize(
    ("words", "code", "words_shown"),
    [
        (("nobody",), 2, "nobody"),
        (("auth", "--database", "none"), 2, "auth_db"),
        (("auth", "--from", "moon"), 2, "moon"),
        (("auth", "--from", "staging"), 2, "git fetch"),
        (("auth", "--url", "postgres://kim:secret@localhost/auth"), 2, "--password-stdin"),
        (("auth", "--url", "postgres://kim@localhost"), 2, "must name a database"),
        (("auth", "--rows", "-1"), 2, "--rows"),
    ],
)
def test_wrong_use_is_told_before_any_server_starts(
    shop: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    words_shown: str,
) -> None:
    monkeypatch.setattr(rehearsal_server, "running", None)
    assert main.run(["--lang", "en", "-C", str(shop), "migrations", "rehearse", *words]) == code
    shown = capsys.readouterr().err
    assert words_shown in shown
    assert "secret@" not in shown


def test_without_the_extra_it_says_what_to_install(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(_: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "distribution", absent)
    monkeypatch.delenv(binaries.VARIABLE, raising=False)
    assert main.run(["--lang", "en", "-C", str(shop), "migrations", "rehearse", "auth"]) == 4
    assert "hanbae[sandbox]" in capsys.readouterr().err
