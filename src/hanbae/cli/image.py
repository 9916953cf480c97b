"""``hanbae image``: which image an environment runs."""

from __future__ import annotations

import click

from hanbae import errors, wording
from hanbae.cli import options


@click.group(cls=options.Group, help="Say which image an environment runs.")
def command() -> None:
    """Group the commands for images."""


@command.command(
    "set",
    help="""\
Write an image into the values file of a service in one environment.

The digest of a tag is asked of the registry and written with it, so that exactly this image runs.
Nothing is committed.""",
    epilog="""\
Examples:
  hanbae image set auth registry.example.com/shop/auth:1.4.2 --env dev
  hanbae image set auth :1.4.3 --env staging
  hanbae image set auth registry.example.com/shop/auth:1.4.2 --env dev --no-resolve""",
)
@click.argument("service")
@click.argument("image", metavar="IMAGE")
@options.environment()
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
    service: str,
    image: str,
    environment: str,
    resolve: bool,
    insecure: bool,
    output: str,
) -> None:
    """Write an image."""
    import asyncio

    from hanbae.actions import set_image
    from hanbae.cli import outputs

    try:
        change = asyncio.run(
            set_image.set_image(
                session.directory, service, environment, image, resolve=resolve, insecure=insecure
            )
        )
    except errors.Unreachable:
        session.narration.note(wording.Text("image.resolve-hint"))
        raise
    if output == "json":
        outputs.emit_json(change)
    else:
        outputs.emit(change.image)
    facts = {"service": service, "environment": environment, "file": change.file}
    if not change.digest:
        session.narration.warn(wording.Text("image.only-tag"))
    if change.changed:
        session.narration.done(wording.Text("image.set", facts))
    else:
        session.narration.done(wording.Text("image.set-already", facts))
