"""Names that do not exist: refused with the one that was meant, before anything is fetched or a cluster is asked."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import click
import pytest
from tests.support import command_tree, layouts

from hanbae.actions import new_service
from hanbae.cli import main, options
from hanbae.cli.text import wrapping

LANGUAGES: Final = ("en", "ko")
QUESTION: Final = {"en": "Did you mean", "ko": "이것을 찾으셨습니까?"}

LINES: Final = {
    "check": "{service} --env {env}",
    "checklist attest": "{service} api-tested --env {env}",
    "checklist run": "{service} --env {env}",
    "checklist waive": "{service} api-tested --env {env} --why x",
    "dependencies build": "{service}",
    "dependencies update": "{service}",
    "deploy": "{service} --env {env}",
    "doctor": "{service} --env {env}",
    "generate admission": "--env {env}",
    "generate argocd": "--env {env}",
    "generate gateways": "--env {env}",
    "generate namespaces": "--env {env}",
    "generate rbac": "--env {env}",
    "history dora": "{service} --env {env}",
    "history list": "{service} --env {env}",
    "hold add": "{service} --env {env} --why x",
    "hold lift": "{service} --env {env}",
    "hold list": "{service} --env {env}",
    "image set": "{service} registry.example.com/shop/auth:1 --env {env}",
    "local up": "{service}",
    "migrations plan": "{service} --env {env}",
    "migrations rehearse": "{service} --from {env}",
    "migrations status": "{service} --env {env}",
    "overlay apply": "{env}",
    "overlay plan": "{env}",
    "plan": "{service} --env {env}",
    "promote": "{service} --from dev --to {env}",
    "render": "{service} --env {env}",
    "rollback": "{service} --env {env} --revision HEAD",
    "rollout restart": "{service} --env {env}",
    "rollout status": "{service} --env {env}",
    "rollout undo": "{service} --env {env}",
    "secrets import": "{service} --env {env} --from-sops",
    "secrets list": "{service} --env {env}",
    "secrets report": "{service} --env {env}",
    "secrets reseal": "{service} --env {env}",
    "secrets seal": "{service} KEY --env {env}",
    "secrets verify": "{service} --env {env}",
    "status": "{service} --env {env}",
    "upgrade": "{service}",
    # Where a deployment's id may stand instead.
    "attach": "{service} --env {env}",
    "stop": "{service} --env {env}",
}
"""Command → a line of it that is right but for its names."""
OTHERS: Final = {
    "local logs": "without compose.yaml there is nothing to look a service up in",
    "new service": "its name does not exist yet",
    "secrets backup verify": "its file is looked at first",
}
"""Commands with a service or an environment that are not asked here, and why."""


def test_every_command_with_names_is_tested() -> None:
    commands = {
        " ".join(path)
        for path, command in command_tree.walk()
        if any(
            (parameter.metavar or "").strip("[].") in {"SERVICE", "ENV", "ID|SERVICE"}
            or (isinstance(parameter, click.Argument) and parameter.name in {"service", "name"})
            for parameter in command.params
        )
    }
    assert commands <= {*LINES, *OTHERS}
    assert not set(LINES) & set(OTHERS)


@pytest.fixture(params=layouts.LAYOUTS, scope="module")
def unreached(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A repository of each layout with one service, whose remote is not there and whose clusters nobody knows."""
    root = tmp_path_factory.mktemp("shop")
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(root))
    subprocess.run([*git, "init", "--quiet", "--initial-branch", "main"], check=True)
    layouts.begin(root, request.param)
    new_service.new_service(root, "auth", image="registry.example.com/shop/auth")
    for words in (
        ("add", "--all"),
        ("commit", "--quiet", "--message", "one"),
        ("remote", "add", "origin", f"file://{root}/nowhere.git"),
    ):
        subprocess.run([*git, *words], check=True)
    kubeconfig = root / ".git" / "kubeconfig"
    kubeconfig.write_text("apiVersion: v1\nkind: Config\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(kubeconfig))
        patch.setenv("XDG_STATE_HOME", str(root / ".git" / "state"))
        patch.setenv("XDG_CACHE_HOME", str(root / ".git" / "cache"))
        patch.chdir(root)
        yield root


@pytest.fixture
def refused(
    unreached: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """The last sentence of a line that is wrong use, and nothing else than refused."""

    def run(language: str, *words: str) -> str:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
        code = main.run(["--lang", language, *words])
        captured = capsys.readouterr()
        assert code == 2, captured.err
        lines = captured.err.splitlines()
        marked = [line for line in lines if line.startswith(("error: ", "오류: "))]
        assert len(marked) == 1, captured.err
        # Nothing was begun: not even that something is looked at was said.
        assert not [line for line in lines if line.startswith("▸")], captured.err
        return marked[0]

    return run


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", [name for name, line in LINES.items() if "{service}" in line])
def test_misspelt_service_is_refused_before_anything_is_asked(
    command: str, language: str, refused: Callable[..., str]
) -> None:
    words = LINES[command].format(service="auht", env="dev").split()
    assert f"{QUESTION[language]} auth" in refused(language, *command.split(), *words)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", [name for name, line in LINES.items() if "{env}" in line])
def test_misspelt_environment_is_refused_before_anything_is_asked(
    command: str, language: str, refused: Callable[..., str]
) -> None:
    words = LINES[command].format(service="auth", env="prod").split()
    assert f"{QUESTION[language]} production" in refused(language, *command.split(), *words)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("check services/auth/", "auth"),
        ("status ./services/auth/helm", "auth"),
        ("check --explain kub32", "KUB032"),
        ("check --explain auth", ""),
        ("checklist waive auth api-testd --env dev --why x", "api-tested"),
        ("migrations rehearse auth --database auht_db", "auth_db"),
        ("image set auth --from-env prod --env dev", "production"),
        ("stop Auth", "auth"),
        ("secrets seal auth --remove A --env staging --certificate stagign=x.pem", "staging"),
        ("attach 20261128", ""),
    ],
)
def test_name_that_was_meant(
    line: str, meant: str, language: str, refused: Callable[..., str]
) -> None:
    sentence = refused(language, *line.split())
    assert (QUESTION[language] in sentence) == bool(meant)
    assert meant in sentence


