"""Text in the encodings that people's editors save: a search for secrets must not end where a file is not UTF-8."""

from __future__ import annotations

import codecs
import contextlib
from typing import Final

_MARKED: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (
        codecs.BOM_UTF16_LE,
        "utf-16",
    ),  # what a shell of Windows writes; the mark before begins with it
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNMARKED: Final = ("utf-8-sig", "cp949")
"""What editors write without a mark that says which it is. The second is that of Korean Windows, whose users name
their keys in Hangul as well."""


def legible(data: bytes) -> str | None:
    """What a person could read of a file; None where it is no text.

    Other encodings write ASCII as it is, so keys and passwords in it can be read; their further characters become
    replacement characters.

    Args:
        data: The file.
    """
    for mark, encoding in _MARKED:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    for encoding in _UNMARKED:
        # Programs, archives and pictures have zero bytes; text that is not UTF-8 has none.
        if encoding == "utf-8-sig" or b"\0" not in data:
            with contextlib.suppress(UnicodeDecodeError):
                return data.decode(encoding)
    return None if b"\0" in data else data.decode(errors="replace")
