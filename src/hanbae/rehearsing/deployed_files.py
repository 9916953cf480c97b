"""The migrations of the image that an environment runs: what its database has was applied by them.

A commit has the same files, unless its image was built otherwise: from another commit, with others beside them, or with
one that was edited since. So the image's own are read, in its registry, and the commit's stand in where that does not
answer, which is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from hanbae import errors, wording, workspaces
from hanbae.gates import migrations_in_image
from hanbae.images import references, sources
from hanbae.migrations import goose_files
from hanbae.planning import deployments, ways_back
from hanbae.repository import revisions

_LONGEST_NAME: Final = 255
"""Bytes of a file's name, the most that file systems take."""
_WITHOUT_JOB: Final = "plan.no-migration-job"
"""What is wrong with a commit that names no image: its chart renders no Job."""
WITHIN: Final = migrations_in_image.READS_WITHIN
"""Seconds in which a registry must have given an image's migrations."""


class Images(Struct, frozen=True):
    """What the images of a service's migrations hold.

    Attributes:
        names: Database → the image that migrates it.
        contents: Database → file name → content; a database that is not named was not read.
        notices: Why some were not read.
    """

    names: Mapping[str, str] = {}
    contents: Mapping[str, Mapping[str, bytes]] = {}
    notices: tuple[wording.Text, ...] = ()


async def read(
    space: workspaces.Workspace,
    revision: revisions.Revision,
    service: str,
    environment: str,
    databases: Iterable[str],
) -> Images:
    """Read the migrations out of the images that a commit names for an environment.

    Args:
        space: The workspace.
        revision: The commit that is deployed.
        service: The service.
        environment: The environment.
        databases: Names of the databases that are meant.
    """
    try:
        source = await deployments.read(space.policy, revision, service, environment)
        proofs = list(ways_back.proofs(deployments.plan(source, is_older=True)))
    except errors.Error as error:
        if error.text.id != _WITHOUT_JOB:
            return Images(notices=_unread(environment, revision, service, error))
        proofs = []
    selected = [proof for proof in proofs if proof.database in set(databases)]
    if not selected:
        facts = {"environment": environment, "revision": revision.commit[:12], "service": service}
        return Images(notices=(wording.Text("rehearsal.commit-without-image", facts),))
    containers = {
        proof.database: proof.job["spec"]["template"]["spec"]["containers"][0] for proof in selected
    }
    registries = sources.of(space.policy, insecure=space.insecure)
    names = {name: str(container.get("image") or "") for name, container in containers.items()}
    answers = await asyncio.gather(
        *(
            _texts(registries, names[name], migrations_in_image.folder_of(container))
            for name, container in containers.items()
        ),
        # One image that cannot be read must not keep the others from being read.
        return_exceptions=True,
    )
    contents: dict[str, Mapping[str, bytes]] = {}
    notices: list[wording.Text] = []
    for name, answer in zip(containers, answers, strict=True):
        if isinstance(answer, errors.Error):
            texts = _notices(environment, revision, names[name], answer)
            notices += [text for text in texts if text not in notices]
        elif isinstance(answer, BaseException):
            raise answer
        else:
            contents[name] = answer
    return Images({name: names[name] for name in contents}, contents, tuple(notices))


async def _texts(registries: sources.Sources, image: str, folder: str) -> Mapping[str, bytes]:
    """The SQL files in an image's folder: all of them, because without one it would be another database.

    Raises:
        hanbae.errors.Error: They cannot be read, or goose would not take them.
    """
    reference = references.parse(image)
    files = await registries.migrations_in(reference, folder, within=WITHIN, whole=True)
    digests = (files.digests if files is not None else None) or {}
    names = [n for n in goose_files.named(digests, folder=folder).values() if _is_sql(n)]
    if files is None or not names:
        raise errors.Failed("rehearsal.not-in-image", place=None, image=image, folder=folder)
    for name in names:
        if name not in files.texts or not _is_name(name):
            facts = {"image": image, "file": name}
            raise errors.Failed("rehearsal.unread-in-image", place=None, **facts)
    return {name: files.texts[name] for name in names}


def _is_sql(name: str) -> bool:
    """Whether it is no migration in Go, which is in the program that runs it."""
    return not goose_files.is_go(name)


def _is_name(name: str) -> bool:
    """Whether a file can have it: who built the image named it, and it is going to be a file here."""
    return len(name.encode()) <= _LONGEST_NAME and "\0" not in name


def _unread(
    environment: str, revision: revisions.Revision, service: str, error: errors.Error
) -> tuple[wording.Text, ...]:
    """That a commit does not tell which image runs, and why."""
    facts = {
        "environment": environment,
        "revision": revision.commit[:12],
        "place": str(error.place or service),
    }
    return wording.Text("rehearsal.commit-unread", facts), *error.texts


def _notices(
    environment: str, revision: revisions.Revision, image: str, error: errors.Error
) -> tuple[wording.Text, wording.Text]:
    facts = {"environment": environment, "image": image, "revision": revision.commit[:12]}
    return wording.Text("rehearsal.commit-instead", facts), error.text
