from __future__ import annotations

from typing import Any

import pytest
from tests.support.releases import hits, manifest, pod, project, release

from hanbae.rules import views
from hanbae.rules.migrations import (
    branches,
    contract_steps,
    databases,
    folders,
    images,
    jobs,
    locking,
    runs,
    statements,
)

M = "services/auth/migrations"
UP = "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 1;\n"
ENABLED = {"migration": {"enabled": True}}
HOOK = {"argocd.argoproj.io/hook": "Sync", "argocd.argoproj.io/sync-wave": "-5"}
GOOSE = ["-dir", "/app/services/auth/migrations", "up"]


def service(files: dict[str, str], **more: Any) -> views.Service:
    return views.Service(
        project({f"{M}/{name}": text for name, text in files.items()}, **more), "auth"
    )


def declared(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"migration": {"enabled": True, "databases": list(entries)}}


def job(name: str = "auth-service-migrate", **container: Any) -> dict[str, Any]:
    manifest = pod("Job", name, **{"command": ["goose"], "args": GOOSE, **container})
    manifest["metadata"] |= {"annotations": dict(HOOK)}
    manifest["spec"] |= {
        "ttlSecondsAfterFinished": 300,
        "backoffLimit": 3,
        "activeDeadlineSeconds": 600,
    }
    return manifest


def test_names_that_goose_cannot_take_or_does_not_see() -> None:
    view = service(
        {
            "00001_a.sql": UP,
            "1_b.sql": UP,
            "init.sql": UP,
            "0_x.sql": UP,
            "00002_a.SQL": UP,
            "00002_a.sql.bak": UP,
            "00003_a.psql": UP,
            "00004_a.go": "",
            "00004_a_test.go": "",
            "main.go": "",
            "README.md": "",
            ".gitkeep": "",
            "legal/00001_a.sql": UP,
        }
    )
    assert [hit[1] for hit in hits(folders.without_number, view)] == ["0_x.sql", "init.sql"]
    assert hits(folders.version_twice, view) == [("", "1", "1_b.sql", "00001_a.sql")]
    assert [hit[1] for hit in hits(folders.not_taken, view)] == [
        "00002_a.SQL",
        "00002_a.sql.bak",
        "00003_a.psql",
    ]
    assert hits(folders.in_go, view) == [("", "00004_a.go")]


def test_gaps_are_told_but_not_between_times_nor_where_a_branch_has_them() -> None:
    names = ["00001_a.sql", "00004_b.sql"]
    view = service(dict.fromkeys(names, UP))
    assert hits(folders.gap, view) == [("", *names)]
    deployed = {"production": {f"{M}/00004_b.sql": UP}}
    assert hits(folders.gap, service(dict.fromkeys(names, UP), branches=deployed)) == []
    times = ["20260101000000_a.sql", "20260301000000_b.sql"]
    assert hits(folders.gap, service(dict.fromkeys(times, UP))) == []
    mixed = service(dict.fromkeys(["00001_a.sql", *times], UP))
    assert hits(folders.gap, mixed) == [("mixed", times[1], "00001_a.sql")]


def test_a_table_that_the_file_itself_makes_may_be_dropped() -> None:
    text = "-- +goose Up\nCREATE TABLE scratch (a int);\nDROP TABLE scratch;\nDROP TABLE kept;\n"
    losses = list(statements.destructive(service({"00001_a.sql": text})))
    assert [(hit.variant, hit.facts["statement"]) for hit in losses] == [
        ("drop", "DROP TABLE kept")
    ]


def test_the_way_back_may_take_away_what_the_way_there_has_made() -> None:
    text = "-- +goose Up\nCREATE TABLE a ();\n-- +goose Down\nDROP TABLE a;\nVACUUM;\n"
    view = service({"00001_a.sql": text})
    assert hits(statements.destructive, view) == []
    assert hits(statements.needs_no_transaction, view) == [("", "VACUUM")]


