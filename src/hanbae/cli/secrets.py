"""``hanbae secrets``: values that only the cluster can read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from hanbae import errors, loops, wording
from hanbae.cli import (
    importing,
    names,
    needed_keys,
    nothing,
    options,
    resealing,
    sealing,
    secret_reports,
    unreached,
)

if TYPE_CHECKING:
    from hanbae.actions import verify_secrets
    from hanbae.results import secrets


@click.group(cls=options.Group, help="Seal secrets, and see what is sealed where.")
def command() -> None:
    """Group the commands for secrets."""


command.add_command(sealing.seal)
command.add_command(importing.import_)
command.add_command(resealing.reseal)
command.add_command(secret_reports.report)
command.add_command(secret_reports.backup)


@command.command(
    "list",
    help="Show which keys are sealed in which environment, and which are needed but missing.",
    epilog="""\
Examples:
  hanbae secrets list
  hanbae secrets list auth --env production --output json""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@options.environment(required=False)
@options.output("text", "json")
@options.session
def list_(
    session: options.Session, *, services: tuple[str, ...], environment: str | None, output: str
) -> int:
    """List keys; 2 if a service cannot be read."""
    broken: list[errors.FileFault] = []
    needed_keys.show(session, services, environment, broken, output)
    return 2 if broken else 0


@command.command(
    "verify",
    help="""\
Check that every key that is needed is sealed, and that every sealed value can be opened.

Without --live this needs no cluster: it looks at the form of the values only.
With --live each environment's controller is asked whether it opens what is rendered, and a refusal is explained.
Exit code 4 where an environment cannot be reached, 5 where hanbae would not ask it; the others are verified all the
same.""",
    epilog="""\
Examples:
  hanbae secrets verify
  hanbae secrets verify auth --env production
  hanbae secrets verify --live --env production""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@options.environment(required=False)
@click.option(
    "--live", is_flag=True, help="Ask each environment's controller whether it opens the values."
)
@resealing.rate
@resealing.unverified
@options.context()
@options.output("text", "json")
@options.session
def verify(
    session: options.Session,
    *,
    services: tuple[str, ...],
    environment: str | None,
    live: bool,
    rate: float,
    unverified_cluster: bool,
    kube_context: str | None,
    output: str,
) -> int:
    """Check keys; 1 if one of them is not as it should be."""
    if kube_context is not None and not live:
        raise errors.WrongUse("check.context-without-live")
    broken: list[errors.FileFault] = []
    keys = needed_keys.read(session, services, environment, broken)
    answers = None
    if live:
        keys, answers = _with_answers(
            session,
            keys,
            services,
            environment=environment,
            context=kube_context,
            unverified_cluster=unverified_cluster,
            per_second=rate,
        )
    if broken and not keys:
        raise broken[0]
    bad = [key for key in keys if key.state not in ("sealed", "opened", "made", "fetched")]
    unread = answers.unreached if answers is not None else ()
    needed_keys.table(bad if output == "text" else keys, output, unreached=unread, broken=broken)
    session.narration.faults(broken)
    code = unreached.tell(session, unread)
    if code and answers is not None and answers.all_refused:
        code = errors.Refused.exit_code
    code = max(2 if broken else 0, 1 if bad else 0, code)
    if bad:
        session.narration.fail(wording.Text("seal.verified-bad", {"count": str(len(bad))}))
        for cure in _cures(bad):
            session.narration.note(cure)
    if answers is not None:
        code = max(code, _tell_of_old(session, answers.old))
    if code:
        return code
    if not keys:
        nothing.tell(session, "seal.no-keys")
        return 0
    text_id = "seal.verified-live" if live else "seal.verified"
    opened = sum(key.state in ("opened", "fetched") for key in keys)
    facts = {"count": str(len(keys)), "opened": str(opened)}
    session.narration.succeed(wording.Text(text_id, facts))
    return 0


def _tell_of_old(session: options.Session, old: Mapping[str, str]) -> int:
    """Name the controllers that are too old; the exit code."""
    from hanbae.sealing import versions

    for name, image in old.items():
        facts = {"environment": name, "image": image, "version": versions.SAFE}
        session.narration.fail(wording.Text("seal.controller-old", facts))
    return 1 if old else 0


def _with_answers(
    session: options.Session,
    keys: tuple[secrets.SealedKey, ...],
    services: tuple[str, ...],
    *,
    environment: str | None,
    context: str | None,
    unverified_cluster: bool,
    per_second: float,
) -> tuple[tuple[secrets.SealedKey, ...], verify_secrets.Answers]:
    """The keys with what the controllers say of them, and all that they say.

    What does not render is told with the keys themselves.
    """
    from hanbae.actions import list_needed, verify_secrets
    from hanbae.repository import services as repository_services

    async def ask() -> verify_secrets.Answers:
        rendered = await list_needed.render(
            session.directory, services, environment=environment, broken=[]
        )
        return await verify_secrets.verify(
            rendered,
            loaded,
            services,
            environment=environment,
            context=context,
            unverified_cluster=unverified_cluster,
            per_second=per_second,
        )

    loaded = repository_services.opened(session.directory)
    answers = loops.run(ask())
    return verify_secrets.joined(keys, answers.keys, loaded), answers


def _cures(bad: Sequence[secrets.SealedKey]) -> Iterator[wording.Text]:
    """The command that seals what is missing or malformed, for each service and environment."""
    wrong: dict[tuple[str, str], list[str]] = {}
    for key in bad:
        if key.needed_by == "pods" or key.place is None:
            continue  # who makes it is not for hanbae to say
        wrong.setdefault((key.service, key.environment), []).append(key.key)
    for (service, environment), keys in wrong.items():
        facts = {"service": service, "environment": environment, "keys": shlex.join(keys)}
        yield wording.Text("seal.verified-cure", facts)
