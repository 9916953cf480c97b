"""The checklist over a running service: what is as declared passes, what is not fails with its evidence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support import scenes

SERVICE = "auth"


@pytest.fixture(scope="module")
def scene(demo: Any) -> scenes.Scene:
    scene = scenes.own(demo.sandbox, "gates", services=(SERVICE,))
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


def test_an_endpoint_that_answers_otherwise_fails(scene: scenes.Scene) -> None:
    declare(scene, '  - path: /healthz\n  - path: /nothing-here\n    contains: "welcome"\n')
    scene.publish("An endpoint that is not there")
    ended = scene.deploy(SERVICE)
    assert ended.code == 1
    assert ended.only["why"]["id"] == "gate.endpoint-wrong"
    outcomes = {phase["phase"]: phase["decisions"] for phase in ended.only["checklist"]}
    assert list(outcomes) == ["before", "during", "after"]
    shown = scenes.hanbae("checklist", "show", ended.only["id"], directory=scene.clone)
    assert shown.code == 0, shown.err
    assert "404" in shown.out
    code, decisions = run(scene, "--phase", "after")
    declare(scene, "  - path: /healthz\n")
    scene.publish("What must answer, again")
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


def test_logs_with_a_line_of_a_breakdown_fail(scene: scenes.Scene) -> None:
    word = "serving"  # which the example writes when it begins to
    policy = scene.clone / "hanbae.yaml"
    text = policy.read_text()
    policy.write_text(
        text.replace("\nchecklists:\n", f"\nchecklists:\n  unclean: [{json.dumps(word)}]\n")
    )
    code, decisions = run(scene, "--phase", "after")
    assert code == 1
    decision = decisions["logs-clean"]
    assert decision["outcome"] == "failed"
    assert word in decision["evidence"][0]["facts"]["log"]
    assert decision["command"][:2] == ["kubectl", "logs"]
