"""How every command line ends: the exit code, and what is said on which stream."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from hanbae import errors, subjects
from hanbae.charts import filling
from hanbae.cli import main, outputs
from hanbae.cli.text import catalogue, command_names


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Put a command beside the others that ends with this exception."""

    def failing(output: str | None) -> None:
        raise error

    command = click.Command(
        "failing", callback=failing, params=[click.Option(["--output", "-o", "output"])]
    )
    beside(monkeypatch, command)


def beside(monkeypatch: pytest.MonkeyPatch, command: click.Command) -> None:
    """Put a command beside the others."""
    real = main.Front.get_command
    monkeypatch.setattr(
        main.Front,
        "get_command",
        lambda self, context, name: command if name == command.name else real(self, context, name),
    )


EXIT_CODES = [
    pytest.param(errors.Failed("test.failed"), 1, id="failed"),
    pytest.param(errors.WrongUse("test.wrong"), 2, id="wrong use"),
    pytest.param(errors.FileFault("test.fault"), 2, id="fault in a file"),
    pytest.param(click.UsageError("no"), 2, id="usage"),
    pytest.param(errors.Unreachable("test.gone"), 4, id="unreachable"),
    pytest.param(errors.Forbidden("test.forbidden"), 4, id="forbidden"),
    pytest.param(errors.Lacking("test.lacking"), 4, id="lacking"),
    pytest.param(errors.Refused("test.refused"), 5, id="refused"),
    pytest.param(RuntimeError("oops"), 70, id="bug"),
    pytest.param(KeyboardInterrupt(), 130, id="ctrl-c"),
    pytest.param(errors.Stopped("test.stopped"), 130, id="stopped"),
]


@pytest.mark.parametrize(("error", "code"), EXIT_CODES)
def test_each_ending_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    raising(monkeypatch, error)
    assert main.run(["failing"]) == code


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS], ids=os.strerror)
def test_a_file_that_this_user_may_not_have_is_no_bug(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    number: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = str(tmp_path / "services/auth/helm/values-dev.yaml")
    raising(monkeypatch, OSError(number, os.strerror(number), path))
    assert main.run(["failing"]) == 2
    shown = capsys.readouterr().err
    assert "services/auth/helm/values-dev.yaml: " in shown
    assert str(tmp_path) not in shown
    assert os.strerror(number) in shown


def test_a_refusal_that_is_about_no_file_is_a_bug(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    raising(monkeypatch, PermissionError(errno.EPERM, os.strerror(errno.EPERM)))
    assert main.run(["failing"]) == 70


def test_error_says_where_and_goes_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, errors.FileFault("test.fault", place=subjects.Place("hanbae.yaml", 3, 7)))
    main.run(["failing"])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "hanbae.yaml:3:7" in captured.err


def test_error_with_json_output_is_a_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, errors.Refused("test.refused", application="auth-dev"))
    main.run(["failing", "--output", "json"])
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["text"] == {
        "id": "test.refused",
        "facts": {"application": "auth-dev"},
    }


