"""``hanbae deploy`` at a terminal shows what would change and asks; nothing begins without a yes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import scenes, terminals

from hanbae.cli import main

POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
environments:
  dev: {branch: develop, sync: auto, namespace_suffix: -dev}
  staging: {branch: release, namespace_suffix: -staging}
"""
#: hanbae with a run that is prepared already, and a deployment that only says that it was begun.
PROGRAM = """\
import contextlib, sys
from hanbae.actions import plan_live
from hanbae.cli import main
from hanbae.deploying import preparing, runs
from hanbae.results import plans, previews

def plan(environment):
    sync = plans.Step("sync", plans.Sync(f"auth-{environment}", "1" * 40))
    return plans.Plan(format=1, service="auth", environment=environment, steps=(sync,))

async def prepare(space, services, environment, **_):
    return preparing.Prepared("jiwon", "1" * 40, {"d1": plan(environment)})

async def of_sources(space, sources, environment, **_):
    preview = previews.Preview(plan(environment), "1" * 40, "hanbae", (), (), previews.Estimate(0.0), ())
    return (preview,)

@contextlib.asynccontextmanager
async def deploying_all(*_, **__):
    async def nothing():
        print("BEGUN", file=sys.stderr)
        for event in ():
            yield event
    yield nothing()

preparing.prepare, plan_live.of_sources, runs.deploying_all = prepare, of_sources, deploying_all
sys.exit(main.run(sys.argv[1:]))
"""
QUESTION = r"\[y/N\]: $"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "hanbae.yaml").write_text(POLICY)
    (tmp_path / "program.py").write_text(PROGRAM)
    chart = tmp_path / "services" / "auth" / "helm" / "Chart.yaml"
    chart.parent.mkdir(parents=True)
    chart.write_text("apiVersion: v2\nname: auth\nversion: 0.1.0\n")
    return tmp_path


def run(
    shop: Path, *words: str, answer: str | None = None, lang: str = "en", stdin: bool = True
) -> terminals.Shown:
    program = [sys.executable, "program.py", "deploy", "auth", *words]
    if not stdin:
        program = ["sh", "-c", '"$@" < /dev/null', "sh", *program]
    environment = scenes.clean_environment() | {"HOME": str(shop), "HANBAE_LANG": lang}
    answers = {} if answer is None else {QUESTION: answer}
    return terminals.run(
        program, directory=shop, environment=environment, answers=answers, deadline_s=120
    )


@pytest.mark.parametrize(
    ("lang", "answer"), [("en", "y"), ("en", "YES"), ("ko", "네"), ("ko", "y")]
)
def test_yes_deploys_after_the_plan_was_shown(shop: Path, lang: str, answer: str) -> None:
    shown = run(shop, "--env", "staging", answer=answer, lang=lang)
    assert shown.code == 0, shown.text
    plan, question, after = shown.text.partition("[y/N]: ")
    assert question
    assert "auth" in plan.splitlines()[1], "the plan comes first"
    assert "111111111111" in plan
    assert "BEGUN" in after
    assert "BEGUN" not in plan


@pytest.mark.parametrize("answer", ["n", "", "nein", "\x04"])
def test_any_other_answer_is_a_refusal(shop: Path, answer: str) -> None:
    shown = run(shop, "--env", "staging", answer=answer)
    assert shown.code == 5, shown.text
    assert "Nothing was changed in staging" in shown.text
    assert "BEGUN" not in shown.text


@pytest.mark.parametrize("option", [(), ("--stop-on-interrupt",)])
def test_ctrl_c_at_the_question_changes_nothing(shop: Path, option: tuple[str, ...]) -> None:
    shown = run(shop, "--env", "staging", *option, answer="\x03")
    assert shown.code == 130, shown.text
    assert "Nothing was changed." in shown.text
    assert "BEGUN" not in shown.text
    assert "attach" not in shown.text


@pytest.mark.parametrize(
    "words",
    [
        ("--env", "staging", "--yes"),
        ("--env", "staging", "-y"),
        ("--env", "staging", "--output", "json"),
        ("--env", "staging", "--output", "jsonl"),
        ("--env", "dev"),
    ],
)
def test_it_is_not_asked_where_it_was_said_or_where_nobody_could_read_it(
    shop: Path, words: tuple[str, ...]
) -> None:
    shown = run(shop, *words)
    assert shown.code == 0, shown.text
    assert "y/N" not in shown.text
    assert "BEGUN" in shown.text


def test_without_a_terminal_to_answer_at_nothing_is_asked(shop: Path) -> None:
    shown = run(shop, "--env", "staging", stdin=False)
    assert shown.code == 0, shown.text
    assert "y/N" not in shown.text
    assert "BEGUN" in shown.text


@pytest.mark.parametrize("verb", ["deploy", "plan"])
@pytest.mark.parametrize("words", [("auth", "--env", "stagin"), ("aut", "--env", "staging")])
def test_nothing_is_said_to_be_prepared_where_there_is_nothing_of_the_name(
    shop: Path, verb: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["-C", str(shop), verb, *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "Did you mean" in line
