"""Takes secrets out of text that came from somewhere else.

All stretches to hide are found in the text as it came and only then replaced: were they replaced one after
another, half of a value that overlaps another one would stay readable.
Logs are hostile: no search here may take more than linear time, however a line was made up.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from typing import Final

from hanbae import patterns
from hanbae.masking import sightings, spellings
from hanbae.masking.masked import MASK, Masked
from hanbae.masking.spellings import Span

_FOLD: Final = patterns.lazy(r"\\?\r?\n[ \t]*")


class Redactor:
    """Takes secrets out of text that came from somewhere else.

    Args:
        secrets: Plaintext values that must never be seen: as they are, encoded, escaped, or line by line.
    """

    def __init__(self, secrets: Iterable[Masked] = ()) -> None:
        plain: set[str] = set()
        spelled: dict[str, spellings.Spelled] = {}
        for secret in secrets:
            for value in spellings.values(secret.unmask()):
                plain |= spellings.escapings(value)
                # Letters and digits are written the same by every encoder; the plain search finds
                # them.
                if not (value.isascii() and value.isalnum()):
                    spelled[value] = spellings.Spelled(value)
            plain |= spellings.encodings(secret.unmask())
        self._plain = tuple(plain)
        self._spelled = tuple(spelled.values())

    def __call__(self, text: str) -> str:
        """Mask every known secret in a text, and everything that looks like one."""
        spans = [span for sight in sightings.ALL for span in sight(text)]
        if self._plain or self._spelled:
            spans += self._spans(text)
            if "\n" in text:
                spans += self._folded(text)
        return _mask(text, spans)

    def _spans(self, text: str) -> list[Span]:
        spans: list[Span] = []
        for value in self._plain:
            spans += ((start, start + len(value)) for start in spellings.positions(text, value))
        for spelled in self._spelled:
            spans += spelled.find(text)
        return spans

    def _folded(self, text: str) -> Iterator[Span]:
        """Values that somebody broke over several lines, such as base64 of ``openssl`` or a narrow terminal."""
        starts, removed, pieces, last = [0], [0], [], 0
        for fold in _FOLD.finditer(text):
            pieces.append(text[last : fold.start()])
            last = fold.end()
            starts.append(starts[-1] + len(pieces[-1]))
            removed.append(removed[-1] + fold.end() - fold.start())
        pieces.append(text[last:])

        def original(index: int) -> int:
            return index + removed[bisect.bisect_right(starts, index) - 1]

        for start, end in self._spans("".join(pieces)):
            # By its last character: what was folded away behind the value is no part of it.
            yield original(start), original(end - 1) + 1


def _mask(text: str, spans: list[Span]) -> str:
    """Replace the union of the spans; touching ones become one mask, so that lengths tell nothing."""
    if not spans:
        return text
    pieces, last = [], 0
    end = -1
    for start, stop in sorted(spans):
        if start > end:
            if end >= 0:
                pieces.append(MASK)
                last = end
            pieces.append(text[last:start])
        end = max(end, stop)
    return "".join([*pieces, MASK, text[end:]])
