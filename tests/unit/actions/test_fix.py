"""``--fix`` makes the edits that findings carry, where the lines are what the rule saw, and touches nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae import errors, subjects, wording
from hanbae.actions import fix
from hanbae.results import findings


def finding(*edits: findings.Edit) -> findings.Finding:
    place = subjects.Place("a.yaml", 1)
    return findings.Finding("ARG001", "error", place, wording.Text("x.y"), edits=edits)


def edit(line: int, before: str, after: str, file: str = "a.yaml") -> findings.Edit:
    return findings.Edit(file, line, before, after)


@pytest.mark.parametrize(
    ("before", "edits", "after"),
    [
        ("a: 1 # one\nb: 2\n", [edit(1, "1", "3")], "a: 3 # one\nb: 2\n"),
        ("a: 1\r\nb: 2\r\n", [edit(2, "b: 2", "")], "a: 1\r\n"),
        ("a: 1\r\nb: 2\r\n", [edit(1, "", "c: 3")], "a: 1\r\nc: 3\r\nb: 2\r\n"),
        ("a: 1\nb: 2", [edit(0, "", "c: 3")], "a: 1\nb: 2\nc: 3\n"),
        ("a: 1\nb: 2\n", [edit(1, "a: 1", ""), edit(2, "2", "3")], "b: 3\n"),
        ("a: 1\n", [edit(1, "1", "2"), edit(1, "1", "2")], "a: 2\n"),
        ("", [edit(0, "", "a: 1\nb: 2")], "a: 1\nb: 2\n"),
        ("\ufeffa: 1\u2028\n", [edit(1, "1", "2")], "\ufeffa: 2\u2028\n"),
    ],
)
def test_only_the_edit_is_made(
    tmp_path: Path, before: str, edits: list[findings.Edit], after: str
) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(before.encode())
    path.chmod(0o640)
    fixed = fix.fix(tmp_path, [finding(*edits)])
    assert path.read_bytes() == after.encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert [change.outcome for change in fixed.changes] == ["changed"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]


@pytest.mark.parametrize("stale", [edit(1, "x", "y"), edit(9, "a", "b"), edit(2, "b", "c")])
def test_finding_whose_line_has_changed_is_left_whole(tmp_path: Path, stale: findings.Edit) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\nb: b\n")
    fixed = fix.fix(tmp_path, [finding(edit(1, "1", "2"), stale)])
    assert path.read_text() == "a: 1\nb: b\n"
    assert (len(fixed.changes), len(fixed.mended), len(fixed.left)) == (0, 0, 1)


def test_same_edit_of_two_findings_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\n")
    same = edit(0, "", "b: 2")
    fixed = fix.fix(tmp_path, [finding(same), finding(same)])
    assert path.read_text() == "a: 1\nb: 2\n"
    assert len(fixed.mended) == 2


def test_difference_is_told_and_nothing_written(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\n")
    (change,) = fix.fix(tmp_path, [finding(edit(1, "1", "2"))], write=False).changes
    assert "-a: 1\n+a: 2\n" in change.diff
    assert path.read_text() == "a: 1\n"


def test_bytes_that_are_no_text_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: 1 # \xff\n")
    fix.fix(tmp_path, [finding(edit(1, "1", "2"))])
    assert path.read_bytes() == b"a: 2 # \xff\n"


def test_link_out_of_the_repository_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("a: 1\n")
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.yaml").symlink_to(outside)
    for file in ("a.yaml", "../outside"):
        with pytest.raises(errors.FileFault):
            fix.fix(root, [finding(edit(1, "1", "2", file))])
    assert outside.read_text() == "a: 1\n"


def test_link_inside_the_repository_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("a: 1\n")
    (tmp_path / "a.yaml").symlink_to("b.yaml")
    fix.fix(tmp_path, [finding(edit(1, "1", "2"))])
    assert (tmp_path / "a.yaml").is_symlink()
    assert (tmp_path / "b.yaml").read_text() == "a: 2\n"


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), min_size=1),
        min_size=1,
        unique=True,
    )
)
def test_lines_are_counted_as_editors_count_them(lines: list[str]) -> None:
    file = fix._File("\n".join(lines))
    assert len(file.lines) == len(lines)
    assert file.text() == "\n".join(lines)
