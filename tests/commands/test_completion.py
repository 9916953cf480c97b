"""``hanbae completion``: the shells themselves, with the script that it writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands.test_json_documents import shop

from hanbae.cli import completion, main

__all__ = ["shop"]

#: What a shell does when a person types this and presses Tab; the last word is completed.
ASK = {
    "bash": """
eval "$(hanbae completion bash)"
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_hanbae_completion hanbae; printf '%s\\n' "${{COMPREPLY[@]}}"
""",
    "zsh": """
compdef() {{ : }}
_describe() {{ print -l -- "${{(@P)3}}" }}
compadd() {{ print -l -- "${{(@P)argv[-1]}}" }}
eval "$(hanbae completion zsh)"
words=({words}); CURRENT=${{#words}}
_hanbae_completion
""",
    "fish": """
hanbae completion fish | source
complete -C '{line}'
""",
}
ARGUMENTS = {"bash": ["--norc", "-c"], "zsh": ["-f", "-c"], "fish": ["--no-config", "-c"]}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A PATH with the command as it is installed, and a home of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "hanbae"
    source = Path(main.__file__).parents[2]
    program.write_text(f'#!/bin/sh\nPYTHONPATH={source} exec {sys.executable} -m hanbae "$@"\n')
    program.chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(tmp_path)}


@pytest.mark.parametrize("shell", sorted(ASK))
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hanbae che", {"check"}),
        ("hanbae secrets s", {"seal"}),
        ("hanbae deploy --time", {"--timeout"}),
        ("hanbae deploy ord", {"orders"}),
        ("hanbae check --env prod", {"production"}),
        ("hanbae completion z", {"zsh"}),
    ],
)
def test_shell_completes(
    shell: str, line: str, expected: set[str], shop: Path, environment: dict[str, str]
) -> None:
    script = ASK[shell].format(words=line, line=line)
    ended = subprocess.run(
        [shell, *ARGUMENTS[shell], script],
        cwd=shop,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    answers = {
        answer.split("\t")[0].split(":")[0] for answer in ended.stdout.splitlines() if answer
    }
    assert expected <= answers, ended.stdout + ended.stderr
    assert not answers & {"attach", "stop"}


@pytest.mark.parametrize("shell", sorted(ASK))
def test_script_is_named_as_the_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["completion", shell]) == 0
    assert completion.VARIABLE in capsys.readouterr().out


def test_unknown_shell_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--lang", "en", "completion", "tcsh"]) == 2
    assert "tcsh" in capsys.readouterr().err
