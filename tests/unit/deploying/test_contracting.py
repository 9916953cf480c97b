"""A migration waits until no running version uses what it takes away, as two commits of a real clone tell."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import layouts

from hanbae import wording
from hanbae.actions import new_service
from hanbae.charts import values
from hanbae.deploying import contracting, last_proofs, preflight
from hanbae.planning import deployments
from hanbae.policy import loading
from hanbae.repository import checkouts
from hanbae.results import plans

M = "services/auth/migrations"
FIRST = "-- +goose Up\nCREATE TABLE sessions (id int, device text);\n-- +goose Down\nDROP TABLE sessions;\n"
EXPAND = "-- +goose Up\nCREATE TABLE gadgets (id int);\n-- +goose Down\nDROP TABLE gadgets;\n"
DROP = "-- +goose Up\nALTER TABLE sessions DROP COLUMN device;\n-- +goose Down\n-- gone\n"
USES = 'package main\n\nconst q = "SELECT device FROM sessions"\n'


def git(folder: Path, *words: str) -> None:
    options = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
    subprocess.run(["git", *options, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    layouts.begin(tmp_path, "one-cluster")
    new_service.new_service(tmp_path, "auth", image="registry.example.com/shop/auth")
    path = tmp_path / "services/auth/helm/values-prod.yaml"
    with values.editing(path, path.name) as document:
        document.update({("image", "tag"): "1.0.0"})
    for old in (tmp_path / M).glob("*.sql"):
        old.unlink()
    git(tmp_path, "init", "--quiet")
    return tmp_path


def commit(shop: Path, tag: str, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = shop / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(shop, "add", "--all")
    git(shop, "commit", "--quiet", "--message", tag)
    git(shop, "tag", tag)


def reasons(shop: Path, running: str, deployed: str) -> list[wording.Text]:
    """Why the deployment of one commit is refused while another runs."""
    checkout = checkouts.Checkout.open(shop)
    policy = loading.load(shop / loading.NAME).policy
    revision = checkout.revision(deployed)
    source = asyncio.run(deployments.read(policy, revision, "auth", "production"))
    proofs = [
        step.does for step in deployments.plan(source).steps if isinstance(step.does, plans.Prove)
    ]
    old = checkout.revision(running)
    return [text for proof in proofs for text in contracting.of(source, proof, old)]


def test_what_the_running_version_names_is_not_taken_away(shop: Path) -> None:
    commit(shop, "one", {f"{M}/00001_a.sql": FIRST, "services/auth/app/store.go": USES})
    commit(
        shop, "two", {f"{M}/00002_drop.sql": DROP, "services/auth/app/store.go": "package main\n"}
    )
    (reason,) = reasons(shop, "one", "two")
    assert reason.id == "contract.still-used"
    assert reason.facts["usage"] == "services/auth/app/store.go:3"
    assert reason.facts["migration"] == f"{M}/00002_drop.sql:2"
    assert preflight.KnownToFail((reason,)).text == reason
    assert reason.facts["name"] == "sessions.device"


@pytest.mark.parametrize(
    "path",
    ["services/auth/app/store_test.go", "services/auth/README.md", "services/mail/app/store.go"],
)
def test_tests_words_and_other_services_use_nothing(shop: Path, path: str) -> None:
    commit(shop, "one", {f"{M}/00001_a.sql": FIRST, path: USES})
    commit(shop, "two", {f"{M}/00002_drop.sql": DROP})
    assert reasons(shop, "one", "two") == []


def test_a_word_that_only_holds_the_name_is_another_one(shop: Path) -> None:
    other = "package main\n\nconst q = `SELECT device_id FROM sessions`\n"
    commit(shop, "one", {f"{M}/00001_a.sql": FIRST, "services/auth/app/store.go": other})
    commit(shop, "two", {f"{M}/00002_drop.sql": DROP})
    assert reasons(shop, "one", "two") == []


def test_a_marked_step_waits_for_the_version_with_the_migration_that_it_names(shop: Path) -> None:
    marked = "-- hanbae: contract after 00002\n" + DROP
    commit(shop, "one", {f"{M}/00001_a.sql": FIRST, "services/auth/app/store.go": USES})
    commit(shop, "two", {f"{M}/00002_expand.sql": EXPAND})
    commit(shop, "three", {f"{M}/00003_drop.sql": marked})
    (reason,) = reasons(shop, "one", "three")
    assert reason.id == "contract.before-expand"
    assert reason.facts["after"] == "00002_expand.sql"
    assert reasons(shop, "two", "three") == []  # although a word of its code looks like it
    assert reasons(shop, "three", "three") == []


def test_what_is_dropped_and_was_made_by_the_same_file_is_nobodys(shop: Path) -> None:
    own = "-- +goose Up\nCREATE TABLE t (device text);\nALTER TABLE t DROP COLUMN device;\n"
    commit(shop, "one", {f"{M}/00001_a.sql": FIRST, "services/auth/app/store.go": USES})
    commit(shop, "two", {f"{M}/00002_own.sql": own})
    assert reasons(shop, "one", "two") == []


def test_a_file_that_takes_several_away_before_its_time_is_told_once(shop: Path) -> None:
    both = DROP.replace(";\n--", ";\nDROP TABLE sessions;\n--", 1)
    commit(shop, "one", {f"{M}/00001_a.sql": FIRST})
    commit(shop, "two", {f"{M}/00002_expand.sql": EXPAND})
    commit(shop, "three", {f"{M}/00003_drop.sql": f"-- hanbae: contract after 00002\n{both}"})
    assert [reason.id for reason in reasons(shop, "one", "three")] == ["contract.before-expand"]
    commit(shop, "four", {f"{M}/00003_drop.sql": both, "services/auth/app/store.go": USES})
    commit(shop, "five", {f"{M}/00004_more.sql": both})
    assert len(reasons(shop, "four", "five")) == 2, "each that its code uses has a line of its own"


def test_what_the_running_version_has_dropped_already_is_not_looked_for(shop: Path) -> None:
    dropped = {f"{M}/00001_a.sql": FIRST, f"{M}/00002_drop.sql": DROP}
    commit(shop, "one", {**dropped, "services/auth/app/store.go": USES})
    commit(shop, "two", {f"{M}/00003_expand.sql": EXPAND})
    assert reasons(shop, "one", "two") == []


def test_a_mark_that_names_no_migration_excuses_nothing(shop: Path) -> None:
    commit(shop, "one", {f"{M}/00001_a.sql": FIRST, "services/auth/app/store.go": USES})
    commit(shop, "two", {f"{M}/00002_drop.sql": f"-- hanbae: contract\n{DROP}"})
    assert [reason.id for reason in reasons(shop, "one", "two")] == ["contract.still-used"]


async def gate(shop: Path, monkeypatch: pytest.MonkeyPatch, running: str | None) -> list[str]:
    """What is said of the commit "two" where a deployment of another one was the last that succeeded."""

    async def last(*_: object) -> Any:
        return None if running is None else SimpleNamespace(commit=running)

    monkeypatch.setattr(last_proofs, "last_proof", last)
    checkout = checkouts.Checkout.open(shop)
    policy = loading.load(shop / loading.NAME).policy
    source = await deployments.read(policy, checkout.revision("two"), "auth", "production")
    space: Any = SimpleNamespace(checkout=checkout)
    clusters: Any = None
    plan = deployments.plan(source)
    return [text.id for text in await contracting.reasons(space, clusters, source, plan)]


async def test_nothing_is_refused_where_nobody_knows_which_version_runs(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(shop, "one", {f"{M}/00001_a.sql": FIRST, "services/auth/app/store.go": USES})
    commit(shop, "two", {f"{M}/00002_drop.sql": DROP})
    assert await gate(shop, monkeypatch, "one") == ["contract.still-used"]
    assert await gate(shop, monkeypatch, None) == []
    assert await gate(shop, monkeypatch, "f" * 40) == [], "a commit that is not in this clone"
