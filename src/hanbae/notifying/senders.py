"""Delivers notices beside the work: a thread and a queue for each receiver, so that none waits for another.

Whoever deploys waits for nobody. Only the program's end waits a moment, for the last message to leave.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from hanbae import errors, wording
from hanbae.notifying import addresses, services, webhooks
from hanbae.policy import receivers
from hanbae.results import notices

PATIENCE: Final = 3.0
"""Seconds that a program's end waits for the last messages."""
_ATTEMPTS: Final = 2
_AGAIN: Final = 0.5

Words = Callable[[notices.Notice], tuple[str, str]]
"""A notice's title and text."""


class Channel(Protocol):
    """What a notice is sent through."""

    @property
    def changes(self) -> bool:
        """Whether every change of a notice is sent, or only its last state."""

    def send(self, notice: notices.Notice, title: str, text: str) -> None:
        """Send a notice; whatever it raises, it did not arrive."""


class Senders:
    """Everybody who is told.

    Args:
        policy: The policy's receivers.
        environment: The variables that hold their addresses.
        words: Words a notice.

    Attributes:
        faults: What is wrong with receivers, so that they are not told.
    """

    def __init__(
        self,
        policy: Iterable[receivers.Receiver],
        environment: Mapping[str, str],
        words: Words,
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
                    self._senders.append(_Sender(receiver, channel, words))

    @property
    def is_empty(self) -> bool:
        """Whether nobody is told."""
        return not self._senders

    def tell(self, notice: notices.Notice) -> None:
        """Have everybody told whom it concerns; returns at once."""
        for sender in self._senders:
            sender.tell(notice)

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
    if receiver.via == "apprise":
        return services.Service(receiver.name, url)
    return webhooks.Webhook(receiver.name, url, addresses.value(receiver.name, environment, "KEY"))


class _Sender:
    """Sends to one receiver."""

    def __init__(self, receiver: receivers.Receiver, channel: Channel, words: Words) -> None:
        self._receiver = receiver
        self._channel = channel
        self._words = words
        self._notices: queue.SimpleQueue[notices.Notice | None] = queue.SimpleQueue()
        self._why = ""
        # A daemon: a receiver that never answers does not keep the program from ending.
        self._thread = threading.Thread(target=self._through, daemon=True)
        self._thread.start()

    def tell(self, notice: notices.Notice) -> None:
        environments = self._receiver.environments
        concerns = not environments or notice.environment in environments
        if concerns and (self._channel.changes or notice.state == "ended"):
            self._notices.put(notice)

    def end(self) -> None:
        self._notices.put(None)

    def fault(self, until: float) -> list[wording.Text]:
        """Why not all was delivered by then; empty where it was."""
        self._thread.join(max(0.0, until - time.monotonic()))
        why = "TimeoutError" if self._thread.is_alive() else self._why
        facts = {"receiver": self._receiver.name, "why": why}
        return [wording.Text("notify.not-told", facts)] if why else []

    def _through(self) -> None:
        while (notice := self._notices.get()) is not None:
            self._send(notice)

    def _send(self, notice: notices.Notice) -> None:
        why = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_AGAIN)
            try:
                self._channel.send(notice, *self._words(notice))
            except Exception as error:  # noqa: BLE001  whatever a receiver does, the deployment is not concerned
                why = _reason(error)
            else:
                return
        self._why = why


def _reason(error: Exception) -> str:
    """A failure by its kind: its words may hold the address, which is a secret."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"HTTP {status}" if status is not None else type(error).__name__
