from __future__ import annotations

from hanbae.engines import clipping

APPLIED = "2026/11/23 10:00:00 OK   00007_late.sql (3.2ms)"


def test_beginning_and_end_are_kept_and_the_middle_is_counted() -> None:
    clip = clipping.Clip(first=2, last=3)
    kept = [line for line in map(str, range(10)) if clip.take(line)]
    assert kept + clip.end() == ["0", "1", "7", "8", "9"]
    assert clip.cut == 5


def test_a_short_log_is_kept_whole() -> None:
    clip = clipping.Clip(first=2, last=3)
    lines = ["a", "b", "c", "d"]
    kept = [line for line in lines if clip.take(line)]
    assert kept + clip.end() == lines
    assert clip.cut == 0


def test_what_the_proof_needs_is_never_cut() -> None:
    clip = clipping.Clip(first=0, last=1)
    assert clip.take(APPLIED)
    assert not clip.take("noise")
