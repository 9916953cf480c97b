"""A changed migration is judged by what was applied: proven ones stay errors, those that only failed may be mended."""

from __future__ import annotations

import itertools
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hanbae import subjects, wording
from hanbae.checking import applied_migrations, findings_of_rules, projects
from hanbae.clusters import leases
from hanbae.deploying import last_deployments
from hanbae.history import stores
from hanbae.results import claims, events, findings, plans
from hanbae.rules import rulebook, running, views

FOLDER = "services/auth/migrations"
FILE = f"{FOLDER}/00002_b.sql"
POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
environments:
  dev: {branch: develop, namespace_suffix: -dev}
  staging: {branch: release, namespace_suffix: -staging}
"""
HOOK = subjects.Ref("Job", "services-dev", "auth-service-migrate")
NOW = datetime(2026, 11, 28, tzinfo=UTC)


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=kim", "-c", "user.email=kim@example.com")
    answer = subprocess.run(
        ["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True
    )
    return answer.stdout.strip()


def commit(root: Path, statement: str) -> str:
    """A commit with this statement in the second migration; the head of both branches."""
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    for number, text in ((1, "SELECT 1;"), (2, statement), (3, "SELECT 3;")):
        name = f"{number:05d}_{'abc'[number - 1]}.sql"
        (root / FOLDER / name).write_text(f"-- +goose Up\n{text}\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", statement)
    head = git(root, "rev-parse", "HEAD")
    for branch in ("develop", "release"):
        git(root, "update-ref", f"refs/remotes/origin/{branch}", head)
    return head


class Team:
    """A clone whose second migration was changed after it was on the branches, and the history of its deployments."""

    def __init__(self, root: Path, history: Path) -> None:
        self.root = root
        self.history = history
        self.numbers = itertools.count(1)

    def deployed(
        self,
        fact: events.Fact | None,
        *,
        environment: str = "dev",
        revision: str = "",
        bare: tuple[int, ...] = (),
        outcome: events.Outcome | None = "failed",
        recorded: bool = True,
    ) -> None:
        files = tuple(f"{FOLDER}/{name}" for name in ("00001_a.sql", "00002_b.sql", "00003_c.sql"))
        proof = plans.Prove("auth_db", (1, 2, 3), HOOK, {}, bare, files if recorded else ())
        plan = plans.Plan(1, "auth", environment, (plans.Step("prove-auth_db", proof),))
        name = f"20261128-00000{next(self.numbers)}-abcdef"
        revision = revision or git(self.root, "rev-parse", "HEAD")
        facts: list[events.Fact] = [events.Opened(plan, "kim", revision)]
        facts += [fact] if fact is not None else []
        if outcome is not None:
            facts.append(events.Closed(outcome, wording.Text("deploy.done")))
        with stores.in_a_file(self.history) as store:
            for event in facts:
                store.append(name, None, event, NOW)

    def judged(self, *claimed: claims.Claim) -> findings.Finding:
        project = projects.project(self.root)
        service = views.Service(project, "auth")
        release = views.Release(service, "dev", {}, ())
        rule = rulebook.rules()["MIG012"]
        (hit,) = rule.check(release)
        finding = findings_of_rules.plain(running.RuleHit(rule, hit, "auth", "dev"))
        (judged,) = applied_migrations.judged(project, self.root, [finding], claimed)
        return judged


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    root, history = tmp_path / "clone", tmp_path / "history.db"
    root.mkdir()
    git(root, "init", "--quiet")
    git(root, "remote", "add", "origin", "https://git.example.com/shop.git")
    (root / "hanbae.yaml").write_text(POLICY)
    commit(root, "CREATE TABLE wrong;")
    (root / FILE).write_text("-- +goose Up\nCREATE TABLE mended (id int);\n")
    monkeypatch.setenv("HANBAE_HISTORY", f"sqlite:///{history}")
    return Team(root, history)


FAILED = events.Migrated("auth_db", 3, 1, 1, (1,), ("00001_a.sql",), "00002_b.sql")


def test_nothing_is_recorded_so_it_stays_an_error_and_no_history_is_made(team: Team) -> None:
    judged = team.judged()
    assert (judged.severity, judged.text.id) == ("error", "rule.mig012-found")
    assert judged.fix is not None
    assert judged.fix.id == "rule.mig012-fix"
    assert not team.history.exists()


def test_file_that_only_failed_may_be_mended(team: Team) -> None:
    team.deployed(FAILED)
    judged = team.judged()
    assert judged.severity == "notice"
    assert judged.text.id == "rule.mig012-found-failed"
    assert judged.text.facts["stopped"] == "00002_b.sql"
    assert judged.text.facts["database"] == "auth_db"
    assert judged.fix is not None
    assert judged.fix.id == "rule.mig012-fix-failed"


def test_file_behind_the_one_that_failed_may_be_mended(team: Team) -> None:
    team.deployed(events.Migrated("auth_db", 3, 0, 0, (), (), "00001_a.sql"))
    assert team.judged().severity == "notice"


def test_database_that_was_not_reached_has_not_applied_it(team: Team) -> None:
    team.deployed(events.Migrated("auth_db", 3, 1, 1))
    judged = team.judged()
    assert (judged.severity, judged.text.id) == ("notice", "rule.mig012-found-waiting")


APPLIED: tuple[events.Fact, ...] = (
    events.Proved("auth_db", 3, 3, (2, 3)),
    events.Proved("auth_db", 3, 3, ()),
    events.Migrated("auth_db", 3, 2, 2, (2,), ("00002_b.sql",), "00003_c.sql"),
    events.Migrated("auth_db", 3, 3, 3),
    events.Migrated("auth_db", 3, None, 0, (2,)),
)


@pytest.mark.parametrize("recorded", [True, False], ids=["files", "older record"])
@pytest.mark.parametrize("environment", ["dev", "staging"])
@pytest.mark.parametrize("fact", APPLIED)
@pytest.mark.parametrize("later", [True, False], ids=["failed after", "failed before"])
def test_file_that_was_applied_anywhere_at_any_time_is_an_error(
    team: Team, fact: events.Fact, environment: str, later: bool, recorded: bool
) -> None:
    for applied in (True, False) if later else (False, True):
        if applied:
            team.deployed(fact, environment=environment, recorded=recorded)
        else:
            team.deployed(FAILED)
    judged = team.judged()
    assert (judged.severity, judged.text.id) == ("error", "rule.mig012-found-applied")
    assert judged.text.facts["where"] == environment


@pytest.mark.parametrize(
    "fact",
    [None, events.Migrated("auth_db", 3, None, 0), events.Migrated("other_db", 3, 1, 1)],
    ids=["no record", "unknown version", "other database"],
)
@pytest.mark.parametrize("outcome", ["failed", "stopped", None])
def test_last_deployment_that_says_nothing_leaves_an_error(
    team: Team, fact: events.Fact | None, outcome: events.Outcome | None
) -> None:
    team.deployed(FAILED)
    team.deployed(fact, outcome=outcome)
    assert (team.judged().severity, team.judged().text.id) == ("error", "rule.mig012-found")


def test_attempt_that_was_refused_changes_nothing(team: Team) -> None:
    team.deployed(FAILED)
    team.deployed(None, outcome="refused")
    assert team.judged().severity == "notice"


def test_failure_in_another_environment_says_nothing_of_this_one(team: Team) -> None:
    team.deployed(FAILED, environment="staging")
    assert team.judged().severity == "error"


def test_other_content_on_the_branch_may_have_been_applied_since(team: Team) -> None:
    first = git(team.root, "rev-parse", "HEAD")
    changed = (team.root / FILE).read_text()
    commit(team.root, "CREATE TABLE second;")
    (team.root / FILE).write_text(changed)
    team.deployed(FAILED, revision=first)
    assert team.judged().severity == "error"
    team.deployed(FAILED)
    assert team.judged().severity == "notice"


def test_file_that_ran_in_part_outside_of_a_transaction_is_an_error(team: Team) -> None:
    team.deployed(FAILED, bare=(2,))
    assert team.judged().severity == "error"


def test_history_in_the_clone_is_not_believed(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HANBAE_HISTORY")
    policy = (team.root / "hanbae.yaml").read_text()
    (team.root / "hanbae.yaml").write_text(policy + "history: {url: sqlite:///own.db}\n")
    team.history = team.root / "own.db"
    team.deployed(FAILED)
    assert team.judged().severity == "error"


def test_history_that_cannot_be_read_leaves_an_error(team: Team) -> None:
    team.history.write_text("no database")
    assert team.judged().severity == "error"


def test_environment_that_has_applied_what_is_here_is_no_reason_to_take_it_back(team: Team) -> None:
    """It failed everywhere, was mended, and the mended one has reached one environment already."""
    team.deployed(FAILED)
    failed = git(team.root, "rev-parse", "HEAD")
    git(team.root, "add", "--all")
    git(team.root, "commit", "--quiet", "--message", "Mend it")
    mended = git(team.root, "rev-parse", "HEAD")
    git(team.root, "reset", "--quiet", "--soft", failed)
    team.deployed(APPLIED[0], environment="staging", revision=mended, outcome="succeeded")
    assert team.judged().severity == "notice"
    assert team.judged(claim("staging", mended, "succeeded")).severity == "notice"


def claim(
    environment: str, revision: str, outcome: str = "", *, name: str = "20261128-000009-others"
) -> claims.Claim:
    """What a Lease says of a deployment that another machine has driven."""
    marks = {"deployment": name, "revision": revision, "outcome": outcome, "step": "sync"}
    lease = leases.State("services", "hanbae-auth", "", "", marks, 15.0, "1")
    claimed = last_deployments.claim_of(lease, "auth", environment)
    assert claimed is not None
    return claimed


@pytest.mark.parametrize("environment", ["dev", "staging"])
def test_lease_says_that_another_machine_has_applied_it(team: Team, environment: str) -> None:
    team.deployed(FAILED)
    head = git(team.root, "rev-parse", "HEAD")
    judged = team.judged(claim(environment, head, "succeeded"))
    assert (judged.severity, judged.text.id) == ("error", "rule.mig012-found-deployed")
    assert judged.text.facts["where"] == environment
    assert judged.text.facts["revision"] == head[:12]


@pytest.mark.parametrize("outcome", ["failed", "stopped", "unknown", ""])
def test_lease_of_a_later_deployment_elsewhere_leaves_an_error(team: Team, outcome: str) -> None:
    team.deployed(FAILED)
    head = git(team.root, "rev-parse", "HEAD")
    judged = team.judged(claim("dev", head, outcome))
    assert (judged.severity, judged.text.id) == ("error", "rule.mig012-found")


def test_lease_of_the_recorded_failure_and_one_of_a_refused_attempt_change_nothing(
    team: Team,
) -> None:
    team.deployed(FAILED)
    head = git(team.root, "rev-parse", "HEAD")
    assert team.judged(claim("dev", head, "failed", name="20261128-000001-abcdef")).severity == (
        "notice"
    )
    assert team.judged(claim("dev", head, "refused")).severity == "notice"


def test_without_a_history_the_lease_still_says_what_was_applied(team: Team) -> None:
    head = git(team.root, "rev-parse", "HEAD")
    assert team.judged(claim("dev", head, "succeeded")).text.id == "rule.mig012-found-deployed"
    assert not team.history.exists()


def test_lease_of_a_commit_that_is_not_in_this_clone_accuses_nobody(team: Team) -> None:
    judged = team.judged(claim("dev", "f" * 40, "succeeded"))
    assert (judged.severity, judged.text.id) == ("error", "rule.mig012-found")


@pytest.mark.parametrize(
    ("marks", "has_migrated"),
    [
        ({"step": "sync", "outcome": "failed"}, False),
        ({"step": "sync", "outcome": "succeeded"}, True),
        ({"step": "prove-auth_db", "outcome": "failed"}, True),
        ({"step": "prove-auth_db"}, True),
        ({"outcome": "nonsense"}, False),
    ],
)
def test_lease_tells_whether_the_migrations_have_run(
    marks: dict[str, str], has_migrated: bool
) -> None:
    whole = {"deployment": "d1", "revision": "1" * 40, **marks}
    lease = leases.State("services", "hanbae-auth", "", "", whole, 15.0, "1")
    claimed = last_deployments.claim_of(lease, "auth", "dev")
    assert claimed is not None
    assert claimed.has_migrated is has_migrated
    empty = leases.State("services", "hanbae-auth", "", "", {}, 15.0, "1")
    assert last_deployments.claim_of(empty, "auth", "dev") is None
