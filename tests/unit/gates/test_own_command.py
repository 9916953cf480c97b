"""Commands of a team's own: decided by their code, bounded in time and output, and none that a branch has brought."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hanbae.gates import deciding, own_command, targets
from hanbae.policy import documents


def item(*words: str, timeout: str = "20s") -> documents.Item:
    return documents.Item("own", "A check of ours.", command=words, timeout=timeout)


def target(tmp_path: Path, *trusted: tuple[str, ...]) -> Any:
    source = SimpleNamespace(
        service="auth", environment="dev", revision=SimpleNamespace(commit="a" * 40)
    )
    return SimpleNamespace(
        source=source,
        redact=lambda text: text.replace("hunter2", "***"),
        trusted=targets.Trusted(frozenset(trusted), tmp_path),
    )


async def decided(tmp_path: Path, *words: str, within: str = "20s") -> Any:
    return await own_command.decide(item(*words, timeout=within), target(tmp_path, words))


async def test_a_command_decides_by_the_code_that_it_leaves_with(tmp_path: Path) -> None:
    assert (await decided(tmp_path, "true")).outcome == "passed"
    failed = await decided(tmp_path, "sh", "-c", "echo the password is hunter2; exit 3")
    assert failed.outcome == "failed"
    (reason,) = failed.reasons
    assert (reason.id, reason.facts["code"]) == ("gate.command-failed", "3")
    assert reason.facts["log"] == "the password is ***"


async def test_it_knows_the_service_and_no_token_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGOCD_AUTH_TOKEN", "hunter2")
    shown = await decided(tmp_path, "sh", "-c", "env; ls -A; exit 1")
    log = shown.reasons[0].facts["log"]
    assert "***" not in log
    script = 'test "$HANBAE_SERVICE $HANBAE_ENVIRONMENT" = "auth dev" && test -z "$(ls -A)"'
    assert (await decided(tmp_path, "sh", "-c", script)).outcome == "passed"
    assert (await decided(tmp_path, "sh", "-c", 'test -z "$ARGOCD_AUTH_TOKEN"')).outcome == "passed"


async def test_what_takes_too_long_ends_with_all_that_it_has_started(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    began = time.monotonic()
    script = f"(sleep 30; touch {mark}) & sleep 30"
    verdict = await decided(tmp_path, "sh", "-c", script, within="1s")
    assert verdict.reasons[0].id == "gate.command-slow"
    assert time.monotonic() - began < 20
    assert not mark.exists()


@pytest.mark.parametrize("started", ["sleep 30", "setsid sleep 8"])
async def test_what_a_command_leaves_running_is_not_waited_for(
    tmp_path: Path, started: str
) -> None:
    script = f"{started} & echo it is up"
    verdict = await decided(tmp_path, "sh", "-c", script, within="5s")
    assert verdict.outcome == "passed"
    assert verdict.evidence[0].facts["log"] == "it is up"


async def test_what_is_printed_without_end_is_bounded(tmp_path: Path) -> None:
    verdict = await decided(tmp_path, "sh", "-c", "yes | head -c 3000000; exit 1")
    assert len(verdict.reasons[0].facts["log"]) < 2000


async def test_a_command_that_only_a_branch_names_does_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    words = ("touch", str(mark))
    verdict = await own_command.decide(item(*words), target(tmp_path, ("true",)))
    assert (verdict.outcome, verdict.unseen[0].id) == ("undecided", "gate.command-untrusted")
    nobody = target(tmp_path, words)
    nobody.trusted = None
    verdict = await own_command.decide(item(*words), nobody)
    assert (verdict.outcome, verdict.unseen[0].id) == ("undecided", "gate.command-unknown")
    assert not mark.exists()


async def test_a_program_of_the_repository_does_not_run_although_path_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/smoke"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:bin:.:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    verdict = await decided(tmp_path, "smoke")
    assert (verdict.outcome, verdict.unseen[0].id) == ("undecided", "gate.no-program")


@pytest.mark.parametrize("text", ["exit 0\n", "#!/nowhere/python\nexit 0\n"])
async def test_a_program_that_the_system_cannot_start_leaves_its_item_undecided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    program = tmp_path / "bin/smoke"
    program.parent.mkdir()
    program.write_text(text)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    verdict = await own_command.decide(
        item("smoke", "--fast"), target(tmp_path / "clone", ("smoke", "--fast"))
    )
    assert (verdict.outcome, verdict.unseen[0].id) == ("undecided", "gate.command-unstarted")
    assert verdict.unseen[0].facts["program"] == str(program)


async def test_an_item_of_the_teams_own_is_decided_beside_the_gates(tmp_path: Path) -> None:
    passes, fails = item("true"), documents.Item("fails", "Another.", command=("false",))
    lists = documents.Checklists(after=(passes, fails))
    policy = documents.Policy(
        version=1,
        argocd=documents.ArgoCD("https://git.example.com/shop.git"),
        environments={"dev": documents.Environment(branch="develop")},
        checklists=lists,
    )
    service = target(tmp_path, ("true",), ("false",))
    service.policy, service.stated = policy, ()
    checked = await deciding.decide("after", service)
    outcomes = {decision.item: decision.outcome for decision in checked.decisions}
    assert outcomes == {"own": "passed", "fails": "failed"}
