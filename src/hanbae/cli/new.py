"""``hanbae new``: what is added to a repository that hanbae manages."""

from __future__ import annotations

import click

from hanbae import wording
from hanbae.cli import options


@click.group(cls=options.Group, help="Add something to the repository.")
def command() -> None:
    """Group the things that can be added."""


@command.command(
    "service",
    help="""\
Write the chart, the Dockerfile and a first migration of a service.

Run again, it writes what is missing and shows how edited files differ from what the policy asks for.""",
    epilog="""\
Examples:
  hanbae new service auth
  hanbae new service identity --databases identity_db,auth_db,legal_db
  hanbae new service personal --image registry.example.com/shop/personal --port 9000""",
)
@click.argument("name")
@click.option(
    "--databases",
    default="",
    metavar="A,B,C",
    help="Names of its databases, in the order of migration; by default what the service has, or one, NAME_db.",
)
@click.option(
    "--port",
    type=click.IntRange(1024, 65535),
    help="Port that the process listens on; by default what the service has, or 8080.",
)
@click.option(
    "--image",
    metavar="REPOSITORY",
    help="Repository of its image, without tag; by default what the service has, or a placeholder.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Overwrite edited files. Values of environments are never overwritten.",
)
@options.output("text", "json")
@options.session
def service(
    session: options.Session,
    *,
    name: str,
    databases: str,
    port: int | None,
    image: str | None,
    force: bool,
    output: str,
) -> None:
    """Scaffold a service."""
    from hanbae.actions import new_service
    from hanbae.cli.reports import file_changes

    names = [part.strip() for part in databases.split(",") if part.strip()]
    changes = new_service.new_service(
        session.directory, name, databases=names, port=port, image=image, force=force
    )
    file_changes.show(session.narration, changes, output)
    session.narration.succeed(wording.Text("new.done", {"service": name}))
