"""Bytes as they come off the network, cut into lines.

Not the HTTP library's own line reader: that one splits at every Unicode line break, and a log line or a JSON string
may hold U+0085; and it keeps a line of any length in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator


async def lines(
    chunks: AsyncIterator[bytes], *, longest: int | None = None
) -> AsyncIterator[tuple[bytes, bool]]:
    r"""Each line without its ``\n``, and whether it was cut; a last line without ``\n`` counts too.

    Args:
        chunks: The bytes.
        longest: Bytes of a line that are kept, the rest of it is dropped as it comes; None for no limit.
    """
    line = bytearray()
    cut = False
    async for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            cut = _keep(line, part, longest) or cut
            yield bytes(line), cut
            line.clear()
            cut = False
        cut = _keep(line, rest, longest) or cut
    if line:
        yield bytes(line), cut


def _keep(line: bytearray, part: bytes, longest: int | None) -> bool:
    """Add what fits; True when something did not."""
    room = len(part) if longest is None else max(longest - len(line), 0)
    line += part[:room]
    return len(part) > room
