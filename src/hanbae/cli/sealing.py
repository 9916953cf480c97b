"""``hanbae secrets seal``: new values, in one environment or in several."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hanbae import errors, loops, wording
from hanbae.cli import names, options, resealing

if TYPE_CHECKING:
    from hanbae import masking, subjects
    from hanbae.actions import seal as sealing
    from hanbae.cli.text import narration
    from hanbae.results import secrets

certificates = click.option(
    "--certificate",
    "certificates",
    multiple=True,
    metavar="[ENV=]FILE",
    help="Certificate of the environment's controller (PEM), to seal without reaching the cluster.",
)
"""The option ``--certificate``, once for each environment."""


@click.command(
    "seal",
    cls=options.Command,
    help="""\
Seal values for a service in environments and write them into its values files.

The values come from standard input, from files, or are asked for without showing them;
never from the command line. Only these keys change in the files, and nothing is committed.""",
    epilog="""\
Examples:
  hanbae secrets seal auth DATABASE_URL JWT_SECRET --env dev
  pass show shop/auth-db | hanbae secrets seal auth DATABASE_URL --env staging --stdin
  hanbae secrets seal auth --env production --from-env-file /dev/shm/auth.env
  hanbae secrets seal auth --env dev --env staging --generate JWT_SECRET=32
  hanbae secrets seal auth --env dev --from-file tls.p12=/dev/shm/tls.p12 --remove OLD_KEY
  hanbae secrets seal auth --env production --same-as staging
  hanbae secrets seal auth JWT_SECRET --env production --certificate production.pem""",
)
@click.argument("service", shell_complete=names.services)
@click.argument("keys", nargs=-1, metavar="KEY...")
@click.option(
    "-e",
    "--env",
    "environments",
    multiple=True,
    required=True,
    metavar="ENV",
    shell_complete=names.environments,
    help="Environment of the policy; may be given several times, and each has its own certificate.",
)
@click.option(
    "--from-env-file",
    "env_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take the values from KEY=value lines of a file; all of them if no KEY is named.",
)
@click.option(
    "--from-manifest",
    "manifest",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take the values from the manifest of a Secret; all of them if no KEY is named.",
)
@click.option(
    "--from-file",
    "from_files",
    multiple=True,
    metavar="KEY=PATH",
    help="The value of KEY is a file, byte by byte; may be given several times.",
)
@click.option(
    "--generate",
    "lengths",
    multiple=True,
    metavar="KEY=BYTES",
    help="The value of KEY is new: as many random bytes, in each environment others.",
)
@click.option(
    "--remove", "removed", multiple=True, metavar="KEY", help="Take KEY out of what is sealed."
)
@click.option(
    "--stdin",
    is_flag=True,
    help="Read standard input: the value itself for one KEY, KEY=value lines for several.",
)
@certificates
@resealing.accept
@resealing.unverified
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
    environments: tuple[str, ...],
    env_file: Path | None,
    manifest: Path | None,
    from_files: tuple[str, ...],
    lengths: tuple[str, ...],
    removed: tuple[str, ...],
    stdin: bool,
    certificates: tuple[str, ...],
    accept_certificate: bool,
    unverified_cluster: bool,
    allow_empty: bool,
    binary: bool,
    same_as: str | None,
    kube_context: str | None,
    output: str,
) -> None:
    """Seal values."""
    from hanbae.actions import seal as sealing
    from hanbae.cli import secret_inputs
    from hanbae.sealing import plaintexts

    environments = tuple(dict.fromkeys(environments))
    if "=" in service:  # no folder is called so; it is a value whose service was forgotten
        secret_inputs.refuse_typed(service)
    plaintexts.check_keys(removed)
    if not (env_file or manifest):
        # Before anybody is asked for a value, or a pipe is waited for.
        sealing.refuse_early(session.directory, service, environments)
    if same_as is not None:
        keys = _lacking(session, service, environments, same_as, keys)
        if not keys:
            facts = {"environment": environments[0], "other": same_as}
            session.narration.succeed(wording.Text("seal.lacks-nothing", facts))
            return
    files, random = secret_inputs.of_files(from_files), secret_inputs.lengths(lengths)
    others = bool(files or random or removed)
    places: dict[str, subjects.Place] = {}
    values = secret_inputs.gather(
        keys,
        env_file=env_file,
        stdin=stdin,
        speaker=session.narration,
        manifest=manifest,
        others=others,
        places=places,
    )
    _check_once(values, files, random, removed)
    by_environment = {
        name: {**values, **files, **secret_inputs.generated(random)} for name in environments
    }
    in_files = {*values, *files} if binary else mounted(session, service, environments, files)
    settings: dict[str, Any] = {
        "removed": removed,
        "named": named(certificates, environments),
        "accept_certificate": accept_certificate,
        "allow_empty": allow_empty,
        "mounted": in_files,
    }
    try:
        settings["context"] = kube_context
        settings["unverified_cluster"] = unverified_cluster
        results = _sealed(session, service, by_environment, settings)
    except errors.WrongUse as error:
        # The error knows the key only; here it gets the line of the file that the value came from.
        error.place = error.place or places.get(error.text.facts.get("key", ""))
        raise
    except errors.Unreachable:
        if not certificates:
            session.narration.note(wording.Text("seal.offline-hint"))
        raise
    show(session.narration, results, output)


def _sealed(
    session: options.Session,
    service: str,
    by_environment: Mapping[str, Mapping[str, masking.Masked]],
    settings: Mapping[str, Any],
) -> tuple[secrets.Sealed, ...]:
    """Seal without a cluster where none is needed, else with those of the environments."""
    from hanbae.actions import seal as sealing

    of_clusters = ("context", "unverified_cluster")
    offline = {name: value for name, value in settings.items() if name not in of_clusters}
    results = sealing.seal_offline(session.directory, service, by_environment, **offline)
    if results is not None:
        return results

    directory = session.directory
    return loops.run(sealing.seal_several(directory, service, by_environment, **settings))


def named(certificates: Sequence[str], environments: Sequence[str]) -> dict[str, sealing.Named]:
    """The certificates that the command line names: ``FILE`` for one environment, else ``ENV=FILE``.

    Raises:
        errors.WrongUse: It is not said which environment one of them is for.
        errors.FileFault: One cannot be read.
    """
    from hanbae.actions import seal as sealing
    from hanbae.cli import secret_inputs

    files = {}
    for text in certificates:
        environment, separator, file = text.partition("=")
        # A path may contain `=` itself; only an environment that was named with --env counts as one.
        if not separator or environment not in environments:
            if separator and "/" not in environment and not os.path.exists(text):  # noqa: PTH110  takes a text of any length
                existing = ", ".join(environments)
                raise errors.WrongUse(
                    "seal.certificate-unknown", environment=environment, known=existing
                )
            environment, file = environments[0], text
            if len(environments) > 1:
                raise errors.WrongUse("seal.certificate-of-which", file=text)
        if environment in files:
            raise errors.WrongUse("seal.certificate-twice", environment=environment)
        files[environment] = sealing.Named(secret_inputs.read(Path(file)), file)
    return files


def _check_once(*sources: Collection[str]) -> None:
    """Refuse a key that is to have two values, or to be sealed and taken out."""
    keys: set[str] = set()
    for source in sources:
        twice = keys & set(source)
        if twice:
            raise errors.WrongUse("seal.key-twice", key=min(twice))
        keys |= set(source)


def mounted(
    session: options.Session,
    service: str,
    environments: Sequence[str],
    files: Mapping[str, masking.Masked],
) -> set[str]:
    """The keys whose values no variable can hold, where no pod reads them as variables.

    Args:
        session: Where the repository is.
        service: The service.
        environments: The environments.
        files: Key → value.

    Raises:
        errors.WrongUse: A pod reads one of them as a variable: it would not start.
    """
    from hanbae.sealing import plaintexts

    odd = {}
    for key, value in files.items():
        try:
            plaintexts.check_variable(key, value)
        except errors.WrongUse as error:
            odd[key] = error
    if not odd:
        return set()
    from hanbae.actions import list_needed  # what renders takes long to import

    read = loops.run(list_needed.variables(session.directory, service))
    for name in environments:
        for key, reason in odd.items():
            if read.get(name, frozenset()) & {key, list_needed.ALL}:
                raise reason
    return set(odd)


def _lacking(
    session: options.Session,
    service: str,
    environments: Sequence[str],
    other: str,
    keys: tuple[str, ...],
) -> tuple[str, ...]:
    """The keys that are sealed in the other environment and not in this one."""
    from hanbae.actions import list_secrets

    if keys:
        raise errors.WrongUse("seal.same-as-with-keys")
    if len(environments) > 1:
        raise errors.WrongUse("seal.same-as-several")

    def sealed(name: str) -> list[str]:
        rows = list_secrets.list_secrets(session.directory, (service,), environment=name)
        return [row.key for row in rows if row.state == "sealed"]

    present, wanted_keys = sealed(environments[0]), sealed(other)
    if not wanted_keys:
        list_secrets.refuse_nothing_sealed(session.directory, service, other)
    return tuple(key for key in wanted_keys if key not in present)


def show(speaker: narration.Narration, results: Sequence[secrets.Sealed], output: str) -> None:
    """Say what was sealed and taken out, by key and never by value."""
    from hanbae.cli import outputs

    if output == "json":
        outputs.emit_json(results[0] if len(results) == 1 else {"sealed": results})
    else:
        lines = [
            (f"{sealed.environment}  " if len(results) > 1 else "") + key
            for sealed in results
            for key in (*sealed.keys, *sealed.removed)
        ]
        outputs.emit("\n".join(lines))
    for sealed in results:
        _narrate(speaker, sealed)


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
    named_keys = {
        "seal.difference-added": sealed.added,
        "seal.difference-replaced": sealed.replaced,
        "seal.difference-removed": sealed.removed,
    }
    if sealed.removed or (sealed.added and sealed.replaced):
        for text_id, keys_ in named_keys.items():
            if keys_:
                speaker.note(wording.Text(text_id, {"keys": ", ".join(keys_)}))
    if sealed.keys:
        speaker.succeed(wording.Text("seal.done", facts))
    else:
        speaker.succeed(
            wording.Text("seal.done-removed", facts | {"count": str(len(sealed.removed))})
        )