ODD: Final = {
    "long": "a" * 5000,
    "escape": "au\x1b[31mth",
    "lines": "au\nth",
    "Hangul": "인증",
    "path": "../../etc/passwd",
    "root": "/etc/passwd",
    "no UTF-8": "au\udcffth",
    "dot": ".",
}


@pytest.mark.parametrize("unreached", ["hub"], indirect=True)
@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
@pytest.mark.parametrize("command", ["new service", *LINES])
def test_odd_name_is_refused_as_any_other(
    command: str, name: str, refused: Callable[..., str]
) -> None:
    line = LINES.get(command, "{service}")
    for names in ({"service": name, "env": "dev"}, {"service": "auth", "env": name}):
        words = [word.format(**names) for word in line.split()]
        if name in words:
            assert "\x1b" not in refused("en", *command.split(), *words)


CONTEXTUAL: Final = [
    " ".join(path)
    for path, command in command_tree.walk()
    if any("--context" in parameter.opts for parameter in command.params)
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", CONTEXTUAL)
def test_misspelt_context_is_answered_with_what_was_meant(
    command: str,
    language: str,
    unreached: Path,
    refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    contexts = [{"name": name, "context": {"cluster": "c"}} for name in ("staging", "production")]
    config = {"apiVersion": "v1", "kind": "Config", "contexts": contexts}
    (unreached / ".git" / "contexts").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(unreached / ".git" / "contexts"))
    rest = "--from-cluster" if command == "init" else LINES[command]
    words = rest.format(service="auth", env="dev").split()
    sentence = refused(language, *command.split(), *words, "--context", "prodution")
    assert f"{QUESTION[language]} production" in sentence


@pytest.mark.parametrize("language", LANGUAGES)
def test_version_that_is_none_is_said_once(language: str, refused: Callable[..., str]) -> None:
    assert "1.x" in refused(language, "render", "--kube-version", "1.x")


def says_why(parameter: click.Option) -> bool:
    """Whether it is an option for a reason, where none is meant by nothing."""
    return not parameter.required and bool({"--why", "--waive-freeze"} & {*parameter.opts})


def test_a_reason_that_nobody_has_filled_in_is_none(refused: Callable[..., str]) -> None:
    words = ["deploy", "auht", "--env", "dev", "--waive-freeze", ""]
    assert "There is no service auht" in " ".join(refused("en", *words).split())


def values(command: click.Command) -> Iterator[tuple[str, list[str]]]:
    """What each parameter of a command is called, and words that give it an empty value."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            if not parameter.is_flag and not parameter.count and not says_why(parameter):
                spelling = max(parameter.opts, key=len)
                yield spelling, [spelling, ""]
                yield spelling, [f"{spelling}="]
        elif isinstance(parameter, click.Argument):
            arguments = [other for other in command.params if isinstance(other, click.Argument)]
            name = (parameter.metavar or str(parameter.name).upper()).strip("[].")
            before = ["x"] * arguments.index(parameter)
            yield name, [*before, "", *["x"] * (len(arguments) - len(before) - 1)]


LEAVES: Final = [
    (path, command)
    for path, command in command_tree.walk()
    if path and not isinstance(command, click.Group)
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("path", "command"), LEAVES, ids=[" ".join(path) for path, _ in LEAVES])
def test_empty_value_is_refused_and_its_parameter_is_named(
    path: tuple[str, ...],
    command: click.Command,
    language: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, words in values(command):
        assert main.run(["--lang", language, *path, *words]) == 2
        sentence = {"en": f"error: The value of {name} is empty.", "ko": f"오류: {name} 값이 비어"}
        err = capsys.readouterr().err
        assert sentence[language] in err, (words, err)


@pytest.mark.parametrize("line", [[""], ["secrets", ""]])
def test_empty_command_is_refused(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--lang", "en", *line]) == 2
    assert "The value of COMMAND is empty." in capsys.readouterr().err


def test_every_choice_is_answered_with_what_was_meant() -> None:
    kinds = {
        type(parameter.type)
        for _, command in command_tree.walk()
        for parameter in command.params
        if isinstance(parameter.type, click.Choice)
    }
    assert kinds == {options.Choice}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", [path for path, _ in LEAVES], ids=" ".join)
def test_wrong_use_fits_into_a_narrow_terminal(
    path: tuple[str, ...],
    language: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert main.run(["--lang", language, *path, "--nope"]) == 2
    for line in capsys.readouterr().err.splitlines():
        # What is to be copied stays whole.
        words = line.split()
        assert wrapping.cells(line) <= 40 or len(words) == 1 or line.endswith("--help'"), line


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "error: Missing argument '{bash|zsh|fish}'. Choose from: bash, zsh, fish"),
        ("ko", "다음 중에서 선택하십시오: bash, zsh, fish"),
    ],
)
def test_choices_that_are_missing_are_a_sentence(
    language: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["--lang", language, "completion"]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "english"),
    [
        ("history list --limit x", "'x' is not a number."),
        ("history export --from x", "'x' is not a day such as 2026-11-28."),
    ],
)
def test_values_that_are_none_are_named_in_plain_words(
    line: str, english: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["--lang", "en", *line.split()]) == 2
    assert english in capsys.readouterr().err


@pytest.mark.parametrize("language", LANGUAGES)
def test_hint_starts_the_sandbox_that_was_named(
    language: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert main.run(["--lang", language, "sandbox", "env", "--name", "nosuch"]) == 4
    assert "`hanbae sandbox up --name nosuch`" in capsys.readouterr().err
