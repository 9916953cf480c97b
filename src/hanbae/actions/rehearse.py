"""``hanbae migrations rehearse``: a service's migrations on a server that nobody needs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from hanbae import errors, wording, workspaces
from hanbae.charts import pools
from hanbae.checking import projects
from hanbae.migrations import goose_files
from hanbae.policy import environments as policy_environments
from hanbae.policy import folders
from hanbae.rehearsing import deployed_files, rehearsal, servers
from hanbae.repository import revisions, services, trees
from hanbae.results import rehearsals
from hanbae.rules import views


class Request(Struct, frozen=True):
    """What is to be rehearsed.

    Attributes:
        service: The service.
        revision: A commit to read instead of the working tree; empty for that.
        starts: Environments whose migrations are begun with; none for all.
        database: The only database that is meant; empty for all.
        rows: Rows of each table; 0 for none.
        budget: Seconds that each migration may take.
        copy: A database of the server's whose copy is begun with; empty for new ones.
    """

    service: str
    revision: str = ""
    starts: tuple[str, ...] = ()
    database: str = ""
    rows: int = 0
    budget: float = 10.0
    copy: str = ""


Contents = Mapping[str, Mapping[str, bytes]]
"""Database → file name → content."""


class Read(Struct, frozen=True):
    """The migrations, read.

    Attributes:
        request: What is to be rehearsed.
        databases: The service's own, in order.
        starts: Environment → those that it has.
        images: Environment → database → the image that they were read from; those of a commit have none.
        notices: Why some are their commit's.
    """

    request: Request
    databases: Contents
    starts: Mapping[str, Contents]
    images: Mapping[str, Mapping[str, str]] = {}
    notices: tuple[wording.Text, ...] = ()


async def read(space: workspaces.Workspace, request: Request) -> Read:
    """Read what is to be rehearsed; no cluster is asked, and registries only for the images of environments.

    Args:
        space: The workspace.
        request: What is to be rehearsed.

    Raises:
        hanbae.errors.WrongUse: No such service, environment, commit or database.
        hanbae.errors.FileFault: The chart does not render, or goose would not take its files.
    """
    project = projects.project(space.loaded.root, revision=request.revision or None)
    source = services.source(project.policy, *filter(None, [request.revision]))
    services.require([request.service], services.every(project.policy, project.tree), source=source)
    for name in request.starts:
        space.environment(name)
    async with pools.opened() as pool:
        rendered = await projects.service(pool, project, request.service)
    if rendered.faults:
        raise rendered.faults[0][1]
    if rendered.missing is not None:
        raise rendered.missing
    folders_of = _folders(rendered.service)
    if request.database and request.database not in folders_of:
        raise errors.WrongUse(
            "rehearsal.no-such-database",
            service=request.service,
            database=request.database,
            existing=", ".join(folders_of),
        )
    by_database = {
        name: folder for name, folder in folders_of.items() if request.database in {"", name}
    }
    if not by_database:
        raise errors.Refused("rehearsal.no-databases", place=None, service=request.service)
    # A copy brings the migrations that it has, so none of an environment's are needed to begin
    # with.
    deployed = {} if request.copy else _commits(space, request)
    images = dict(
        zip(
            deployed,
            await asyncio.gather(
                *(
                    deployed_files.read(space, tree, request.service, name, by_database)
                    for name, tree in deployed.items()
                )
            ),
            strict=True,
        )
    )
    return Read(
        request,
        _contents(project.tree, by_database),
        {
            name: {**_contents(tree, by_database), **images[name].contents}
            for name, tree in deployed.items()
        },
        {name: image.names for name, image in images.items()},
        tuple(text for image in images.values() for text in image.notices),
    )


def _commits(space: workspaces.Workspace, request: Request) -> dict[str, revisions.Revision]:
    """Environment → the commit that it has; those of which nobody knows are left out, unless they are asked for."""
    deployed = {}
    for name in request.starts or tuple(policy_environments.on_kubernetes(space.policy)):
        revision = _deployed(space, request.service, name)
        if revision is not None:
            deployed[name] = revision
        elif request.starts:
            raise errors.WrongUse("rehearsal.unknown-start", environment=name)
    return deployed


def rehearse(
    read_before: Read,
    server: servers.Server,
    program: Path,
    folder: Path,
    tell: Callable[[wording.Text], None],
) -> rehearsals.Rehearsal:
    """Rehearse, one database after the other.

    Args:
        read_before: The migrations.
        server: The server.
        program: goose.
        folder: An empty folder, for the files.
        tell: Is told how far it is.

    Raises:
        hanbae.errors.Error: The server does not do its part.
    """
    request = read_before.request
    rehearsing = rehearsal.Rehearsing(server, program, tell)
    rehearsed = []
    for name, contents in read_before.databases.items():
        starts = {
            start: _written(folder / f"{name}-of-{start}", theirs.get(name, {}))
            for start, theirs in read_before.starts.items()
        }
        rehearsed.append(
            rehearsing.rehearse(
                rehearsal.Order(
                    name,
                    _written(folder / name, contents),
                    starts,
                    request.rows,
                    request.budget,
                    request.copy,
                    {start: names.get(name, "") for start, names in read_before.images.items()},
                )
            )
        )
    with servers.connect(server, server.database) as connection:
        version = connection.info.parameter_status("server_version")
    return rehearsals.Rehearsal(
        request.service,
        request.revision,
        str(version),
        request.budget,
        tuple(rehearsed),
        any(database.has_failed for database in rehearsed),
        tuple(sorted(rehearsing.unseen)),
        read_before.notices,
    )


def _folders(service: views.Service) -> dict[str, str]:
    """Database → folder of its files, as the first environment that has any says."""
    for release in service.releases.values():
        named_there = {
            database.name: folders.path(service.migrations, database.directory or folders.ROOT)
            for database in release.databases
        }
        if named_there:
            return named_there
    return {}


def _deployed(
    space: workspaces.Workspace, service: str, environment: str
) -> revisions.Revision | None:
    """What is deployed of a service, by the history; else the head of the branch, as it was last fetched."""
    for deployment in space.store.deployments(service=service, environment=environment):
        if deployment.outcome == "succeeded":
            with contextlib.suppress(errors.WrongUse):  # this clone has not that commit
                return space.checkout.revision(deployment.revision)
            break
    branch = space.environment(environment).branch
    if branch is None:
        return None
    with contextlib.suppress(errors.WrongUse):
        commit = space.checkout.head(space.policy.argocd.remote, branch)
        return space.checkout.revision(commit)
    return None


def _contents(tree: trees.Tree, by_database: Mapping[str, str]) -> dict[str, dict[str, bytes]]:
    return {name: dict(_files(tree, folder)) for name, folder in by_database.items()}


def _files(tree: trees.Tree, folder: str) -> Iterator[tuple[str, bytes]]:
    """The migrations of a folder: what goose takes, and nothing below it."""
    for path in tree.files(folder):
        name = folders.name(folder, path)
        if "/" not in name and name.endswith(".sql"):
            yield name, tree.read(path) or b""


def _written(folder: Path, contents: Mapping[str, bytes]) -> rehearsal.Files:
    """The files in a folder of their own.

    Raises:
        hanbae.errors.FileFault: goose would not take them.
    """
    names = goose_files.named(contents, folder=folder.name)
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return rehearsal.Files(folder, dict(sorted(names.items())))
