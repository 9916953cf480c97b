"""Asks the disposable process what Helm would make of versions and archives that nobody has to trust.

Versions are ordered and ranges are understood by the library that Helm has, and an archive is opened by Helm's loader,
neither of which this process does itself; see ``renderer/dependencies.go``.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from hanbae import errors, foreign_json, masking
from hanbae.charts import pools


class Wish(Struct, frozen=True):
    """A version that is wanted of those that there are.

    Attributes:
        version: A range; of a lock, exactly one version.
        versions: Those that there are.
        locked: Whether it is of a lock.
        tags: Whether they are tags of a registry, which have ``_`` for ``+``, and of which some are no versions.
    """

    version: str
    versions: tuple[str, ...]
    locked: bool = False
    tags: bool = False


class Choice(Struct, frozen=True):
    """What Helm takes.

    Attributes:
        index: Index in `Wish.versions`; -1 for none.
        version: The version.
        error: Why the range is none.
    """

    index: int = -1
    version: str = ""
    error: str = ""


class Packed(Struct, frozen=True):
    """What an archive says that it is, or why it is no chart."""

    name: str = ""
    version: str = ""
    error: str = ""


class _Reply(Struct, frozen=True):
    choices: tuple[Choice, ...] = ()
    chart: Packed | None = None


async def choose(pool: pools.Pool, wish: Wish, *, chart: str) -> Choice:
    """The version that Helm takes.

    Args:
        pool: Asks.
        wish: What is wanted.
        chart: The chart's folder, for faults.

    Raises:
        hanbae.errors.FileFault: The process died, or it took too long.
    """
    question = {"wishes": [msgspec.to_builtins(wish)]}
    reply = await _ask(pool, question, b"", chart)
    # The process has opened hostile archives and is not trusted: its index may be none of the list.
    if len(reply.choices) != 1 or reply.choices[0].index >= len(wish.versions):
        raise errors.Failed("dependencies.no-answer")
    return reply.choices[0]


async def packed(pool: pools.Pool, archive: bytes, *, chart: str) -> Packed:
    """What an archive is.

    Args:
        pool: Asks.
        archive: The archive.
        chart: The chart's folder, for faults.

    Raises:
        hanbae.errors.FileFault: The process died, or it took too long.
    """
    reply = await _ask(pool, {"archive": True}, archive, chart)
    if reply.chart is None:
        raise errors.Failed("dependencies.no-answer")
    error = masking.Redactor()(" ".join(reply.chart.error.split()))[:300]
    return msgspec.structs.replace(reply.chart, error=error)


async def _ask(
    pool: pools.Pool, question: Mapping[str, object], content: bytes, chart: str
) -> _Reply:
    files = [{"path": "chart.tgz", "size": len(content)}] if content else []
    # The form of a chart's message (`pools.Request.message`), with a question and without releases.
    head = msgspec.json.encode({"files": files, "releases": [], "question": question})
    size = 8 + len(head) + len(content)
    message = [size.to_bytes(8, "big"), len(head).to_bytes(8, "big"), head, content]
    try:
        return foreign_json.decode(await pool.exchange(message, chart=chart), _Reply)
    except foreign_json.Fault:
        raise errors.Failed("dependencies.no-answer") from None
