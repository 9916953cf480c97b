"""``hanbae upgrade``: what later templates and a later policy bring reaches edited charts, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import layouts, printed_commands

from hanbae import errors, workspaces
from hanbae.charts import scaffold_record
from hanbae.cli import main
from hanbae.policy import loading
from hanbae.repository import merging
from hanbae.rules import scaffolds

CHART = "services/auth/helm"
JOB = f"{CHART}/templates/migration-job.yaml"
DEPLOYMENT = f"{CHART}/templates/deployment.yaml"
RECORD = f"{CHART}/{scaffold_record.NAME}"
#: Of migrations, before and after; rollouts have one of the same words.
DEADLINE = ("backoff_limit: 3\n  deadline: 10m", "backoff_limit: 3\n  deadline: 20m")
#: A line of today's template that an earlier one did not have.
LATER = "      enableServiceLinks: false\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A committed repository with two services, as hanbae has scaffolded them."""
    folder = tmp_path / "shop"
    folder.mkdir()
    layouts.begin(folder, "one-cluster")
    for service in ("auth", "web"):
        assert main.run(["-C", str(folder), "new", "service", service]) == 0
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "a step")


def edit(root: Path, path: str, before: str, after: str) -> None:
    text = (root / path).read_text()
    assert before in text
    (root / path).write_text(text.replace(before, after))


def age(root: Path, service: str = "auth") -> None:
    """Make a chart one that an earlier hanbae has scaffolded: without a line, in the file and in the record."""
    path = DEPLOYMENT.replace("auth", service)
    edit(root, path, LATER, "")
    record = root / RECORD.replace("auth", service)
    content = json.loads(record.read_text())
    content["files"]["templates/deployment.yaml"].remove(LATER.rstrip("\n"))
    record.write_text(json.dumps(content))
    commit(root)


def lengthen(root: Path) -> None:
    """A later policy: migrations may take longer."""
    edit(root, "hanbae.yaml", *DEADLINE)
    commit(root)


def run(root: Path, *arguments: str, language: str = "en") -> int:
    return main.run(["--lang", language, "-C", str(root), "upgrade", *arguments])


def upgraded(
    root: Path, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0
) -> dict[str, Any]:
    """Service → what became of it."""
    capsys.readouterr()
    assert run(root, *arguments, "--output", "json") == code
    return {entry["service"]: entry for entry in json.loads(capsys.readouterr().out)["services"]}


def outcomes(upgrade: dict[str, Any]) -> dict[str, str]:
    return {file["path"]: file["outcome"] for file in upgrade["files"]}


