"""Several services in one command: one that fails hides no other, and what is as it was proven can be left out."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from concurrent import futures
from typing import Any, Final

import pytest
from tests.support import crashing, demos, holding, polling, runners, scenes, terminals

from hanbae import errors
from hanbae.sandbox import demo_repository, demo_shop

QUESTION: Final = r"\[y/N\]: $"


@pytest.fixture(scope="module")
def several(demo: demos.Demo) -> scenes.Scene:
    """An environment with three services, proven once; the migrations of one are run by hanbae-migrate."""
    scene = scenes.own(demo.sandbox, "several", runner=("personal",))
    ended = scene.deploy("--concurrency", "2")
    assert ended.code == 0, ended.err
    assert {row["service"] for row in ended.deployments} == set(scene.shop.services)
    return scene


def test_nothing_is_deployed_that_is_as_it_was_proven(several: scenes.Scene) -> None:
    services = sorted(several.shop.services)
    before = {
        service: several.operation(service)["status"]["operationState"] for service in services
    }
    ended = several.deploy("--changed-only")
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    assert document["deployments"] == []
    assert sorted(document["unchanged"]) == services
    for service in services:
        assert several.operation(service)["status"]["operationState"] == before[service]

    several.set_environment("personal", CHANGED="yes")
    several.publish("One service only")
    ended = several.deploy("--changed-only", output="text")
    assert ended.code == 0, ended.err
    assert "personal" in ended.out
    assert "auth" not in ended.out
    assert "left out: auth, identity" in ended.err


def test_an_older_commit_of_the_branch_is_deployed_and_proven(several: scenes.Scene) -> None:
    head, older = (
        demo_repository.git(several.clone, "rev-parse", name) for name in ("HEAD", "HEAD~1")
    )
    assert any("CHANGED" in json.dumps(pod["spec"]) for pod in several.pods("personal").values())
    ended = several.deploy("personal", "--revision", older[:10])
    assert ended.code == 0, ended.err
    assert (ended.only["revision"], ended.only["outcome"]) == (older, "succeeded")
    assert ended.only["migrations"][0]["proven"]
    assert (
        several.operation("personal")["status"]["operationState"]["syncResult"]["revision"] == older
    )
    assert not any(
        "CHANGED" in json.dumps(pod["spec"]) for pod in several.pods("personal").values()
    )

    demo_repository.git(several.clone, "switch", "--quiet", "--create", "elsewhere", older)
    several.set_environment("personal", ELSEWHERE="yes")
    elsewhere = several.shop.repository.commit("Not on the branch")
    demo_repository.git(several.clone, "switch", "--quiet", several.branch)
    refused = several.deploy("personal", "--revision", elsewhere)
    assert refused.code == 5, refused.err
    assert json.loads(refused.out)["error"]["text"]["id"] == "deploy.revision-elsewhere"
    back = several.deploy("personal")
    assert (back.code, back.only["revision"]) == (0, head), back.err


def test_a_commit_that_the_database_is_past_is_refused_before_anything_begins(
    several: scenes.Scene,
) -> None:
    older = demo_repository.git(several.clone, "rev-parse", "HEAD")
    folder = several.migrations("personal")
    number = max(int(path.name[:5]) for path in folder.glob("*.sql")) + 1
    later = f"{number:05d}_later.sql"
    statement = "ALTER TABLE profiles ADD COLUMN IF NOT EXISTS later text;"
    scenes.write_migrations(folder, {later: [statement]})
    several.build("personal")
    several.publish("A migration that the older commit is without")
    name = demo_shop.database_name(several.environment, "personal", "personal_db")
    with several.shop.sandbox.postgres.connect(name) as connection:
        # As an interrupted CREATE INDEX CONCURRENTLY leaves it.
        connection.execute("CREATE INDEX unusable ON profiles (id)")
        connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'unusable'::regclass"
        )
        ended = deployed_behind_another_run(several, "personal", "personal_db")
        code, listed = answer_of(
            several, "checklist run", "--phase", "after", "--insecure-registry"
        )
        connection.execute("DROP INDEX unusable")
    assert ended.code == 0, ended.err
    assert (ended.only["migrations"][0]["names"], proof_line(ended)["applied"]) == (
        [later],
        [number],
    )
    (drift,) = ended.only["migrations"][0]["drift"]
    assert (drift["id"], drift["facts"]["indexes"]) == ("drift.invalid", "public.unusable")
    assert "REINDEX INDEX CONCURRENTLY public.unusable" in ended.err
    items = {entry["item"]: entry for entry in listed["phases"][0]["decisions"]}
    updated = items["versions-updated"]
    assert (updated["outcome"], updated["evidence"][0]) == ("undecided", drift), updated
    assert code == 0, "what a person is to decide stops nothing"
    code, status = answer_of(several, "migrations status")
    assert (code, status["plans"][0]["databases"][0]["drift"]) == (1, [drift])
    code, named = answer_of(several, "doctor")
    (entry,) = [entry for entry in named["diagnoses"] if entry["cause"] == drift]
    assert code == 1
    assert entry["symptom"]["id"] == "doctor.database-differs"
    assert entry["command"][:4] == ["hanbae", "migrations", "status", "personal"]
    before = several.operation("personal")["status"]["operationState"]
    refused = several.deploy("personal", "--revision", older)
    assert refused.code == 5, refused.err
    text = json.loads(refused.out)["error"]["text"]
    assert text["id"] == "deploy.behind-database"
    assert text["facts"]["files"] == later
    assert several.operation("personal")["status"]["operationState"] == before


def deployed_behind_another_run(scene: scenes.Scene, service: str, database: str) -> scenes.Ended:
    """What a deployment says whose migration waits until another session gives up the lock of goose's runs."""
    name = demo_shop.database_name(scene.environment, service, database)
    logs = ("logs", f"job/{service}-service-migrate", "-n", scene.namespace(service))
    log: list[str] = []

    def waits() -> bool:
        with contextlib.suppress(
            errors.Failed
        ):  # the Job is not there yet, or its pod is only being made
            log[:] = scene.shop.sandbox.kubectl(logs).decode().splitlines()
        return any("waits for the lock" in line for line in log)

    with (
        scene.shop.sandbox.postgres.connect(name) as other,
        futures.ThreadPoolExecutor(1) as pool,
    ):
        other.execute("SET application_name = 'goose of another pipeline'")
        for lock in runners.LOCKS:
            other.execute("SELECT pg_advisory_lock(%s)", (lock,))
        going = pool.submit(scene.deploy, service)
        try:
            polling.until(waits, pause=0.5, state=lambda: "\n".join(log))
            assert not going.done()
        finally:
            other.execute("SELECT pg_advisory_unlock_all()")
        ended = going.result()
    (line,) = [line for line in ended.err.splitlines() if "waits for the lock" in line]
    assert "goose of another pipeline (process " in line
    assert proof_line(ended)["waited_s"] > 0
    return ended


