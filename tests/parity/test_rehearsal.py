"""A rehearsal on a real PostgreSQL with the real goose: what it finds, and what it leaves behind."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import jsonschema_rs
import psycopg
import pytest
from tests.support import postgresql, records, registries, shown_pages
from tests.support.registries import Quiet

from hanbae import errors, masking, wording
from hanbae.charts import values
from hanbae.cli import json_schemas, main
from hanbae.history import stores
from hanbae.images import layouts, references
from hanbae.images import registry as pushing
from hanbae.rehearsing import rehearsal, schemas, servers
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
NOTHING = "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 1;\n"
WIDE = """-- +goose Up
CREATE TABLE owners (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE TYPE kind AS ENUM ('plain', 'other');
CREATE TABLE all_types (
  owner bigint NOT NULL REFERENCES owners, above int REFERENCES all_types (whole), flag bool NOT NULL,
  bytes bytea NOT NULL, net cidr NOT NULL, day date NOT NULL, host inet NOT NULL, lasts interval NOT NULL,
  one json NOT NULL, two jsonb NOT NULL, hour time NOT NULL, at timestamp NOT NULL, zoned timestamptz NOT NULL,
  id uuid NOT NULL UNIQUE, tiny smallint NOT NULL, whole int NOT NULL UNIQUE, "Big" bigint NOT NULL,
  half real NOT NULL, full_ double precision NOT NULL, amount numeric NOT NULL, word text NOT NULL UNIQUE,
  code varchar(6) NOT NULL UNIQUE, fixed char(8) NOT NULL, labels text[] NOT NULL, kind kind NOT NULL,
  made timestamptz NOT NULL DEFAULT now(), twice int GENERATED ALWAYS AS (whole * 2) STORED, free text);
CREATE TABLE seeded (id int PRIMARY KEY CHECK (id < 0));
INSERT INTO seeded VALUES (-1), (-2), (-3);
CREATE TABLE of_seeded (seeded int NOT NULL REFERENCES seeded);
CREATE TABLE profiles (seeded int PRIMARY KEY REFERENCES seeded);
CREATE TABLE settings (seeded int NOT NULL REFERENCES seeded, kind kind NOT NULL, UNIQUE (seeded, kind));
CREATE TABLE late (seeded int NOT NULL UNIQUE DEFERRABLE REFERENCES seeded);
CREATE TABLE never (id int PRIMARY KEY CHECK (id < 0));
CREATE TABLE of_never (never int NOT NULL REFERENCES never);
"""
BROKEN = "-- +goose Up\nALTER TABLE nowhere ADD COLUMN a int;\n-- +goose Down\nSELECT 1;\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with rehearsal_server.running(Quiet()) as running:
        yield running


BEFORE = """
CREATE TABLE t (n int, word text);
CREATE TABLE parent (n int) PARTITION BY LIST (n);
CREATE VIEW v AS SELECT n FROM t;
CREATE TYPE kind AS ENUM ('plain');
CREATE DOMAIN positive AS int;
CREATE SEQUENCE numbers;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
"""
FUNCTION = """\
CREATE OR REPLACE FUNCTION public.g()
 RETURNS integer
 LANGUAGE sql
AS $function$SELECT 1$function$
"""
CHANGES = (
    ("CREATE SCHEMA app", "+ schema app"),
    ("CREATE TABLE u ()", "+ relation public.u rp"),
    ("ALTER TABLE t SET UNLOGGED", "+ relation public.t ru"),
    ("ALTER TABLE t SET (fillfactor = 70)", "+ relation public.t rp fillfactor=70"),
    ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "+ relation public.t rp row security"),
    ("CREATE TABLE p PARTITION OF parent DEFAULT", "+ relation public.p rp partition of parent"),
    ("ALTER TABLE t ADD COLUMN m bigint NOT NULL", "+ column public.t.m bigint not null"),
    ("ALTER TABLE t ALTER n SET DEFAULT 1", "+ column public.t.n integer default 1"),
    (
        "ALTER TABLE t ADD m int GENERATED ALWAYS AS (n * 2) STORED",
        "+ column public.t.m integer generated (n * 2)",
    ),
    (
        "ALTER TABLE t ADD m int GENERATED ALWAYS AS IDENTITY",
        "+ column public.t.m integer not null identity a",
    ),
    ("DROP VIEW v", "- view public.v  SELECT n\n   FROM t;"),
    ("CREATE INDEX i ON t (n)", "+ index CREATE INDEX i ON public.t USING btree (n)"),
    ("ALTER TABLE t ADD CONSTRAINT c CHECK (n > 0)", "+ constraint t c CHECK ((n > 0))"),
    (
        "ALTER SEQUENCE numbers CYCLE",
        "+ sequence public.numbers bigint from 1 to 9223372036854775807 by 1 cycle",
    ),
    (
        "CREATE STATISTICS s ON n, word FROM t",
        "+ statistics CREATE STATISTICS public.s ON n, word FROM t",
    ),
    (
        "CREATE RULE r AS ON INSERT TO t DO ALSO NOTHING",
        "+ rule CREATE RULE r AS\n    ON INSERT TO public.t DO NOTHING; O",
    ),
    (
        "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "+ trigger CREATE TRIGGER x BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION f() O",
    ),
    ("CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'", f"+ function {FUNCTION}"),
    ("CREATE AGGREGATE a (int) (SFUNC = int4pl, STYPE = int)", "+ aggregate a(integer)"),
    ("ALTER TYPE kind RENAME VALUE 'plain' TO 'other'", "+ type public.kind other"),
    ("CREATE DOMAIN word AS text", "+ domain public.word text"),
    ("ALTER DOMAIN positive SET NOT NULL", "+ domain public.positive integer not null"),
    ("ALTER DOMAIN positive SET DEFAULT 1", "+ domain public.positive integer default 1"),
    (
        "ALTER DOMAIN positive ADD CONSTRAINT c CHECK (VALUE > 0)",
        "+ constraint positive c CHECK ((VALUE > 0))",
    ),
    (
        "CREATE POLICY o ON t USING (n > 1) WITH CHECK (n > 2)",
        "+ policy o on t * (n > 1) check (n > 2)",
    ),
    ("DROP EXTENSION plpgsql CASCADE", "- extension plpgsql"),
)
"""What a migration may do, and how that is told where its Down part forgets it."""


@pytest.fixture(scope="module")
def schema(server: Running) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database with something in it."""
    with (
        servers.database(server[0]) as name,
        servers.connect(server[0], name) as connection,
    ):
        connection.execute(BEFORE.encode())
        yield connection


@pytest.mark.parametrize(("statement", "line"), CHANGES)
def test_whatever_is_left_of_a_migration_differs(
    schema: psycopg.Connection[Any], statement: str, line: str
) -> None:
    before = schemas.read(schema)
    schema.execute("BEGIN")
    try:
        schema.execute(statement.encode())
        after = schemas.read(schema)
    finally:
        schema.execute("ROLLBACK")
    assert line in schemas.differing(before, after)
    assert schemas.read(schema) == before


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


def test_rows_of_every_type_are_made_and_those_that_others_point_at_first(
    rehearse: Rehearse,
) -> None:
    """What is told is what the table got: fewer rows are pointed at more than once, and none is said."""
    run = rehearse(WIDE, NOTHING, deployed=1, rows=2000).runs[1]
    filled = {table.table.removeprefix("public."): table for table in run.filled}
    assert filled["all_types"] == rehearsals.Filled("public.all_types", 2000)
    assert filled["of_seeded"] == rehearsals.Filled("public.of_seeded", 2000)
    assert (filled["seeded"].rows, filled["of_never"].rows) == (0, 0)
    assert "violates check constraint" in filled["seeded"].why_not
    assert 'null value in column "never"' in filled["of_never"].why_not
    for name in ("profiles", "settings"):
        assert filled[name].rows == 3, "as many as there are to point at"
        assert "duplicate key" in filled[name].why_not
    assert filled["late"].rows == 0
    assert "duplicate key" in filled["late"].why_not


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


def test_a_migration_that_cannot_be_applied_once_more_is_told(rehearse: Rehearse) -> None:
    """Its Down part leaves the schema as it was, and a row that its Up part makes again."""
    again = (
        "-- +goose Up\nINSERT INTO accounts (name) VALUES ('first');\n-- +goose Down\nSELECT 1;\n"
    )
    database = rehearse(ACCOUNTS, again)
    (back,) = database.backs
    assert (back.version, back.outcome) == (2, "failed")
    assert "duplicate key" in back.error
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


def test_what_the_environments_own_migrations_stop_at_is_told_as_theirs(
    rehearse: Rehearse,
) -> None:
    run = rehearse(ACCOUNTS, BROKEN, INDEX, deployed=2).runs[1]
    assert (run.start, run.version, run.failed) == ("production", 0, "00002_m.sql")
    assert 'relation "nowhere" does not exist' in run.error
    assert run.steps == ()


def test_a_database_without_migrations_has_nothing_to_rehearse(rehearse: Rehearse) -> None:
    database = rehearse(deployed=0)
    assert [run.steps for run in database.runs] == [(), ()]
    assert not database.has_failed


def test_a_migration_that_drops_all_schemas_is_rehearsed_with_the_second_connection_alone(
    server: Running, tmp_path: Path
) -> None:
    everything = """-- +goose Up
-- +goose StatementBegin
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT nspname FROM pg_namespace WHERE nspname NOT IN ('public', 'information_schema')
    AND nspname NOT LIKE 'pg\\_%' LOOP EXECUTE format('DROP SCHEMA %I CASCADE', name); END LOOP;
END $$;
-- +goose StatementEnd
"""
    order = rehearsal.Order(
        "auth_db", written(tmp_path / "ours", (ACCOUNTS, everything, INDEX)), {}
    )
    rehearsing = rehearsal.Rehearsing(*server, lambda _: None)
    database = rehearsing.rehearse(order)
    assert [step.version for step in database.runs[0].steps] == [1, 2, 3]
    assert rehearsing.unseen == {"rehearsal.unseen-statements"}


def test_a_migration_that_ends_everybodys_sessions_is_told_as_a_server_that_is_gone(
    rehearse: Rehearse, server: Running
) -> None:
    before = databases(server[0])
    others = """-- +goose Up
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
"""
    with pytest.raises(errors.Unreachable) as unreachable:
        rehearse(others)
    assert "terminating connection" in str(unreachable.value.text.facts["reason"])
    assert databases(server[0]) == before


def test_a_copy_whose_table_of_versions_is_another_one_is_told_in_postgresqls_words(
    server: Running, tmp_path: Path
) -> None:
    with servers.database(server[0]) as name:
        with servers.connect(server[0], name) as connection:
            connection.execute("CREATE TABLE goose_db_version (version int)")
        order = rehearsal.Order("auth_db", written(tmp_path / "ours", (NOTHING,)), {}, copy=name)
        with pytest.raises(errors.Failed) as failed:
            rehearsal.Rehearsing(*server, lambda _: None).rehearse(order)
    assert failed.value.text.id == "rehearsal.no-answer"
    assert 'column "version_id" does not exist' in str(failed.value.text.facts["reason"])


def test_an_extension_that_the_server_lacks_is_named_at_the_file(rehearse: Rehearse) -> None:
    run = rehearse(ACCOUNTS, "-- +goose Up\nCREATE EXTENSION postgis;\n").runs[0]
    assert run.failed == "00002_m.sql"
    assert 'extension "postgis" is not available' in run.error


@pytest.mark.parametrize(
    "forgetting",
    [
        "DELETE FROM public.goose_db_version WHERE version_id = 1",
        "CREATE OR REPLACE RULE none AS ON INSERT TO public.goose_db_version DO INSTEAD NOTHING",
    ],
)
def test_a_migration_that_does_something_on_each_run_is_not_settled(
    rehearse: Rehearse, forgetting: str
) -> None:
    # goose runs nothing twice; what it is given again is a file that its table does not have.
    database = rehearse(NOTHING, NOTHING.replace("SELECT 1", forgetting, 1))
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
            # What was taken back has an older row that says the contrary.
            connection.execute(
                "INSERT INTO goose_db_version (version_id, is_applied) VALUES (2, true), (2, false)"
            )
        (run,) = runner.rehearse(rehearsal.Order("auth_db", files, {}, copy=copy)).runs
        assert (run.version, [step.version for step in run.steps]) == (1, [2])


def test_a_rehearsal_that_is_broken_off_leaves_no_database(server: Running) -> None:
    before = databases(server[0])

    def broken_off() -> None:
        with servers.database(server[0]) as name:
            assert databases(server[0]) == before | {name}
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert databases(server[0]) == before


def test_a_password_is_in_no_variable_and_in_no_file(server: Running) -> None:
    secret = b"c4n4ry:of\\the-rehearsal"
    guarded = servers.Server(server[0].settings, masking.Masked(secret))
    with servers.addressed(guarded, "auth") as (variables, descriptors):
        assert not [name for name, value in variables.items() if secret.decode() in value]
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
    (notice,) = document["notices"]
    assert notice["id"] == "rehearsal.commit-without-image"
    assert (notice["facts"]["environment"], notice["facts"]["service"]) == ("production", "auth")
    published = json_schemas.schema("migrations-rehearse")
    jsonschema_rs.validate(published, document)
    root = published["$defs"][published["$ref"].rpartition("/")[2]]
    assert document.keys() == root["properties"].keys()

    (shop / "services/auth/migrations/00004_broken.sql").write_text(BROKEN)
    assert main.run(["--lang", "en", *words, "--output", "markdown"]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("### ❌ Migrations of auth (working tree)")
    assert "goose stopped at 00004_broken.sql" in shown
    assert main.run(["--lang", "ko", *words]) == 1
    assert "00004_broken.sql 파일에서 멈췄습니다" in capsys.readouterr().out


def test_it_begins_with_what_was_deployed_last_in_each_environment_that_is_known(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of staging nobody knows anything; production's branch is ahead of what was deployed there."""
    words = ["git", "-C", str(shop), "rev-parse", "HEAD"]
    first = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    git(shop, "add", "--all")
    git(shop, "commit", "--quiet", "--message", "second")
    git(shop, "push", "--quiet", "origin", "main")
    second = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    with stores.open_store() as store:
        for name, revision, outcome in (("d1", first, "succeeded"), ("d2", second, "failed")):
            opened = records.opened("auth", "production", revision=revision)
            for event in records.stream([opened, records.closed(outcome)], deployment=name):
                store.append(event.deployment, event.step, event.fact, event.at)
    assert main.run(["-C", str(shop), "migrations", "rehearse", "auth", "--output", "json"]) == 0
    (database,) = json.loads(capsys.readouterr().out)["databases"]
    starts = [(run["start"], run["version"]) for run in database["runs"]]
    assert starts == [("nothing", 0), ("production", 2)]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    """A server with a password, and on it a database of somebody who is no superuser."""
    folder = tmp_path / "postgresql"
    folder.mkdir()
    with postgresql.running(folder) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            role = f"CREATE ROLE kim LOGIN CREATEDB PASSWORD '{postgresql.PASSWORD}'"
            connection.execute(role.encode())
            connection.execute("CREATE DATABASE auth_copy OWNER kim")
        yield url.replace("//postgres:", "//kim:").rpartition("/")[0]


def test_a_copy_on_ones_own_server_is_rehearsed_with_a_password_that_nobody_sees(
    shop: Path, guarded: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = io.TextIOWrapper(io.BytesIO(f"{postgresql.PASSWORD}\n".encode()))
    monkeypatch.setattr("sys.stdin", typed)
    url = f"{guarded}/auth_copy".replace(f":{postgresql.PASSWORD}", "")
    words = ["--url", url, "--password-stdin", "--output", "json"]
    assert main.run(["-C", str(shop), "migrations", "rehearse", "auth", *words]) == 0
    streams = capsys.readouterr()
    assert postgresql.PASSWORD not in streams.out + streams.err
    document = json.loads(streams.out)
    (run,) = document["databases"][0]["runs"]
    assert (run["start"], run["version"], len(run["steps"])) == ("auth_copy", 0, 3)
    assert document["unseen"] == ["rehearsal.unseen-statements"], "that takes a superuser"
    query = "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1"
    with psycopg.connect(f"{guarded}/auth_copy") as connection:
        assert connection.execute(query).fetchall() == [("auth_copy",), ("postgres",)]
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchone() == (0,)


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
    document = json.loads(streams.out)
    nothing, production = document["databases"][0]["runs"]
    assert nothing["failed"] == "00004_index.sql"
    assert (production["image"], production["version"]) == (reference, 2)
    assert production["failed"] != "00004_index.sql", "only the image has what it asks for"
    assert "are taken" not in streams.err
    assert document["notices"] == []


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
    document = json.loads(streams.out)
    (_, production) = document["databases"][0]["runs"]
    assert (production["image"], production["version"]) == ("", 2)
    assert "the migrations of its commit" in " ".join(streams.err.split())
    assert "is not in its registry" in " ".join(streams.err.split())
    instead, why = document["notices"]
    assert instead["id"] == "rehearsal.commit-instead"
    assert instead["facts"]["image"].endswith("0" * 64)
    assert why["id"] == "rehearsal.not-in-image"


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
        (("identity", "--url", "postgres://kim@localhost/copy"), 2, "--database NAME"),
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
