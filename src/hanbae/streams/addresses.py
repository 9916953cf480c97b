"""Addresses that somebody else names: in an index, in a redirect, in a challenge."""

from __future__ import annotations

from typing import Final

import httpx2

_LARGEST_PORT: Final = 65535


def parsed(text: str, base: httpx2.URL | None = None) -> httpx2.URL:
    """The address that a text is.

    Args:
        text: The text.
        base: What a relative one is relative to; None where it must be whole.

    Raises:
        httpx2.InvalidURL: It is none, or has a port that there is not: httpx2 takes those, and fails with no error of
            its own once it connects.
    """
    url = httpx2.URL(text) if base is None else base.join(text)
    if url.port is not None and url.port > _LARGEST_PORT:
        raise httpx2.InvalidURL(f"Invalid port: {url.port}")
    return url