def test_bug_keeps_its_traceback_without_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    raising(monkeypatch, RuntimeError("postgresql://shop:correct-horse@db:5432/shop"))
    main.run(["failing"])
    (log,) = tmp_path.glob("hanbae-bug-*.log")
    assert str(log) in capsys.readouterr().err
    assert "RuntimeError" in log.read_text()
    assert "correct-horse" not in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_unknown_command_is_wrong_use_and_is_told_in_korean(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.run(["--lang", "ko", "deplyo"]) == 2
    assert "명령이 없습니다" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "suggestion"),
    [
        ("chekc", "check"),
        ("hist", "history"),
        ("secrets lst", "list"),
        ("image sett", "set"),
        ("check --enviroment dev", "--env"),
        ("check --changed-sinc x", "--changed-since"),
        ("image set --nop", ""),
        ("xyzzy", ""),
    ],
)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_mistyped_word_is_answered_with_what_was_meant(
    line: str, suggestion: str, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["--lang", language, *line.split(), "-o", "json"]) == 2
    captured = capsys.readouterr()
    error = json.loads(captured.out)["error"]
    assert error.get("suggestion", "") == suggestion
    question = {"en": "Did you mean", "ko": "이것을 찾으셨습니까?"}[language]
    mark = {"en": "error: ", "ko": "오류: "}[language]
    assert (question in captured.err) == bool(suggestion)
    assert suggestion in captured.err.splitlines()[-1]
    assert any(shown.startswith(mark) for shown in captured.err.splitlines())


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "--output", "json", "--nope"],
        ["check", "-o", "json", "--nope"],
        ["check", "-ojson", "--nope"],
        ["check", "--nope", "--output=json"],
        ["deploy", "--nope", "--output", "jsonl"],
    ],
)
def test_wrong_use_is_a_json_document_too(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["--lang", "en", *arguments]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == 1
    assert document["error"]["text"]["id"] == "usage.no-option"
    assert document["error"]["text"]["facts"]["option"] == "--nope"


def test_output_format_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HANBAE_HISTORY_LIST_OUTPUT", "json")
    assert main.run(["history", "list", "--nope"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]
    monkeypatch.delenv("HANBAE_HISTORY_LIST_OUTPUT")
    assert main.run(["check", "--output", "json=somewhere", "--nope"]) == 2
    assert capsys.readouterr().out == ""


def test_wrong_language_in_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HANBAE_LANG", "xx")
    assert main.run(["check"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: HANBAE_LANG: ")
    assert "'xx'" in last
    assert "--lang" not in last


def test_language_alone_shows_the_help_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([]) == 2
    english = capsys.readouterr().err
    assert main.run(["--lang", "ko"]) == 2
    korean = capsys.readouterr().err
    assert "Structure of a Helm chart:" in english
    assert "Helm 차트 구조:" in korean
    assert len(korean.splitlines()) == pytest.approx(len(english.splitlines()), abs=8)


INTERRUPTED = """
import os, signal, sys, threading, time
from pathlib import Path
from hanbae.cli import check, main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has it ignored
def running(*args, **kwargs):
    print("running", file=sys.stderr, flush=True)
    signal.pause()
check._run = running
main.main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("output", ["json", "text"])
def test_interrupted_command_still_writes_its_document(
    number: int, code: int, output: str, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, "check", "-o", output],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "running\n"
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == code
    if output == "json":
        assert json.loads(out)["error"]["text"]["id"] == "main.interrupted"
    else:
        assert out == ""


@pytest.mark.parametrize(
    ("chosen", "policy", "locale", "expected"),
    [
        ("en", "ko", "ko_KR.UTF-8", "en"),
        (None, "ko", "C", "ko"),
        (None, "ko", "C.UTF-8", "ko"),
        (None, None, "ko_KR.UTF-8", "ko"),
        (None, None, "de_DE.UTF-8", "en"),
        (None, "ko", "de_DE.UTF-8", "ko"),
        (None, "en", "ko_KR.UTF-8", "ko"),
        (None, "ko", "en_US.UTF-8", "en"),
        (None, "fr", "C", "en"),
    ],
)
def test_language_is_chosen_then_the_locales_then_the_policys(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    chosen: str | None,
    policy: str | None,
    locale: str,
    expected: str,
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    if policy:
        (tmp_path / "hanbae.yaml").write_text(f"version: 1\nlanguage: {policy}\n")
    nested = tmp_path / "services" / "auth"
    nested.mkdir(parents=True)
    assert catalogue.preferred(chosen, nested) == expected


def modules_after(*arguments: str) -> set[str]:
    """The modules that a command line has imported when it ends."""
    code = (
        "import sys; from hanbae.cli import main; main.run(sys.argv[1:]);"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(main.__file__).parents[2])},
    )
    return set(ended.stderr.split())


HEAVY = {
    "rich",
    "httpx2",
    "ruamel",
    "pygit2",
    "cryptography",
    "asyncio",
    "sqlite3",
}


def test_version_imports_nothing_heavy() -> None:
    assert not HEAVY & modules_after("--version")


def test_no_terminal_no_escape_codes(capsys: pytest.CaptureFixture[str]) -> None:
    main.run(["nonsense"])
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variable", "options", "coloured"),
    [
        ("", [], True),
        ("1", [], False),
        ("1", ["--color", "always"], True),
        ("", ["--color", "never"], False),
    ],
)
def test_no_color_counts_for_data_on_a_terminal(
    variable: str,
    options: list[str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if variable:
        monkeypatch.setenv("NO_COLOR", variable)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    beside(
        monkeypatch,
        click.Command("styled", callback=lambda: outputs.emit(click.style("x", fg="red"))),
    )
    main.run([*options, "styled"])
    assert ("\x1b" in capsys.readouterr().out) == coloured


def test_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = "import os, sys; os.chdir(sys.argv[1]); os.rmdir(sys.argv[1]); from hanbae.cli import main; main.main()"
    ended = subprocess.run(
        [sys.executable, "-c", script.replace("main.main()", "sys.exit(main.run(['secrets', 'list']))"), str(gone)],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr


def test_full_disk_behind_stdout_is_an_error_and_no_bug() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "hanbae", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode not in {0, 70}, ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("columns", ["60", "80"])
def test_help_is_grouped_by_the_sections_of_the_policy_document(
    language: str,
    columns: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main.run(["--lang", language, "--help"]) == 0
    page = capsys.readouterr().out
    sections: dict[str, list[str]] = {}
    for line in page.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            sections[line.removesuffix(":")] = []
        elif sections and (term := re.match(r"  ([a-z]+)(?: |$)", line)):
            list(sections.values())[-1].append(term[1])
    words = {title: catalogue.words(title) for title in command_names.SECTIONS}
    assert {title: sections[words[title]] for title in words} == {
        title: list(names) for title, names in command_names.SECTIONS.items()
    }
    # The document that `hanbae generate docs` writes has these headings, in this order.
    folder = Path(main.__file__).parents[1] / "charts/scaffold/repository"
    sealed = (folder / "policy-sealed.md").read_text()
    template = (folder / "policy.md").read_text().replace("<<secrets_section>>", sealed)
    headings = [line.lstrip("#").strip() for line in filling.spoken(template, language)]
    in_document = [words[title] for title in words if title != "main.section-hanbae"]
    assert [heading for heading in headings if heading in in_document] == in_document
