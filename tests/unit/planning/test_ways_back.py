"""How databases go back to an older commit, where the way ends, and what is lost on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from tests.support import trees

from hanbae import subjects
from hanbae.planning import ways_back
from hanbae.results import plans

HEAD, OLD = "b" * 40, "a" * 40
PLAIN = "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n"


def file(database: str, number: int) -> str:
    return f"services/auth/migrations/{database}/{number:05d}_m.sql"


def proof(database: str, versions: Sequence[int], bare: Sequence[int] = ()) -> plans.Prove:
    hook = subjects.Ref("Job", "services", f"auth-migrate-{database}")
    files = tuple(file(database, number) for number in versions)
    return plans.Prove(database, tuple(versions), hook, {}, tuple(bare), files)


def plan(commit: str, *proofs: plans.Prove) -> plans.Plan:
    steps = [plans.Step("sync", plans.Sync("auth-staging", commit))]
    steps += [plans.Step(f"prove-{entry.database}", entry, ("sync",)) for entry in proofs]
    return plans.Plan(1, "auth", "staging", tuple(steps))


def ways(
    texts: Mapping[str, str],
    present: Sequence[plans.Prove],
    target: Sequence[plans.Prove],
    **reached: int,
) -> ways_back.Ways:
    tree = trees.MemoryTree({path: text.encode() for path, text in texts.items()})
    return ways_back.between(plan(HEAD, *present), plan(OLD, *target), tree, reached=reached)


def test_the_database_that_was_migrated_last_goes_back_first() -> None:
    texts = {file(name, number): PLAIN for name in ("first", "second") for number in (2, 3)}
    both = ways(
        texts,
        [proof("first", (1, 2, 3)), proof("second", (1, 2, 3), bare=(3,))],
        [proof("first", (1, 2)), proof("second", (1,))],
    )
    assert not both.boundaries
    assert [(way.database, way.version, way.versions) for way in both.back] == [
        ("second", 1, (3, 2)),
        ("first", 2, (3,)),
    ]
    assert both.back[0].bare == (3,)
    assert {way.revision for way in both.back} == {HEAD}


def test_a_database_that_is_no_further_stays_as_it_is() -> None:
    texts = {file("auth_db", 2): PLAIN}
    present, target = [proof("auth_db", (1, 2))], [proof("auth_db", (1,))]
    assert ways(texts, present, target, auth_db=1) == ways_back.Ways()
    assert ways(texts, present, present) == ways_back.Ways()
    assert ways(texts, present, []) == ways_back.Ways(), "the older commit knows nothing of it"
    assert ways(texts, present, target, auth_db=2).back


def test_what_it_has_not_reached_is_no_boundary_and_is_not_taken_back() -> None:
    texts = {file("auth_db", 2): PLAIN, file("auth_db", 3): "-- +goose Up\nDROP TABLE a;\n"}
    present, target = [proof("auth_db", (1, 2, 3))], [proof("auth_db", (1,))]
    assert ways(texts, present, target).boundaries
    (way,) = ways(texts, present, target, auth_db=2).back
    assert (way.versions, way.version, way.reached, way.losses) == ((2,), 1, 2, ())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-- +goose Up\nSELECT 1;\n", "rollback.boundary-no-down"),
        ("-- +goose Up\nSELECT 1;\n-- +goose Down\n-- nothing\n", "rollback.boundary-no-down"),
        ("-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 1\n", "rollback.boundary-unreadable"),
        ("", "rollback.boundary-unreadable"),
    ],
)
def test_no_way_leads_past_a_migration_that_goose_cannot_take_back(text: str, why: str) -> None:
    texts = {file("auth_db", 2): text, file("auth_db", 3): PLAIN, file("auth_db", 4): PLAIN}
    present = [proof("auth_db", (1, 2, 3, 4))]
    (boundary,) = ways(texts, present, [proof("auth_db", (1,))]).boundaries
    assert (boundary.version, boundary.why.id) == (2, why)
    assert boundary.why.facts["file"] == file("auth_db", 2)
    # On this side of it there is a way.
    assert ways(texts, present, [proof("auth_db", (1, 2))]).back[0].versions == (4, 3)


def test_a_migration_below_others_that_stay_is_a_boundary() -> None:
    texts = {file("auth_db", number): PLAIN for number in (1, 2, 3)}
    (boundary,) = ways(texts, [proof("auth_db", (1, 2, 3))], [proof("auth_db", (1, 3))]).boundaries
    assert (boundary.version, boundary.why.id) == (2, "rollback.boundary-below")
    (boundary,) = ways(texts, [proof("auth_db", (2, 3))], [proof("auth_db", (1,))]).boundaries
    assert (boundary.version, boundary.why.id) == (3, "rollback.boundary-first")


def test_what_is_lost_on_the_way_and_what_was_lost_before_are_told_apart() -> None:
    texts = {
        file("auth_db", 2): "-- +goose Up\nALTER TABLE a ADD b text;\n"
        "-- +goose Down\nALTER TABLE a DROP COLUMN b;\n",
        file("auth_db", 3): "-- +goose Up\nDROP TABLE c;\n"
        "-- +goose Down\nCREATE TABLE c (d int);\n",
    }
    (way,) = ways(texts, [proof("auth_db", (1, 2, 3))], [proof("auth_db", (1,))]).back
    assert [(loss.file, loss.line, loss.is_past) for loss in way.losses] == [
        (file("auth_db", 3), 2, True),
        (file("auth_db", 2), 4, False),
    ]


def test_the_code_follows_the_databases_unless_git_leads_it() -> None:
    present, target = proof("auth_db", (1, 2)), proof("auth_db", (1,))
    back = ways({file("auth_db", 2): PLAIN}, [present], [target]).back
    older = plan(OLD, target)
    whole = ways_back.through(older, back, deploys=True)
    assert [step.id for step in whole.steps] == ["take-back-auth_db", "sync", "prove-auth_db"]
    assert whole.steps[1].after == ("take-back-auth_db",)
    assert (whole.revision, whole.deploys) == (OLD, True)
    alone = ways_back.through(older, back, deploys=False)
    assert [step.id for step in alone.steps] == ["take-back-auth_db"]
    assert (alone.revision, alone.deploys) == (HEAD, False)
