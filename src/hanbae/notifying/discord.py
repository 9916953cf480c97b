"""Discord, through a webhook of a channel: one message for each deployment, which is edited as the deployment goes on.

What is said holds words of strangers: all that Discord would obey is escaped, and nobody is mentioned.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx2
from msgspec import Struct

from hanbae import errors, excerpts, patterns
from hanbae.notifying import posting
from hanbae.results import notices

_HOSTS: Final = frozenset(
    {"discord.com", "discordapp.com", "canary.discord.com", "ptb.discord.com"}
)
_PATH: Final = patterns.lazy(r"/api(?:/v[0-9]{1,3})?/webhooks/([0-9]{1,20})/([\w-]{1,200})")
_NUMBER: Final = patterns.lazy(r"[0-9]{1,20}")
_LONGEST: Final = 950
"""Characters that are said; escaped they are twice as many at most, and Discord takes 2000."""
_WITHOUT_PREVIEWS: Final = 1 << 2
"""Flag of a message: links in it are not looked up (``SUPPRESS_EMBEDS``)."""
_OBEYED: Final = patterns.lazy(r"([!-/:-@\[-`{-~])")
"""What a backslash before it makes a character as any other."""


class _Message(Struct):
    id: str


class Discord:
    """A channel of Discord's.

    Args:
        receiver: The receiver's name.
        url: The webhook's address, as Discord gives it; ``?thread_id=…`` leads to a thread of the channel.

    Raises:
        hanbae.errors.WrongUse: It is none of Discord's. It is not repeated.
    """

    changes = True
    """Every change is sent."""
    replaces = True
    """What is sent takes the place of what was sent before."""

    def __init__(self, receiver: str, url: str) -> None:
        try:
            parts = urlsplit(url)
            query = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
        except ValueError:
            raise errors.WrongUse("notify.bad-url", receiver=receiver) from None
        path = _PATH.fullmatch(parts.path)
        threads = query.pop("thread_id", [])
        is_discords = parts.scheme == "https" and parts.netloc in _HOSTS
        if path is None or not is_discords or query or not all(map(_NUMBER.fullmatch, threads)):
            raise errors.WrongUse("notify.bad-url", receiver=receiver)
        # Rebuilt from the parts that were checked, so that nothing else of the address counts.
        self._url = f"https://{parts.netloc}/api/v10/webhooks/{path[1]}/{path[2]}"
        self._thread = {"thread_id": threads[0]} if threads else {}
        self._sent: dict[str, str] = {}

    def send(self, notice: notices.Notice, title: str, text: str) -> None:
        """Send a notice, or edit the message that was sent of its deployment.

        Raises:
            hanbae.notifying.posting.Nonsense: What answered is not Discord.
            httpx2.HTTPError: It did not arrive, or was not taken.
        """
        body = _body(title, text)
        sent = self._sent.get(notice.deployment)
        if sent is not None and self._edited(sent, body):
            return
        params = {"wait": "true", **self._thread}
        # Without `wait` Discord answers nothing, and the message could not be edited.
        message = posting.ask("POST", self._url, _Message, params=params, json=body)
        if _NUMBER.fullmatch(message.id):
            self._sent[notice.deployment] = message.id

    def message(self, deployment: str) -> str:
        """The message's id."""
        return self._sent.get(deployment, "")

    def take(self, deployment: str, message: str) -> None:
        """Edit a message that another process has sent; what is no id is passed over."""
        if _NUMBER.fullmatch(message):
            self._sent[deployment] = message

    def _edited(self, sent: str, body: dict[str, Any]) -> bool:
        """Whether a message could be edited; one that somebody has deleted is sent anew."""
        url = f"{self._url}/messages/{sent}"
        try:
            posting.ask("PATCH", url, _Message, params=self._thread, json=body)
        except httpx2.HTTPStatusError as error:
            if error.response.status_code != HTTPStatus.NOT_FOUND:
                raise
            return False
        return True


def _body(title: str, text: str) -> dict[str, Any]:
    heading = excerpts.clipped(title, _LONGEST // 4)
    body = excerpts.clipped(text, _LONGEST - len(heading))
    return {
        "content": f"**{_escaped(heading)}**\n{_escaped(body)}".strip(),
        "allowed_mentions": {"parse": []},
        "flags": _WITHOUT_PREVIEWS,
    }


def _escaped(text: str) -> str:
    return _OBEYED.sub(r"\\\1", text)
