"""A signed webhook, as Standard Webhooks has it (https://www.standardwebhooks.com): its libraries verify ours.

What is signed is the message's id, the time and the body; so nobody can make one, change one, or send one again later.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from typing import Final
from urllib.parse import urlsplit

import msgspec

from hanbae import errors
from hanbae.results import notices
from hanbae.streams import authorities

_KEY: Final = "whsec_"
_SHORTEST: Final = 24
"""Bytes that a key has at least, as Standard Webhooks has it."""
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_TIMEOUT: Final = 5.0


class Message(msgspec.Struct, frozen=True):
    """The body of a webhook.

    Attributes:
        type: What it is about.
        timestamp: When it became so.
        data: The deployment.
        text: The same in words, for a chat.
    """

    type: str
    timestamp: str
    data: notices.Notice
    text: str


class Webhook:
    """Posts every change of a deployment's notice to one address.

    Args:
        receiver: The receiver's name.
        url: The address; plain HTTP only to this machine.
        key: ``whsec_`` and the key in base64; what is posted without one is not signed, and so it is refused.

    Raises:
        hanbae.errors.WrongUse: The address or the key is none. Neither is repeated.
    """

    changes = True
    """Every change is sent."""
    replaces = False

    def __init__(self, receiver: str, url: str, key: str) -> None:
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            raise errors.WrongUse("notify.bad-url", receiver=receiver) from None
        near = parts.scheme == "http" and host in _LOCAL
        if not host or not (parts.scheme == "https" or near):
            raise errors.WrongUse("notify.bad-url", receiver=receiver)
        self._url = url
        self._near = near
        self._key = _decoded(receiver, key)

    def message(self, _: str) -> str:
        """Nothing: what is sent cannot be edited."""
        return ""

    def take(self, _: str, __: str) -> None:
        """Nothing: what is sent cannot be edited."""

    def send(self, notice: notices.Notice, title: str, text: str) -> None:
        """Post a notice.

        Raises:
            httpx2.HTTPError: It did not arrive, or was not taken.
        """
        import httpx2

        kind = f"deployment.{notice.state}"
        message = Message(kind, notice.at.isoformat(), notice, f"{title}\n{text}".strip())
        body = msgspec.json.encode(message)
        name = f"{notice.deployment}-{notice.number}"
        # Without TLS a proxy would read what is sent, and this machine needs none to reach itself.
        trusting = not self._near
        with (
            httpx2.Client(
                timeout=_TIMEOUT,
                follow_redirects=False,
                verify=authorities.unstrict(httpx2.create_ssl_context(trust_env=trusting)),
                trust_env=trusting,
            ) as client,
            client.stream(
                "POST", self._url, content=body, headers=headers(name, body, self._key)
            ) as answer,
        ):
            answer.raise_for_status()  # what it says is of no use, so it is not read


def headers(name: str, body: bytes, key: bytes, *, moment: float | None = None) -> dict[str, str]:
    """The headers that sign a body.

    Args:
        name: The message's id.
        body: The body.
        key: The key.
        moment: Seconds since the epoch; None for now.
    """
    stamp = str(int(time.time() if moment is None else moment))
    signed = b".".join((name.encode(), stamp.encode(), body))
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "content-type": "application/json",
        "user-agent": "hanbae",
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{signature}",
    }


def _decoded(receiver: str, key: str) -> bytes:
    try:
        decoded = base64.b64decode(key.removeprefix(_KEY), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) < _SHORTEST:
        raise errors.WrongUse("notify.bad-key", receiver=receiver)
    return decoded
