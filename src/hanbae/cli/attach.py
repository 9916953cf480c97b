"""``hanbae attach``: a deployment that goes on somewhere, or that nobody drives any more."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from hanbae import loops, wording
from hanbae.cli import deployment_views, interrupts, names, notices, options, outputs

if TYPE_CHECKING:
    from hanbae import workspaces
    from hanbae.results import deployments


@click.command(
    cls=options.Command,
    help="""\
Follow a deployment to its end, and go on with it where nobody does.

With SERVICE and --env, the one that runs there now. ID may be shortened where this machine's history has it; one of
another machine is found in the cluster by its whole id.""",
    epilog="""\
Examples:
  hanbae attach auth --env staging
  hanbae attach 20261123-101500-4f7k2m
  hanbae attach 20261123-101500-4f7k2m --env staging --output jsonl""",
)
@click.argument("deployment", metavar="ID|SERVICE", shell_complete=names.services)
@options.environment(required=False)
@options.output("text", "json", "jsonl")
@options.context()
@options.session
def command(
    session: options.Session,
    *,
    deployment: str,
    environment: str | None,
    output: str,
    kube_context: str | None,
) -> int:
    """Follow, and go on."""
    followed = follow(session, deployment, environment, output, kube_context, stops=False)
    if followed.interrupted:
        return followed.interrupted
    return deployment_views.exit_code([followed.outcome])


@dataclass(frozen=True)
class Followed:
    """How following a deployment ended.

    Attributes:
        outcome: The deployment's outcome; ``running`` where it goes on.
        interrupted: The exit code where Ctrl-C or SIGTERM ended the following; else 0.
    """

    outcome: deployments.Outcome
    interrupted: int = 0


def follow(
    session: options.Session,
    deployment: str,
    environment: str | None,
    output: str,
    context: str | None,
    *,
    stops: bool,
    may_have_ended: bool = False,
    service: str | None = None,
) -> Followed:
    """Show a deployment to its end, and end it if `stops`; where it is not known here it must be the service's.

    Raises:
        hanbae.errors.Refused: It was to be ended and has ended by itself, unless it `may_have_ended`.
    """
    from hanbae import errors, workspaces

    with (
        workspaces.opened(session.directory, context=context) as opened,
        notices.telling(session, opened) as space,
    ):
        follower = _Follower(session, space, output)
        try:
            with interrupts.terminable() as terminated:
                loops.run(follower.follow(deployment, environment, stops=stops, service=service))
        except errors.Refused as error:
            if not may_have_ended or error.text.id != "stop.ended":
                raise
            follower.deployment = error.text.facts["deployment"]
        except KeyboardInterrupt:
            follower.conclude()
            if follower.deployment:
                facts = {"deployment": follower.deployment}
                session.narration.warn(wording.Text("attach.detached", facts))
            if output == "json":
                begun = [space.store.deployment(follower.deployment)] if follower.deployment else []
                outputs.emit_json({"deployments": begun})
            code = interrupts.TERMINATED if terminated else interrupts.INTERRUPTED
            return Followed("running", code)
        ended = space.store.deployment(follower.deployment)
        if output == "json":
            outputs.emit_json({"deployments": [ended]})
        elif output == "text":
            from hanbae.cli.text import tables

            outputs.emit(tables.deployed([ended]))
        follower.conclude()
        return Followed(ended.outcome)


class _Follower:
    """Shows the events of one deployment.

    Attributes:
        deployment: The whole id, once its first event was shown; empty before.
    """

    def __init__(self, session: options.Session, space: workspaces.Workspace, output: str) -> None:
        self.deployment = ""
        self._space = space
        self._output = output
        self._viewer = deployment_views.viewer(session, output)

    def conclude(self) -> None:
        """Say how it has ended, below the table."""
        self._viewer.conclude()

    async def follow(
        self, deployment: str, environment: str | None, *, stops: bool, service: str | None
    ) -> None:
        from hanbae.deploying import attaching

        if not stops:
            # `hanbae stop` has settled before which deployment it is, and has asked about that one.
            name = deployment
            deployment = await _of_service(self._space, name, environment)
            service = name if name != deployment else None
        stream = attaching.attached(
            self._space, deployment, environment=environment, service=service, stops=stops
        )
        with self._viewer as viewer:
            async with contextlib.aclosing(stream):
                async for event in stream:
                    self.deployment = event.deployment
                    if self._output == "jsonl":
                        outputs.emit_jsonl(event)
                    viewer.event(event)


async def _of_service(space: workspaces.Workspace, name: str, environment: str | None) -> str:
    """The deployment that runs for a service; an id stays what it is.

    Raises:
        hanbae.errors.WrongUse: A service without an environment.
        hanbae.errors.Refused: Nothing of hanbae's runs for it there.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    from hanbae import errors
    from hanbae.deploying import claiming, resuming
    from hanbae.repository import services

    if name not in services.of_checkout(space.loaded):
        return name
    if environment is None:
        raise errors.WrongUse("attach.no-environment", service=name)
    space.environment(environment)
    for newest in space.store.deployments(service=name, environment=environment, limit=1):
        if newest.outcome == "running":
            return newest.id
    # A deployment that another machine has begun is not in this history; the Lease has its id.
    async with space.clusters(environment) as clusters:
        lease = await claiming.lease(space.policy, clusters.workload, name, environment)
    deployment = lease and resuming.left_open(space, lease, name, environment)
    if not deployment:
        raise errors.Refused("attach.nothing-runs", service=name, environment=environment)
    return deployment
