"""Reads what is stored of deployments: it was written by whoever may write to the history, and may be anything.

A record that goes by two names, a time that no calendar shows and an id that a shell would obey are nobody's. What is
wrong with one record is said of that one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from hanbae import excerpts, foreign_json, patterns, wording
from hanbae.results import deployments, events

_LONGEST: Final = 200
"""Characters of why a record cannot be read."""
_ID: Final = patterns.lazy(r"[\w.%-]{1,200}")
_COMMIT: Final = patterns.lazy(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""A full id: git takes other texts for a branch, or for a pattern that it looks for in every message."""
_FIRST_YEAR, _LAST_YEAR = 1971, 9998
"""Years that every time zone has."""


class Unread(Exception):
    """A record cannot be read.

    Args:
        record: Which one, and why.
    """

    def __init__(self, record: deployments.Unreadable) -> None:
        super().__init__(str(record.why))
        self.record = record


Texts = list[tuple[int, str]]
"""Positions of a record's events, and what is stored of them."""


def encode(event: events.Event) -> str:
    """An event as it is stored: JSON, in which ``?`` stands for each byte of a reason or a name that is no UTF-8."""
    try:
        return msgspec.json.encode(event).decode()
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(event), ensure_ascii=False)
        return text.encode("utf-8", "replace").decode()


def stored(event: events.Event) -> tuple[events.Event, str]:
    """An event as whoever reads the history gets it, and the text that is stored of it."""
    try:
        return event, msgspec.json.encode(event).decode()
    except UnicodeEncodeError:
        text = encode(event)
        return decode(text), text


def is_text(name: str) -> bool:
    """Whether what stands for an id in a database is UTF-8; of another one, half pairs stand for the bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def decode(text: str) -> events.Event:
    """An event from what is stored.

    Raises:
        hanbae.foreign_json.Fault: It is no event that this hanbae knows.
    """
    return foreign_json.decode(text, events.Event)


class Reader:
    """Reads the records of one history.

    Args:
        place: How messages name the history.
        address: Its address, as commands have it.
    """

    def __init__(self, place: str, address: str) -> None:
        self._place = place
        self._address = address

    def fold(self, deployment: str, texts: Texts) -> deployments.Deployment:
        """What a deployment adds up to.

        Raises:
            Unread: One of its events is none, or they do not begin with its beginning.
        """
        try:
            return deployments.fold(self.stream(deployment, texts))
        except ValueError as error:
            raise self._unread(deployment, texts[0][0], str(error)) from None

    def stream(self, deployment: str, texts: Texts) -> list[events.Event]:
        """The events of a deployment.

        Raises:
            Unread: One of them is none.
        """
        return [self.event(text, deployment, row) for row, text in texts]

    def whole(self, deployment: str, texts: Texts) -> list[events.Event]:
        """The events of a whole record, which was written by whoever may write here.

        Raises:
            Unread: They are not numbered from 1 without gaps, or not what a record is made of.
        """
        stream = self.stream(deployment, texts)
        last: str | None = None
        for number, (event, (row, _)) in enumerate(zip(stream, texts, strict=True), 1):
            if event.seq != number:
                raise self._unread(deployment, row, f"seq {event.seq} at {number}")
            kind = type(event.fact).__name__
            try:
                check_order(kind, last)
            except ValueError as error:
                raise self._unread(deployment, row, str(error)) from None
            last = kind
        return stream

    def event(self, text: str, deployment: str, row: int) -> events.Event:
        """An event of a deployment, from what is stored.

        Raises:
            Unread: It is none.
        """
        try:
            event = decode(text)
        except foreign_json.Fault as error:
            is_newer = _is_event_of(foreign_json.mapping(text), deployment)
            raise self._unread(deployment, row, str(error), is_newer=is_newer) from None
        if event.deployment != deployment or not _ID.fullmatch(deployment):
            raise self._unread(deployment, row, "deployment")
        # A time without a zone cannot be compared with others, and a year at the calendar's ends is
        # beyond it in some zone.
        if event.at.tzinfo is None or not _FIRST_YEAR <= event.at.year <= _LAST_YEAR:
            raise self._unread(deployment, row, "at")
        if isinstance(event.fact, events.Opened) and not _COMMIT.fullmatch(event.fact.revision):
            raise self._unread(deployment, row, "revision")
        return event

    def without_id(self, row: int) -> deployments.Unreadable:
        """A record whose id is no text.

        Args:
            row: Where it is.
        """
        return self._unread("", row, "deployment").record

    def _unread(self, deployment: str, row: int, why: str, *, is_newer: bool = False) -> Unread:
        """That a record cannot be read; an id that is none is not repeated, so that nobody pastes it."""
        name = deployment if _ID.fullmatch(deployment) else ""
        facts = {
            "deployment": name or "?",
            "row": str(row),
            "why": excerpts.one_line(why, _LONGEST),
            "place": self._place,
            "address": self._address,
        }
        text_id = "history.record-newer" if is_newer else "history.record-damaged"
        return Unread(deployments.Unreadable(name, row, wording.Text(text_id, facts)))


def _is_event_of(document: Mapping[str, Any], deployment: str) -> bool:
    """Whether something has the form of a deployment's event, so that a fact which is not known is a newer hanbae's."""
    return (
        document.get("deployment") == deployment
        and isinstance(document.get("seq"), int)
        and isinstance(foreign_json.below(document, "fact").get("type"), str)
    )


def check_order(kind: str, last: str | None) -> None:
    """Refuse an event that does not belong behind the last one of its record.

    Raises:
        ValueError: It does not.
    """
    if (last is None) != (kind == "Opened"):
        raise ValueError(f"a deployment's events begin with Opened, once: {kind} after {last}")
    if last == "Closed":
        raise ValueError(f"a deployment's last event is Closed: {kind} after it")
