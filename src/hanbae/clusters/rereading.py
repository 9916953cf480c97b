"""Reads a log on from where it broke off, each line once.

The kubelet can only go on from a whole second; what it sends again is recognised by its timestamp and content.
It reads the newest file only: where a log was rotated while nobody was connected, the line that was given last does
not come again, and what was written in between cannot be had any more. That is said, not passed over.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from hanbae.clusters import connections, kinds
from hanbae.streams import backoffs, framing

LONGEST_LINE: Final = 16 * 1024
"""Bytes of a line that are kept."""

# The kubelet answers with these instead of a log when the file is gone. A line of the container is
# never taken for one: all of them begin with a timestamp here.
_NOT_THE_CONTAINERS: Final = (
    b"unable to retrieve container logs for ",
    b"failed to try resolving symlinks",
)


class Line(Struct, frozen=True):
    """One line of a container's log.

    Attributes:
        time: When it was written, as the node's runtime says (RFC 3339 with nanoseconds, UTC); empty if it does not.
        text: The line, without its end; not masked.
        cut: True when it was longer than `LONGEST_LINE`.
        gap: It is no line: here some may be missing.
    """

    time: str
    text: str
    cut: bool = False
    gap: bool = False


GAP: Final = Line("", "", gap=True)


class Reader:
    """Reads on from where it was.

    Attributes:
        previous: Read the run before the container's last restart.
        alive: Whether the last reading gave a line or lasted, so that reading on at once is no circle.
        joined: Whether the last reading began where the one before had ended, or has said that it did not.
    """

    def __init__(
        self,
        cluster: connections.Cluster,
        namespace: str,
        pod: str,
        container: str,
        *,
        since: str = "",
    ) -> None:
        self.previous = False
        self.alive = False
        self.joined = True
        self.cluster = cluster
        self.call = cluster.describe("get", kinds.POD, namespace, name=pod, subresource="log")
        self.container = container
        self._path = kinds.POD.path(namespace, pod, "log")
        self._recent = Recent(since)

    @property
    def begun(self) -> bool:
        """Whether a line was given at all."""
        return bool(self._recent.last)

    async def read(
        self,
        silence: float,
        *,
        follow: bool,
        lines: int | None = None,
        most: int | None = None,
    ) -> AsyncGenerator[Line]:
        """The lines that were not given yet, and before them a gap where the last one given did not come again."""
        query = {
            "container": self.container,
            "timestamps": "true",
            "follow": "true" if follow else None,
            "previous": "true" if self.previous else None,
            "tailLines": lines,
            "limitBytes": most,
            "sinceTime": self._recent.since,
        }
        params = {key: str(value) for key, value in query.items() if value}
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.alive = False
        again, last = self._recent.again(), self._recent.last
        # There is nothing to join where no line was given yet.
        self.joined = not last
        longest = LONGEST_LINE + len("2006-01-02T15:04:05.999999999Z ")
        try:
            async with self.cluster.stream(
                self.call, self._path, params=params, idle=silence
            ) as chunks:
                async for raw, cut in framing.lines(chunks, longest=longest):
                    if again[raw] > 0:
                        again[raw] -= 1
                        self.joined = self.joined or raw == last
                    elif not raw.startswith(_NOT_THE_CONTAINERS):
                        self.alive = True
                        self._recent.add(raw)
                        if not self.joined:
                            self.joined = True
                            yield GAP
                        yield _line(raw, cut=cut)
        finally:
            self.alive = self.alive or loop.time() - began > backoffs.LONGEST


class Recent:
    """The lines of the last two seconds: those that come again when reading goes on from a whole second."""

    def __init__(self, since: str = "") -> None:
        self.since = since
        self.last = b""
        self._lines: deque[tuple[datetime, bytes]] = deque()

    def add(self, raw: bytes) -> None:
        """Take note of a line that was given."""
        moment = _time(raw)
        if moment is None:
            return
        # A second more than needed: two streams of one container are not strictly in order.
        since = moment.replace(microsecond=0) - timedelta(seconds=1)
        self.since = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.last = raw
        self._lines.append((moment, raw))
        while self._lines and self._lines[0][0] < since:
            self._lines.popleft()

    def again(self) -> Counter[bytes]:
        """How often each line comes again that was given already."""
        return Counter(raw for _, raw in self._lines)


def _time(raw: bytes) -> datetime | None:
    """The timestamp before a line, in UTC to the microsecond."""
    try:
        moment = datetime.fromisoformat(raw.partition(b" ")[0].decode("ascii"))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _line(raw: bytes, *, cut: bool) -> Line:
    if _time(raw) is None:
        return Line("", raw.decode("utf-8", "replace"), cut)
    stamp, _, text = raw.partition(b" ")
    return Line(stamp.decode("ascii"), text.rstrip(b"\r").decode("utf-8", "replace"), cut)
