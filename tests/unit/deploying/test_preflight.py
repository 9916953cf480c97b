"""What is known to fail is refused with its cure; what nobody can tell is left to the deployment."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hanbae import errors, wording
from hanbae.charts import scaffolding
from hanbae.clusters import kinds, reading, service_proxies
from hanbae.deploying import preflight
from hanbae.gates import targets
from hanbae.images import contents, registry
from hanbae.planning import deployments
from hanbae.policy import documents
from hanbae.repository import checkouts, keeping

POLICY = documents.Policy(
    version=1,
    argocd=documents.ArgoCD("https://git.example.com/shop.git"),
    environments={"staging": documents.Environment(branch="release", namespace_suffix="-staging")},
)
DIGEST = "sha256:" + "a" * 64
MIGRATIONS = {
    "00001_a.sql": "-- +goose Up\nSELECT 1;\n",
    "00002_b.sql": "-- +goose Up\nSELECT 2;\n",
}
SEALED = f"encryptedData:\n    DATABASE_URL: {'A' * 400}\n"


def digests(**names: str) -> dict[str, str]:
    texts = {f"{name}.sql": text for name, text in names.items()} or MIGRATIONS
    return {
        name: "sha256:" + hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()
    }


def git(folder: Path, *words: str) -> None:
    options = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run(["git", *options, *words], cwd=folder, check=True, capture_output=True)


def _now() -> datetime:
    return datetime(2026, 11, 28, tzinfo=UTC)


class World:
    """A commit of a scaffolded service, a registry and a cluster, each with what a test puts there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.digest: str | errors.Error | None = DIGEST
        self.files: Mapping[str, str] | errors.Error | None = digests()
        self.secret: dict[str, Any] | errors.Error | None = None
        self.opens: int | errors.Error = errors.Forbidden("cluster.forbidden")

    def edit(self, old: str, new: str) -> None:
        path = self.root / "services/auth/helm/values-staging.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    async def verify(self, *_: object, **__: object) -> service_proxies.Answer:
        """What the controller of the Sealed Secrets says."""
        return service_proxies.Answer(answer(self.opens), b"")

    async def source(self) -> deployments.Source:
        git(self.root, "add", "--all")
        git(self.root, "commit", "-qm", "x", "--allow-empty")
        revision = checkouts.Checkout.open(self.root).revision("HEAD")
        return await deployments.read(POLICY, revision, "auth", "staging")

    async def examined(self) -> preflight.Examined:
        source = await self.source()
        space: Any = SimpleNamespace(
            policy=POLICY, insecure=False, clock=_now, typed=lambda _, command: command
        )
        clusters: Any = SimpleNamespace(workload=None)
        return await preflight.examine(space, clusters, source, deployments.plan(source))

    async def reasons(self) -> tuple[wording.Text, ...]:
        return (await self.examined()).reasons

    async def unchecked(self) -> list[str]:
        examined = await self.examined()
        assert examined.reasons == ()
        return [text.id for text in examined.unchecked]


def answer(value: Any) -> Any:
    if isinstance(value, errors.Error):
        raise value
    return value


async def first_port(*_: object) -> str:
    return "http"


