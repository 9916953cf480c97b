"""``hanbae secrets``: values that only the cluster can read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from hanbae import errors, wording
from hanbae.cli import names, options

if TYPE_CHECKING:
    from hanbae.cli.text import narration
    from hanbae.results import secrets


_WIDEST_KEY: Final = 44
"""Cells up to which the columns before a state are left free below them."""
_SHORT: Final = len("sha256:") + 16
"""Letters of a fingerprint that are enough to compare lines by eye; JSON has all of them."""


@click.group(cls=options.Group, help="Seal secrets, and see what is sealed where.")
def command() -> None:
    """Group the commands for secrets."""


@command.command(
    "seal",
    help="""\
Seal values for a service in one environment and write them into its values file.

The values come from standard input, from an env file, or are asked for without showing them;
never from the command line. Only these keys change in the file, and nothing is committed.""",
    epilog="""\
Examples:
  hanbae secrets seal auth DATABASE_URL JWT_SECRET --env dev
  pass show shop/auth-db | hanbae secrets seal auth DATABASE_URL --env staging --stdin
  hanbae secrets seal auth --env production --from-env-file /dev/shm/auth.env
  hanbae secrets seal auth --env production --same-as staging
  hanbae secrets seal auth JWT_SECRET --env production --certificate production.pem""",
)
@click.argument("service", shell_complete=names.services)
@click.argument("keys", nargs=-1, metavar="KEY...")
@options.environment()
@click.option(
    "--from-env-file",
    "env_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take the values from KEY=value lines of a file; all of them if no KEY is named.",
)
@click.option(
    "--stdin",
    is_flag=True,
    help="Read standard input: the value itself for one KEY, KEY=value lines for several.",
)
@click.option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Certificate of the environment's controller (PEM), to seal without reaching the cluster.",
)
@click.option(
    "--accept-certificate",
    is_flag=True,
    help="Take a certificate that differs from the one remembered in the values file.",
)
@click.option(
    "--unverified-cluster",
    is_flag=True,
    help="Take the certificate over plain HTTP, or without verifying the cluster's TLS.",
)
@click.option("--allow-empty", is_flag=True, help="Seal empty values too.")
@click.option(
    "--binary",
    is_flag=True,
    help="The values are mounted as files: any bytes, and no limit of environment variables.",
)
@click.option(
    "--same-as",
    "same_as",
    metavar="ENV",
    shell_complete=names.environments,
    help="Seal the keys that ENV has and this environment lacks; their values are asked for.",
)
@options.context()
@options.output("text", "json")
@options.session
def seal(
    session: options.Session,
    *,
    service: str,
    keys: tuple[str, ...],
    environment: str,
    env_file: Path | None,
    stdin: bool,
    certificate: Path | None,
    accept_certificate: bool,
    unverified_cluster: bool,
    allow_empty: bool,
    binary: bool,
    same_as: str | None,
    kube_context: str | None,
    output: str,
) -> None:
    """Seal values."""
    import asyncio

    from hanbae.actions import seal as sealing
    from hanbae.cli import outputs, secret_inputs

    if "=" in service:  # no folder is called so; it is a value whose service was forgotten
        secret_inputs.refuse_typed(service)
    if same_as is not None:
        keys = _lacking(session, service, environment, same_as, keys)
        if not keys:
            facts = {"environment": environment, "other": same_as}
            session.narration.done(wording.Text("seal.lacks-nothing", facts))
            return
    plaintexts = secret_inputs.gather(
        keys, env_file=env_file, stdin=stdin, speaker=session.narration
    )
    try:
        sealed = asyncio.run(
            sealing.seal(
                session.directory,
                service,
                environment,
                plaintexts,
                certificate=secret_inputs.read(certificate) if certificate else None,
                certificate_source=str(certificate or ""),
                context=kube_context,
                accept_certificate=accept_certificate,
                unverified_cluster=unverified_cluster,
                allow_empty=allow_empty,
                binary=binary,
            )
        )
    except errors.Unreachable:
        if certificate is None:
            session.narration.note(wording.Text("seal.offline-hint"))
        raise
    if output == "json":
        outputs.emit_json(sealed)
    else:
        for key in sealed.keys:
            outputs.emit(key)
    _narrate(session.narration, sealed)


def _lacking(
    session: options.Session,
    service: str,
    environment: str,
    other: str,
    keys: tuple[str, ...],
) -> tuple[str, ...]:
    """The keys that are sealed in the other environment and not in this one."""
    from hanbae.actions import list_secrets

    if keys:
        raise errors.WrongUse("seal.same-as-with-keys")

    def sealed(name: str) -> list[str]:
        rows = list_secrets.list_secrets(session.directory, (service,), environment=name)
        return [row.key for row in rows if row.state == "sealed"]

    present, wanted_keys = sealed(environment), sealed(other)
    if not wanted_keys:
        list_secrets.refuse_nothing_sealed(session.directory, service, other)
    return tuple(key for key in wanted_keys if key not in present)


def _narrate(speaker: narration.Narration, sealed: secrets.Sealed) -> None:
    certificate = {
        "environment": sealed.environment,
        "certificate": sealed.certificate,
        "source": sealed.source,
    }
    if sealed.first_use:
        speaker.note(wording.Text("seal.first-use", certificate))
    if sealed.renewed:
        speaker.note(wording.Text("seal.renewed", certificate))
    if sealed.outdated:
        keys = {"keys": ", ".join(sealed.outdated), "environment": sealed.environment}
        speaker.note(wording.Text("seal.outdated", keys))
    facts = {
        "count": str(len(sealed.keys)),
        "service": sealed.service,
        "environment": sealed.environment,
        "file": sealed.file,
        "secret": sealed.secret,
    }
    speaker.done(wording.Text("seal.done", facts))


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
    keys = _keys(session, services, environment, broken)
    if broken and not keys:
        raise broken[0]
    _show(keys, output)
    session.narration.faults(broken)
    return 2 if broken else 0


@command.command(
    "verify",
    help="""\
