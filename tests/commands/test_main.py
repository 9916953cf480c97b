"""How every command line ends: the exit code, and what is said on which stream."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from hanbae import errors, subjects
from hanbae.cli import main
from hanbae.cli.text import catalogue


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Put a command beside the others that ends with this exception."""

    def failing(output: str | None) -> None:
        raise error

    command = click.Command(
        "failing", callback=failing, params=[click.Option(["--output", "-o", "output"])]
    )
    real = main.Front.get_command
    monkeypatch.setattr(
        main.Front,
        "get_command",
        lambda self, context, name: command if name == "failing" else real(self, context, name),
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
    ("chosen", "policy", "locale", "expected"),
    [
        ("en", "ko", "ko_KR.UTF-8", "en"),
        (None, "ko", "C", "ko"),
        (None, None, "ko_KR.UTF-8", "ko"),
        (None, None, "de_DE.UTF-8", "en"),
        (None, "en", "ko_KR.UTF-8", "en"),
    ],
)
def test_language_is_chosen_then_the_policys_then_the_locales(
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
    "lightkube",
    "httpx2",
    "ruamel",
    "pygit2",
    "cryptography",
    "helm_python",
    "asyncio",
    "sqlite3",
}


def test_version_imports_nothing_heavy() -> None:
    assert not HEAVY & modules_after("--version")


def test_no_terminal_no_escape_codes(capsys: pytest.CaptureFixture[str]) -> None:
    main.run(["nonsense"])
    assert "\x1b" not in capsys.readouterr().err


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