def proof_line(ended: scenes.Ended) -> dict[str, Any]:
    """What hanbae-migrate proved, as the deployment has shown it."""
    (line,) = [line for line in ended.err.splitlines() if '"kind":"hanbae-migrate"' in line]
    proof: dict[str, Any] = json.loads(line[line.index("{") :])
    assert proof["ok"], line
    return proof


def answer_of(scene: scenes.Scene, verb: str, *options: str) -> tuple[int, dict[str, Any]]:
    """The exit code of a command about personal, and what it says as JSON; as the deployer."""
    words = (*verb.split(), "personal", "--env", scene.environment, "--output", "json", *options)
    ended = scenes.hanbae(*words, directory=scene.clone, **scene.deployer())
    assert ended.out, ended.err
    answer: dict[str, Any] = json.loads(ended.out)
    return ended.code, answer


def rollback(scene: scenes.Scene, service: str, *options: str) -> scenes.Ended:
    target = (service, "--env", scene.environment, "--output", "json")
    return scenes.hanbae("rollback", *target, *options, directory=scene.clone, **scene.deployer())


def test_a_rollback_past_a_migration_without_a_way_back_changes_nothing(
    several: scenes.Scene,
) -> None:
    versions, pods = several.versions("personal", "personal_db"), several.pods("personal")
    before = several.operation("personal")["status"]["operationState"]
    refused = rollback(several, "personal", "--yes", "--accept-data-loss")
    assert refused.code == 5, refused.err
    text = json.loads(refused.out)["error"]["text"]
    assert text["id"] == "rollback.boundary-no-down"
    assert text["facts"]["version"] == str(versions[-1])
    assert "No proven commit lies on this side" in refused.err
    assert several.versions("personal", "personal_db") == versions
    assert several.pods("personal").keys() == pods.keys()
    assert several.operation("personal")["status"]["operationState"] == before
    assert not several.lease("personal").get("holds")


