"""``hanbae secrets``: values that only the cluster can read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import click

from hanbae import errors, wording
from hanbae.cli import importing, names, nothing, options, resealing, sealing, secret_reports

if TYPE_CHECKING:
    from hanbae.results import secrets


_WIDEST_KEY: Final = 44
"""Cells up to which the columns before a state are left free below them."""
_SHORT: Final = len("sha256:") + 16
"""Letters of a fingerprint that are enough to compare lines by eye; JSON has all of them."""


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
    show_needed(session, services, environment, broken, output)
    return 2 if broken else 0


def show_needed(
    session: options.Session,
    services: tuple[str, ...],
    environment: str | None,
    broken: list[errors.FileFault],
    output: str,
) -> None:
    """Show the keys that are sealed, referred to and needed; `broken` takes the faults of what cannot be read.

    Raises:
        errors.FileFault: Nothing can be read.
    """
    keys = _keys(session, services, environment, broken)
    if broken and not keys:
        raise broken[0]
    _show(keys, output)
    session.narration.faults(broken)
    if not keys:
        nothing.tell(session, "seal.no-keys")


@command.command(
    "verify",
    help="""\
Check that every key that is needed is sealed, and that every sealed value can be opened.

Without --live this needs no cluster: it looks at the form of the values only.
With --live each environment's controller is asked whether it opens what is rendered, and a refusal is explained.""",
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
    from hanbae.sealing import versions

    if kube_context is not None and not live:
        raise errors.WrongUse("check.context-without-live")
    broken: list[errors.FileFault] = []
    keys = _keys(session, services, environment, broken)
    old: Mapping[str, str] = {}
    if live:
        keys, old = _with_answers(
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
    _show(bad if output == "text" else keys, output)
    session.narration.faults(broken)
    if bad:
        session.narration.fail(wording.Text("seal.verified-bad", {"count": str(len(bad))}))
        for cure in _cures(bad):
            session.narration.note(cure)
    for name, image in old.items():
        facts = {"environment": name, "image": image, "version": versions.SAFE}
        session.narration.fail(wording.Text("seal.controller-old", facts))
    if bad or broken or old:
        return 2 if broken else 1
    if not keys:
        nothing.tell(session, "seal.no-keys")
        return 0
    text_id = "seal.verified-live" if live else "seal.verified"
    opened = sum(key.state in ("opened", "fetched") for key in keys)
    facts = {"count": str(len(keys)), "opened": str(opened)}
    session.narration.done(wording.Text(text_id, facts))
    return 0


def _with_answers(
    session: options.Session,
    keys: tuple[secrets.SealedKey, ...],
    services: tuple[str, ...],
    *,
    environment: str | None,
    context: str | None,
    unverified_cluster: bool,
    per_second: float,
) -> tuple[tuple[secrets.SealedKey, ...], Mapping[str, str]]:
    """The keys with what the controllers say of them, and those that are too old.

    What does not render is told with the keys themselves.
    """
    import asyncio

    from hanbae.actions import list_needed, verify_secrets
    from hanbae.repository import services as present

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

    loaded = present.opened(session.directory)
    answers = asyncio.run(ask())
    return verify_secrets.joined(keys, answers.keys, loaded), answers.old


def _keys(
    session: options.Session,
    services: tuple[str, ...],
    environment: str | None,
    broken: list[errors.FileFault],
) -> tuple[secrets.SealedKey, ...]:
    """What values have sealed, and what the pods of rendered releases read."""
    import asyncio

    from hanbae.actions import list_needed, list_secrets
    from hanbae.repository import services as present

    sealed = list_secrets.list_secrets(
        session.directory, services, environment=environment, broken=broken
    )
    loaded = present.opened(session.directory)
    # A value that cannot be a sealed one is in the list already; that the chart refuses it too says nothing new.
    malformed = {key.service for key in sealed if key.state == "malformed"}
    needed = asyncio.run(
        list_needed.list_needed(
            session.directory, services, environment=environment, broken=broken, quiet=malformed
        )
    )
    return list_needed.joined(sealed, needed, loaded)


def _show(keys: Sequence[secrets.SealedKey], output: str) -> None:
    from hanbae.cli import outputs
    from hanbae.cli.text import catalogue, wrapping

    if output == "json":
        outputs.emit_json({"keys": keys})
        return
    rows = [
        [catalogue.printable(text) for text in (key.service, key.environment, _called(key))]
        for key in keys
    ]
    widths = [max(map(wrapping.cells, column)) for column in zip(*rows, strict=True)]
    for key, row in zip(keys, rows, strict=True):
        columns = [wrapping.pad(cell, width) for cell, width in zip(row, widths, strict=True)]
        head = "  ".join([*columns, ""])
        # The sentence stays in its column where that leaves it room.
        indent = wrapping.cells(head) if wrapping.cells(head) <= _WIDEST_KEY else 4
        outputs.emit_text(catalogue.sentence(_state(key)), head=head, indent=" " * indent)
    origins = {(key.certificate, key.environment): key.source for key in keys if key.source}
    for (certificate, environment), source in origins.items():
        facts = {"certificate": certificate, "environment": environment, "source": source}
        outputs.emit_text(catalogue.sentence(wording.Text("seal.certificate-from", facts)))


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


def _called(key: secrets.SealedKey) -> str:
    """A key, with the Secret in front where that is not listed by what is sealed in values."""
    listed_by_values = key.needed_by != "pods" and key.place is not None
    return key.key if listed_by_values else f"{key.secret}/{key.key}"


def _state(key: secrets.SealedKey) -> wording.Text:
    place = {"place": str(key.place)} if key.place else {"place": ""}
    if key.fault is not None:
        return key.fault
    if key.needed_by == "pods":
        return _made(key)
    if key.state in ("sealed", "opened"):
        text_id = "seal.state-opened" if key.state == "opened" else "seal.state-sealed"
        pin = key.certificate[:_SHORT] or "-"
        return wording.Text(text_id, {"bits": str(key.bits), "certificate": pin})
    if key.needed_by == "migration":
        return wording.Text("seal.state-missing-migration", place)
    return wording.Text("seal.state-missing-elsewhere", place)


def _made(key: secrets.SealedKey) -> wording.Text:
    """The state of a key that is in no values file."""
    facts = {"objects": ", ".join(key.read_by) or "-", "maker": key.maker}
    if key.state == "missing":
        return wording.Text("seal.state-lacking" if key.maker else "seal.state-unmade", facts)
    if key.reference:
        text_id = "seal.state-fetched" if key.state == "fetched" else "seal.state-referred"
        return wording.Text(text_id, facts | {"reference": key.reference})
    return wording.Text("seal.state-made", facts)
