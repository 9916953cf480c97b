"""No line is wider than the terminal, in either language, but for a command that is to be copied as it stands."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from tests.commands.test_json_documents import in_shop, shop
from tests.support import command_tree, records

from hanbae import subjects, wording
from hanbae.cli import main
from hanbae.cli.text import catalogue, event_lines, live_view, narration, wrapping
from hanbae.history import stores
from hanbae.results import events

__all__ = ["in_shop", "shop"]

COLUMNS = (60, 80, 120)
LANGUAGES = ("en", "ko")
ID = "20261128-122651-22x207"


PATHS = [path for path, _ in command_tree.walk()]


def wide(text: str, columns: int) -> list[str]:
    return [line for line in text.splitlines() if wrapping.cells(line) > columns]


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PATHS, ids=[" ".join(path) or "hanbae" for path in PATHS])
def test_help_fits(
    path: tuple[str, ...],
    language: str,
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main.run(["--lang", language, *path, "--help"]) == 0
    page = capsys.readouterr().out
    assert wide(page, columns) == []
    # Every command in it can be pasted: nothing is broken but by a backslash.
    command = ("hanbae", *path)
    examples = page.partition("Example" if language == "en" else "\n예")[2]
    for line in examples.splitlines()[1:]:
        assert not line or line.startswith("  "), command


OUTPUTS = [
    "check",
    "check --rules",
    "check --explain ARG001",
    "check order",
    "generate argocd --check",
    "history list",
    "history show 20261128",
    "init",
    "new service orders --databases a_db,b_db",
    "plan --base one",
    "secrets list",
    "secrets verify",
    "secrets report",
    "render nosuch",
    "deploy orders",
    "sandbox status --name nosuch",
    "nonsense",
]


@pytest.fixture
def recorded(in_shop: Path) -> Path:
    """The shop, with a deployment that failed and one that goes on."""
    cause = wording.Text(
        "diagnosis.image-not-found",
        {"pod": "Pod/orders-service-migrate-wzz6l", "image": "registry.example.com/shop/orders:2.0.0",
         "container": "migrate", "message": "manifest unknown " * 12},
    )  # fmt: skip
    pod = subjects.Ref("Pod", "shop-dev", "orders-service-migrate-wzz6l")
    facts = [
        records.opened("orders", revision="5ae823c853dc" + "0" * 28),
        events.Observed(pod, "Waiting", "ErrImagePull", "이미지를 받지 못했습니다 " * 9),
        events.Diagnosed(pod, cause, ("hanbae", "image", "set", "orders"), fatal=True),
        records.closed("failed"),
    ]
    with stores.open_store() as store:
        for event in records.stream(facts, deployment=ID):
            store.append(event.deployment, event.step, event.fact, event.at)
        for event in records.stream([records.opened("orders", "production")], deployment="d2"):
            store.append(event.deployment, event.step, event.fact, event.at)
    return in_shop


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("line", OUTPUTS)
def test_output_fits(
    line: str,
    language: str,
    columns: int,
    recorded: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    main.run(["--lang", language, *line.split()])
    captured = capsys.readouterr()
    assert captured.out + captured.err
    for shown in wide(captured.out + captured.err, columns):
        # One word is never broken: a path or an image's name is copied, too. A table of files has one in front.
        content = shown.split()
        assert len(set(content) - {"|"}) == 1 or content[0] in {
            "unchanged",
            "created",
            "변경",
            "새",
        }, shown


def ids() -> list[str]:
    folder = Path(catalogue.__file__).parents[2] / "locale/en/LC_MESSAGES/hanbae.po"
    with folder.open("rb") as file:
        return [str(message.id) for message in read_po(file) if message.id]


FACTS = {
    "deployment": ID,
    "environment": "production",
    "message": "back-off 5m0s restarting failed container 컨테이너가 다시 시작하지 못했습니다 " * 4,
    "log": "",
}


class Sample(dict[str, str]):
    """A value for every placeholder."""

    def __missing__(self, key: str) -> str:
        return f"orders-{key}"

    def __contains__(self, key: object) -> bool:
        return True


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def speak(language: str) -> None:
        monkeypatch.setenv("LANGUAGE", language)
        catalogue.speak(language)

    return speak


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_fits_and_breaks_neither_ids_nor_commands(
    language: str,
    columns: int,
    spoken: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    spoken(language)
    for text_id in ids():
        stream = io.StringIO()
        narrator = narration.Narration(stream=stream, color=False)
        sentence = catalogue.sentence(wording.Text(text_id, Sample(FACTS)))
        narrator.fail_worded(sentence)
        shown = stream.getvalue()
        for line in wide(shown, columns):
            # A line that is too long is one command, path or id, or was laid out in the catalogue.
            content = line.strip().removeprefix("✘ ")
            as_written = any(
                content == part.strip() for part in sentence.split("\n") if part.startswith(" ")
            )
            assert as_written or len(wrapping.wrap(content, columns)) == 1, (text_id, line)
        for copied in (ID, *re.findall(rf"hanbae (?:attach|stop) {ID}", sentence)):
            assert (copied in sentence) == (copied in shown), (text_id, shown)


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_narration_of_a_deployment_fits(
    language: str, columns: int, spoken: Callable[[str], None]
) -> None:
    spoken(language)
    cause = wording.Text(
        "deploy.busy", dict.fromkeys(("application", "by", "host", "since"), "jiwon") | FACTS
    )
    pod = subjects.Ref("Pod", "shop-dev", "orders-1")
    command = ("kubectl", "logs", "orders-service-7f8b6c9d5d-abcde", "-n", "shop-dev", "--previous")
    stream, lines = io.StringIO(), []
    with (
        live_view.View(stream, color=False, width=columns) as view,
        live_view.Plain(lines.append, width=columns) as plain,
    ):
        for event in records.stream(
            [records.opened(), events.Diagnosed(pod, cause, command, fatal=False)]
        ):
            view.event(event)
            plain.event(event)
    for shown in ("\n".join(lines), re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", stream.getvalue())):
        assert " ".join(command) in shown
        assert f"hanbae attach {ID}" in shown
        mark = event_lines.MARKS["command"][0]
        assert [line for line in wide(shown, columns) if f" {mark} " not in line] == []
