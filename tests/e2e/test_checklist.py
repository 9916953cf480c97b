"""The checklist over a running service: what is as declared passes, what is not fails with its evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.support import polling, scenes

from hanbae.charts import values
from hanbae.policy import loading
from hanbae.sandbox import demo_shop

SERVICE, DATABASE = "auth", "auth_db"


@pytest.fixture(scope="module")
def scene(demo: Any) -> scenes.Scene:
    scene = scenes.own(demo.sandbox, "gates", services=(SERVICE,))
    with values.editing(scene.clone / loading.NAME, loading.NAME) as policy:
        policy.update({("checklists", "settle"): "3s"})
    declare(scene, "  - path: /healthz\n")
    scene.publish("What must answer")
    ended = scene.deploy(SERVICE)
    assert ended.code == 0, ended.err
    return scene


def declare(scene: scenes.Scene, endpoints: str) -> None:
    """Have the chart's values list what must answer, instead of what they listed before."""
    relative = f"services/{SERVICE}/helm/values-{scene.environment}.yaml"
    path = scene.clone / relative
    before = path.read_text().partition("\nsmoke:\n")[0].rstrip("\n")
    path.write_text(f"{before}\n\nsmoke:\n{endpoints}")


def freeze(scene: scenes.Scene, first: str, last: str) -> None:
    """Have the person's policy freeze the environment on some days, instead of those before."""
    path = scene.clone / "hanbae.yaml"
    before = path.read_text().partition("\nfreezes:\n")[0].rstrip("\n")
    days = f"first: {first}, last: {last}, zone: Asia/Seoul"
    path.write_text(
        f"{before}\n\nfreezes:\n  - {{name: books, reason: The books are closed, {days}}}\n"
    )