def test_a_rollback_takes_the_databases_back_and_then_the_pods(several: scenes.Scene) -> None:
    state = several.operation("identity")["status"]["operationState"]
    older, images = state["syncResult"]["revision"], several.images("identity")
    folder = several.migrations("identity")
    for database, up, down in (
        (
            "identity_db",
            "ALTER TABLE people ADD COLUMN nick text;",
            f"SELECT pg_advisory_lock({holding.LOCK});\nALTER TABLE people DROP COLUMN nick;",
        ),
        (
            "legal_db",
            "CREATE INDEX CONCURRENTLY by_origin ON consents (document);",
            "DROP INDEX CONCURRENTLY by_origin;",
        ),
    ):
        text = f"-- +goose NO TRANSACTION\n-- +goose Up\n{up}\n-- +goose Down\n{down}\n"
        (folder / database / "00004_more.sql").write_text(text)
    several.build("identity")
    newer = several.publish("More columns")
    assert several.deploy("identity").code == 0
    assert several.versions("identity", "identity_db") == [1, 2, 3, 4]
    assert several.images("identity") != images

    shown = rollback(several, "identity", "--dry-run")
    assert shown.code == 0, shown.err
    plan = json.loads(shown.out)
    assert (plan["present"], plan["revision"], plan["route"]) == (newer, older, "deploy")
    assert [entry["name"] for entry in plan["databases"]] == ["legal_db", "identity_db"]
    assert not any(entry["takes_back"][0]["transaction"] for entry in plan["databases"])
    refused = rollback(several, "identity", "--yes")
    assert refused.code == 5, refused.err
    assert json.loads(refused.out)["error"]["text"]["id"] == "rollback.loses-data"
    assert several.versions("identity", "legal_db") == [1, 2, 3, 4], "nothing was begun"

    words = ("--yes", "--accept-data-loss", "--why", "Names are lost")
    # goose has ended, its Job is gone, and nothing is recorded of it yet.
    moment = "before TakenBack:1"
    killed = crashing.killed(several, "identity", *words, command="rollback", after=moment)
    assert killed == -signal.SIGKILL
    assert several.versions("identity", "legal_db") == [1, 2, 3], "the last one goes back first"
    assert several.versions("identity", "identity_db") == [1, 2, 3, 4]
    assert several.images("identity") != images, "the pods go back after the databases"

    stopped = stopped_on_the_way_back(several, *words)
    assert stopped.code == 0, stopped.err
    assert stopped.only["outcome"] == "stopped"
    assert {
        entry["database"]: (entry["version"], entry["taken_back"])
        for entry in stopped.only["migrations"]
        if entry["taken_back"]
    } == {"legal_db": (3, [4]), "identity_db": (3, [4])}
    assert several.versions("identity", "identity_db") == [1, 2, 3], "goose came to its end"
    assert several.images("identity") != images, "and nothing was begun after it"
    assert not restarted(several, "identity"), "the present pods live with the older schema"

    ended = rollback(several, "identity", *words)
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    assert document["held"]
    assert document["deployment"]["revision"] == older
    migrations = {entry["database"]: entry for entry in document["deployment"]["migrations"]}
    assert {
        name: (entry["version"], entry["taken_back"], entry["proven"])
        for name, entry in migrations.items()
    } == {
        "identity_db": (3, [], True),
        "auth_db": (3, [], True),
        "legal_db": (3, [], True),
    }
    for database in migrations:
        assert several.versions("identity", database) == [1, 2, 3]
    assert several.images("identity") == images
    assert not restarted(several, "identity")
    assert "Git still points forward" in ended.err

    again = several.deploy("identity")
    assert again.code == 5, again.err
    error = json.loads(again.out)["error"]["text"]
    assert (error["id"], error["facts"]["why"]) == ("hold.refused-revision", "Names are lost")