def test_a_statement_that_is_sent_with_another_is_in_a_transaction_as_well() -> None:
    text = (
        "-- +goose NO TRANSACTION\n-- +goose Up\nSELECT 1; CREATE INDEX CONCURRENTLY a ON b (c);\n"
    )
    assert hits(statements.needs_no_transaction, service({"00001_a.sql": text})) == [
        ("together", "CREATE INDEX CONCURRENTLY")
    ]


def compared(here: dict[str, str], there: dict[str, str]) -> views.Release:
    heads = {"dev": {f"{M}/{name}": text for name, text in there.items()}}
    return release(of=project({f"{M}/{n}": t for n, t in here.items()}, branches=heads))


FIRST, SECOND, THIRD = "00001_a.sql", "00002_b.sql", "00003_c.sql"


@pytest.mark.parametrize(
    ("after", "there", "expected"),
    [
        ("00002", {FIRST: UP}, [(SECOND, THIRD, "dev")]),
        ("00002", {FIRST: UP, SECOND: UP}, []),
        ("00002", {FIRST: UP, THIRD: UP}, []),
        ("00009", {FIRST: UP}, []),
    ],
    ids=["both at once", "one after the other", "is there already", "waits for nothing"],
)
def test_a_contract_step_that_comes_with_what_it_waits_for(
    after: str, there: dict[str, str], expected: list[tuple[str, str, str]]
) -> None:
    step = f"-- hanbae: contract after {after}\n{UP}"
    view = compared({FIRST: UP, SECOND: UP, THIRD: step}, there)
    assert [hit[1:4] for hit in hits(contract_steps.too_early, view)] == expected


def brought(*options: str | None) -> list[tuple[str, ...]]:
    """What is said of a file without a timeout where the Jobs of environments bring these options."""
    locking_file = "-- +goose Up\nALTER TABLE a ADD COLUMN b int;\n"
    files = {f"{M}/{FIRST}": locking_file}
    view = views.Service(project(files, policy="migrations: {lock_timeout: 5s}\n"), "auth")
    for environment, value in zip(("dev", "production"), options, strict=True):
        env = [{"name": "GOOSE_DRIVER", "value": "postgres"}]
        env += [{"name": "PGOPTIONS", "value": value}] if value else []
        release([job(env=env)], ENABLED, environment=environment, service=view)
    return [(str(hit.place.line), hit.variant) for hit in locking.waits_for_ever(view)]


def test_a_timeout_counts_where_every_environment_brings_one() -> None:
    timeout = "-c lock_timeout=5s"
    assert brought(timeout, timeout) == []
    assert brought(timeout, None) == brought(None, timeout) == [("2", "")]


def deviations(view: views.Release) -> list[tuple[str, ...]]:
    rules = (branches.out_of_order, branches.edited, branches.missing_here)
    return [(rule.__name__, *hit[:2]) for rule in rules for hit in hits(rule, view)]


