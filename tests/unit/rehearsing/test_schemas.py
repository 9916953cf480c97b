from __future__ import annotations

from hanbae.rehearsing import schemas


def test_what_is_in_one_schema_alone_is_told_with_its_side() -> None:
    before = ("column a.x integer", "column a.y text", "index i", "index i")
    after = ("column a.x bigint", "column a.y text", "index i")
    expected = ("+ column a.x bigint", "- column a.x integer", "- index i")
    assert schemas.differing(before, after) == expected
    assert schemas.differing(after, after) == ()


def test_thousands_of_lines_that_are_all_alike_and_all_differ_are_compared_at_once() -> None:
    """A Down part that leaves another type in each of many partitions: no line is held against each other one."""
    names = [f"column public.part_{number:05d}.amount" for number in range(20_000)]
    before = [f"{name} numeric(10,2) not null" for name in names]
    after = [f"{name} numeric(12,2) not null" for name in names]
    assert len(schemas.differing(before, after)) == 40_000
