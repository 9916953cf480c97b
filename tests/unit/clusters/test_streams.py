"""The small parts of which watches and logs are made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae.clusters import rereading
from hanbae.streams import backoffs, framing, merging


async def chunked(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@given(st.lists(st.binary(max_size=20)), st.data())
def test_lines_are_the_same_however_the_network_cuts_them(
    parts: list[bytes], data: st.DataObject
) -> None:
    whole = b"\n".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    expected = whole.split(b"\n")
    if not expected[-1]:
        expected.pop()

    async def collect() -> list[tuple[bytes, bool]]:
        return [line async for line in framing.lines(chunked(*chunks))]

    assert asyncio.run(collect()) == [(line, False) for line in expected]


async def test_long_line_is_cut_and_does_not_take_the_next_one_with_it() -> None:
    stream = framing.lines(chunked(b"abc", b"defgh", b"ij\nkl\nmnopq"), longest=4)
    assert [line async for line in stream] == [(b"abcd", True), (b"kl", False), (b"mnop", True)]


def test_pauses_double_up_to_the_bound_and_begin_anew() -> None:
    backoff = backoffs.Backoff(first=1, longest=5, chance=lambda: 1.0)
    assert [backoff.next() for _ in range(5)] == [1, 2, 4, 5, 5]
    backoff.reset()
    assert backoff.next() == 1
    assert backoffs.Backoff(first=1, chance=lambda: 0.0).next() == 0.5


async def numbers(*values: int, closed: list[int] | None = None) -> AsyncGenerator[int]:
    try:
        for value in values:
            yield value
    finally:
        if closed is not None:
            closed.append(values[0])


async def forever(closed: list[int]) -> AsyncGenerator[int]:
    try:
        yield 0
        await asyncio.Event().wait()
    finally:
        closed.append(0)


async def test_merged_streams_end_when_all_have_ended() -> None:
    async with merging.merge() as merged:
        merged.add("a", numbers(1, 2))
        merged.add("b", numbers(3))
        items = [item async for item in merged]
    assert sorted(items) == [("a", 1), ("a", 2), ("b", 3)]


async def test_first_failure_comes_out_as_it_is_and_the_others_are_closed() -> None:
    async def failing() -> AsyncGenerator[int]:
        yield 7
        raise LookupError("gone")

    closed: list[int] = []

    async def read() -> None:
        async with merging.merge() as merged:
            merged.add("endless", forever(closed))
            merged.add("failing", failing())
            async for _ in merged:
                pass

    with pytest.raises(LookupError, match="gone"):
        await read()
    assert closed == [0]
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_breaking_off_ends_every_stream() -> None:
    closed: list[int] = []
    async with merging.merge() as merged:
        merged.add("endless", forever(closed))
        assert await merged.next() == ("endless", 0)
        assert await merged.next(within=0.01) is None
        merged.add("late", numbers(5, closed=closed))
        assert await merged.next(within=5) == ("late", 5)
    assert sorted(closed) == [0, 5]


STAMPS = st.lists(st.integers(0, 4_000), min_size=1, max_size=30).map(sorted)


@given(STAMPS, st.lists(st.integers(0, 30), max_size=4))
def test_log_that_is_taken_up_from_a_whole_second_has_each_line_once(
    milliseconds: list[int], breaks: list[int]
) -> None:
    """What the kubelet sends from the second that we ask for, against what we have seen."""
    begun = datetime(2026, 11, 23, tzinfo=UTC)
    written = [
        (begun + timedelta(milliseconds=offset)).isoformat(timespec="milliseconds").encode()
        + b" line %d" % (offset % 3)  # the same line may well be written twice in one millisecond
        for offset in milliseconds
    ]
    recent = rereading.Recent()
    received: list[bytes] = []
    for reach in [*sorted(min(b, len(written)) for b in breaks), len(written)]:
        since = datetime.fromisoformat(recent.since) if recent.since else begun
        again = recent.again()
        for raw in written[:reach]:
            if datetime.fromisoformat(raw.split()[0].decode()) < since:
                continue
            if again[raw] > 0:
                again[raw] -= 1
                continue
            recent.add(raw)
            received.append(raw)
    assert received == written


def test_time_and_text_of_a_line_are_told_apart() -> None:
    line = rereading._line(b"2026-11-23T00:00:00.123456789Z OK   00001_init.sql (5ms)\r", cut=False)
    assert line == rereading.Line("2026-11-23T00:00:00.123456789Z", "OK   00001_init.sql (5ms)")
    assert rereading._line(b"no time \xff", cut=True) == rereading.Line("", "no time �", cut=True)
