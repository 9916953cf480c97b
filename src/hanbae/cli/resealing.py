"""``hanbae secrets reseal``: what is sealed already, for the controller's newest key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hanbae import errors, loops, wording
from hanbae.cli import names, options

if TYPE_CHECKING:
    from hanbae.planning import sealed_files
    from hanbae.results import secrets
    from hanbae.sealing import backups

accept = click.option(
    "--accept-certificate",
    is_flag=True,
    help="Take a certificate that differs from the one remembered in the values file.",
)
"""The option ``--accept-certificate``."""
unverified = click.option(
    "--unverified-cluster",
    is_flag=True,
    help="Take the certificate over plain HTTP, or without verifying the cluster's TLS.",
)
"""The option ``--unverified-cluster``."""
rate = click.option(
    "--rate",
    type=click.FloatRange(0.1, 1000),
    default=2.0,
    show_default=True,
    metavar="N",
    help="Requests to the controller in a second; more than its --rate-limit are refused.",
)
"""The option ``--rate``."""


@click.command(
    "reseal",
    cls=options.Command,
    help="""\
Seal the values of an environment anew, for its controller's newest key; nobody sees a value.

The controller opens and seals them, or this computer with --keys and a backup of the controller's keys.
Nothing but the values changes; all of them are sealed and opened again before the first file is written.""",
    epilog="""\
Examples:
  hanbae secrets reseal --env production --accept-certificate
  hanbae secrets reseal auth --env dev --all
  hanbae secrets reseal --env staging --keys /dev/shm/sealing-keys.yaml""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@options.environment()
@click.option(
    "--keys",
    "backup",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="BACKUP",
    help="Open the values with a backup of the controller's keys, without reaching the cluster.",
)
@click.option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --keys: seal for this certificate (PEM) instead of the newest one of the backup.",
)
@click.option(
    "--all", "every", is_flag=True, help="Also what is sealed for the newest certificate already."
)
@accept
@unverified
@rate
@options.context()
@options.output("text", "json")
@options.session
def reseal(
    session: options.Session,
    *,
    services: tuple[str, ...],
    environment: str,
    backup: Path | None,
    certificate: Path | None,
    every: bool,
    accept_certificate: bool,
    unverified_cluster: bool,
    rate: float,
    kube_context: str | None,
    output: str,
) -> None:
    """Seal values anew."""
    if certificate is not None and backup is None:
        raise errors.WrongUse("seal.certificate-without-keys")
    if backup is not None:
        if kube_context is not None:
            raise errors.WrongUse("seal.keys-with-context")
        rows = _offline(
            session,
            services,
            environment,
            backup,
            certificate,
            accept=accept_certificate,
            every=every,
            templates=_templates(session, services, environment),
        )
    else:
        from hanbae.actions import reseal as resealing

        rows = loops.run(
            resealing.by_controller(
                session.directory,
                services,
                environment,
                context=kube_context,
                accept_certificate=accept_certificate,
                unverified_cluster=unverified_cluster,
                every=every,
                per_second=rate,
                templates=_templates(session, services, environment),
            )
        )
    show(session, environment, rows, output)


def _offline(
    session: options.Session,
    services: tuple[str, ...],
    environment: str,
    backup: Path,
    certificate: Path | None,
    *,
    accept: bool,
    every: bool,
    templates: Sequence[sealed_files.SealedFile],
) -> tuple[secrets.Resealed, ...]:
    from hanbae.actions import reseal as resealing
    from hanbae.cli import secret_inputs
    from hanbae.sealing import certificates

    keys = opened(backup)
    parsed = None
    if certificate is not None:
        parsed = certificates.parse(secret_inputs.read(certificate), str(certificate))
    return resealing.by_backup(
        session.directory,
        services,
        environment,
        keys,
        certificate=parsed,
        source=(certificate or backup).name,
        accept_certificate=accept,
        every=every,
        templates=templates,
    )


def _templates(
    session: options.Session, services: tuple[str, ...], environment: str
) -> list[sealed_files.SealedFile]:
    """The SealedSecrets in templates; nothing is rendered where none of them may have one."""
    from hanbae.actions import reseal_templates

    names = reseal_templates.may_have(session.directory, services)
    if not names:
        return []

    return loops.run(reseal_templates.find(session.directory, names, environment))


def opened(backup: Path) -> tuple[backups.Key, ...]:
    """The keys of a backup, the newest first.

    Raises:
        errors.FileFault: It cannot be read, or has none.
    """
    from hanbae import confinement
    from hanbae.cli import secret_inputs
    from hanbae.sealing import backups

    confinement.forbid_core_dumps()  # before the first key is in memory
    return backups.parse(secret_inputs.read(backup, most=backups.LARGEST), str(backup))


def show(
    session: options.Session, environment: str, rows: Sequence[secrets.Resealed], output: str
) -> None:
    """Say what was sealed anew, by key."""
    from hanbae.cli import outputs
    from hanbae.cli.text import catalogue

    if output == "json":
        outputs.emit_json({"resealed": rows})
    else:
        for row in rows:
            for key in row.keys:
                outputs.emit(catalogue.printable(f"{row.service}  {key}"))
    if not rows:
        session.narration.succeed(
            wording.Text("seal.resealed-nothing", {"environment": environment})
        )
        return
    facts = {
        "count": str(sum(len(row.keys) for row in rows)),
        "files": str(len({row.file for row in rows})),
        "environment": environment,
        "certificate": rows[0].certificate,
    }
    session.narration.succeed(wording.Text("seal.resealed", facts))