OTHER = UP.replace("SELECT 1;\n-- +goose Down", "SELECT 2;\n-- +goose Down")


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        ({FIRST: UP, SECOND: UP}, {FIRST: UP}, []),
        ({FIRST: UP}, {FIRST: UP, SECOND: UP}, [("missing_here", "behind", SECOND)]),
        (
            {FIRST: UP, SECOND: UP, THIRD: UP},
            {FIRST: UP, THIRD: UP},
            [("out_of_order", "", SECOND)],
        ),
        ({FIRST: UP, THIRD: UP}, {FIRST: UP, SECOND: UP}, [("missing_here", "", SECOND)]),
        ({FIRST: OTHER}, {FIRST: UP}, [("edited", "", FIRST)]),
        ({"00001_other.sql": OTHER}, {FIRST: UP}, [("edited", "taken", "00001_other.sql")]),
        ({"00001_renamed.sql": UP}, {FIRST: UP}, []),
        ({FIRST: "-- why\n" + UP.replace("\n", "\r\n")}, {FIRST: UP}, []),
        ({FIRST: UP.replace("Down\nSELECT 1", "Down\nSELECT 2")}, {FIRST: UP}, []),
        ({FIRST: "-- +goose NO TRANSACTION\n" + UP}, {FIRST: UP}, [("edited", "", FIRST)]),
        ({FIRST: "no goose"}, {FIRST: UP}, [("edited", "", FIRST)]),
        ({FIRST: UP.replace("SELECT 1", "SELECT\n   1")}, {FIRST: UP}, []),
        # The same Up part, and a file at which goose gives up.
        ({FIRST: UP + "-- +goose Down\n"}, {FIRST: UP}, [("edited", "", FIRST)]),
        ({"legal/" + FIRST: UP}, {FIRST: UP}, []),
        ({"README.md": "x", FIRST: UP}, {FIRST: UP}, []),
    ],
)
def test_a_branch_shows_what_its_environment_has(
    here: dict[str, str], there: dict[str, str], expected: list[tuple[str, ...]]
) -> None:
    assert deviations(compared(here, there)) == expected


def test_without_a_branch_nothing_is_compared() -> None:
    assert deviations(release(of=project({f"{M}/{FIRST}": UP}))) == []


@pytest.mark.parametrize(
    ("migration", "variant"),
    [
        ("yes", "form"),
        ({"enabled": True, "databases": "a_db"}, "form"),
        ({"enabled": True, "databases": [{"dir": "x"}]}, "name"),
        ({"enabled": True, "databases": [{"name": "a"}, {"name": "a", "dir": "b"}]}, "twice"),
        ({"enabled": True, "databases": [{"name": "a", "dir": "../x"}]}, "folder"),
    ],
)
def test_databases_are_declared_by_contract(migration: Any, variant: str) -> None:
    view = release(values={"migration": migration})
    assert [variant for variant, *_ in hits(databases.not_the_contract, view)] == [variant]
    assert view.databases == ()


def test_databases_and_folders_are_held_against_each_other() -> None:
    files = {f"{M}/legal_db/{FIRST}": UP, f"{M}/old_db/{FIRST}": UP, f"{M}/more/x/y.txt": ""}
    entries = [{"name": "legal_db", "dir": "legal_db/"}, {"name": "audit_db", "dir": "audit_db"}]
    view = release(values=declared(*entries), of=project(files))
    assert hits(databases.without_files, view) == [("", "audit_db", f"{M}/audit_db")]
    assert hits(databases.undeclared, view) == [("", f"{M}/old_db")]


@pytest.mark.parametrize(
    ("migration", "variants"),
    [({"enabled": False}, [""]), ({}, ["absent"]), ({"enabled": True}, [])],
)
def test_migrations_that_are_not_run_are_told(
    migration: dict[str, Any], variants: list[str]
) -> None:
    files = {f"{M}/{FIRST}": UP}
    view = release(values={"migration": migration}, of=project(files))
    assert [variant for variant, *_ in hits(databases.not_enabled, view)] == variants
    assert hits(databases.not_enabled, release(values={"migration": migration})) == []


@pytest.mark.parametrize(
    ("waves", "variants"),
    [
        ([-5, -4, -3], []),
        ([-4], ["first"]),
        ([-5, -5], ["same"]),
        ([-5, -3, -4], ["order"]),
        ([-5, 0], ["late"]),
        ([-10, -5], ["early"]),
        ([None, True, "x"], []),
    ],
)
def test_waves_are_in_order(waves: list[Any], variants: list[str]) -> None:
    entries = [
        {"name": f"d{number}", "dir": f"d{number}", "wave": wave}
        for number, wave in enumerate(waves)
    ]
    view = release(values=declared(*entries))
    assert [variant for variant, *_ in hits(databases.waves, view)] == variants


