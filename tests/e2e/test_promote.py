"""What was proven in one environment, as a merge request at a real forge, approved, merged and deployed to the next."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support import demos, polling, promotions, scenes

from hanbae.policy import naming
from hanbae.sandbox import demo_repository

SERVICE = "auth"
ADDED = "00009_add_nickname.sql"


NOTHING = promotions.State(branches=0, requests=0, statuses=0, comments=0)
PUSHED = promotions.State(branches=1, requests=0, statuses=0, comments=0)
COMPLETE = promotions.State(branches=1, requests=1, statuses=3, comments=1)
#: Step after which hanbae was killed → what is at the forge then. Each round goes on with what the last has left.
KILLED = {
    "push": PUSHED,
    "open": PUSHED._replace(requests=1),
    "report": PUSHED._replace(requests=1, statuses=1),
    "comment": COMPLETE,
}


@pytest.fixture(scope="module")
def pair(demo: demos.Demo) -> Iterator[promotions.Pair]:
    """A service that was proven in the first of two environments, with a migration that the second has not."""
    with promotions.pair(demo.sandbox, "promo", SERVICE) as both:
        first = both.first
        folder = next(first.migrations(SERVICE).rglob("*.sql")).parent
        (folder / ADDED).write_text(
            "-- +goose Up\nALTER TABLE accounts ADD COLUMN nickname text;\n"
            "-- +goose Down\nALTER TABLE accounts DROP COLUMN nickname;\n"
        )
        first.build(SERVICE)
        first.publish("Nicknames")
        ended = first.deploy(SERVICE)
        assert ended.code == 0, ended.err
        yield both


def promoted(ended: scenes.Ended) -> dict[str, Any]:
    assert ended.code == 0, ended.err
    document: dict[str, Any] = json.loads(ended.out)
    return document


def remote_branches(pair: promotions.Pair) -> str:
    return demo_repository.git(pair.first.clone, "ls-remote", "--heads", "origin")


def test_nothing_leaves_this_machine_in_a_dry_run(pair: promotions.Pair) -> None:
    status = demo_repository.git(pair.first.clone, "status", "--porcelain")
    document = promoted(pair.promote("--dry-run", "--output", "json"))
    promotion = document["promotion"]
    assert document["outcome"] == "planned"
    assert [member["service"] for member in promotion["proven"]["members"]] == [SERVICE]
    (image,) = promotion["images"]
    assert image["digest"]
    assert image["changed"]
    (migration,) = promotion["migrations"]
    assert migration["file"].endswith(ADDED)
    assert migration["does"] == ["ALTER TABLE accounts ADD COLUMN nickname"]
    assert migration["undone_by"] == ["ALTER TABLE accounts DROP COLUMN nickname"]
    assert "hanbae/" not in remote_branches(pair)
    assert demo_repository.git(pair.first.clone, "status", "--porcelain") == status


def test_what_somebody_holds_is_not_promoted(pair: promotions.Pair) -> None:
    admin = {"KUBECONFIG": str(pair.first.shop.sandbox.kubeconfig)}
    for scene in (pair.first, pair.second):
        words = (SERVICE, "--env", scene.environment)
        added = scenes.hanbae(
            "hold", "add", *words, "--why", "Slow", directory=scene.clone, **admin
        )
        assert added.code == 0, added.err
        refused = pair.promote("--dry-run")
        assert refused.code == 5, refused.err
        assert "Slow" in refused.err
        lifted = scenes.hanbae("hold", "lift", *words, directory=scene.clone, **admin)
        assert lifted.code == 0, lifted.err


def test_without_a_forge_the_text_is_printed_and_the_branch_pushed(pair: promotions.Pair) -> None:
    ended = pair.promote(login=False)
    assert ended.code == 0, ended.err
    assert "way back" in ended.out
    assert f"hanbae/{pair.first.environment}-to-{pair.second.environment}" in remote_branches(pair)
    assert pair.forge.ask("GET", f"repos/{pair.project}/pulls", by="ann") == []


def test_a_forge_that_is_away_leaves_all_as_it_was(pair: promotions.Pair) -> None:
    pair.forget()
    with pair.forge.away():
        away = pair.promote()
    assert away.code == 4, away.err
    assert pair.forge.url.partition("://")[2] in away.err
    assert pair.state() == NOTHING
    assert pair.broken("push", pair.forge.pid) == 4
    pair.forge.end()
    pair.forge.begin()
    assert pair.state() == PUSHED


def test_killed_after_each_step_it_is_gone_on_with_and_nothing_is_there_twice(
    pair: promotions.Pair,
) -> None:
    pair.forget()
    for step, state in KILLED.items():
        assert pair.broken(step) == -signal.SIGKILL
        assert pair.state() == state, step
    again = promoted(pair.promote("--output", "json"))
    assert again["outcome"] == "updated"
    assert pair.state() == COMPLETE


def test_it_is_opened_approved_merged_and_deployed(pair: promotions.Pair) -> None:
    opened = promoted(pair.promote("--output", "json"))
    request = opened["request"]
    path = f"repos/{pair.project}/pulls/{request['number']}"
    shown = pair.forge.ask("GET", path, by="ann")
    assert (shown["base"]["ref"], shown["head"]["sha"]) == (
        pair.second.branch,
        opened["promotion"]["commit"],
    )
    assert SERVICE in shown["title"]
    for words in ("way back", "nickname", opened["promotion"]["proven"]["id"]):
        assert words in shown["body"]
    statuses = pair.forge.ask(
        "GET", f"repos/{pair.project}/commits/{request['head']}/status", by="ann"
    )["statuses"]
    assert {entry["context"]: entry["status"] for entry in statuses}["hanbae/set"] == "success"
    again = promoted(pair.promote("--output", "json"))
    assert (again["outcome"], again["request"]["number"]) == ("updated", request["number"])

    # What is on the branch now has come there without a merge request.
    pushed = pair.deploy(SERVICE, user="ann")
    assert pushed.code == 5, pushed.err
    assert "without a merge request" in pushed.err

    pair.forge.review(pair.project, request["number"], "APPROVED", by="ben")
    merged = pair.forge.merge(pair.project, request["number"], by="ann")
    nobody = pair.deploy(SERVICE)
    assert nobody.code == 5, nobody.err
    own = pair.deploy(SERVICE, user="ben")
    assert own.code == 5, own.err
    assert "0 of 1 approvals" in own.err

    deployed = pair.deploy(SERVICE, user="ann")
    assert deployed.code == 0, deployed.err
    assert deployed.only["revision"] == merged
    (before, *_) = deployed.only["checklist"]
    approval = next(entry for entry in before["decisions"] if entry["item"] == "approved")
    assert (approval["outcome"], approval["by"]) == ("attested", "ben")
    database = pair.second.shop.declared(SERVICE, pair.second.environment)[0].name
    assert 9 in pair.second.versions(SERVICE, database)
    images = {
        scene.environment: {
            container["image"]
            for pod in scene.pods(SERVICE).values()
            for container in pod["spec"]["containers"]
        }
        for scene in (pair.first, pair.second)
    }
    assert len({frozenset(names) for names in images.values()}) == 1


def test_what_was_promoted_needs_no_second_time(pair: promotions.Pair) -> None:
    document = promoted(pair.promote("--output", "json"))
    assert (document["outcome"], document["request"]) == ("nothing", None)


def test_on_one_branch_only_the_values_of_the_other_environment_move(
    pair: promotions.Pair,
) -> None:
    trunk = pair.trunk
    opened = promoted(pair.promote("--output", "json", to=trunk))
    promotion = opened["promotion"]
    assert promotion["into"] == pair.first.branch
    trunk.enter()
    demo_repository.git(trunk.clone, "fetch", "--quiet", "origin", promotion["branch"])
    changed = ("diff", "--name-only", promotion["base"], promotion["commit"])
    values_file = naming.values_file(trunk.shop.policy, SERVICE, trunk.environment)
    assert demo_repository.git(trunk.clone, *changed) == str(values_file)
    merged = pair.forge.merge(pair.project, opened["request"]["number"], by="ann")
    trunk.enter()
    deployed = trunk.deploy(SERVICE)
    assert deployed.code == 0, deployed.err
    assert deployed.only["revision"] == merged
    assert trunk.images(SERVICE) == pair.first.images(SERVICE)
    assert trunk.versions(SERVICE, "auth_db")[-1] == 9


def test_what_has_changed_since_its_proof_is_refused(pair: promotions.Pair) -> None:
    scene = pair.first
    scene.enter()
    scene.set_environment(SERVICE, GREETING="other")
    head = scene.publish("Past hanbae")
    application = naming.application(scene.shop.policy, SERVICE, scene.environment)
    operation = {"operation": {"sync": {"revision": head, "syncStrategy": {"hook": {}}}}}
    patch = ["patch", "application", application, "-n", "argocd", "--type", "merge"]
    scene.argocd.kubectl([*patch, "-p", json.dumps(operation)])

    def is_synced() -> bool:
        status = scene.operation(SERVICE).get("status") or {}
        history = status.get("history") or []
        state = (status.get("operationState") or {}).get("phase")
        return state == "Succeeded" and bool(history) and history[-1]["revision"] == head

    polling.until(is_synced, state=lambda: scene.operation(SERVICE).get("status"))
    command = f"hanbae deploy {SERVICE} --env {scene.environment}"

    def is_named() -> bool:
        """Whether the promotion is refused for what was changed; before, because the pods are being replaced."""
        refused = pair.promote("--dry-run")
        assert refused.code == 5, refused.err
        return command in " ".join(refused.err.split())

    polling.until(is_named, pause=1)
