"""A deployment that finds Argo CD busy: with a broken sync of an earlier commit, or with what a person has started."""

from __future__ import annotations

import json
from collections.abc import Callable

from standardwebhooks.webhooks import Webhook
from tests.support import operations, scenes, webhooks

MIGRATING = 60.0


def test_a_fix_does_not_wait_behind_the_broken_sync_that_it_replaces(
    scene: Callable[[str], scenes.Scene],
) -> None:
    dev = scene("dev")
    broken = operations.hang_own_sync(dev, "auth")
    assert operations.state(dev, "auth")["automated"] is True
    dev.build("auth")
    mended = dev.publish("The image of auth is there")
    ended = dev.deploy("auth")
    assert ended.code == 0, ended.err
    assert ended.only["revision"] == mended
    assert "diagnosis.image-not-found" in ended.causes, ended.err
    assert f"Argo CD's own sync of the earlier commit {broken[:12]} cannot succeed" in ended.err


def test_what_a_person_has_started_is_named_with_its_cause_and_ended_by_stop(
    scene: Callable[[str], scenes.Scene],
) -> None:
    staging = scene("staging")
    broken = operations.break_image(staging, "personal")
    with operations.started_by_a_person(staging, "personal", broken):
        staging.build("personal")
        staging.publish("The image of personal is there")
        refused = staging.deploy("personal")
        assert refused.code == 5, refused.err
        assert refused.only["outcome"] == "refused"
        assert "diagnosis.image-not-found" in refused.causes, refused.err
        assert "mina" in refused.err
        command = f"hanbae stop personal --env {staging.environment}"
        assert command in refused.err

        words = command.split()[1:]
        variables = staging.deployer()
        unasked = scenes.hanbae(*words, directory=staging.clone, **variables)
        assert unasked.code == 5, unasked.err
        assert f"{command} --yes" in unasked.err
        assert "operation" in staging.operation("personal"), "nothing was changed"

        stopped = scenes.hanbae(
            *words, "--yes", "--output", "json", directory=staging.clone, **variables
        )
        assert stopped.code == 0, stopped.err
        assert json.loads(stopped.out)["stopped"]["by"] == "mina"
        assert json.loads(stopped.out)["stopped"]["ended"] is True
        assert "operation" not in staging.operation("personal")

        idle = scenes.hanbae(*words, "--yes", directory=staging.clone, **variables)
        assert idle.code == 5, idle.err
    with webhooks.receiving() as (url, posts):
        notify = {"HANBAE_NOTIFY_AUDIT": url, "HANBAE_NOTIFY_AUDIT_KEY": webhooks.KEY}
        with (staging.clone / "hanbae.yaml").open("a") as policy:
            policy.write("\nnotify:\n  - {name: audit}\n")
        deployed = staging.deploy("personal", **notify)
    assert deployed.code == 0, deployed.err
    messages = [Webhook(webhooks.KEY).verify(body, headers) for headers, body in posts.taken]
    states = ["deployment.begun", "deployment.migrating", "deployment.ended"]
    assert [message["type"] for message in messages] == states
    assert messages[-1]["data"]["outcome"] == "succeeded"
    assert {message["data"]["deployment"] for message in messages} == {deployed.only["id"]}

    where = ("--env", staging.environment)
    words = ("history", "list", "personal", *where, "--live", "--output", "json")
    listed = scenes.hanbae(*words, directory=staging.clone, **variables)
    assert listed.code == 0, listed.err
    before = json.loads(listed.out)["outside"]["syncs"]
    operations.sync_as_a_person(staging, "personal", deployed.only["revision"])
    listed = scenes.hanbae(*words, directory=staging.clone, **variables)
    (sync, *others) = json.loads(listed.out)["outside"]["syncs"]
    assert others == before, "what hanbae has deployed is not among them"
    assert (sync["by"], sync["revision"]) == ("mina", deployed.only["revision"])
