"""Whom commands tell: everything that deploys tells those whom the policy names, in the language that is spoken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.commands.test_json_documents import shop
from tests.support import published, records
from tests.support.webhooks import KEY, receiving

from hanbae import workspaces
from hanbae.cli import attach, deploy_run, main, notices, options, rollback_run
from hanbae.cli.text import narration
from hanbae.notifying import posting
from hanbae.results import events

__all__ = ["shop"]

COMMANDS = {
    "deploy": (deploy_run.Run, ["deploy", "orders", "--env", "production"]),
    "rollback": (rollback_run.Run, ["rollback", "orders", "--env", "production"]),
    "attach": (attach._Follower, ["attach", "d1"]),
}


@pytest.fixture
def telling_shop(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "shop"
    shutil.copytree(shop, root)
    with (root / "hanbae.yaml").open("a") as policy:
        policy.write("\nnotify:\n- {name: audit}\n")
    monkeypatch.chdir(root)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return root


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_command_records_is_told(
    telling_shop: Path, monkeypatch: pytest.MonkeyPatch, name: str, language: str
) -> None:
    kind, words = COMMANDS[name]
    taken = events.TakenBack("orders_db", 1, (2,), ("00002_more.sql",))
    facts = [records.opened("orders", "production"), taken, records.closed()]

    class Recording:
        """Records a deployment as the command's own driver does, with what it is given."""

        def __init__(self, session: Any, space: workspaces.Workspace, *_: Any) -> None:
            self.space = space
            self.deployment = ""

        async def through(self) -> int:
            for event in records.stream(facts):
                self.space.tells(event)
            return 0

        async def follow(self, *_: Any, **__: Any) -> None:
            await self.through()
            raise KeyboardInterrupt

        def conclude(self) -> None: ...

    monkeypatch.setattr(f"{kind.__module__}.{kind.__name__}", Recording)
    with receiving() as (url, posts):
        monkeypatch.setenv("HANBAE_NOTIFY_AUDIT", url)
        monkeypatch.setenv("HANBAE_NOTIFY_AUDIT_KEY", KEY)
        assert main.run(["--lang", language, *words]) in {0, 130}
    bodies = [json.loads(body) for _, body in posts.taken]
    assert [body["type"] for body in bodies] == ["deployment.begun", "deployment.ended"]
    last = bodies[-1]
    assert last["data"]["taken_back"] == ["orders_db: 00002_more.sql"]
    expected = {
        "en": "Taken back: orders_db: 00002_more.sql",
        "ko": "되돌림: orders_db: 00002_more.sql",
    }
    assert expected[language] in last["text"]


def test_a_deployment_that_is_gone_on_with_stays_one_message(
    telling_shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first process has learned of its message is in the record, whoever has it next."""
    policy = telling_shop / "hanbae.yaml"
    policy.write_text(policy.read_text().replace("{name: audit}", "{name: audit, via: discord}"))
    monkeypatch.setenv("HANBAE_NOTIFY_AUDIT", "https://discord.com/api/webhooks/123/token")
    discord = published.Described.read("discord", "/api/v10", kind="chats")
    monkeypatch.setattr(posting, "client", discord.client)
    session = options.Session(telling_shop, narration.Narration())
    for fact in (records.opened("orders", "production"), records.closed()):
        with workspaces.opened(telling_shop) as space:
            with notices.telling(session, space) as telling:
                telling.tells(space.store.append("d1", None, fact, records.BEGUN))
            recorded = [type(event.fact).__name__ for event in space.store.events("d1")]
    assert recorded == ["Opened", "Noted", "Closed"]
    assert [name.partition(" ")[0] for name, _ in discord.requests] == ["POST", "PATCH"]
