"""What a saved plan promises, and that a tampered file and each changed source is found out, each by its name."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hanbae import errors
from hanbae.actions import save_plan as files
from hanbae.charts import scaffolding
from hanbae.planning import deployments, freezing
from hanbae.policy import documents
from hanbae.repository import checkouts
from hanbae.results import guards, plans, saved_plans

TAGGED = "registry.example.com/shop/auth:1.0.0"
DIGEST = "sha256:" + "a" * 64
POLICY = documents.Policy(
    version=1,
    argocd=documents.ArgoCD("https://git.example.com/shop.git"),
    environments={"staging": documents.Environment(branch="release", namespace_suffix="-staging")},
)
Change = Callable[[dict[str, Any]], None]


def git(folder: Path, *words: str) -> None:
    options = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run(["git", *options, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    files_ = scaffolding.chart_files("auth", POLICY, image="registry.example.com/shop/auth")
    for path, text in files_.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text.replace('tag: ""', "tag: 1.0.0"))
    folder = tmp_path / "services/auth/migrations"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.sql"):
        path.unlink()
    (folder / "00001_a.sql").write_text("-- +goose Up\nSELECT 1;\n")
    (folder / "00002_b.sql").write_text("-- +goose Up\nSELECT 2;\n")
    return tmp_path


async def frozen(
    root: Path, *, policy: documents.Policy = POLICY, digest: str = DIGEST, **fields: str
) -> saved_plans.Frozen:
    """What is so now."""
    git(root, "add", "--all")
    git(root, "commit", "-qm", "x", "--allow-empty")
    revision = checkouts.Checkout.open(root).revision("HEAD")
    source = await deployments.read(policy, revision, "auth", "staging")
    images = dict.fromkeys(freezing.references(source), digest)
    plan = saved_plans.Frozen(
        kind="hanbae-plan",
        format=1,
        hanbae="1.0",
        environment="staging",
        branch="release",
        revision="0" * 40,
        policy=freezing.policy_digest(policy),
        cluster="a-cluster",
        services=(freezing.service(source, images),),
    )
    return msgspec.structs.replace(plan, **fields)


def named(claim: saved_plans.Frozen, now: saved_plans.Frozen) -> set[str]:
    """The promises of a claim that do not hold now."""
    (service,) = now.services
    current = freezing.guards(now, service)
    expected = freezing.guards(claim, claim.services[0])
    return {difference.promise for difference in freezing.differences(expected, current)}


def in_service(key: str, value: Any) -> Change:
    def change(content: dict[str, Any]) -> None:
        content["services"][0][key] = value

    return change


def at_top(key: str, value: Any) -> Change:
    return lambda content: content.update({key: value})


async def test_a_plan_has_the_digest_of_a_saved_one_and_another_for_other_objects(
    root: Path,
) -> None:
    (promised,) = (await frozen(root)).services
    checkout = checkouts.Checkout.open(root)
    source = await deployments.read(POLICY, checkout.revision("HEAD"), "auth", "staging")
    plan = deployments.plan(source)
    assert plan.manifests == promised.objects
    assert len(plan.manifests) == 64
    path = root / "services/auth/helm/values-staging.yaml"
    path.write_text(path.read_text().replace("1.0.0", "1.0.1"))
    git(root, "commit", "-qam", "another tag")
    source = await deployments.read(POLICY, checkout.revision("HEAD"), "auth", "staging")
    assert deployments.plan(source).manifests != plan.manifests


async def test_what_is_as_promised_differs_in_nothing(root: Path) -> None:
    assert named(await frozen(root), await frozen(root)) == set()


@pytest.mark.parametrize(
    ("change", "promises"),
    [
        (at_top("hanbae", "0.1"), {"hanbae"}),
        (at_top("branch", "main"), {"branch-head:main"}),
        (at_top("revision", "1" * 40), {"branch-head:release"}),
        (at_top("policy", ""), {"policy"}),
        (at_top("cluster", "another"), {"cluster"}),
        (in_service("objects", "0" * 64), {"objects"}),
        (in_service("images", {}), {"images"}),
        (in_service("images", {TAGGED: "sha256:0"}), {f"digest:{TAGGED}"}),
        (
            in_service("images", {TAGGED: DIGEST, "more": DIGEST}),
            {"images", "digest:more"},
        ),
        (in_service("migrations", {}), {"migrations"}),
        (
            in_service("migrations", {"auth_db": {"1": "0"}}),
            {"migrations:auth_db", "migration:auth_db:1"},
        ),
        (
            in_service("migrations", {"other_db": {"1": "0"}}),
            {"migrations", "migrations:other_db", "migration:other_db:1"},
        ),
    ],
)
async def test_each_field_that_was_tampered_with_is_named(
    root: Path, change: Change, promises: set[str]
) -> None:
    now = await frozen(root)
    content = msgspec.to_builtins(now, str_keys=True)
    change(content)
    claim = msgspec.json.decode(msgspec.json.encode(content), type=saved_plans.Frozen)
    assert named(claim, now) == promises


@pytest.mark.parametrize(
    ("field", "value", "promise"),
    [
        ("environment", "production", "environment"),
        ("branch", "main", "branch"),
        ("services", "other", "service"),
    ],
)
async def test_what_there_is_not_is_refused_before_anything_else(
    root: Path, field: str, value: str, promise: str
) -> None:
    claim = await frozen(root)
    if field == "services":
        services = (msgspec.structs.replace(claim.services[0], service=value),)
        claim = msgspec.structs.replace(claim, services=services)
    else:
        claim = msgspec.structs.replace(claim, **{field: value})
    with pytest.raises(errors.Refused) as refused:
        freezing.check_names(claim, POLICY, ("auth",))
    assert refused.value.text.facts["differences"].startswith(f"{promise}: {value}")


async def test_values_that_were_edited_are_found_out(root: Path) -> None:
    claim = await frozen(root)
    path = root / "services/auth/helm/values-staging.yaml"
    path.write_text(path.read_text().replace("env: {}", "env: {COLOUR: green}"))
    assert named(claim, await frozen(root)) == {"objects"}


async def test_migration_that_was_edited_added_or_taken_away_is_found_out(root: Path) -> None:
    claim = await frozen(root)
    folder = root / "services/auth/migrations"
    (folder / "00002_b.sql").write_text("-- +goose Up\nSELECT 3;\n")
    assert named(claim, await frozen(root)) == {"migration:auth_db:2"}
    (folder / "00002_b.sql").unlink()
    assert named(claim, await frozen(root)) == {"migrations:auth_db", "migration:auth_db:2"}
    (folder / "00002_b.sql").write_text("-- +goose Up\nSELECT 2;\n")
    (folder / "00003_c.sql").write_text("-- +goose Up\nSELECT 3;\n")
    assert named(claim, await frozen(root)) == {"migrations:auth_db"}


async def test_tag_policy_and_cluster_that_became_others_are_found_out(root: Path) -> None:
    claim = await frozen(root)
    moved = await frozen(root, digest="sha256:" + "b" * 64)
    assert named(claim, moved) == {f"digest:{TAGGED}"}
    rollout = msgspec.structs.replace(POLICY.rollout, deadline="20m")
    policy = msgspec.structs.replace(POLICY, rollout=rollout)
    assert named(claim, await frozen(root, policy=policy)) == {"policy"}
    assert named(claim, await frozen(root, cluster="another")) == {"cluster"}


async def test_a_plan_keeps_every_promise_of_the_file_and_its_own(root: Path) -> None:
    claim = await frozen(root)
    revision = checkouts.Checkout.open(root).revision("HEAD")
    plan = deployments.plan(await deployments.read(POLICY, revision, "auth", "staging"))
    assert not guards.is_frozen(plan)
    bound = freezing.bound(plan, claim, freezing.promised(claim, "auth"))
    assert guards.is_frozen(bound)
    promises = [guard.promise for guard in bound.guards]
    assert len(promises) == len(set(promises))
    kinds = {promise.partition(":")[0] for promise in promises}
    frozen_kinds = "hanbae policy cluster objects images digest migrations migration"
    assert kinds == {*frozen_kinds.split(), "branch-head", "image"}
    assert guards.written(guards.of(bound)) == bound.guards
    assert plans.Guard("branch-head:release", claim.revision) in bound.guards
    assert freezing.bound(bound, claim, freezing.promised(claim, "auth")) == bound
    with pytest.raises(errors.Refused):
        freezing.promised(claim, "mail")


def test_file_is_written_whole_and_read_back(root: Path, tmp_path: Path) -> None:
    claim = asyncio.run(frozen(root))
    path = tmp_path / "plan.json"
    path.write_text("before")
    files.write(claim, path)
    assert files.read(path) == claim
    assert [path.name for path in tmp_path.iterdir() if "plan.json" in path.name] == ["plan.json"]
    link = tmp_path / "link.json"
    link.symlink_to(path)
    path.write_text("before")
    files.write(claim, link)
    assert link.is_symlink()
    assert files.read(path) == claim
    with pytest.raises(errors.FileFault) as fault:
        files.write(claim, tmp_path / "nowhere" / "plan.json")
    assert fault.value.text.id == "plan.unwritable"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"kind": "hanbae-plan", "format": 2}', "\xff", "[" * 100_000],
)
def test_what_is_no_plan_is_a_fault_of_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(errors.FileFault) as fault:
        files.read(path)
    assert fault.value.text.id == "plan.no-plan"


async def test_unknown_fields_are_refused(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    content = msgspec.to_builtins(await frozen(root), str_keys=True) | {"more": 1}
    path.write_bytes(msgspec.json.encode(content))
    with pytest.raises(errors.FileFault):
        files.read(path)


async def test_services_twice_or_none_are_refused(root: Path, tmp_path: Path) -> None:
    claim = await frozen(root)
    path = tmp_path / "plan.json"
    for services in ((), claim.services * 2):
        files.write(msgspec.structs.replace(claim, services=services), path)
        with pytest.raises(errors.FileFault) as fault:
            files.read(path)
        assert fault.value.text.id == "plan.no-plan"


def test_refusal_is_bounded() -> None:
    differences = tuple(saved_plans.Difference(f"digest:{n}", "x" * 10_000, "") for n in range(500))
    with pytest.raises(errors.Refused) as refused:
        freezing.refuse(differences, ("auth",), "staging")
    lines = refused.value.text.facts["differences"].splitlines()
    assert len(lines) == freezing.MOST_SHOWN + 1
    assert max(map(len, lines)) < 1000


async def test_a_branch_that_moved_is_told_with_short_commits_and_the_command(root: Path) -> None:
    claim = await frozen(root)
    with pytest.raises(errors.Refused) as refused:
        freezing.check_head(claim, "9" * 40)
    assert refused.value.text.id == "deploy.plan-head-moved"
    assert refused.value.text.facts == {
        "branch": claim.branch,
        "expected": claim.revision[:12],
        "head": "9" * 12,
        "services": "auth",
        "environment": claim.environment,
    }


async def test_names_of_a_foreign_file_are_quoted_in_the_command(root: Path) -> None:
    claim = await frozen(root)
    service = msgspec.structs.replace(claim.services[0], service="auth; reboot")
    with pytest.raises(errors.Refused) as refused:
        freezing.check_head(msgspec.structs.replace(claim, services=(service,)), "9" * 40)
    assert refused.value.text.facts["services"] == "'auth; reboot'"


def test_digests_of_a_refusal_are_shown_by_their_beginning() -> None:
    difference = saved_plans.Difference("digest:shop/auth:1", f"sha256:{'a' * 64}", "")
    with pytest.raises(errors.Refused) as refused:
        freezing.refuse((difference,), ("auth",), "staging")
    differences = refused.value.text.facts["differences"]
    assert differences == "digest:shop/auth:1: sha256:aaaaaaaaaaaa → -"
