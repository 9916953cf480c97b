"""The newest backup decides by its age; what nobody knows is undecided, and what a branch names does not run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hanbae import errors
from hanbae.gates import restore_point, targets
from hanbae.policy import documents

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def target(
    tmp_path: Path, point: documents.RestorePoint | None, *, proofs: int = 1, trusts: bool = True
) -> Any:
    policy = SimpleNamespace(checklists=documents.Checklists(restore_point=point))
    commands = {point.program} if point is not None and trusts else set()
    source = SimpleNamespace(
        policy=policy,
        service="auth",
        environment="dev",
        revision=SimpleNamespace(commit="a" * 40),
    )
    return SimpleNamespace(
        source=source,
        policy=policy,
        proofs=[object()] * proofs,
        redact=lambda text: text.replace("hunter2", "***"),
        trusted=targets.Trusted(frozenset(commands), tmp_path),
        clock=lambda: NOW,
        facts={"service": "auth", "environment": "dev"},
    )


async def decided(tmp_path: Path, script: str, **more: Any) -> tuple[str, str]:
    """How it ends where a program prints something, and by which text."""
    point = documents.RestorePoint(command=("sh", "-c", script))
    verdict = await restore_point.decide(target(tmp_path, point, **more))
    (text,) = (*verdict.evidence, *verdict.reasons, *verdict.unseen)
    return verdict.outcome, text.id


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(hours=23, minutes=59), ("passed", "gate.restore-point")),
        (timedelta(hours=24, seconds=1), ("failed", "gate.restore-point-old")),
        (timedelta(minutes=-5), ("passed", "gate.restore-point")),
        (timedelta(minutes=-11), ("undecided", "gate.restore-point-ahead")),
    ],
)
async def test_the_age_of_the_newest_backup_decides(
    tmp_path: Path, age: timedelta, expected: tuple[str, str]
) -> None:
    newest = NOW - age
    assert await decided(tmp_path, f"echo '{newest.isoformat()}'") == expected
    assert await decided(tmp_path, f"echo {int(newest.timestamp())}") == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo looking; echo 2026-11-29T11:00:00Z", ("passed", "gate.restore-point")),
        ("echo '2026-11-29 20:00:00.5+09'", ("passed", "gate.restore-point")),
        ("true", ("failed", "gate.restore-point-none")),
        ("echo 2026-11-29T11:00:00", ("undecided", "gate.restore-point-unreadable")),
        ("echo 99999999999999999999", ("undecided", "gate.restore-point-unreadable")),
        ("echo yesterday", ("undecided", "gate.restore-point-unreadable")),
        ("echo 2026-11-29T11:00:00Z; exit 3", ("undecided", "gate.command-failed")),
    ],
)
async def test_the_last_line_of_a_program_is_the_time(
    tmp_path: Path, script: str, expected: tuple[str, str]
) -> None:
    assert await decided(tmp_path, script) == expected


async def test_what_only_a_branch_names_does_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    outcome = await decided(tmp_path, f"touch {mark}", trusts=False)
    assert outcome == ("undecided", "gate.command-untrusted")
    assert not mark.exists()


async def test_where_nothing_is_migrated_no_backup_is_asked_for(tmp_path: Path) -> None:
    assert await decided(tmp_path, "true", proofs=0) == ("passed", "gate.no-migrations")


async def test_it_is_asked_for_in_the_environments_that_the_policy_names(tmp_path: Path) -> None:
    point = documents.RestorePoint(environments=("production",), command=("true",))
    verdict = await restore_point.decide(target(tmp_path, point))
    assert verdict.evidence[0].id == "gate.restore-point-elsewhere"


def policy_text(setting: str, items: str = "    - {id: restore-point, text: Backup}\n") -> bytes:
    return f"""\
version: 1
argocd: {{repository: "https://git.example.com/shop.git"}}
environments:
  production: {{branch: main}}
checklists:
  before:
{items}  restore_point: {setting}
""".encode()


@pytest.mark.parametrize(
    ("setting", "text_id"),
    [
        ("{}", "policy.restore-point-ways"),
        ("{cluster: a, command: [b]}", "policy.restore-point-ways"),
        ("{command: [b], namespace: data}", "policy.restore-point-part"),
        ("{cluster: a, query: SELECT 1}", "policy.restore-point-part"),
        ("{command: [./b]}", "policy.not-a-program"),
        ("{command: [b], within: 0h}", "policy.restore-point-within"),
        ("{command: [b], within: 99999h}", "policy.not-a-duration"),
        ("{command: [b], timeout: 2h}", "policy.item-timeout"),
        ("{command: [b], environments: [prod]}", "policy.restore-point-unknown-environment"),
    ],
)
def test_a_restore_point_that_cannot_be_is_refused_with_its_line(
    setting: str, text_id: str
) -> None:
    from hanbae.policy import loading

    with pytest.raises(errors.FileFault) as refused:
        loading.parse(policy_text(setting), "hanbae.yaml")
    assert refused.value.text.id == text_id
    assert refused.value.place is not None
    assert refused.value.place.line


def test_an_item_needs_to_know_how_the_backup_is_found() -> None:
    from hanbae.policy import loading

    text = policy_text("{command: [b]}").decode().partition("  restore_point")[0]
    with pytest.raises(errors.FileFault) as refused:
        loading.parse(text.encode(), "hanbae.yaml")
    assert refused.value.text.id == "policy.no-restore-point"


@pytest.mark.parametrize("query", ["\\! rm -rf x", "SELECT 1 \\gexec", ""])
def test_a_query_has_no_command_of_psqls_own(query: str) -> None:
    from hanbae.policy import loading

    setting = f"{{database: a, query: {query!r}}}".replace("\\\\", "\\")
    with pytest.raises(errors.FileFault):
        loading.parse(policy_text(setting), "hanbae.yaml")
