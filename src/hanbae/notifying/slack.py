"""Slack, as a bot: one message for each deployment, which is edited as the deployment goes on.

Slack's incoming webhooks cannot edit, so a bot's token is needed: ``chat.postMessage`` says where the message is, and
``chat.update`` changes it.
What is said holds words of strangers: it is plain text in every block, and mentions nobody.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors, excerpts, patterns
from hanbae.notifying import posting
from hanbae.results import notices

_API: Final = "https://slack.com/api/"
_CHANNEL: Final = patterns.lazy(r"#?[\w-]{1,80}")
_ID: Final = patterns.lazy(r"[CDG][A-Z0-9]{1,40}")
_MESSAGE: Final = patterns.lazy(r"([CDG][A-Z0-9]{1,40})/([0-9]{1,20}\.[0-9]{1,12})")
_TOKEN: Final = patterns.lazy(r"[!-~]{10,1000}")
_LONGEST_TITLE: Final = 150
"""Characters of a header block; Slack takes no more."""
_LONGEST_TEXT: Final = 3000
"""Characters of a section block."""
_GONE: Final = frozenset(
    {"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found"}
)
"""Slack's codes for a message that can be edited no more: somebody has deleted it, or it is too old."""


class _Answer(Struct):
    ok: bool
    error: str = ""
    channel: str = ""
    ts: str = ""


class Slack:
    """A channel of Slack's.

    Args:
        receiver: The receiver's name.
        channel: The channel's id, or its name with ``#``.
        token: A bot's token with the right ``chat:write``.

    Raises:
        hanbae.errors.WrongUse: The channel or the token is none. Neither is repeated.
    """

    changes = True
    """Every change is sent."""
    replaces = True
    """What is sent takes the place of what was sent before."""

    def __init__(self, receiver: str, channel: str, token: str) -> None:
        if not _CHANNEL.fullmatch(channel):
            raise errors.WrongUse("notify.bad-channel", receiver=receiver)
        if not _TOKEN.fullmatch(token):
            raise errors.WrongUse("notify.bad-token", receiver=receiver)
        self._channel = channel
        self._token = token
        self._sent: dict[str, _Answer] = {}

    def send(self, notice: notices.Notice, title: str, text: str) -> None:
        """Send a notice, or edit the message that was sent of its deployment.

        Raises:
            hanbae.notifying.posting.Rejected: Slack did not take it.
            hanbae.notifying.posting.Nonsense: What answered is not Slack.
            httpx2.HTTPError: It did not arrive.
        """
        words = _words(title, text)
        sent = self._sent.get(notice.deployment)
        if sent is not None and self._edited(sent, words):
            return
        form = {
            **words,
            "channel": self._channel,
            "unfurl_links": "false",
            "unfurl_media": "false",
        }
        answer = self._call("chat.postMessage", form)
        if answer.channel and answer.ts:
            self._sent[notice.deployment] = answer

    def message(self, deployment: str) -> str:
        """The message's channel and its time stamp, which together are its id."""
        sent = self._sent.get(deployment)
        return f"{sent.channel}/{sent.ts}" if sent is not None else ""

    def take(self, deployment: str, message: str) -> None:
        """Edit a message that another process has sent.

        What is no id is passed over, and so is another channel than this one, where it is named by its id.
        """
        match = _MESSAGE.fullmatch(message)
        own = self._channel if _ID.fullmatch(self._channel) else ""
        if match is not None and own in {"", match[1]}:
            self._sent[deployment] = _Answer(ok=True, channel=match[1], ts=match[2])

    def _edited(self, sent: _Answer, words: dict[str, str]) -> bool:
        """Whether a message could be edited; one that is gone is sent anew."""
        try:
            self._call("chat.update", {**words, "channel": sent.channel, "ts": sent.ts})
        except posting.Rejected as error:
            if str(error) not in _GONE:
                raise
            return False
        return True

    def _call(self, method: str, form: dict[str, str]) -> _Answer:
        # As a form, as the published description has it: blocks are JSON within one field.
        answer = posting.ask(
            "POST",
            f"{_API}{method}",
            _Answer,
            headers={"authorization": f"Bearer {self._token}"},
            form=form,
        )
        if not answer.ok:
            raise posting.Rejected(answer.error)
        return answer


def _words(title: str, text: str) -> dict[str, str]:
    """The fields of a message: blocks of plain text, and a line for notifications in which nothing is obeyed."""
    heading = _plain(excerpts.clipped(title, _LONGEST_TITLE))
    blocks: list[dict[str, Any]] = [{"type": "header", "text": heading}]
    if text:
        section = _plain(excerpts.clipped(text, _LONGEST_TEXT))
        blocks.append({"type": "section", "text": section})
    # In this field, unlike in the blocks, Slack interprets these three characters.
    line = title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {
        "text": excerpts.clipped(line, _LONGEST_TEXT),
        "blocks": msgspec.json.encode(blocks).decode(),
        "parse": "none",
        "link_names": "false",
    }


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
