"""Looks single messages up in a compiled catalogue.

Python's own reader makes a dictionary of all messages first, which takes longer than most commands need for anything
else before they begin.
"""

from __future__ import annotations

import gettext
import io
import struct
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Final

# Magic number, version, number of messages, offsets of the tables of originals and of translations,
# size and offset of a hash table (GNU gettext manual, "The Format of GNU MO Files").
_HEADER: Final = struct.Struct("<7I")
_ENTRY: Final = struct.Struct("<2I")
_MAGIC: Final = 0x950412DE


class Translations(gettext.GNUTranslations):
    """The messages of a ``.mo`` file, for who asks for them by :meth:`gettext`."""

    plural: Callable[[int], int]
    """The rule of the catalogue: number → form."""
    _data = b""
    _count = 0
    _originals = 0
    _translated = 0

    def _parse(self, fp: Any) -> None:
        """Read what is said of the catalogue itself, its first message; see the documentation of :mod:`gettext`."""
        data = fp.read()
        magic, version, count, originals, translated, *rest = _HEADER.unpack_from(data)
        if magic != _MAGIC:  # of a computer that writes numbers the other way round
            super()._parse(io.BytesIO(data))
            return
        self._data, self._count = data, count
        self._originals, self._translated = originals, translated
        # The same file with one message only: the empty one, which is the first in order, and whose
        # translation holds charset and plural rule.
        alone = _HEADER.pack(magic, version, min(count, 1), originals, translated, *rest)
        super()._parse(io.BytesIO(alone + data[_HEADER.size :]))

    def gettext(self, message: str) -> str:
        """The message in the catalogue's language; itself where the catalogue has none."""
        # The base class has read the empty message, and everything if the byte order is the other one.
        if not message or not self._count:
            return super().gettext(message)
        key = message.encode("utf-8", "surrogatepass")
        # The format requires the originals to be sorted by their bytes.
        number = bisect_left(range(self._count), key, key=self._original)
        original = self._original(number) if number < self._count else b""
        # The original of a message with a plural is both forms, with NUL between them.
        singular, plural, _ = original.partition(b"\0")
        if singular != key:
            return message
        forms = self._text(self._translated, number).split(b"\0")
        return forms[self.plural(1) if plural else 0].decode("utf-8")

    def _original(self, number: int) -> bytes:
        return self._text(self._originals, number)

    def _text(self, table: int, number: int) -> bytes:
        length, start = _ENTRY.unpack_from(self._data, table + number * _ENTRY.size)
        return self._data[start : start + length]
