"""The terminal that the tests type at, and the picture that is made of one, on commands whose output is known."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from tests.support import terminals

ASKING = """\
import getpass, os, sys
print(sys.stdin.isatty(), os.get_terminal_size().columns)
answer = getpass.getpass("Key: ")
print(len(answer))
sys.exit(3)
"""


def test_command_sees_a_terminal_and_gets_the_answer_without_showing_it() -> None:
    shown = terminals.run(
        [sys.executable, "-c", ASKING], answers={r"Key: $": "hidden"}, columns=77, deadline_s=60
    )
    assert shown.code == 3
    assert shown.text.split() == ["True", "77", "Key:", "6"]


def test_command_that_waits_for_ever_is_ended_and_its_last_words_are_told() -> None:
    # How long the command needs until it asks depends on what else the machine does.
    for deadline in (2, 20, 100):
        with pytest.raises(TimeoutError) as ended:
            terminals.run([sys.executable, "-c", ASKING], deadline_s=deadline)
        if "Key:" in str(ended.value):
            return
    pytest.fail("the question was never told")


def test_picture_shows_what_stands_in_the_end() -> None:
    path = Path(__file__).parent.parent.parent / "docs" / "record.py"
    spec = importlib.util.spec_from_file_location("record", path)
    assert spec is not None
    assert spec.loader is not None
    record = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(record)
    shown = "first\r\n⠋ busy\r\n\r\x1b[1A\x1b[2K\x1b[32m✔\x1b[0m done\r\nend  here\r\n"
    lines = [part for line in record.screen(shown) for part in record.wrapped(line)]
    assert [line.plain for line in lines] == ["first", "✔ done", "end  here", ""]
    drawn = record.draw(lines[:3])
    assert "busy" not in drawn
    assert 'x="61.0"' in drawn, "`here` begins in the sixth cell"