async def no_nodes(*_: object, **__: object) -> list[dict[str, Any]]:
    """What a deployer is told who asks for nodes."""
    raise errors.Forbidden("cluster.forbidden")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    git(tmp_path, "init", "-q", "-b", "main")
    scaffold = scaffolding.chart_files("auth", POLICY, image="registry.example.com/shop/auth")
    for path, text in scaffold.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    folder = tmp_path / "services/auth/migrations"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.sql"):
        path.unlink()
    for name, text in MIGRATIONS.items():
        (folder / name).write_text(text)
    world = World(tmp_path)
    world.edit('tag: ""', "tag: 1.0.0")
    world.edit("encryptedData: {}\n", SEALED)

    async def digest(*_: object, **__: object) -> str | None:
        result: str | None = answer(world.digest)
        return result

    async def migrations_in(*_: object, **__: object) -> contents.Files | None:
        return contents.Files(DIGEST, answer(world.files))

    async def get(_: object, kind: kinds.Kind, *__: object) -> dict[str, Any] | None:
        if kind is kinds.SEALEDSECRET:
            return None  # not opened yet
        result: dict[str, Any] | None = answer(world.secret)
        return result

    monkeypatch.setattr(reading, "first_port", first_port)
    monkeypatch.setattr(service_proxies, "request", world.verify)
    monkeypatch.setattr(reading, "find", no_nodes)
    monkeypatch.setattr(registry, "digest", digest)
    monkeypatch.setattr(contents, "migrations_in", migrations_in)
    monkeypatch.setattr(reading, "get", get)
    monkeypatch.setattr(keeping, "opened", lambda: None)
    return world


async def test_nothing_is_said_where_nothing_is_missing(world: World) -> None:
    examined = await world.examined()
    assert (examined.reasons, examined.unchecked) == ((), ())
    outcomes = {decision.item: decision.outcome for decision in examined.checked.decisions}
    assert outcomes == {
        "image-pushed": "passed",
        "migrations-in-image": "passed",
        "secrets-sealed": "undecided",
        "migration-enabled": "passed",
    }


async def test_what_the_controller_cannot_open_is_refused_with_the_command_that_seals_it(
    world: World,
) -> None:
    world.opens = 409
    (reason,) = await world.reasons()
    assert (reason.id, reason.facts["arguments"]) == ("gate.secret-not-opened", "DATABASE_URL")
    world.opens = 200
    examined = await world.examined()
    assert examined.reasons == ()
    outcomes = {decision.item: decision.outcome for decision in examined.checked.decisions}
    assert outcomes["secrets-sealed"] == "passed"


async def test_migrations_that_nothing_runs_are_refused(world: World) -> None:
    world.edit("enabled: true", "enabled: false")
    (reason,) = await world.reasons()
    assert reason.id == "gate.migrations-disabled"
    assert reason.facts["files"] == "2"


async def test_a_key_that_is_read_and_not_sealed_is_named_with_the_command_that_seals_it(
    world: World,
) -> None:
    world.edit(SEALED, SEALED.replace("DATABASE_URL", "OTHER"))
    (reason,) = await world.reasons()
    assert reason.id == "preflight.secret-keys-missing"
    assert reason.facts["arguments"] == "DATABASE_URL"
    assert "Job/auth-service-migrate" in reason.facts["readers"]


@pytest.mark.parametrize(
    ("secret", "ids"),
    [
        (None, ["preflight.secret-missing"]),
        ({"metadata": {}, "data": {"DATABASE_URL": "eA=="}}, []),
        (
            {
                "metadata": {"ownerReferences": [{"kind": "SealedSecret"}]},
                "data": {"DATABASE_URL": "eA=="},
            },
            ["preflight.secret-missing"],
        ),
        (errors.Forbidden("cluster.forbidden"), []),
    ],
    ids=["not there", "made by hand", "of a SealedSecret that is gone", "may not be read"],
)
async def test_a_secret_that_the_commit_does_not_make_is_looked_for_in_the_cluster(
    world: World, secret: dict[str, Any] | errors.Error | None, ids: list[str]
) -> None:
    world.edit(SEALED, "encryptedData: {}\n")
    world.secret = secret
    assert [reason.id for reason in await world.reasons()] == ids


@pytest.mark.parametrize(
    ("digest", "ids"),
    [
        (None, ["preflight.image-missing"]),
        (errors.Unreachable("image.unreachable"), []),
        (errors.Forbidden("image.forbidden"), []),
    ],
    ids=["not there", "registry not reached", "may not be read"],
)
async def test_an_image_that_the_registry_does_not_have_is_refused(
    world: World, digest: errors.Error | None, ids: list[str]
) -> None:
    world.digest = digest
    reasons = await world.reasons()
    assert [reason.id for reason in reasons] == ids
    assert all(reason.facts["image"].endswith("shop/auth:1.0.0") for reason in reasons)


