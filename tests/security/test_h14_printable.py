"""What comes from a cluster or from git stays on its line, and hides and commands nothing, wherever it is shown."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from hanbae import errors, subjects, wording
from hanbae.cli import main, options, outputs, resealing
from hanbae.cli.text import catalogue, escaping, narration, tables
from hanbae.results import deployments, secrets

BREAKS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"]
HIDING = [
    "\u202e",
    "\u2066",
    "\u200b",
    "\u200d",
    "\ufeff",
    "\u061c",
    "\u00ad",
    "\U000e0041",
    "\ud800",
    "\uffff",
]
COMMANDS = [
    "::error::x",
    "::stop-commands::x",
    "::add-mask::x",
    "::set-output name=a::b",
    "::warning file=a::b",
]
NAME = "x\u202e\n::error::obj"


def all_ways(text: str) -> list[str]:
    """A foreign text in every place in which it is shown."""
    place = subjects.Place(text, 3)
    return [
        catalogue.printable(text),
        catalogue.printable_lines(text.replace("\n", " ")),
        catalogue.sentence(wording.Text("plan.nothing-differs", {"base": text, "head": text})),
        catalogue.sentence(wording.Text("no.such-id", {"name": text})),
        catalogue.fault(errors.FileFault("services.unknown", place=place, service=text)),
        escaping.plain(text),
        escaping.line(text),
        escaping.sentence(wording.Text("services.unknown", {"service": text})),
    ]


@pytest.mark.parametrize("mark", BREAKS)
def test_break_of_a_line_is_none(mark: str) -> None:
    for shown in all_ways(f"a{mark}b"):
        assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("character", HIDING)
def test_character_that_hides_is_shown(character: str) -> None:
    for shown in all_ways(f"a{character}b"):
        assert character not in shown


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("before", ["", " ", "\t", "\n", "x\n", "x\u2028"])
def test_command_of_a_build_server_is_none(command: str, before: str) -> None:
    for shown in (
        catalogue.printable(before + command),
        catalogue.printable_lines(before + command),
    ):
        assert not [line for line in shown.splitlines() if line.lstrip().startswith("::")]


@pytest.mark.parametrize(
    "command",
    ["##[error]x", "##[add-mask]x", "##vso[task.setvariable variable=a]b", "##teamcity[a]"],
)
@pytest.mark.parametrize("before", ["", "a ", "a", "#", "x\n"])
def test_command_that_is_obeyed_anywhere_in_a_line_is_none(
    command: str, before: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = before + command
    for shown in (*all_ways(text), catalogue.printable_lines(text)):
        assert "##[" not in shown
        assert "##vso" not in shown
        assert "##teamcity" not in shown
    outputs.emit_json({"name": text})
    outputs.emit_jsonl({"name": text})
    with outputs.array(written=True, key="names") as array:
        array.add(text)
    output = capsys.readouterr().out
    assert not re.search(r"##(\[|vso|teamcity)", output)
    assert json.loads(output.splitlines()[4]) == {"name": text}


@pytest.mark.parametrize(
    "name",
    [
        "a[/b]",
        "[red]x[/red]",
        "[link=https://x]y",
        ":bomb:",
        "x\x1b[2J",
        "x\u202ey",
        "x\n::error::y",
    ],
)
def test_table_of_deployments_obeys_no_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    row = deployments.Deployment(
        id=name,
        service=name,
        environment=name,
        revision="a" * 40,
        outcome="failed",
        by=name,
        images=(f"x/y:{name}",),
        migrations=(deployments.Migration(name, 1, 1),),
    )
    for shown in (tables.history([row]), tables.deployed([row])):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert not [line for line in shown.splitlines() if line.lstrip().startswith("::")]
        if name.isprintable():
            assert name in shown


def test_key_that_was_sealed_anew_commands_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    row = secrets.Resealed("auth", "dev", "values-dev.yaml", (NAME, "x\x1b[2J"), "a/b", "1" * 8)
    session = options.Session(Path(), narration.Narration())
    resealing.show(session, "dev", [row], "text")
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == 2
    assert "\x1b" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "## a heading",
        "a ## b",
        "한글 이름",
        "a::b",
        "std::vector",
        "[::1]:80",
        "to ::1",
        "a\tb",
        "naïve ☃",
        "a\u00a0b",
    ],
)
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert catalogue.printable(text) == text


def test_log_keeps_its_lines() -> None:
    text = wording.Text("sandbox.build-failed", {"lines": "a\nb\u202e\n::error::c"})
    assert catalogue.printable_lines(text.facts["lines"]) == "a\nb\\u202e\n\\::error::c"


POD = """\
apiVersion: v1
kind: Pod
metadata: {name: "x\\u202e\\n::error::obj"}
spec: {containers: [{name: "c\\n::error::c", image: "a\\n::error::i"}]}
"""


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def test_plan_of_two_commits_shows_a_name_on_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(tmp_path, "init", "-q")
    for arguments in (
        ("init", "--one-cluster", "--repository", "https://git.example.com/shop.git"),
        ("new", "service", "auth"),
    ):
        assert main.run(["--lang", "en", "-C", str(tmp_path), *arguments]) == 0
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "-qm", "base")
    (tmp_path / "services/auth/helm/templates/pod.yaml").write_text(POD)
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "-qm", "head")
    capsys.readouterr()
    main.run(["--lang", "en", "-C", str(tmp_path), "plan", "--base", "HEAD~1", "--head", "HEAD"])
    output = capsys.readouterr()
    assert "obj" in output.out
    for line in (output.out + output.err).splitlines():
        assert not line.lstrip().startswith("::")
        assert "\u202e" not in line
