"""One exchange with the API of a chat: nothing leads it elsewhere, and of an answer only so much is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import httpx2

from hanbae import foreign_json, patterns
from hanbae.streams import authorities

TIMEOUT: Final = 5.0
"""Seconds without a byte."""
_MOST: Final = 1 << 20
_CODE: Final = patterns.lazy(r"[a-z0-9_]{1,60}")
_T = TypeVar("_T")


class Rejected(Exception):
    """A service did not take a message; the text is its own code for why, such as ``channel_not_found``.

    Args:
        code: The service's code; anything that is none is left out.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code if _CODE.fullmatch(code) else "?")


class Nonsense(Exception):
    """An answer is none that the service would give."""


def client() -> httpx2.Client:
    """A client that follows no redirection, so that a token or a message goes to nobody else."""
    verify = authorities.unstrict(httpx2.create_ssl_context())
    return httpx2.Client(timeout=TIMEOUT, follow_redirects=False, verify=verify)


def ask(
    method: str,
    url: str,
    kind: type[_T],
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    json: Any = None,
) -> _T:
    """Make one request and return its answer.

    Args:
        method: The HTTP method.
        url: The address.
        kind: What the answer must be.
        headers: Headers.
        params: The query.
        form: What to send as a form.
        json: What to send as JSON.

    Raises:
        Nonsense: The answer is too long, or not of this kind.
        httpx2.HTTPError: It did not arrive, or was not taken.
    """
    body = bytearray()
    with (
        client() as session,
        session.stream(
            method,
            url,
            headers={"user-agent": "hanbae", **(headers or {})},
            params=params,
            data=form,
            json=json,
        ) as answer,
    ):
        answer.raise_for_status()
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > _MOST:
                raise Nonsense
    try:
        return foreign_json.decode(bytes(body), kind)
    except foreign_json.Fault:
        raise Nonsense from None
