"""``hanbae image``: which image an environment runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from hanbae import errors, loops, wording
from hanbae.cli import names, options

if TYPE_CHECKING:
    from hanbae.results import images


@click.group(cls=options.Group, help="Say which image an environment runs.")
def command() -> None:
    """Group the commands for images."""


@command.command(
    "set",
    help="""\
Write an image into the values files of services in one environment.

The digest of a tag is asked of the registry and written with it, so that exactly this image runs. With several
services, IMAGE is :TAG or @DIGEST, and each keeps its repository. With --from-env, the image is the one that another
environment names, for all services that name one there unless some are given. Nothing is committed.""",
    epilog="""\
Examples:
  hanbae image set auth registry.example.com/shop/auth:1.4.2 --env dev
  hanbae image set auth identity :1.4.3 --env staging
  hanbae image set --from-env dev --env staging
  hanbae image set auth registry.example.com/shop/auth:1.4.2 --env dev --no-resolve""",
)
@click.argument("words", nargs=-1, metavar="SERVICE... IMAGE", shell_complete=names.services)
@options.environment()
@click.option(
    "--from-env",
    "from_environment",
    metavar="ENV",
    shell_complete=names.environments,
    help="Take the images that this environment names instead of IMAGE.",
)
@click.option(
    "--resolve/--no-resolve",
    default=True,
    help="Ask the registry for the digest of a tag; without it only the tag is written.",
)
@options.insecure()
@options.output("text", "json")
@options.session
def set_(
    session: options.Session,
    *,
    words: tuple[str, ...],
    environment: str,
    from_environment: str | None,
    resolve: bool,
    insecure: bool,
    output: str,
) -> None:
    """Write images."""
    from hanbae.actions import set_image
    from hanbae.images import transporting

    services, image = words, ""
    if from_environment is None:
        if len(words) < _SERVICE_AND_IMAGE:
            raise errors.WrongUse("image.no-image")
        services, image = words[:-1], words[-1]
    try:
        changes = loops.run(
            set_image.set_images(
                session.directory,
                services,
                environment,
                image=image,
                from_environment=from_environment or "",
                resolve=resolve,
                insecure=insecure,
            )
        )
    except errors.Unreachable as error:
        # The error of a registry without TLS names its own cure, --insecure-registry.
        if error.text.id != transporting.SPEAKS_PLAINLY:
            error.hint = wording.Text("image.resolve-hint")
        raise
    _show(session, changes, output, single=len(services) == 1)


_SERVICE_AND_IMAGE: Final = 2


def _show(
    session: options.Session, changes: Sequence[images.ImageSet], output: str, *, single: bool
) -> None:
    """Write the images to stdout, and what became of the files to stderr."""
    from hanbae.cli import outputs

    if output == "json":
        outputs.emit_json(changes[0] if single else {"images": changes})
    for change in changes:
        if output == "text":
            outputs.emit(change.image)
        facts = {
            "service": change.service,
            "environment": change.environment,
            "file": change.file,
        }
        if not change.digest:
            session.narration.warn(wording.Text("image.only-tag"))
        text_id = "image.set" if change.changed else "image.set-already"
        session.narration.succeed(wording.Text(text_id, facts))
    if not changes:
        session.narration.note(wording.Text("image.none-named"))
