"""The commit that takes git back, at a real Gitea: its merge request is opened once, and has the older service."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support import giteas

from hanbae import errors, workspaces
from hanbae.actions import rollback
from hanbae.cli import options, rollback_run
from hanbae.cli.text import narration
from hanbae.results import rollbacks
from hanbae.sandbox import demo_repository

pytestmark = pytest.mark.timeout(300)

FOLDER = "services/personal"
BRANCH = "develop"


class Shop:
    """The example at the forge, with a commit of one service that is to be gone back from, and one of another."""

    def __init__(self, forge: giteas.Gitea, folder: Path) -> None:
        self.forge, self.clone = forge, folder / "clone"
        # The folder's name is new: a run on several cores may set this module up twice at one forge.
        self.project = f"ann/{folder.name}"
        url = forge.repository("ann", folder.name)
        demo_repository.create(demo_repository.example(), self.clone, folder / "remote.git")
        self.git("remote", "set-url", "origin", url)
        for name, value in (("user.name", "Ann"), ("user.email", "ann@example.com")):
            self.git("config", name, value)
        self.older = self.git("rev-parse", "HEAD")
        (self.clone / FOLDER / "migrations" / "00009_more.sql").write_text(
            "-- +goose Up\nCREATE TABLE more (n int);\n-- +goose Down\nDROP TABLE more;\n"
        )
        self.present = self.commit("More")
        (self.clone / "services/auth/README.md").write_text("Somebody else's\n")
        self.commit("Another service")
        self.git("push", "-q", "origin", f"HEAD:{BRANCH}")
        forge.until_filled(self.project)

    def git(self, *words: str) -> str:
        return demo_repository.git(self.clone, *words)

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        return self.git("rev-parse", "HEAD")

    @property
    def rollback(self) -> rollbacks.Rollback:
        return rollbacks.Rollback(
            "personal", "dev", "revert", self.present, self.older, offers=True
        )

    def requests(self) -> list[dict[str, Any]]:
        path = f"repos/{self.project}/pulls?state=all"
        listed: list[dict[str, Any]] = self.forge.ask("GET", path, by="ann")
        return listed


@pytest.fixture(scope="module")
def shop(gitea: giteas.Gitea, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(gitea, tmp_path_factory.mktemp("back"))


@pytest.fixture
def login(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    variables = {"GITEA_SERVER_URL": shop.forge.url, "GITEA_TOKEN": shop.forge.tokens["ann"]}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


async def returned(
    shop: Shop, going_back: rollbacks.Rollback
) -> tuple[rollbacks.Rollback | errors.Error, str]:
    """What comes of the last part of a rollback, when the databases are back, and what is said."""
    stream = io.StringIO()
    session = options.Session(shop.clone, narration.Narration(stream=stream, color=False))
    with workspaces.opened(shop.clone) as space:
        run = rollback_run.Run(session, space, "json", rollback_run.Wishes("personal", "dev"))
        try:
            return await run.returned(going_back), stream.getvalue()
        except errors.Error as error:
            return error, stream.getvalue()


async def test_a_login_at_the_remotes_forge_decides_whether_it_is_offered(
    shop: Shop, login: dict[str, str]
) -> None:
    with workspaces.opened(shop.clone) as space:
        assert rollback.is_offered(space, login)
        assert not rollback.is_offered(space, {})
        elsewhere = login | {"GITEA_SERVER_URL": "https://git.example.com"}
        assert not rollback.is_offered(space, elsewhere)


@pytest.mark.usefixtures("login")
async def test_a_forge_that_does_not_want_it_leaves_the_branch_for_a_person_to_push(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITEA_TOKEN", "0" * 40)
    error, words = await returned(shop, shop.rollback)
    assert isinstance(error, errors.Error)
    assert f"git push origin rollback/personal-dev-{shop.older[:12]}" in " ".join(words.split())
    assert not shop.requests()


@pytest.mark.usefixtures("login")
async def test_the_merge_request_is_opened_once_and_takes_the_service_back_alone(
    shop: Shop,
) -> None:
    for _ in range(2):
        going_back, words = await returned(shop, shop.rollback)
        assert isinstance(going_back, rollbacks.Rollback), words
        assert going_back.request is not None
        assert going_back.request.url in words
    (request,) = shop.requests()
    assert (request["base"]["ref"], request["head"]["sha"]) == (BRANCH, going_back.commit)
    assert shop.older[:12] in request["title"]
    assert f"{FOLDER}/migrations/00009_more.sql" in request["body"]
    assert json.loads(msgspec.json.encode(going_back))["request"]["number"] == request["number"]
    shop.forge.merge(shop.project, request["number"], by="ann")
    shop.git("fetch", "-q", "origin")
    head = f"origin/{BRANCH}"
    assert not shop.git("diff", "--name-only", shop.older, head, "--", FOLDER)
    assert shop.git("diff", "--name-only", shop.older, head) == "services/auth/README.md"