def run(scene: scenes.Scene, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code of ``hanbae checklist run``, and the decision of each item; as the deployer."""
    ended = scenes.hanbae(
        "checklist",
        "run",
        SERVICE,
        "--env",
        scene.environment,
        "--insecure-registry",
        "--output",
        "json",
        *words,
        directory=scene.clone,
        **scene.deployer(),
    )
    assert ended.out, ended.err
    document = json.loads(ended.out)
    assert "phases" in document, ended.err
    decisions = [item for phase in document["phases"] for item in phase["decisions"]]
    return ended.code, {decision["item"]: decision for decision in decisions}


def say(scene: scenes.Scene, verb: str, item: str) -> scenes.Ended:
    """Say something of an item; as the deployer."""
    words = ("checklist", verb, SERVICE, item, "--env", scene.environment, "--why", "테스트")
    return scenes.hanbae(*words, directory=scene.clone, **scene.deployer())


def ids(decision: dict[str, Any]) -> list[str]:
    return [text["id"] for text in decision["evidence"]]


def test_all_items_are_decided_with_what_was_seen(scene: scenes.Scene) -> None:
    code, decisions = run(scene)
    assert code == 0, decisions
    outcomes = {item: decision["outcome"] for item, decision in decisions.items()}
    assert outcomes == {
        # The registry of the sandbox wants a password, which this person has not filed.
        "image-pushed": outcomes["image-pushed"],
        "migrations-in-image": outcomes["migrations-in-image"],
        "secrets-sealed": "passed",
        "migration-enabled": "passed",
        "manual-sync": "passed",
        "migration-watched": "passed",
        "migration-logs": "passed",
        "versions-updated": "passed",
        "logs-clean": "passed",
        "api-tested": "passed",
        "health-checked": "passed",
    }
    assert "gate.secret-opened" in ids(decisions["secrets-sealed"])
    assert ids(decisions["versions-updated"]) == ["gate.proven"]
    assert ids(decisions["api-tested"]) == ["gate.endpoint-right"]


def test_migrations_that_the_values_switch_off_are_refused(scene: scenes.Scene) -> None:
    scene.edit(SERVICE, {"migration.enabled": False})
    scene.publish("Without migrations")
    code, decisions = run(scene, "--phase", "before")
    refused = scene.deploy(SERVICE)
    scene.edit(SERVICE, {"migration.enabled": True})
    scene.publish("With migrations again")
    failed = {item for item, decision in decisions.items() if decision["outcome"] == "failed"}
    assert (code, failed) == (1, {"migration-enabled"})
    assert ids(decisions["migration-enabled"]) == ["gate.migrations-disabled"]
    assert refused.code == 5, refused.err
    assert json.loads(refused.out)["error"]["text"]["id"] == "gate.migrations-disabled"
    # Nobody has deployed this commit, so nobody has watched its migrations either.
    _, decisions = run(scene, "--phase", "during")
    assert {item: (entry["outcome"], *ids(entry)) for item, entry in decisions.items()} == {
        "manual-sync": ("undecided", "gate.no-deployment"),
        "migration-watched": ("undecided", "gate.no-deployment"),
        "migration-logs": ("undecided", "gate.no-deployment"),
    }


def test_what_is_held_is_refused_for_everybody_until_it_is_lifted(scene: scenes.Scene) -> None:
    where = ("auth", "--env", scene.environment)
    variables = scene.deployer()

    def hold(*words: str) -> scenes.Ended:
        return scenes.hanbae("hold", *words, directory=scene.clone, **variables)

    assert "--why" in hold("add", *where).err
    added = hold("add", *where, "--why", "로그인이 느립니다")
    assert added.code == 0, added.err
    assert "로그인이 느립니다" in hold("list", "auth").out
    refused = scene.deploy(SERVICE)
    assert refused.code == 5
    assert "로그인이 느립니다" in refused.err
    assert f"hanbae hold lift auth --env {scene.environment}" in refused.err
    status = scenes.hanbae("status", *where, directory=scene.clone, **variables)
    assert "로그인이 느립니다" in status.err
    lifted = hold("lift", *where)
    assert lifted.code == 0, lifted.err
    (entry,) = [json.loads(hold("list", "auth", "--output", "json").out)["held"]]
    assert entry == []


def test_an_endpoint_that_answers_otherwise_fails(scene: scenes.Scene) -> None:
    declare(scene, '  - path: /healthz\n  - path: /nothing-here\n    contains: "welcome"\n')
    scene.publish("An endpoint that is not there")
    freeze(scene, "1999-12-31", "2099-12-31")
    refused = scene.deploy(SERVICE)
    assert refused.code == 5
    assert "2100-01-01 00:00 Asia/Seoul: The books are closed" in refused.err
    assert "hanbae.yaml" in refused.err
    assert "--waive-freeze" in refused.err
    ended = scene.deploy(SERVICE, "--waive-freeze", "CVE-2026-1234")
    freeze(scene, "1999-12-31", "1999-12-31")
    assert ended.code == 1
    assert ended.only["why"]["id"] == "gate.endpoint-wrong"
    assert ended.only["command"][:3] == ["hanbae", "checklist", "show"]
    outcomes = {phase["phase"]: phase["decisions"] for phase in ended.only["checklist"]}
    assert list(outcomes) == ["before", "during", "after"]
    (waived,) = [decision for decision in outcomes["before"] if decision["item"] == "not-frozen"]
    assert (waived["outcome"], waived["why"]) == ("waived", "CVE-2026-1234")
    assert (waived["identity"], waived["until"]) == ("cluster", "2100-01-01 00:00 Asia/Seoul")
    assert waived["by"]
    shown = scenes.hanbae("checklist", "show", ended.only["id"], directory=scene.clone)
    assert shown.code == 0, shown.err
    assert "404" in shown.out
    code, decisions = run(scene, "--phase", "after")
    waive, attest = say(scene, "waive", "api-tested"), say(scene, "attest", "load-tested")
    later_code, later = run(scene, "--phase", "after")
    declare(scene, "  - path: /healthz\n")
    scene.publish("What must answer, again")
    assert (waive.code, attest.code) == (0, 2), waive.err + attest.err
    assert "load-tested" in attest.err
    assert later_code == 0
    assert later["api-tested"]["outcome"] == "waived"
    assert (later["api-tested"]["why"], later["api-tested"]["identity"]) == ("테스트", "cluster")
    assert ids(later["api-tested"])[0] == "gate.endpoint-wrong"
    assert code == 1
    assert decisions["api-tested"]["outcome"] == "failed"
    assert ids(decisions["api-tested"])[0] == "gate.endpoint-wrong"
    assert decisions["api-tested"]["evidence"][0]["facts"]["status"] == "404"
    assert decisions["health-checked"]["outcome"] == "passed"


def test_a_service_of_somebody_else_is_not_asked(scene: scenes.Scene) -> None:
    declare(scene, "  - path: /\n    service: personal-service\n")
    scene.publish("Another's Service")
    code, decisions = run(scene, "--phase", "after")
    declare(scene, "  - path: /healthz\n")
    scene.publish("What must answer, once more")
    assert code == 1
    assert ids(decisions["api-tested"]) == ["gate.foreign-service"]


@contextmanager
def spoiled(scene: scenes.Scene) -> Iterator[None]:
    """Somebody has taken a table and goose's last row out of the database, and the pods have noticed."""

    def unready() -> bool:
        return not any(
            status["ready"]
            for pod in scene.pods(SERVICE).values()
            for status in pod["status"]["containerStatuses"]
        )

    name = demo_shop.database_name(scene.environment, SERVICE, DATABASE)
    with scene.shop.sandbox.postgres.connect(name) as connection:
        row = connection.execute(
            "DELETE FROM goose_db_version WHERE version_id = 3 RETURNING id, is_applied, tstamp"
        ).fetchone()
        connection.execute("ALTER TABLE accounts RENAME TO taken_away")
        try:
            polling.until(unready, pause=0.5)
            yield
        finally:
            connection.execute("ALTER TABLE taken_away RENAME TO accounts")
            connection.execute(
                "INSERT INTO goose_db_version (id, is_applied, tstamp, version_id)"
                " VALUES (%s, %s, %s, 3)",
                row,
            )


def test_what_is_wrong_after_a_deployment_fails_item_by_item(scene: scenes.Scene) -> None:
    word = "serving"  # which the example writes when it begins to
    policy = scene.clone / "hanbae.yaml"
    text = policy.read_text()
    policy.write_text(
        text.replace("\nchecklists:\n", f"\nchecklists:\n  unclean: [{json.dumps(word)}]\n")
    )
    with spoiled(scene):
        code, decisions = run(scene, "--phase", "after")
    assert code == 1
    decision = decisions["logs-clean"]
    assert decision["outcome"] == "failed"
    assert word in decision["evidence"][0]["facts"]["log"]
    assert decision["command"][:2] == ["kubectl", "logs"]
    decision = decisions["versions-updated"]
    assert (decision["outcome"], *ids(decision)) == ("failed", "proof.not-applied")
    assert "00003" in decision["evidence"][0]["facts"]["files"]
    decision = decisions["health-checked"]
    assert (decision["outcome"], *ids(decision)) == ("failed", "gate.workload-unready")
    assert decision["command"][:3] == ["kubectl", "describe", "deployment/auth-service"]
    assert decisions["api-tested"]["outcome"] != "passed", "nobody answers"
