"""Which forge a clone's remote is at, and who we are there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from hanbae.forges import connections, gitea, github, gitlab, logins, protocol, remotes


@asynccontextmanager
async def connect(url: str, environment: Mapping[str, str]) -> AsyncIterator[protocol.Forge | None]:
    """The forge of a remote; None where the remote is a folder, or the user has no login at its host.

    Args:
        url: The remote's address as git has it.
        environment: Variables.

    Raises:
        hanbae.errors.Refused: The token would travel without TLS over other people's networks.
        hanbae.errors.WrongUse: The token has characters that no token has.
    """
    remote = remotes.read(url)
    login = logins.of(remote, environment) if remote is not None else None
    if remote is None or login is None:
        yield None
        return
    project = login.project(remote)
    async with connections.connect(login, _api(login)) as connection:
        match login.kind:
            case "gitea":
                yield gitea.Gitea(connection, project)
            case "github":
                yield github.GitHub(connection, project)
            case "gitlab":
                yield gitlab.GitLab(connection, project)


def _api(login: logins.Login) -> str:
    """The address of a forge's API."""
    match login.kind:
        case "github":
            return github.api(login)
        case "gitlab":
            return f"{login.url}/api/v4"
        case "gitea":
            return f"{login.url}/api/v1"
