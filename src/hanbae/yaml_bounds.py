"""How deep a file of YAML may go, and how much its aliases may make of it: the one place that decides it for Python.

The renderer has bounds of its own for what Helm reads (``charts/renderer/bounds.go``), which count in the same way:
an alias is what it stands for, as often as it stands there.
Both are counted over a parser's events, which takes no more time and memory than the text is long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

DEEPEST: Final = 250
"""Levels of a file, aliases followed; what people write has a dozen. Python ends a walk at a thousand calls, and a walk
through data may make up to three of them a level."""
MOST_ALIASED: Final = 100_000
"""Nodes that all aliases of a file together may stand for."""
_LINE: Final = 80
"""Letters of a scalar that count as a node more: whoever writes the data down writes them for each alias."""


class Fault(ValueError):
    """A file that is no YAML, goes too deep, or grows without end.

    Attributes:
        line: Where, counted from 1; 0 where nobody knows.
        column: Likewise.
    """

    def __init__(self, why: str, mark: Any = None) -> None:
        super().__init__(why)
        self.line = mark.line + 1 if mark is not None else 0
        self.column = mark.column + 1 if mark is not None else 0


class Depth(Fault):
    """A file that goes too deep, such as one whose anchor contains an alias of itself."""


class Excess(Fault):
    """A file whose aliases stand for more than anybody writes."""


def too_deep(mark: Any) -> Depth:
    """The fault of what goes deeper than `DEEPEST`.

    Args:
        mark: Where, as the parser has it.
    """
    return Depth(f"more than {DEEPEST} levels", mark)


def check(events: Iterable[Any]) -> None:
    """Refuse what goes too deep or grows without end.

    Args:
        events: The events of a file, as PyYAML's parsers have them.

    Raises:
        Depth: It goes too deep.
        Excess: It grows.
    """
    sizes = _Sizes()
    taking: Mapping[str, Callable[[Any], None]] = {
        "DocumentStartEvent": sizes.forget,
        "MappingStartEvent": sizes.begin,
        "SequenceStartEvent": sizes.begin,
        "MappingEndEvent": sizes.end,
        "SequenceEndEvent": sizes.end,
        "AliasEvent": sizes.follow,
        "ScalarEvent": sizes.scalar,
    }
    for event in events:
        take = taking.get(type(event).__name__)
        if take is not None:
            take(event)


class _Sizes:
    """How many nodes and levels there are, aliases followed: of what has begun, and of what has an anchor."""

    def __init__(self) -> None:
        self._open: list[tuple[str | None, int, int]] = []
        self._begun: set[str] = set()
        self._anchored: dict[str, tuple[int, int]] = {}
        self._aliased = 0

    def forget(self, _: Any) -> None:
        """A document begins, with anchors of its own."""
        self._anchored.clear()

    def begin(self, event: Any) -> None:
        self._open.append((event.anchor, 1, 0))
        if event.anchor is not None:
            self._begun.add(event.anchor)
        self._bound(0, event)

    def end(self, _: Any) -> None:
        anchor, size, height = self._open.pop()
        self._add(anchor, size, height + 1)

    def scalar(self, event: Any) -> None:
        self._add(event.anchor, 1 + len(event.value) // _LINE, 0)

    def follow(self, event: Any) -> None:
        if event.anchor in self._begun:
            raise Depth(f"*{event.anchor} contains itself", event.start_mark)
        # An alias of nothing passes as one node: the composer refuses it.
        size, height = self._anchored.get(event.anchor, (1, 0))
        self._aliased += size
        if self._aliased > MOST_ALIASED:
            raise Excess(f"aliases of more than {MOST_ALIASED} values", event.start_mark)
        self._bound(height, event)
        self._add(None, size, height)

    def _add(self, anchor: str | None, size: int, height: int) -> None:
        """A node has ended: it belongs to what is open, and its anchor stands for it from now on."""
        if anchor is not None:
            self._anchored[anchor] = size, height
            self._begun.discard(anchor)
        if self._open:
            around, sizes, heights = self._open[-1]
            self._open[-1] = around, sizes + size, max(heights, height)

    def _bound(self, height: int, event: Any) -> None:
        if len(self._open) + height > DEEPEST:
            raise too_deep(event.start_mark)
