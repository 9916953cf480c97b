"""``hanbae generate docs``: every row of the policy document with the names of the repository, true and safe."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from hanbae import libyaml
from hanbae.cli import main
from hanbae.handbook import writing
from hanbae.sandbox import demo_repository

TESTS = Path(__file__).parent.parent
ROWS: list[dict[str, Any]] = libyaml.load((TESTS / "data/policy-rows.yaml").read_text())  # type: ignore[assignment]


def run(root: Path, *arguments: str) -> int:
    return main.run(["--lang", "en", "-C", str(root), *arguments])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with sealed secrets and images, and its documents."""
    root = tmp_path_factory.mktemp("documents")
    shutil.copytree(demo_repository.example(), root, dirs_exist_ok=True)
    shutil.copytree(TESTS / "unit/rules/prepared", root, dirs_exist_ok=True)
    assert run(root, "generate", "docs") == 0
    return root


@pytest.fixture
def root(written: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(written, tmp_path / "shop")
    return tmp_path / "shop"


def sections(text: str) -> dict[str, str]:
    """Heading → what stands below it, up to the next one; a heading in a block of code is none."""
    listed: dict[str, list[str]] = {}
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        inside ^= line.startswith("```")
        if line.startswith("#") and not inside:
            lines = listed.setdefault(line, [])
        else:
            lines.append(line)
    return {heading: "\n".join(below) for heading, below in listed.items()}


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_every_row_of_the_policy_document_is_said_with_real_names(
    written: Path, row: dict[str, Any]
) -> None:
    below = sections((written / writing.KOREAN).read_text())[row["under"]]
    lines = below.splitlines()
    for sentence in row["says"]:
        assert any(sentence in line for line in lines), (
            f"{sentence!r} is not said of {row['row']!r}"
        )


def test_english_has_the_same_sections_and_rows(written: Path) -> None:
    korean, english = (
        (written / path).read_text().splitlines() for path in (writing.KOREAN, writing.ENGLISH)
    )
    assert len(korean) == len(english)
    marks = ("#", "|", "-", "`", "hanbae ", "kubectl ", "helm ")
    for ours, theirs in zip(korean, english, strict=True):
        assert [ours.startswith(mark) for mark in marks] == [
            theirs.startswith(mark) for mark in marks
        ] or not ours.startswith(marks)
    assert not re.search("[가-힣]", "\n".join(english))


def test_reference_is_short_and_names_what_the_policy_does(written: Path) -> None:
    text = (written / writing.REFERENCE).read_text()
    assert text.count("\n") <= 150
    for sentence in (
        "`job/identity-service-migrate-legal-db` | `Sync` | -3",
        "`services-staging`",
        "`auth-secrets` | `DATABASE_URL`, `JWT_SECRET`",
        "`k8s/overlays/production`",
        "`values.yaml` | Gitignored",
        "| after | The health checks have passed. | `health-checked` |",
    ):
        assert sentence in text


def commands(text: str) -> Iterator[str]:
    """The lines of code and the spans of code that call hanbae."""
    inside = False
    for line in text.splitlines():
        inside ^= line.startswith("```")
        if inside and line.startswith("hanbae "):
            yield line.partition("#")[0]
        yield from (
            span for span in re.findall(r"`(hanbae [^`]+)`", line) if "generate" not in span
        )


@pytest.mark.parametrize("path", writing.PATHS)
def test_commands_of_hanbae_in_the_documents_exist(written: Path, path: str) -> None:
    listed = list(commands((written / path).read_text()))
    assert len(listed) > 5
    for line in listed:
        words = shlex.split(line.replace("[", " ").replace("]", " ").replace("...", ""))[1:]
        for verb in "".join(words[1:2]).split("|"):
            _resolve([words[0], *filter(None, [verb]), *words[2:]])


def _resolve(words: list[str]) -> None:
    command: click.Command = main.front
    context = click.Context(command)
    while isinstance(command, click.Group):
        name = words.pop(0)
        child = command.get_command(context, name)
        assert child is not None, name
        command = child
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_check_says_which_line_is_stale_and_generate_mends_it(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = root / "hanbae.yaml"
    policy.write_text(policy.read_text().replace("branch: release", "branch: candidate"))
    capsys.readouterr()
    run(root, "check", "--output", "json")
    listed = json.loads(capsys.readouterr().out)["findings"]
    places = {f["place"]["file"]: f["place"]["line"] for f in listed if f["code"] == "LAY019"}
    lines = (root / writing.KOREAN).read_text().splitlines()
    assert set(places) == set(writing.PATHS)
    assert "Push to release" in lines[places[writing.KOREAN] - 1]
    assert run(root, "generate", "docs", "--check") == 1
    assert "Push to release" in (root / writing.KOREAN).read_text()
    assert run(root, "generate", "docs") == 0
    assert run(root, "generate", "docs", "--check") == 0
    capsys.readouterr()
    run(root, "check", "--output", "json")
    assert "LAY019" not in {f["code"] for f in json.loads(capsys.readouterr().out)["findings"]}


def test_documents_of_the_team_are_left_alone_and_not_found_fault_with(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = root / writing.REFERENCE
    own.write_text("# How we deploy\n")
    (root / writing.KOREAN).unlink()
    (root / writing.ENGLISH).unlink()
    capsys.readouterr()
    run(root, "check", "--output", "json")
    assert "LAY019" not in {f["code"] for f in json.loads(capsys.readouterr().out)["findings"]}
    assert run(root, "generate", "docs", "--output", "json") == 1
    outcomes = {f["path"]: f["outcome"] for f in json.loads(capsys.readouterr().out)["files"]}
    assert outcomes[writing.REFERENCE] == "kept"
    assert outcomes[writing.KOREAN] == "created"
    assert own.read_text() == "# How we deploy\n"


def test_a_new_image_and_a_new_seal_make_no_document_stale(root: Path) -> None:
    values = root / "services/auth/helm/values-dev.yaml"
    text = values.read_text()
    changed = re.sub(r'tag: "?1\.0\.0"?', 'tag: "1.0.1"', text)
    assert changed != text
    values.write_text(changed)
    assert run(root, "generate", "docs", "--check") == 0


def test_check_of_one_service_says_nothing_of_documents_that_tell_of_all(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = (root / writing.REFERENCE).read_text().replace("auth-service", "old-service")
    (root / writing.REFERENCE).write_text(stale)
    capsys.readouterr()
    run(root, "check", "auth", "--output", "json")
    assert "LAY019" not in {f["code"] for f in json.loads(capsys.readouterr().out)["findings"]}
