"""A file of something that is gone is called left over, whatever characters are in it."""

from __future__ import annotations

import pytest

from hanbae import files
from hanbae.cli.reports import file_changes
from hanbae.cli.text import catalogue, narration
from hanbae.results import files as results


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("a\nb\n", "", "left over"),
        ("a", "", "left over"),
        ("a\x0cb\x85c\u2028d\n", "", "left over"),
        ("\\ a\n", "", "left over"),
        ("a\nb\n", "a\n", "differs"),
        ("a\n", "b\n", "differs"),
    ],
)
def test_file_that_would_be_taken_away_whole_is_left_over(
    old: str, new: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    catalogue.speak("en")
    change = results.FileChange("a.yaml", "stale", files.diff("a.yaml", old, new))
    file_changes.show(narration.Narration(), [change], "text")
    assert capsys.readouterr().out.startswith(shown)
