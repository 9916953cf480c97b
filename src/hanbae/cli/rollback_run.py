"""One invocation of ``hanbae rollback``: what is planned, shown, asked, done and shown in the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import click
import msgspec

from hanbae import errors, wording, workspaces
from hanbae.actions import rollback
from hanbae.cli import deploy_run, deployment_views, options, outputs
from hanbae.cli.text import catalogue, rollback_markdown, wrapping
from hanbae.deploying import preflight
from hanbae.repository import reverting
from hanbae.results import deployments, rollbacks

_FAILED: Final = 1
_SHORT: Final = 12


@dataclass(frozen=True)
class Wishes:
    """What is to go back, and how.

    Attributes:
        service: The service.
        environment: The environment.
        revision: The commit to go back to; empty for the last one that succeeded before.
        why: Why, for whoever is refused by the hold; empty for a sentence that says where it went back to.
        loses: Data may be lost.
        dry: Show the plan and change nothing.
        yes: Do not ask.
        waives: Why it is done although the policy freezes the environment.
    """

    service: str
    environment: str
    revision: str = ""
    why: str = ""
    loses: bool = False
    dry: bool = False
    yes: bool = False
    waives: str = ""


class Run:
    """One invocation.

    Args:
        session: How to speak to the person.
        space: The workspace.
        output: The format of the data: ``text`` or ``json``.
        wishes: What is to go back, and how.
    """

    def __init__(
        self, session: options.Session, space: workspaces.Workspace, output: str, wishes: Wishes
    ) -> None:
        self._session = session
        self._speaker = session.narration
        self._space = space
        self._output = output
        self._wishes = wishes
        self._driven: deploy_run.Run | None = None

    async def through(self) -> int:
        """Plan, show, ask, do; the exit code.

        Raises:
            hanbae.errors.Refused: It cannot go back so far, data would be lost, or the answer is no.
        """
        planned = await self._planned()
        going_back = planned.rollback
        self._show_plan(going_back)
        if self._wishes.dry:
            self._emit(going_back)
            return 0
        self._refuse_losses(going_back)
        self._ask(going_back)
        why = self._wishes.why or self._sentence("rollback.hold-why", going_back)
        # Held before anything goes back, so that nobody deploys the present commit again meanwhile.
        is_held = await rollback.keep_away(self._space, going_back, why)
        going_back = msgspec.structs.replace(going_back, held=True)
        code, ended = await self._driven_through(planned)
        if ended is not None:
            going_back = msgspec.structs.replace(going_back, deployment=ended)
            # Refused means that nothing was changed, so our own hold is lifted, but not one that
            # was there before. After any other outcome databases may have gone back, and the hold
            # keeps the newer code away.
            if ended.outcome == "refused" and is_held:
                await rollback.let_go(self._space, going_back)
                going_back = msgspec.structs.replace(going_back, held=False)
        if code == 0:
            going_back = await self.returned(going_back)
        self._emit(going_back)
        return code

    async def foreseen(self, head: str, base: str) -> int:
        """Whether a commit could be gone back from; the exit code.

        Args:
            head: Any name that git has for the commit.
            base: Likewise of what it would be gone back to; empty for the head of the environment's branch.
        """
        wishes = self._wishes
        going_back = await rollback.foresee(
            self._space, wishes.service, wishes.environment, head=head, base=base
        )
        self._show_plan(going_back)
        self._emit(going_back)
        for text in going_back.boundaries:
            self._speaker.fail(text)
        if going_back.boundaries:
            return _FAILED
        self._speaker.succeed(wording.Text("rollback.possible", _facts(going_back)))
        return 0

    def detached(self) -> None:
        """The person went away: say what goes on without them."""
        if self._driven is not None:
            self._driven.detached()

    async def _planned(self) -> rollback.Planned:
        """The plan; why there is none is told in full before the error."""
        wishes = self._wishes
        self._space.refuse_unknown((wishes.service,), wishes.environment)
        self._speaker.step(wording.Text("rollback.preparing", {"environment": wishes.environment}))
        try:
            return await rollback.plan(
                self._space,
                wishes.service,
                wishes.environment,
                revision=wishes.revision,
                waives=wishes.waives,
                variables=os.environ,
            )
        except preflight.KnownToFail as refusal:
            for reason in refusal.reasons[1:]:  # the first one is the error's own
                self._speaker.fail(reason)
            self._speaker.note(wording.Text("preflight.nothing-changed"))
            raise

    def _show_plan(self, going_back: rollbacks.Rollback) -> None:
        if self._output == "markdown":
            return
        for depth, text in plan_lines(going_back):
            room = "  " * depth
            sentence = catalogue.sentence(text)
            # With --dry-run the plan is the result and goes to stdout; otherwise it belongs to the question.
            if self._output == "text" and self._wishes.dry:
                outputs.emit_text(sentence, head=room, indent=f"{room}  ")
                continue
            width = self._speaker.width
            for line in wrapping.paragraph(sentence, width, head=room, indent=f"{room}  "):
                self._speaker.line(line)

    def _refuse_losses(self, going_back: rollbacks.Rollback) -> None:
        """Refuse what nobody has agreed to lose.

        Raises:
            hanbae.errors.Refused: Data would be lost.
        """
        losing = [
            entry.name
            for entry in going_back.databases
            if any(not loss.is_past for loss in entry.losses)
        ]
        if losing and not self._wishes.loses:
            facts = _facts(going_back) | {"databases": ", ".join(losing)}
            raise errors.Refused("rollback.loses-data", place=None, **facts)

    def _ask(self, going_back: rollbacks.Rollback) -> None:
        """Ask whether it is to go back.

        Raises:
            hanbae.errors.Refused: The answer is no, or there is nobody to ask.
        """
        if self._wishes.yes:
            return
        facts = _facts(going_back)
        if not (self._speaker.terminal and sys.stdin.isatty()):
            raise errors.Refused("rollback.needs-yes", place=None, **facts)
        if not click.confirm(self._sentence("rollback.ask", going_back), default=False, err=True):
            raise errors.Refused("rollback.declined", place=None, **facts)

    async def _driven_through(
        self, planned: rollback.Planned
    ) -> tuple[int, deployments.Deployment | None]:
        """Have the deployment done; none where only git has to be reverted."""
        prepared = planned.prepared
        if not prepared.plans:
            return 0, None
        # Without another question: `_ask` has asked for the rollback as a whole.
        wishes = deploy_run.Wishes(
            (self._wishes.service,),
            self._wishes.environment,
            yes=True,
            waives=self._wishes.waives,
        )
        run = deploy_run.Run(self._session, self._space, self._output, wishes)
        run.say_left_out(prepared)
        self._driven = run
        ended, broken = await run.followed(prepared)
        if self._output == "text":
            run.show(prepared, ended)
        if broken is not None:
            self._speaker.error(catalogue.fault(broken))
            return _FAILED, None
        return deployment_views.exit_code([entry.outcome for entry in ended]), ended[-1]

    async def returned(self, going_back: rollbacks.Rollback) -> rollbacks.Rollback:
        """What git has to do with it: it still points forward, or a commit is written that takes it back."""
        if going_back.route == "deploy":
            branch = self._space.environment(going_back.environment).branch or ""
            facts = _facts(going_back) | {"branch": branch}
            self._speaker.note(wording.Text("rollback.git-points-forward", facts))
            return going_back
        reverted = await rollback.revert(self._space, going_back)
        going_back = msgspec.structs.replace(
            going_back, branch=reverted.branch, commit=reverted.commit, files=reverted.files
        )
        if not (reverted.branch and going_back.offers):
            self._say_reverted(going_back, reverted)
            return going_back
        return await self._offered(going_back, reverted)

    async def _offered(
        self, going_back: rollbacks.Rollback, reverted: reverting.Reverted
    ) -> rollbacks.Rollback:
        """Bring the commit to the forge; where that fails it is still here, for a person to push."""
        title, body = rollback_markdown.words(going_back, plan_lines(going_back))
        try:
            request = await rollback.offer(
                self._space, going_back, reverted, title=title, body=body, variables=os.environ
            )
        except errors.Error:
            self._say_reverted(going_back, reverted)
            raise
        if request is None:  # the login is gone since the plan was made
            self._say_reverted(going_back, reverted)
            return going_back
        facts = self._reverted_facts(going_back, reverted) | {
            "number": str(request.number),
            "url": request.url,
        }
        self._speaker.succeed(wording.Text("rollback.offered", facts))
        return msgspec.structs.replace(going_back, request=request)

    def _say_reverted(self, going_back: rollbacks.Rollback, reverted: reverting.Reverted) -> None:
        text_id = "rollback.reverted" if reverted.branch else "rollback.git-is-back"
        self._speaker.succeed(wording.Text(text_id, self._reverted_facts(going_back, reverted)))

    def _reverted_facts(
        self, going_back: rollbacks.Rollback, reverted: reverting.Reverted
    ) -> dict[str, str]:
        target = self._space.environment(going_back.environment).branch or ""
        return _facts(going_back) | {
            "branch": reverted.branch,
            "target": target,
            "remote": self._space.policy.argocd.remote,
            "files": str(len(reverted.files)),
        }

    def _emit(self, going_back: rollbacks.Rollback) -> None:
        if self._output == "json":
            outputs.emit_json(going_back)
        elif self._output == "markdown":
            outputs.emit(rollback_markdown.plan(going_back, plan_lines(going_back)))

    def _sentence(self, text_id: str, going_back: rollbacks.Rollback) -> str:
        return catalogue.sentence(wording.Text(text_id, _facts(going_back)))


def plan_lines(going_back: rollbacks.Rollback) -> Iterator[tuple[int, wording.Text]]:
    """What is going to happen, in order, each with how far it is set in."""
    facts = _facts(going_back)
    yield (
        0,
        wording.Text("rollback.foresight" if going_back.is_foresight else "rollback.plan", facts),
    )
    for database in going_back.databases:
        about = facts | {"database": database.name, "version": str(database.version)}
        yield 1, wording.Text("rollback.plan-database", about)
        for migration in database.takes_back:
            name = migration.file.rpartition("/")[2]
            text_id = "rollback.plan-file" if migration.transaction else "rollback.plan-bare"
            yield 2, wording.Text(text_id, {"file": name})
        for loss in database.losses:
            text_id = "rollback.plan-lost" if loss.is_past else "rollback.plan-loss"
            place = f"{loss.file}:{loss.line}"
            yield 2, wording.Text(text_id, {"place": place, "words": loss.words})
    for text in going_back.boundaries:
        yield 1, text
    if not going_back.databases and not going_back.boundaries:
        yield 1, wording.Text("rollback.plan-no-database", facts)
    elif going_back.is_foresight:
        return
    elif going_back.route == "deploy":
        yield 1, wording.Text("rollback.plan-meanwhile", facts)
    else:
        yield 1, wording.Text("rollback.plan-until-merged", facts)
    if going_back.is_foresight:
        return
    reverts = "rollback.plan-offer" if going_back.offers else "rollback.plan-revert"
    route = "rollback.plan-deploy" if going_back.route == "deploy" else reverts
    yield 1, wording.Text(route, facts)


def _facts(going_back: rollbacks.Rollback) -> dict[str, str]:
    return {
        "service": going_back.service,
        "environment": going_back.environment,
        "present": going_back.present[:_SHORT],
        "revision": going_back.revision[:_SHORT],
    }