def restarted(scene: scenes.Scene, service: str) -> list[str]:
    """Containers that were started again, with how they had ended."""
    return [
        f"{pod['metadata']['name']}/{status['name']}: {json.dumps(status['lastState'])}"
        for pod in scene.pods(service).values()
        for status in pod["status"].get("containerStatuses", [])
        if status["restartCount"]
    ]


def stopped_on_the_way_back(scene: scenes.Scene, *words: str) -> scenes.Ended:
    """What ``hanbae stop`` says of a rollback that waits in the Down part of identity_db."""
    place = (scene, "identity", "identity_db")
    # The pool is left last: `stop` waits for the Down part, and that for the lock.
    with futures.ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as stack:
        lock = stack.enter_context(contextlib.ExitStack())
        lock.enter_context(holding.locked(*place))
        until = ("identity",)
        going = holding.deploying(scene, "identity", *words, until=until, command="rollback")
        driver, lines = stack.enter_context(going)
        # The database before it is taken back, and recorded, in between.
        holding.until_waited_for(*place, driver=driver)
        marks = scene.lease("identity")
        command = ("stop", marks["deployment"], "--output", "json")
        stopping = pool.submit(scenes.hanbae, *command, directory=scene.clone, **scene.deployer())
        polling.until(lambda: scene.lease("identity").get("stop"))
        assert not stopping.done(), "the Down part runs on"
        lock.close()
        ended = stopping.result(polling.PATIENCE)
        assert driver.wait(polling.PATIENCE) == 1, "".join(lines)
    print("".join(lines), ended.out, ended.err)  # noqa: T201  shown where what follows fails
    return ended


def test_at_a_terminal_the_plan_is_approved_before_anything_begins(several: scenes.Scene) -> None:
    several.set_environment("personal", APPROVED="yes")
    revision = several.publish("Something to approve")
    program = [sys.executable, "-m", "hanbae", "deploy", "personal", "--env", several.environment]
    environment = scenes.clean_environment() | several.deployer()
    before = several.operation("personal")["status"]["operationState"]
    for answer, code in (("n", 5), ("y", 0)):
        shown = terminals.run(
            program,
            directory=several.clone,
            environment=environment,
            answers={QUESTION: answer},
        )
        assert shown.code == code, shown.text
        plan, question, _ = shown.text.partition("[y/N]: ")
        assert question
        assert "Deployment/" in plan
        assert "APPROVED" in plan
        if code:
            assert several.operation("personal")["status"]["operationState"] == before
    after = several.operation("personal")["status"]["operationState"]
    assert after["syncResult"]["revision"] == revision


def test_a_failed_service_hides_no_other(several: scenes.Scene) -> None:
    several.once("auth")
    folder = several.migrations("auth")
    number = max(int(path.name[:5]) for path in folder.glob("*.sql")) + 1
    broken = f"{number:05d}_broken.sql"
    scenes.write_migrations(folder, {broken: ["ALTER TABLE nowhere ADD COLUMN later text;"]})
    several.build("auth")
    several.publish("A migration that fails")
    ended = several.deploy("--concurrency", "1", output="text")
    assert ended.code == 1, ended.err
    for service in several.shop.services:
        (row,) = [line for line in ended.out.splitlines() if line.startswith(f"{service} ")]
        assert ("failed" if service == "auth" else "succeeded") in row
    auth = f"auth {several.environment}"
    *above, command = ended.err.splitlines()
    assert command.startswith(f"{auth} → "), "the cure is the last thing on the screen"
    counts = above.index("1 failed · 2 succeeded")
    assert any(line.startswith(f"{auth} ✘ ") for line in above[counts:])
    verdicts = [line for line in ended.err.splitlines() if line.startswith(f"{auth} ✘ ")]
    assert verdicts[-1] in verdicts[:-1], "the verdict is repeated at the end"
    assert broken in verdicts[-1]
