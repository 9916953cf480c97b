"""Delivers notices beside the work: a thread and a queue for each receiver, so that none waits for another.

Whoever deploys waits for nobody. Only the program's end waits a moment, for the last message to leave.
"""

from __future__ import annotations

import contextlib
import hmac
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final, Protocol

from hanbae import errors, patterns, wording
from hanbae.notifying import addresses, discord, posting, services, slack, webhooks
from hanbae.policy import receivers
from hanbae.results import notices

PATIENCE: Final = 3.0
"""Seconds that a program's end waits for the last messages."""
_ATTEMPTS: Final = 2
_AGAIN: Final = 0.5
_SECONDS: Final = patterns.lazy(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")

Sent = Callable[[str, str, str], None]
"""Is told of a deployment's message: the deployment, the receiver's name, where the message is, with a mark."""
Words = Callable[[notices.Notice], tuple[str, str]]
"""A notice's title and text."""


class Channel(Protocol):
    """What a notice is sent through."""

    @property
    def changes(self) -> bool:
        """Whether every change of a notice is sent, or only its last state."""

    @property
    def replaces(self) -> bool:
        """Whether what is sent takes the place of what was sent before: then what waits may be left out for it."""

    def send(self, notice: notices.Notice, title: str, text: str) -> None:
        """Send a notice; whatever it raises, it did not arrive."""

    def message(self, deployment: str) -> str:
        """Where the message of a deployment is, in one word of the channel's own; empty where none can be edited."""

    def take(self, deployment: str, message: str) -> None:
        """Edit a message that another process has sent; what is no word of this channel's is passed over."""


class Senders:
    """Everybody who is told.

    Args:
        policy: The policy's receivers.
        environment: The variables that hold their addresses.
        words: Words a notice.
        sent: Is told once of each message that can be edited: the deployment, the receiver's name, and where it is.

    Attributes:
        faults: What is wrong with receivers, so that they are not told.
    """

    def __init__(
        self,
        policy: Iterable[receivers.Receiver],
        environment: Mapping[str, str],
        words: Words,
        sent: Sent | None = None,
    ) -> None:
        self.faults: list[wording.Text] = []
        self._senders: list[_Sender] = []
        for receiver in policy:
            try:
                channel = _channel(receiver, environment)
            except errors.Error as error:
                self.faults.append(error.text)
            else:
                if channel is not None:
                    key = _key(receiver, environment)
                    self._senders.append(_Sender(receiver, channel, words, sent, key))

    @property
    def is_empty(self) -> bool:
        """Whether nobody is told."""
        return not self._senders

    def tell(self, notice: notices.Notice) -> None:
        """Have everybody told whom it concerns; returns at once."""
        for sender in self._senders:
            sender.tell(notice)

    def take(self, deployment: str, receiver: str, message: str) -> None:
        """Have a receiver's message edited that another process has sent of a deployment.

        What `sent` was told is taken, for the same deployment and the same receiver; anything else may be another
        message of the receiver's, which somebody wants overwritten, and is passed over.
        """
        for sender in self._senders:
            sender.take(deployment, receiver, message)

    def close(self) -> Sequence[wording.Text]:
        """Wait a moment for the last messages; who was not reached, and why."""
        until = time.monotonic() + PATIENCE
        for sender in self._senders:
            sender.end()
        return [text for sender in self._senders for text in sender.fault(until)]


def _channel(receiver: receivers.Receiver, environment: Mapping[str, str]) -> Channel | None:
    """What leads to a receiver; None where this machine has no address for them."""
    url = addresses.value(receiver.name, environment)
    if not url:
        return None
    match receiver.via:
        case "apprise":
            return services.Service(receiver.name, url)
        case "slack":
            token = addresses.value(receiver.name, environment, "TOKEN")
            return slack.Slack(receiver.name, url, token)
        case "discord":
            return discord.Discord(receiver.name, url)
        case "webhook":
            key = addresses.value(receiver.name, environment, "KEY")
            return webhooks.Webhook(receiver.name, url, key)


def _key(receiver: receivers.Receiver, environment: Mapping[str, str]) -> bytes:
    """What only those know who may send to a receiver: its address, with its token where it has one."""
    token = addresses.value(receiver.name, environment, "TOKEN") if receiver.via == "slack" else ""
    return f"{addresses.value(receiver.name, environment)}\n{token}".encode()


class _Sender:
    """Sends to one receiver."""

    def __init__(
        self,
        receiver: receivers.Receiver,
        channel: Channel,
        words: Words,
        sent: Sent | None,
        key: bytes,
    ) -> None:
        self._receiver = receiver
        self._channel = channel
        self._words = words
        self._sent = sent
        self._key = key
        self._announced: set[tuple[str, str]] = set()
        self._notices: queue.SimpleQueue[notices.Notice | None] = queue.SimpleQueue()
        self._failures: dict[str, str] = {}  # by the deployment
        # A daemon: a receiver that never answers does not keep the program from ending.
        self._thread = threading.Thread(target=self._through, daemon=True)
        self._thread.start()

    def tell(self, notice: notices.Notice) -> None:
        environments = self._receiver.environments
        concerns = not environments or notice.environment in environments
        if concerns and (self._channel.changes or notice.state == "ended"):
            self._notices.put(notice)

    def take(self, deployment: str, receiver: str, message: str) -> None:
        word = message.partition(" ")[0]
        expected = self._marked(deployment, word).encode()
        if receiver == self._receiver.name and hmac.compare_digest(message.encode(), expected):
            self._channel.take(deployment, word)
            self._announced.add((deployment, self._channel.message(deployment)))

    def _marked(self, deployment: str, word: str) -> str:
        """Where a message is, with what nobody can write who may write to the history alone."""
        text = f"{self._receiver.name}\n{deployment}\n{word}".encode()
        return f"{word} {hmac.digest(self._key, text, 'sha256').hex()[:32]}"

    def end(self) -> None:
        self._notices.put(None)

    def fault(self, until: float) -> list[wording.Text]:
        """Why not all was delivered by then; empty where it was."""
        self._thread.join(max(0.0, until - time.monotonic()))
        is_late = self._thread.is_alive()
        why = "TimeoutError" if is_late else next(reversed(self._failures.values()), "")
        facts = {"receiver": self._receiver.name, "why": why}
        return [wording.Text("notify.not-told", facts)] if why else []

    def _through(self) -> None:
        for notice in self._waiting():
            self._send(notice)

    def _waiting(self) -> Iterator[notices.Notice]:
        """What is to be sent, as it comes; where a message is edited, of each deployment only what is so by now."""
        is_over = False
        while not is_over:
            waiting = [self._notices.get()]
            while not self._notices.empty():
                waiting.append(self._notices.get())
            is_over = waiting[-1] is None
            present = [notice for notice in waiting if notice is not None]
            if self._channel.replaces:
                present = list({notice.deployment: notice for notice in present}.values())
            yield from present

    def _send(self, notice: notices.Notice) -> None:
        why, pause = "", 0.0
        for _ in range(_ATTEMPTS):
            time.sleep(pause)
            try:
                self._channel.send(notice, *self._words(notice))
            except Exception as error:  # noqa: BLE001  whatever a receiver does, the deployment is not concerned
                why, pause = _reason(error), _pause(error)
            else:
                if self._channel.replaces:  # nothing is left of what did not arrive before
                    self._failures.pop(notice.deployment, None)
                self._say_where(notice)
                return
        self._failures[notice.deployment] = why

    def _say_where(self, notice: notices.Notice) -> None:
        """Have it kept where a message is, so that a process that goes on after this one can edit it."""
        message = self._channel.message(notice.deployment)
        place = (notice.deployment, message)
        if not message or self._sent is None or notice.state == "ended" or place in self._announced:
            return
        self._announced.add(place)
        with contextlib.suppress(Exception):  # it is sent, and that is what counts
            marked = self._marked(notice.deployment, message)
            self._sent(notice.deployment, self._receiver.name, marked)


def _reason(error: Exception) -> str:
    """A failure by its kind: its words may hold the address, which is a secret."""
    if isinstance(error, posting.Rejected):
        return str(error)
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"HTTP {status}" if status is not None else type(error).__name__


def _pause(error: Exception) -> float:
    """Seconds until the next attempt: what a service asks for that is told too much, as far as somebody waits."""
    answer = getattr(error, "response", None)
    if answer is None or answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
        return _AGAIN
    seconds = answer.headers.get("retry-after", "")
    return min(float(seconds), PATIENCE) if _SECONDS.fullmatch(seconds) else _AGAIN