def test_service_as_it_was_scaffolded_is_current(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {name: entry["outcome"] for name, entry in upgraded(root, capsys).items()} == {
        "auth": "current",
        "web": "current",
    }
    assert git(root, "status", "--porcelain") == ""


def test_later_template_reaches_a_file_that_was_edited(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    age(root)
    edit(root, DEPLOYMENT, "revisionHistoryLimit: 5", "revisionHistoryLimit: 9  # ours")
    commit(root)
    before = (root / DEPLOYMENT).read_text()
    assert LATER not in before

    auth = upgraded(root, capsys)["auth"]

    assert auth["outcome"] == "upgraded"
    assert outcomes(auth) == {DEPLOYMENT: "changed", RECORD: "changed"}
    after = (root / DEPLOYMENT).read_text()
    assert "revisionHistoryLimit: 9  # ours" in after
    assert after.replace(LATER, "") == before
    assert set(git(root, "diff", "--name-only").split()) == {DEPLOYMENT, RECORD}
    assert upgraded(root, capsys)["auth"]["outcome"] == "current"


def test_later_policy_reaches_files_that_were_edited(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(
        root,
        JOB,
        "restartPolicy: Never",
        "restartPolicy: Never\n      priorityClassName: migrations",
    )
    lengthen(root)
    both = upgraded(root, capsys)
    assert {entry["outcome"] for entry in both.values()} == {"upgraded"}
    text = (root / JOB).read_text()
    assert "activeDeadlineSeconds: 1200" in text
    assert "priorityClassName: migrations" in text


POLICY_MOVES = {
    "limits": (DEADLINE, {"MIG020"}, []),
    "lock_timeout": (
        ("\nmigrations:\n", "\nmigrations:\n  lock_timeout: 5s\n"),
        {"MIG020"},
        [],
    ),
    "runner": (
        ("\nmigrations:\n", "\nmigrations:\n  runner: hanbae-migrate\n"),
        {"MIG020"},
        ["hanbae generate runner"],
    ),
}
"""What changes in the policy, what check finds then, and what its cure has besides the upgrade."""


def found_by_check(
    root: Path, capsys: pytest.CaptureFixture[str], codes: set[str]
) -> list[dict[str, Any]]:
    capsys.readouterr()
    main.run(["--lang", "en", "-C", str(root), "check", "auth", "--output", "json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    return [finding for finding in findings if finding["code"] in codes]


@pytest.mark.parametrize("moved", POLICY_MOVES)
def test_what_check_says_of_a_chart_that_the_policy_has_left_behind_mends_it(
    root: Path, capsys: pytest.CaptureFixture[str], moved: str
) -> None:
    (before, after), codes, more = POLICY_MOVES[moved]
    edit(root, "hanbae.yaml", before, after)
    commit(root)
    findings = found_by_check(root, capsys, codes)
    assert {finding["code"] for finding in findings} == codes
    for finding in findings:
        printed = list(printed_commands.within(finding["fix_message"]))
        assert printed[: len(more) + 1] == [*more, "hanbae upgrade auth"]
        for command in printed[: len(more) + 1]:
            assert main.run(["-C", str(root), *command.split()[1:], *allowed(command)]) == 0
    assert found_by_check(root, capsys, {*codes, "MIG023"}) == []


def test_a_dockerfile_that_a_scaffolded_file_mentions_is_not_upgraded(root: Path) -> None:
    path = "services/auth/Dockerfile"
    with workspaces.opened(root) as space:
        policy = space.policy
    record = (root / scaffold_record.path(policy, "auth")).read_text()
    scaffolded = scaffold_record.read(policy, "auth", record)
    others = {
        file: f"{text}# See the Dockerfile.\n" for file, text in scaffolded.items() if file != path
    }
    for texts, is_upgraded in ((others | {path: "FROM scratch\n"}, True), (others, False)):
        written = scaffold_record.text(policy, "auth", texts)
        service: Any = SimpleNamespace(
            policy=policy, name="auth", text={scaffold_record.path(policy, "auth"): written}.get
        )
        assert scaffolds.is_upgraded(service)
        assert scaffolds.is_upgraded(service, path) is is_upgraded


def allowed(command: str) -> list[str]:
    """The files of an earlier finding's cure are not committed."""
    return ["--allow-dirty"] if " upgrade " in command else []


def test_a_chart_of_others_is_not_sent_to_the_upgrade(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(root, "hanbae.yaml", *POLICY_MOVES["runner"][0])
    (root / RECORD).unlink()
    lengthen(root)
    findings = found_by_check(root, capsys, {"MIG020"})
    fixes = {finding["fix_message"] for finding in findings}
    assert len(fixes) == 2
    assert not [fix for fix in fixes if "hanbae upgrade auth" in fix]
    assert any("hanbae generate runner" in fix for fix in fixes)


def test_values_of_environments_and_migrations_are_never_touched(root: Path) -> None:
    kept = [*(root / CHART).glob("values-*.yaml"), *root.rglob("*.sql")]
    for path in kept:
        path.write_text(f"# ours\n{path.read_text()}")
    edit(root, f"{CHART}/values-dev.yaml", "port: 8080", "port: 9000")
    lengthen(root)
    before = {path: path.read_text() for path in kept}
    assert run(root) == 0
    assert {path: path.read_text() for path in kept} == before
    recorded = json.loads((root / RECORD).read_text())["files"]
    assert set(recorded) == {
        "../Dockerfile",
        "Chart.yaml",
        "values.schema.json",
        "values.yaml.example",
        *(f"templates/{path.name}" for path in (root / CHART / "templates").iterdir()),
    }


def test_conflict_leaves_the_whole_service_as_it_is_and_shows_both(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    age(root)
    edit(root, JOB, "activeDeadlineSeconds: 600", "activeDeadlineSeconds: 900")
    lengthen(root)
    capsys.readouterr()

    assert run(root) == 1

    shown = capsys.readouterr()
    assert git(root, "status", "--porcelain", "--", "services/auth") == ""
    assert f"conflict   {JOB}" in shown.out
    assert f"differs    {DEPLOYMENT}" in shown.out
    assert f"differs    {RECORD}" in shown.out
    assert f"+++ b/{RECORD}" not in shown.out, "it repeats what the files say"
    assert "+  activeDeadlineSeconds: 1200" in shown.out
    assert "   activeDeadlineSeconds: 900" in shown.out
    assert "`hanbae upgrade auth --write-conflicts`" in shown.err
    # A service has nothing to do with another's conflict.
    assert "activeDeadlineSeconds: 1200" in (root / JOB.replace("auth", "web")).read_text()


def test_conflicts_are_written_as_git_writes_them_only_when_that_is_allowed(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = (root / JOB).read_text()
    edit(root, JOB, "activeDeadlineSeconds: 600", "activeDeadlineSeconds: 900")
    ours = (root / JOB).read_text()
    lengthen(root)

    auth = upgraded(root, capsys, "auth", "--write-conflicts", code=1)["auth"]

    assert auth["outcome"] == "marked"
    assert outcomes(auth)[JOB] == "conflicting"
    theirs = base.replace("activeDeadlineSeconds: 600", "activeDeadlineSeconds: 1200")
    for name, text in (("base", base), ("ours", ours), ("theirs", theirs)):
        (tmp_path / name).write_text(text)
    names = ["-L", f"{JOB} (edited)", "-L", "base", "-L", f"{JOB} (scaffold)"]
    merged = subprocess.run(
        ["git", "merge-file", "-p", *names, "ours", "base", "theirs"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert merged.returncode == 1
    assert (root / JOB).read_text() == merged.stdout
    line = merging.markers(merged.stdout)[0]
    assert auth["files"][0]["reasons"] == [{"id": "upgrade.conflict", "facts": {"line": str(line)}}]

    # Until it is resolved nothing is merged on top of it; then the service is current.
    capsys.readouterr()
    assert run(root, "auth", "--allow-dirty") == 2
    assert f"{JOB}:{line}" in capsys.readouterr().err
    (root / JOB).write_text(ours)
    assert upgraded(root, capsys, "auth", "--allow-dirty")["auth"]["outcome"] == "current"


@pytest.mark.parametrize(("option", "code"), [("--check", 1), ("--dry-run", 0)])
def test_looking_writes_nothing(
    root: Path, capsys: pytest.CaptureFixture[str], option: str, code: int
) -> None:
    age(root)
    auth = upgraded(root, capsys, option, code=code)["auth"]
    assert auth["outcome"] == "behind"
    assert outcomes(auth) == {DEPLOYMENT: "stale", RECORD: "stale"}
    assert f"+{LATER}" in auth["files"][1]["diff"] + auth["files"][0]["diff"]
    assert git(root, "status", "--porcelain") == ""
    capsys.readouterr()
    assert run(root, option, "--write-conflicts") == 2


def test_uncommitted_changes_are_not_touched_unless_that_is_allowed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    age(root)
    edit(root, DEPLOYMENT, "revisionHistoryLimit: 5", "revisionHistoryLimit: 9")
    before = (root / DEPLOYMENT).read_text()
    capsys.readouterr()
    assert run(root) == 5
    assert f"{DEPLOYMENT}" in capsys.readouterr().err
    assert (root / DEPLOYMENT).read_text() == before
    assert upgraded(root, capsys, "--allow-dirty")["auth"]["outcome"] == "upgraded"
    assert "revisionHistoryLimit: 9" in (root / DEPLOYMENT).read_text()


def test_uncommitted_changes_elsewhere_do_not_matter(root: Path) -> None:
    age(root)
    edit(root, f"{CHART}/values-dev.yaml", "port: 8080", "port: 9000")
    (root / "notes.txt").write_text("mine\n")
    assert run(root, "auth") == 0


def test_new_deleted_and_given_up_files(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = root / RECORD
    content = json.loads(record.read_text())
    lengthen(root)
    del content["files"]["templates/hpa.yaml"]  # a later hanbae's
    del content["files"]["templates/ingress.yaml"]  # one, too, but the team has a file of that name
    content["files"]["templates/old.yaml"] = ["# given up", ""]
    content["files"]["templates/older.yaml"] = ["# given up", ""]
    record.write_text(json.dumps(content))
    (root / CHART / "templates/hpa.yaml").unlink()
    (root / CHART / "templates/ingress.yaml").write_text("# ours\n")
    (root / CHART / "templates/old.yaml").write_text("# given up\n")
    (root / CHART / "templates/older.yaml").write_text("# given up\n# ours\n")
    (root / JOB).unlink()
    commit(root)

    auth = upgraded(root, capsys, "auth")["auth"]

    assert outcomes(auth) == {
        f"{CHART}/templates/hpa.yaml": "created",
        f"{CHART}/templates/ingress.yaml": "kept",
        f"{CHART}/templates/old.yaml": "deleted",
        f"{CHART}/templates/older.yaml": "kept",
        JOB: "kept",
        RECORD: "changed",
    }
    assert not (root / CHART / "templates/old.yaml").exists()
    assert not (root / JOB).exists()
    reasons = {file["path"]: [r["id"] for r in file["reasons"]] for file in auth["files"]}
    assert reasons[JOB] == ["upgrade.deleted"]
    assert reasons[f"{CHART}/templates/ingress.yaml"] == ["upgrade.no-base"]
    assert reasons[f"{CHART}/templates/older.yaml"] == ["upgrade.given-up"]
    commit(root)
    assert upgraded(root, capsys, "auth")["auth"] == {
        "service": "auth",
        "outcome": "current",
        "files": [],
    }


def test_chart_without_a_record_is_not_guessed_at(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = git(root, "rev-parse", "HEAD").strip()
    for service in ("auth", "web"):
        (root / RECORD.replace("auth", service)).unlink()
    edit(root, DEPLOYMENT, "revisionHistoryLimit: 5", "revisionHistoryLimit: 9")
    lengthen(root)
    capsys.readouterr()
    assert run(root) == 2
    assert run(root, "auth") == 5
    assert "--base" in capsys.readouterr().err

    auth = upgraded(root, capsys, "auth", "--base", first)["auth"]

    assert auth["outcome"] == "upgraded"
    assert "revisionHistoryLimit: 9" in (root / DEPLOYMENT).read_text()
    assert "activeDeadlineSeconds: 1200" in (root / JOB).read_text()
    assert outcomes(auth)[RECORD] == "created"


def test_scaffolding_again_keeps_what_edited_files_began_from(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(root, JOB, "restartPolicy: Never", "restartPolicy: Never  # ours")
    lengthen(root)
    assert main.run(["-C", str(root), "new", "service", "auth"]) == 0
    assert upgraded(root, capsys, "auth")["auth"]["outcome"] == "upgraded"
    text = (root / JOB).read_text()
    assert "restartPolicy: Never  # ours" in text
    assert "activeDeadlineSeconds: 1200" in text


def test_line_ends_of_an_edited_file_stay(root: Path) -> None:
    edited = (root / JOB).read_text().replace("\n", "\r\n")
    (root / JOB).write_bytes(edited.encode())
    lengthen(root)
    assert run(root, "auth") == 0
    expected = edited.replace("activeDeadlineSeconds: 600", "activeDeadlineSeconds: 1200")
    assert (root / JOB).read_bytes().decode() == expected


@pytest.mark.parametrize("more", ["", ', "templates": "2"'])
def test_a_record_of_a_later_hanbae_is_called_one(root: Path, more: str) -> None:
    policy = loading.load(root / "hanbae.yaml").policy
    content = f'{{"format": 2, "files": {{}}{more}}}'
    with pytest.raises(errors.FileFault) as caught:
        scaffold_record.read(policy, "auth", content)
    assert caught.value.text.id == "upgrade.later-record"


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        '{"format": 1}',
        '{"format": 2, "files": {}}',
        '{"format": 1, "files": {"../../../secret.txt": ["mine", ""]}}',
        '{"format": 1, "files": {"../values.yaml": ["mine", ""]}}',
        '{"format": 1, "files": {"/etc/passwd": [""]}}',
        '{"format": 1, "files": {"templates/a.yaml": "text"}}',
    ],
)
def test_record_that_a_branch_has_forged_is_refused(
    root: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "secret.txt").write_text("mine\n")
    (root / "services/auth/values.yaml").write_text("mine\n")
    (root / RECORD).write_text(content)
    commit(root)
    capsys.readouterr()
    assert run(root, "auth") == 2
    assert RECORD in capsys.readouterr().err
    assert (root / "secret.txt").exists()
    assert (root / "services/auth/values.yaml").exists()


def test_link_out_of_the_repository_is_not_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("mine\n")
    (root / JOB).unlink()
    (root / JOB).symlink_to(outside)
    lengthen(root)
    assert run(root, "auth", "--allow-dirty") == 2
    assert outside.read_text() == "mine\n"


def test_unknown_service_and_unknown_commit(root: Path) -> None:
    assert run(root, "nothing") == 2
    assert run(root, "auth", "--base", "nowhere") == 2


def test_without_a_clone_there_is_nothing_to_go_back_to(tmp_path: Path) -> None:
    layouts.begin(tmp_path, "one-cluster")
    assert main.run(["-C", str(tmp_path), "new", "service", "auth"]) == 0
    edit(tmp_path, "hanbae.yaml", *DEADLINE)
    assert run(tmp_path, "auth") == 2
    assert run(tmp_path, "auth", "--allow-dirty") == 0
    assert "activeDeadlineSeconds: 1200" in (tmp_path / JOB).read_text()


def test_policy_below_the_clones_top(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "deploy"
    root.mkdir()
    layouts.begin(root, "one-cluster")
    assert main.run(["-C", str(root), "new", "service", "auth"]) == 0
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    (root / RECORD).unlink()
    edit(root, JOB, "restartPolicy: Never", "restartPolicy: Never  # ours")
    lengthen(root)
    assert upgraded(root, capsys, "auth", "--base", "HEAD~1")["auth"]["outcome"] == "upgraded"
