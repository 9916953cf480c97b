"""The question before a deployment: what would change, and whether it is to go on.

It is asked where a person can answer: at a terminal, with no saved plan that was approved elsewhere, and in
environments that Argo CD does not sync by itself, because there what was pushed is deployed anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Final

from hanbae import errors, wording

if TYPE_CHECKING:
    from hanbae import workspaces
    from hanbae.cli import options
    from hanbae.deploying import preparing

_YES: Final = frozenset({"y", "yes", "예", "네"})


async def approve(
    session: options.Session,
    space: workspaces.Workspace,
    prepared: preparing.Prepared,
    environment: str,
    *,
    forced: bool = False,
) -> None:
    """Show what a run would change, and ask.

    Args:
        session: How to speak to the person.
        space: The workspace.
        prepared: The run.
        environment: The environment.
        forced: Whether the run goes on although it is known to fail; then the reasons are shown with the rest.

    Raises:
        hanbae.errors.Refused: The answer is not yes.
        asyncio.CancelledError: Ctrl-C instead of an answer; nothing was changed, and that is said.
    """
    from hanbae.actions import plan_live
    from hanbae.cli.reports import plan_terminal

    speaker = session.narration
    try:
        previews = await plan_live.of_sources(
            space, tuple(prepared.sources.values()), environment, checks=forced
        )
    except errors.Forbidden as error:
        # Whoever may deploy need not be allowed to compare.
        speaker.warn(error.text)
        previews = ()
    # The terminal is where the question is: standard output may be a file, for the result.
    with contextlib.redirect_stdout(speaker.stream):
        plan_terminal.live(previews)
    for past in prepared.resumed.values():
        speaker.note(past.half_done)
    facts = {
        "services": ", ".join(prepared.services),
        "environment": environment,
        "revision": prepared.revision[:12],
    }
    speaker.ask(wording.Text("deploy.ask", facts))
    try:
        answer = await _line()
    except asyncio.CancelledError:
        speaker.line("")
        speaker.note(wording.Text("deploy.unanswered"))
        raise
    if not answer.endswith("\n"):  # the end of the input: the cursor is still behind the question
        speaker.line("")
    if answer.strip().casefold() not in _YES:
        raise errors.Refused("deploy.declined", place=None, **facts)


async def _line() -> str:
    """A line that is typed; empty at the end of the input. Ctrl-C ends the waiting, as it would not in a thread."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def read() -> None:
        if not ready.done():
            # A terminal in its usual mode becomes readable with a whole line, so this does not block.
            ready.set_result(sys.stdin.readline())

    # epoll refuses ordinary files; `deploy_run.Run._is_asked` lets only a terminal come here.
    loop.add_reader(sys.stdin, read)
    try:
        answer: str = await ready
    finally:
        loop.remove_reader(sys.stdin)
    return answer
