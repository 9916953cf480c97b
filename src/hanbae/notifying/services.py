"""Chats, mail and whatever else Apprise reaches: one message for each deployment, when it has ended.

Apprise comes with the extra ``notify``. What it sends cannot be edited, so what is only begun is not announced: a
channel that says three things of each deployment is soon read by nobody.
"""

from __future__ import annotations

import logging
import warnings

from hanbae import errors
from hanbae.results import notices

_KINDS = {"succeeded": "success", "failed": "failure"}


class Undelivered(Exception):
    """A service did not take a message; Apprise says no more than that without the address."""


class Service:
    """Sends the end of each deployment to one service.

    Args:
        receiver: The receiver's name.
        url: The address in Apprise's form.

    Raises:
        hanbae.errors.Lacking: Apprise is not installed.
        hanbae.errors.WrongUse: Apprise knows no such address. It is not repeated.
    """

    changes = False
    """Only the end is sent."""
    replaces = False

    def __init__(self, receiver: str, url: str) -> None:
        # It logs addresses, and so tokens.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        with (
            warnings.catch_warnings()
        ):  # its plugins import what later versions of Python do not have
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                import apprise
            except ImportError as error:
                raise errors.Lacking("notify.needs-extra", receiver=receiver) from error
            asset = apprise.AppriseAsset(app_id="hanbae", app_desc="hanbae", async_mode=False)
            self._service = apprise.Apprise(asset=asset)
            if not self._service.add(url):
                raise errors.WrongUse("notify.bad-url", receiver=receiver)

    def message(self, _: str) -> str:
        """Nothing: what is sent cannot be edited."""
        return ""

    def take(self, _: str, __: str) -> None:
        """Nothing: what is sent cannot be edited."""

    def send(self, notice: notices.Notice, title: str, text: str) -> None:
        """Send a notice.

        Raises:
            Undelivered: It was not taken.
        """
        kind = _KINDS.get(notice.outcome, "warning")
        if not self._service.notify(body=text, title=title, notify_type=kind):
            raise Undelivered