@pytest.mark.parametrize(
    ("files", "text_id", "names"),
    [
        (
            {"00001_a.sql": digests()["00001_a.sql"], "README.md": "x"},
            "preflight.image-lacks-migrations",
            "00002_b.sql",
        ),
        (
            {**digests(), "00003_c.sql": "x"},
            "preflight.image-has-other-migrations",
            "00003_c.sql",
        ),
        (
            {**digests(), "00002_b.sql": "sha256:00"},
            "preflight.image-has-edited-migrations",
            "00002_b.sql",
        ),
        ({}, "preflight.image-lacks-migrations", "00001_a.sql, 00002_b.sql"),
    ],
    ids=["without one", "with one more", "with another content", "without any"],
)
async def test_an_image_with_other_migrations_than_the_commit_is_refused(
    world: World, files: dict[str, str], text_id: str, names: str
) -> None:
    world.files = files
    (reason,) = await world.reasons()
    assert reason.id == text_id
    assert reason.facts["files"] == names
    assert reason.facts["database"] == "auth_db"


@pytest.mark.parametrize(
    ("files", "texts"),
    [
        (None, []),
        (
            errors.Failed("image.unreadable-layers"),
            ["preflight.migrations-unchecked", "image.unreadable-layers"],
        ),
    ],
    ids=["no such folder", "unreadable"],
)
async def test_an_image_whose_migrations_cannot_be_read_is_said_not_to_be_checked(
    world: World, files: errors.Error | None, texts: list[str]
) -> None:
    world.files = files
    assert await world.unchecked() == texts


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (errors.Unreachable("registry.unreachable"), "preflight.image-unchecked-silent"),
        (errors.Unreachable("registry.plain"), "preflight.image-unchecked"),
        (errors.Unreachable("registry.answered"), "preflight.image-unchecked-silent"),
        (errors.Forbidden("registry.forbidden"), "preflight.image-unchecked-login"),
        (errors.Forbidden("registry.plain-without-login"), "preflight.image-unchecked-login"),
        (errors.Lacking("registry.no-helper"), "preflight.image-unchecked"),
        (errors.FileFault("registry.docker-config"), "preflight.image-unchecked"),
    ],
)
async def test_a_registry_that_does_not_say_is_named_with_the_reason_and_a_cure(
    world: World, fault: errors.Error, text: str
) -> None:
    world.digest = fault
    assert await world.unchecked() == [text, fault.text.id]


async def test_a_registry_that_says_nothing_at_all_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: object, **__: object) -> str:
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr(registry, "digest", silent)
    monkeypatch.setattr(targets, "ASKS_WITHIN", 0.01)
    assert await world.unchecked() == ["preflight.image-unchecked-silent", "registry.unreachable"]


async def test_a_secret_that_may_not_be_read_is_said_not_to_be_checked(world: World) -> None:
    world.edit(SEALED, "encryptedData: {}\n")
    world.secret = errors.Forbidden("cluster.forbidden")
    assert await world.unchecked() == ["preflight.secret-unchecked", "cluster.forbidden"]


async def test_a_service_without_image_is_named_and_one_without_anything_is_not_begun(
    world: World,
) -> None:
    named = await world.source()
    assert preflight.without_plan(named) is None
    assert preflight.is_begun(named)
    world.edit("tag: 1.0.0", 'tag: ""')
    sealed = await world.source()
    reason = preflight.without_plan(sealed)
    assert reason is not None
    assert reason.id == "preflight.no-image"
    assert preflight.is_begun(sealed)
    world.edit(SEALED, "encryptedData: {}\n")
    assert not preflight.is_begun(await world.source())
