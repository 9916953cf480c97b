"""``hanbae secrets import``: what was sealed or kept without hanbae, into a service's values."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hanbae import errors, loops, wording
from hanbae.cli import names, options, resealing, sealing

if TYPE_CHECKING:
    from hanbae import masking
    from hanbae.results import secrets


@click.command(
    "import",
    cls=options.Command,
    help="""\
Take over the secrets that a service has elsewhere, and seal them into its values file.

FILE is a SealedSecret as kubeseal makes it; its values are opened and sealed anew by the controller,
or with --keys and a backup of its keys. With --sealed-with they are taken as they are.
--from-cluster reads the Secret that runs; --from-sops reads what sops -d prints on standard input.""",
    epilog="""\
Examples:
  hanbae secrets import auth sealed-secret.yaml --env dev
  hanbae secrets import auth sealed-secret.yaml --env dev --sealed-with dev.pem
  hanbae secrets import auth --env production --from-cluster
  sops -d secrets.enc.yaml | hanbae secrets import auth --env staging --from-sops""",
)
@click.argument("service", shell_complete=names.services)
@click.argument(
    "file",
    required=False,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="[FILE]",
)
@options.environment()
@click.option("--from-cluster", is_flag=True, help="Take the Secret that the cluster has.")
@click.option(
    "--secret",
    metavar="NAME",
    help="With --from-cluster: another Secret of the namespace than the service's own.",
)
@click.option("--from-sops", is_flag=True, help="Read what sops -d prints on standard input.")
@click.option(
    "--key", "keys", multiple=True, metavar="KEY", help="Take only KEY; may be given several times."
)
@click.option(
    "--keys",
    "backup",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="BACKUP",
    help="Open the values with a backup of the controller's keys, without reaching the cluster.",
)
@click.option(
    "--sealed-with",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="CERTIFICATE",
    help="Take the values of FILE as they are: they were sealed with this certificate (PEM).",
)
@sealing.certificates
@resealing.accept
@resealing.unverified
@resealing.rate
@options.context()
@options.output("text", "json")
@options.session
def import_(
    session: options.Session,
    *,
    service: str,
    file: Path | None,
    environment: str,
    from_cluster: bool,
    secret: str | None,
    from_sops: bool,
    keys: tuple[str, ...],
    backup: Path | None,
    sealed_with: Path | None,
    certificates: tuple[str, ...],
    accept_certificate: bool,
    unverified_cluster: bool,
    rate: float,
    kube_context: str | None,
    output: str,
) -> None:
    """Take over secrets."""
    if sum((file is not None, from_cluster, from_sops)) != 1:
        raise errors.WrongUse("import.one-source")
    if file is None and (backup is not None or sealed_with is not None):
        raise errors.WrongUse("import.of-file-only")
    if secret is not None and not from_cluster:
        raise errors.WrongUse("import.secret-of-cluster")
    if file is not None and (certificates or (backup is not None and sealed_with is not None)):
        raise errors.WrongUse("import.one-way")
    if file is not None:
        rows = _sealed(
            session,
            service,
            file,
            environment,
            keys,
            backup=backup,
            sealed_with=sealed_with,
            accept=accept_certificate,
            unverified=unverified_cluster,
            rate=rate,
            context=kube_context,
        )
        resealing.show(session, environment, rows, output)
        return
    if from_sops:
        from hanbae.actions import seal

        seal.refuse_early(session.directory, service, (environment,))  # before a pipe is waited for
        values = _of_sops()
    else:
        values = _of_cluster(
            session, service, environment, secret or "", kube_context, unverified=unverified_cluster
        )
    _seal(
        session,
        service,
        environment,
        _chosen(values, keys),
        certificates,
        accept=accept_certificate,
        unverified=unverified_cluster,
        context=kube_context,
        output=output,
    )


def _of_sops() -> Mapping[str, masking.Masked]:
    from hanbae import confinement
    from hanbae.cli import secret_inputs
    from hanbae.sealing import secret_manifests

    confinement.forbid_core_dumps()
    return secret_manifests.of_sops(secret_inputs.whole(sys.stdin.buffer), "-")


def _of_cluster(
    session: options.Session,
    service: str,
    environment: str,
    name: str,
    context: str | None,
    *,
    unverified: bool,
) -> Mapping[str, masking.Masked]:
    from hanbae.actions import import_secrets

    secret = loops.run(
        import_secrets.of_cluster(
            session.directory,
            service,
            environment,
            name=name,
            context=context,
            unverified_cluster=unverified,
        )
    )
    if secret.type != "Opaque":
        session.narration.note(wording.Text("seal.manifest-type", {"type": secret.type}))
    return secret.values


def _chosen(
    values: Mapping[str, masking.Masked], keys: Sequence[str]
) -> Mapping[str, masking.Masked]:
    missing = [key for key in keys if key not in values]
    if missing:
        raise errors.WrongUse("seal.keys-missing", keys=" ".join(missing))
    return {key: values[key] for key in keys or values}


def _seal(
    session: options.Session,
    service: str,
    environment: str,
    values: Mapping[str, masking.Masked],
    certificates: Sequence[str],
    *,
    accept: bool,
    unverified: bool,
    context: str | None,
    output: str,
) -> None:
    from hanbae.actions import seal

    results = loops.run(
        seal.seal_several(
            session.directory,
            service,
            {environment: values},
            named=sealing.named(certificates, (environment,)),
            context=context,
            accept_certificate=accept,
            unverified_cluster=unverified,
            allow_empty=True,  # whoever runs with it now runs with it then
            mounted=sealing.mounted(session, service, (environment,), values),
        )
    )
    sealing.show(session.narration, results, output)


def _sealed(
    session: options.Session,
    service: str,
    file: Path,
    environment: str,
    keys: Sequence[str],
    *,
    backup: Path | None,
    sealed_with: Path | None,
    accept: bool,
    unverified: bool,
    rate: float,
    context: str | None,
) -> tuple[secrets.Resealed, ...]:
    from hanbae.actions import import_secrets
    from hanbae.cli import secret_inputs
    from hanbae.sealing import foreign_secrets

    where = session.directory, service, environment
    # Sealed values are larger than plaintexts: each has an encrypted key in front, and is base64.
    content = secret_inputs.read(file, most=4 * secret_inputs.LARGEST)
    foreign = foreign_secrets.chosen(foreign_secrets.parse(content, str(file)), keys)
    if foreign.left_out:
        facts = {"file": file.name, "fields": ", ".join(foreign.left_out)}
        session.narration.warn(wording.Text("import.left-out", facts))
    if backup is not None:
        opening = resealing.opened(backup)
        return import_secrets.by_backup(
            *where, foreign, opening, source=backup.name, accept_certificate=accept
        )
    if sealed_with is not None:
        from hanbae.sealing import certificates

        parsed = certificates.parse(secret_inputs.read(sealed_with), str(sealed_with))
        return import_secrets.as_it_is(
            *where, foreign, parsed, source=sealed_with.name, accept_certificate=accept
        )
    return loops.run(
        import_secrets.by_controller(
            *where,
            foreign,
            context=context,
            accept_certificate=accept,
            unverified_cluster=unverified,
            per_second=rate,
        )
    )
