"""Deployments that cannot succeed end as soon as that is sure, with the pod's own cause as the verdict."""

from __future__ import annotations

from collections.abc import Callable

from tests.support import scenes


def test_a_new_pod_that_only_crashes_ends_the_deployment_with_its_last_words(
    scene: Callable[[str], scenes.Scene],
) -> None:
    staging = scene("staging")
    before = staging.pods("personal")
    staging.set_environment("personal", REQUIRED_TABLES="elsewhere.nothing")
    staging.publish("A table that is in no database")
    ended = staging.deploy("personal")
    assert ended.code == 1, ended.err
    assert ended.only["why"]["id"] == "diagnosis.crashing", ended.err
    facts = ended.only["why"]["facts"]
    assert facts["exit"] == "1"
    assert "elsewhere" in facts["log"]
    (cause,) = [diagnosis for diagnosis in ended.only["diagnoses"] if diagnosis["fatal"]]
    assert cause["command"][-1] == "--previous"
    assert int(facts["restarts"]) < 4, "it was not waited for until a deadline"
    assert before.keys() <= staging.pods("personal").keys(), "the former pods still serve"
    assert "The former pods of Deployment/" in ended.err
    lines = ended.err.strip().splitlines()
    assert "→ kubectl logs" in lines[-1], "the next command is the last thing on the screen"
    (database,) = ended.only["migrations"]
    assert (database["proven"], database["failed"]) == (False, "")
    assert database["version"] == staging.versions("personal", "personal_db")[-1]

    staging.replace("personal", '\nenv:\n  REQUIRED_TABLES: "elsewhere.nothing"\n', "\nenv: {}\n")
    staging.publish("Only tables that there are")
    mended = staging.deploy("personal")
    assert mended.code == 0, mended.err


def test_wrong_sql_is_not_tried_again(scene: Callable[[str], scenes.Scene]) -> None:
    staging = scene("staging")
    folder = staging.migrations("auth")
    number = max(int(path.name[:5]) for path in folder.glob("*.sql")) + 1
    name = f"{number:05d}_wrong.sql"
    scenes.write_migrations(folder, {name: ["ALTER TABLE nowhere ADD COLUMN a text;"]})
    staging.build("auth")
    staging.publish("A table that is not there")
    ended = staging.deploy("auth")
    assert ended.code == 1, ended.err
    assert ended.only["why"]["id"] == "diagnosis.migration-hopeless", ended.err
    assert ended.only["why"]["facts"]["attempt"] == "1"
    assert name in ended.only["why"]["facts"]["error"]
    assert "Attempt 2 of" not in ended.err
    (database,) = ended.only["migrations"]
    assert database["failed"] == name
    assert database["version"] == number - 1
    words = ended.only["command"]
    assert words == ["hanbae", "image", "set", "auth", "IMAGE:TAG", "--env", staging.environment]
    assert f"{name}, commit" in ended.err
    shown = scenes.hanbae("history", "show", ended.only["id"], directory=staging.clone)
    assert shown.code == 0, shown.err
    assert name in shown.out + shown.err

    (folder / name).unlink()
    staging.build("auth")
    staging.publish("Without the wrong table")
    mended = staging.deploy("auth")
    assert mended.code == 0, mended.err
