"""Text is laid out by cells, and what is copied from the screen is not broken."""

from __future__ import annotations

import shlex
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae import wording
from hanbae.cli.text import catalogue, wrapping

WORDS = st.text(
    st.one_of(
        st.sampled_from("abc가나다라。「」-_/."),
        st.characters(
            codec="utf-8", exclude_categories=("Cc", "Zs", "Zl", "Zp"), exclude_characters="`("
        ),
    ),
    min_size=1,
    max_size=20,
)


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("abc", 3),
        ("한배", 4),
        (unicodedata.normalize("NFD", "한배"), 4),
        ("\x1b[31m한\x1b[0m", 2),
        ("✔ · → …", 7),
        ("e\u0301", 1),
        ("\uff08\uff09", 4),
        ("\U0001f680", 2),  # a rocket
        ("\u26a0\ufe0f", 2),  # drawn as an emoji, because a selector says so
        ("\u26a0", 1),
        ("\U0001f469\u200d\U0001f469\u200d\U0001f467", 2),  # a family is one picture
        ("\U0001f44d\U0001f3fd", 2),
        ("1\ufe0f\u20e3", 2),
        ("\U0001fae9", 2),  # of Unicode 16, newer than this Python
        ("\ua960\ud7b0", 2),  # old Hangul
        ("한\u0301 →", 4),
        ("\u03b1…·", 3),  # wide in some East Asian fonts, and in no terminal's default
        ("\uff71", 1),
    ],
)
def test_cells_are_what_a_terminal_takes(text: str, cells: int) -> None:
    assert wrapping.cells(text) == cells


#: Without a command among them, which stays whole whatever the width.
TEXTS = st.lists(WORDS, max_size=30).filter(
    lambda words: not wrapping._program().search(" ".join(words * 2))
)


@given(TEXTS, st.integers(wrapping.NARROWEST, 120))
def test_lines_fit_and_words_stay_whole(words: list[str], columns: int) -> None:
    lines = wrapping.wrap(" ".join(words), columns, head="  ✔ ", indent="    ")
    assert " ".join(" ".join(lines).split()) == " ".join(" ".join(["✔", *words]).split())
    for line in lines:
        content = line.removeprefix("  ✔").split(" ")
        assert wrapping.cells(line) <= columns or len([w for w in content if w]) == 1


@given(TEXTS, st.integers(wrapping.NARROWEST, 120))
def test_foreign_words_are_cut_to_fit(words: list[str], columns: int) -> None:
    lines = wrapping.wrap(" ".join(words * 9), columns, head="    ", indent="    ", cut=True)
    assert all(wrapping.cells(line) <= columns for line in lines)
    assert "".join("".join(lines).split()) == "".join("".join(words * 9).split())


def test_what_is_beyond_doubt_is_what_rich_says() -> None:
    """A text of usual characters is measured without rich, which is slow to import, and must not differ."""
    from rich import cells as table

    usual = [chr(code) for code in range(0x20, 0xFFFF) if wrapping._USUAL.fullmatch(chr(code))]
    assert len(usual) > 11_000
    differing = {
        character
        for character in usual
        if wrapping.cells(character) != table.get_character_cell_size(character)
    }
    assert not differing


def test_usual_texts_import_nothing() -> None:
    code = (
        "import sys; from hanbae.cli.text import wrapping; "
        "wrapping.wrap('한배 · “배포” → 완료…' * 30, 40); wrapping.clip('한배 ' * 99, 30); "
        "assert 'rich' not in sys.modules; wrapping.cells('\U0001f680'); assert 'rich' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("text", ["한" * 30, "\U0001f469\u200d\U0001f467" * 30, "e\u0301" * 99])
def test_cut_text_is_no_wider_and_no_picture_is_cut_in_two(text: str) -> None:
    picture = text[: len(text) // (99 if text[0] == "e" else 30)]
    for columns in range(2, 40):
        clipped = wrapping.clip(text, columns)
        assert wrapping.cells(clipped) <= columns
        assert not clipped.removesuffix("…").replace(picture, "")


ID = "20261128-122651-22x207"
SENTENCES = [
    f"Deployment {ID} goes on without being watched. To follow it: hanbae attach {ID}. To end it: hanbae stop {ID}",
    f"배포 {ID}은(는) 계속 진행됩니다. 다시 보려면 hanbae attach {ID} 명령을, 끝내려면 `hanbae stop {ID}`를 쓰십시오.",
    f"It is busy. Look: kubectl describe application menu-dev -n argocd, then hanbae stop {ID} --env dev.",
]


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("columns", range(wrapping.NARROWEST, 121))
def test_ids_and_commands_are_never_broken(sentence: str, columns: int) -> None:
    lines = wrapping.wrap(sentence, columns, head="! ", indent="  ")
    commands = [
        f"hanbae attach {ID}",
        f"hanbae stop {ID}",
        "kubectl describe application menu-dev -n argocd",
        f"hanbae stop {ID} --env dev",
    ]
    for command in commands:
        assert (command in sentence) == any(command in line for line in lines)
    for line in lines:
        if wrapping.cells(line) > columns:
            assert any(command in line for command in commands)


@pytest.mark.parametrize("columns", [wrapping.NARROWEST, 52, 60])
def test_command_among_foreign_words_is_not_cut(columns: int) -> None:
    command = "hanbae secrets seal auth DATABASE_URL --env staging"
    foreign = "x" * 200
    lines = wrapping.wrap(f"`{command}` 명령으로 {foreign}", columns, cut=True)
    assert f"`{command}`" in lines
    assert all(wrapping.cells(line) <= columns for line in lines if command not in line)
    endless = wrapping.wrap(f"hanbae stop {'x' * 400}", columns, cut=True)
    assert max(map(wrapping.cells, endless)) <= columns


EXAMPLES = [
    "hanbae deploy auth identity --env production --output json",
    'hanbae demo --keep && eval "$(hanbae sandbox env)" && kubectl get applications -n argocd',
    "pass show shop/auth-db | hanbae secrets seal auth DATABASE_URL --env staging --stdin",
]


@pytest.mark.parametrize("line", EXAMPLES)
@pytest.mark.parametrize("columns", [50, 58, 80, 120])
def test_long_command_is_continued_as_a_shell_takes_it(line: str, columns: int) -> None:
    lines = wrapping.command(line, columns, head="  ", indent="  ")
    assert all(wrapping.cells(part) <= columns for part in lines)
    assert all(part.endswith(" \\") for part in lines[:-1])
    joined = "\n".join(lines).replace("\\\n", " ")
    assert shlex.split(joined) == shlex.split(line)


def test_lines_that_begin_with_a_space_stay_as_they_are() -> None:
    text = 'Use it in this shell:\n  eval "$(hanbae sandbox env)" ' + "x" * 80 + "\nand go on"
    lines = list(wrapping.paragraph(text, 40, head="✔ ", indent="  "))
    assert lines == ["✔ Use it in this shell:", *(f"  {part}" for part in text.split("\n")[1:])]


@pytest.mark.parametrize(
    ("language", "number", "sentence"),
    [
        ("en", "1", "1 key is missing or malformed."),
        ("en", "2", "2 keys are missing or malformed."),
        ("en", "0", "0 keys are missing or malformed."),
        ("ko", "1", ""),
    ],
)
def test_words_go_with_their_number(
    language: str, number: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", language)
    catalogue.speak(language)
    worded = catalogue.sentence(wording.Text("seal.verified-bad", {"count": number}))
    if language == "en":
        assert worded == sentence
    else:
        assert "|" not in worded
        assert number in worded
