"""Has others told of the deployments of one command: ``notify:`` in the policy."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hanbae import wording
from hanbae.cli.text import catalogue, escaping

if TYPE_CHECKING:
    from hanbae import workspaces
    from hanbae.cli import options
    from hanbae.notifying import senders
    from hanbae.results import events, notices


_SENT: Final = "notify.sent"
"""The note in a deployment's record that says where a message is."""


@contextlib.contextmanager
def telling(
    session: options.Session, space: workspaces.Workspace
) -> Iterator[workspaces.Workspace]:
    """The workspace of a command whose deployments others are told of; whom it could not reach is said at its end."""
    if not space.policy.notify:
        yield space
        return
    from hanbae.notifying import senders

    receivers = senders.Senders(space.policy.notify, os.environ, _words, _keeping(space))
    for fault in receivers.faults:
        session.narration.warn(fault)
    try:
        yield space if receivers.is_empty else replace(space, tells=_Teller(space, receivers).tell)
    finally:
        # This waits up to `senders.PATIENCE` for the last messages, also after an error or an interruption.
        for text in receivers.close():
            session.narration.warn(text)


class _Teller:
    """Makes notices of events."""

    def __init__(self, space: workspaces.Workspace, receivers: senders.Senders) -> None:
        self._space = space
        self._receivers = receivers
        self._courses: dict[str, notices.Course] = {}

    def tell(self, event: events.Event) -> None:
        course = self._courses.get(event.deployment)
        if course is None:
            course = self._courses[event.deployment] = self._course(event)
        notice = course.take(event)
        if notice is not None:
            self._receivers.tell(notice)

    def _course(self, event: events.Event) -> notices.Course:
        """A deployment's notice as it was before an event; what was begun is told by who began it."""
        from hanbae.results import notices

        course = notices.Course()
        for past in self._space.store.events(event.deployment) if event.seq > 1 else ():
            if past.seq < event.seq:
                course.take(past)
            # Also from events after this one: the note is written when the chat has answered, and
            # others may have been recorded by then.
            self._take_message(past)
        return course

    def _take_message(self, past: events.Event) -> None:
        """Have the message edited that was sent of a deployment before it was gone on with."""
        text = getattr(past.fact, "text", None)
        if isinstance(text, wording.Text) and text.id == _SENT:
            receiver, message = text.facts.get("receiver", ""), text.facts.get("message", "")
            self._receivers.take(past.deployment, receiver, message)


def _keeping(space: workspaces.Workspace) -> senders.Sent:
    """Keeps in a deployment's record where its messages are: whoever goes on with it edits them.

    It is a note, which every older hanbae reads as well.
    """
    from hanbae.results import events

    def keep(deployment: str, receiver: str, message: str) -> None:
        note = events.Noted(wording.Text(_SENT, {"receiver": receiver, "message": message}))
        with contextlib.suppress(ValueError):  # it has ended meanwhile
            space.store.append(deployment, None, note, space.clock())

    return keep


def _words(notice: notices.Notice) -> tuple[str, str]:
    """A notice's title and text."""
    facts = {
        "service": notice.service,
        "environment": notice.environment,
        "revision": notice.revision[:12],
        "by": notice.by,
        "deployment": notice.deployment,
        "outcome": catalogue.words(f"deploy.outcome-{notice.outcome}") if notice.outcome else "",
    }
    title = escaping.sentence(wording.Text(f"notify.{notice.state}-title", facts))
    lines = [escaping.sentence(wording.Text("notify.about", facts))]
    lines += [escaping.plain(migration) for migration in notice.migrations]
    for migration in notice.taken_back:
        lines.append(escaping.sentence(wording.Text("notify.taken-back", {"file": migration})))
    if notice.why is not None and notice.outcome != "succeeded":
        lines.append(escaping.sentence(notice.why))
    return title, "\n".join(lines)
