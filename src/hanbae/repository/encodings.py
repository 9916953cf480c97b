"""Text in the encodings that people's editors save: a search for secrets must not end where a file is not UTF-8."""

from __future__ import annotations

import codecs

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""Marks at the beginning of what a shell of Windows writes."""


def legible(data: bytes) -> str | None:
    """What a person could read of a file; None where it is no text.

    The older encodings of Korean, Japanese and western languages all write keys and passwords in ASCII; their other
    characters become replacement characters, because nothing in the file says which of these encodings it is in.

    Args:
        data: The file.
    """
    if data.startswith(_UTF_16):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Programs, archives and pictures have zero bytes; text in one of these encodings has none.
        return None if b"\0" in data else data.decode(errors="replace")