Check that every key that is needed is sealed, and that every sealed value is well formed.

This needs no cluster; whether the controller can open a value shows when it is deployed.""",
    epilog="""\
Examples:
  hanbae secrets verify
  hanbae secrets verify auth --env production""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@options.environment(required=False)
@options.output("text", "json")
@options.session
def verify(
    session: options.Session, *, services: tuple[str, ...], environment: str | None, output: str
) -> int:
    """Check keys; 1 if one of them is not as it should be."""
    broken: list[errors.FileFault] = []
    keys = _keys(session, services, environment, broken)
    if broken and not keys:
        raise broken[0]
    bad = [key for key in keys if key.state not in ("sealed", "made")]
    _show(bad if output == "text" else keys, output)
    session.narration.faults(broken)
    if bad:
        session.narration.fail(wording.Text("seal.verified-bad", {"count": str(len(bad))}))
        for cure in _cures(bad):
            session.narration.note(cure)
    if bad or broken:
        return 2 if broken else 1
    session.narration.done(wording.Text("seal.verified", {"count": str(len(keys))}))
    return 0


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
        if key.needed_by == "pods":
            continue  # who makes it is not for hanbae to say
        wrong.setdefault((key.service, key.environment), []).append(key.key)
    for (service, environment), keys in wrong.items():
        facts = {"service": service, "environment": environment, "keys": shlex.join(keys)}
        yield wording.Text("seal.verified-cure", facts)


def _called(key: secrets.SealedKey) -> str:
    """A key, with the Secret in front where that is not listed by what is sealed in values."""
    return f"{key.secret}/{key.key}" if key.needed_by == "pods" else key.key


def _state(key: secrets.SealedKey) -> wording.Text:
    place = {"place": str(key.place)} if key.place else {"place": ""}
    if key.fault is not None:
        return key.fault
    if key.needed_by == "pods":
        facts = {"objects": ", ".join(key.read_by), "maker": key.maker}
        if key.state == "missing":
            text_id = "seal.state-lacking" if key.maker else "seal.state-unmade"
            return wording.Text(text_id, facts)
        return wording.Text("seal.state-made", facts)
    if key.state == "sealed":
        pin = key.certificate[:_SHORT] or "-"
        return wording.Text("seal.state-sealed", {"bits": str(key.bits), "certificate": pin})
    if key.needed_by == "migration":
        return wording.Text("seal.state-missing-migration", place)
    return wording.Text("seal.state-missing-elsewhere", place)