def test_each_database_has_its_job() -> None:
    entries = [
        {"name": "a_db", "dir": "a"},
        {"name": "b_db", "dir": "b"},
        {"name": "c_db", "dir": "c"},
    ]
    first = job("auth-service-migrate-a-db")
    second = job("other")
    second["metadata"] |= {"labels": {"hanbae.dev/database": "b_db"}, "annotations": {}}
    view = release([first, second], declared(*entries))
    assert [hit[:3] for hit in hits(jobs.missing_job, view)] == [
        ("name", "b_db", "auth-service-migrate-b-db"),
        ("hook", "b_db", "auth-service-migrate-b-db"),
        ("", "c_db", "auth-service-migrate-c-db"),
    ]


def test_the_jobs_limits_are_the_policys() -> None:
    limited = job()
    assert hits(jobs.limits, release([limited], ENABLED)) == []
    limited["spec"] |= {"ttlSecondsAfterFinished": None, "backoffLimit": 0}
    del limited["spec"]["activeDeadlineSeconds"]
    assert [hit[1:3] for hit in hits(jobs.limits, release([limited], ENABLED))] == [
        ("ttlSecondsAfterFinished", "-"),
        ("backoffLimit", "0"),
    ]
    early = job()
    early["metadata"]["annotations"]["argocd.argoproj.io/hook"] = "PreSync"
    assert hits(jobs.limits, release([early], ENABLED)) == [("phase", "PreSync", "Sync", "auth")]


@pytest.mark.parametrize(
    ("container", "variants"),
    [
        ({}, []),
        ({"args": ["-dir=/app/migrations", "up"]}, []),
        ({"args": ["up"], "env": [{"name": "GOOSE_MIGRATION_DIR", "value": "/m"}]}, []),
        ({"args": ["up"]}, ["dir"]),
        ({"args": ["-dir", "/m", "postgres", "postgres://db/x", "up"]}, ["url"]),
        ({"args": ["up", "-dir", "/m"]}, []),
        ({"args": ["-dir", "/m", "up", "-allow-missing"]}, []),
        ({"args": ["-dir", "/m", "status"]}, ["up"]),
        ({"args": ["status", "-dir", "/m", "-table", "up"]}, ["up"]),
        ({"args": ["-dir", "/m", "up-to", "3"]}, ["up"]),
        ({"args": ["-dir", "/m", ""]}, ["up"]),
        (
            {"command": ["/bin/sh", "-c", 'goose -dir /m postgres "$URL" up'], "args": None},
            ["shell"],
        ),
        ({"command": ["flyway"], "args": ["migrate"]}, []),
        ({"command": None, "args": None}, []),
        ({"command": "goose", "args": {"odd": 1}}, []),
    ],
)
def test_goose_is_run_by_itself_with_a_folder(
    container: dict[str, Any], variants: list[str]
) -> None:
    view = release([job(**container)], ENABLED)
    assert [variant for variant, *_ in hits(jobs.command, view)] == variants


def test_a_database_is_migrated_with_its_own_files() -> None:
    view = release([job(args=["-dir", "/m/b", "up"])], declared({"name": "a_db", "dir": "a"}))
    assert [variant for variant, *_ in hits(jobs.command, view)] == ["other"]


def test_migrations_run_from_an_image_of_the_pods() -> None:
    assert hits(jobs.image, release([pod(), job()], ENABLED)) == []
    foreign = hits(jobs.image, release([pod(), job(image="x:2")], ENABLED))
    assert foreign == [("", "Job/auth-service-migrate")]
    assert hits(jobs.image, release([job(image="x:2")], ENABLED)) == []


FINAL = "COPY --from=goose /go/bin/goose /usr/local/bin/goose\n"


