from __future__ import annotations

import asyncio

import pytest

from hanbae.streams import channels


async def test_the_reader_gets_everything_before_the_error_that_ended_it() -> None:
    channel: channels.Channel[int] = channels.Channel()
    await channel.put(1)
    await channel.put(2)
    channel.close(RuntimeError("broken"))
    stream = channel.read()
    assert [await anext(stream), await anext(stream)] == [1, 2]
    with pytest.raises(RuntimeError, match="broken"):
        await anext(stream)


async def test_writers_wait_for_a_slow_reader() -> None:
    channel: channels.Channel[int] = channels.Channel(room=2)
    written = []

    async def write() -> None:
        for item in range(5):
            await channel.put(item)
            written.append(item)
        channel.close()

    writer = asyncio.create_task(write())
    for _ in range(20):  # more turns of the event loop than writing everything would take
        await asyncio.sleep(0)
    assert written == [0, 1]
    assert [item async for item in channel.read()] == [0, 1, 2, 3, 4]
    await writer


async def test_the_end_is_read_even_when_there_is_no_room() -> None:
    channel: channels.Channel[int] = channels.Channel(room=1)
    await channel.put(1)
    channel.close()
    assert [item async for item in channel.read()] == [1]


async def test_the_stream_of_a_writer_ends_with_its_error() -> None:
    channel: channels.Channel[int] = channels.Channel()

    async def write() -> None:
        await channel.put(1)
        message = "broken"
        raise RuntimeError(message)

    read: list[int] = []

    async def collect() -> None:
        async with channel.fed_by(write()) as stream:
            async for item in stream:
                read.append(item)  # noqa: PERF401  what came before the error counts

    with pytest.raises(RuntimeError, match="broken"):
        await collect()
    assert read == [1]


async def test_the_writer_has_ended_when_its_reader_leaves() -> None:
    channel: channels.Channel[int] = channels.Channel()
    ended = asyncio.Event()

    async def write() -> None:
        try:
            await channel.put(1)
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with channel.fed_by(write()) as stream:
        assert await anext(stream) == 1
    assert ended.is_set()