@pytest.mark.parametrize(
    ("dockerfile", "variants"),
    [
        ("FROM a\nCOPY services/auth/migrations /app/services/auth/migrations\n" + FINAL, []),
        ("FROM a\nCOPY . /src\n" + FINAL, []),
        ("FROM a\nADD migrations/ /app/services/auth/migrations\n" + FINAL, []),
        ("FROM a\nCOPY migrations/*.sql /app/services/auth/migrations/\n" + FINAL, []),
        ('FROM a\nCOPY ["services/auth", "/app/services/auth"]\n' + FINAL, []),
        ("FROM a\n# COPY . /src\nRUN x \\\n  goose\n", [""]),
        ("FROM a\nCOPY services/auth/migrations /m\n" + FINAL, ["elsewhere"]),
        ("FROM a\nCOPY . /src\n", ["goose"]),
        ("FROM x AS base\nCOPY . /src\nRUN install goose\nFROM base\nUSER 1\n", []),
        ("FROM x AS build\nCOPY . /src\nFROM a\n" + FINAL, [""]),
        # Another stage or image has put it together; what it has in a folder of that name is not followed.
        ("FROM a\nCOPY --from=build services/auth/migrations /m\n" + FINAL, []),
        ("FROM a\nCOPY --from=build services/auth/bin /m\n" + FINAL, [""]),
        ("", []),
        ("COPY\nFROM\n", ["", "goose"]),
    ],
)
def test_the_image_has_the_migrations_and_goose(dockerfile: str, variants: list[str]) -> None:
    view = release([job()], ENABLED, of=project({"services/auth/Dockerfile": dockerfile}))
    assert [variant for variant, *_ in hits(images.not_in_image, view.service)] == variants


def test_a_job_that_does_not_call_goose_needs_none() -> None:
    files = {"services/auth/Dockerfile": "FROM a\nCOPY . /src\n"}
    view = release([job(command=["/app/migrate"], args=["up"])], ENABLED, of=project(files))
    assert hits(images.not_in_image, view.service) == []


def test_the_image_has_the_runner_that_the_job_calls() -> None:
    runner = job(command=["/usr/local/bin/hanbae-migrate"])
    copied = "COPY --from=hanbae-migrate /go/bin/hanbae-migrate /usr/local/bin/hanbae-migrate\n"
    for last, missing in ((copied, []), (FINAL, [("goose", "hanbae-migrate", "auth")])):
        files = {"services/auth/Dockerfile": f"FROM a\nCOPY . /src\n{last}"}
        view = release([runner], ENABLED, of=project(files))
        assert hits(images.not_in_image, view.service) == missing


@pytest.mark.parametrize(
    ("program", "driver", "differing"),
    [
        ("goose", "postgres", [("", "command", "goose", "hanbae-migrate", "auth")]),
        ("hanbae-migrate", "postgres", []),
        ("goose", "clickhouse", []),
    ],
)
def test_a_job_runs_the_policys_runner(
    program: str, driver: str, differing: list[tuple[str, ...]]
) -> None:
    migrating = job(command=[program], env=[{"name": "GOOSE_DRIVER", "value": driver}])
    asking = project(policy="migrations: {runner: hanbae-migrate}\n")
    assert hits(jobs.limits, release([migrating], ENABLED, of=asking)) == differing
    assert hits(jobs.limits, release([migrating], ENABLED)) == []


def test_pods_that_migrate_with_the_runner_wait_for_each_other() -> None:
    """So that is a notice; with goose nothing keeps them apart."""
    for program, variant in (("goose", "pods"), ("hanbae-migrate", "locked")):
        init = {"name": "migrate", "image": "x:1", "command": [program], "args": GOOSE}
        workload = pod("Deployment", "auth-service")
        workload["spec"]["template"]["spec"]["initContainers"] = [init]
        view = release([workload], ENABLED)
        assert [hit[0] for hit in hits(runs.outside_of_the_deployment, view)] == [variant]


def test_nothing_is_asked_of_an_image_without_migrations() -> None:
    files = {"services/auth/Dockerfile": "FROM a\n"}
    view = release([manifest("Job")], {"migration": {"enabled": False}}, of=project(files))
    assert hits(images.not_in_image, view.service) == []
