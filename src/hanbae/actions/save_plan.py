"""Saves a plan to a file, and reads one as a claim."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from hanbae import errors, files, foreign_json, subjects, workspaces
from hanbae.deploying import verifying_plan
from hanbae.policy import boundaries
from hanbae.results import saved_plans

LARGEST: Final = 32 * 1024 * 1024
"""Bytes of a file that is read at all."""


async def freeze(
    space: workspaces.Workspace, names: Sequence[str], environment: str, commit: str
) -> saved_plans.Frozen:
    """What a deployment of a commit would promise.

    Raises:
        hanbae.errors.Refused: A registry does not have an image.
        hanbae.errors.Unreachable: A registry or the cluster did not answer.
    """
    async with space.clusters(environment) as clusters:
        return await verifying_plan.promise(
            space, clusters, space.policy, names, environment=environment, commit=commit
        )


def write(frozen: saved_plans.Frozen, path: Path) -> None:
    """Write a plan to a file, which appears whole or not at all.

    Raises:
        hanbae.errors.FileFault: It cannot be written.
    """
    data = msgspec.json.format(msgspec.json.encode(frozen), indent=2) + b"\n"
    try:
        files.replace(boundaries.output(path), data)  # of a link, what it leads to is written
    except OSError as error:
        raise _fault("plan.unwritable", path, files.reason(error)) from error


def read(path: Path) -> saved_plans.Frozen:
    """Read a plan.

    Raises:
        hanbae.errors.FileFault: It is none, or of another format.
    """
    try:
        with path.open("rb") as file:
            # One byte more than is allowed tells a file that is too large; it is never read as a
            # whole.
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise _fault("plan.unreadable-file", path, files.reason(error)) from error
    if len(data) > LARGEST:
        raise _fault("plan.no-plan", path, f"> {LARGEST} B")
    try:
        frozen = foreign_json.decode(data, saved_plans.Frozen)
    except foreign_json.Fault as error:
        raise _fault("plan.no-plan", path, str(error)) from error
    names = [service.service for service in frozen.services]
    if not names or len(set(names)) < len(names):
        # Of two promises of one service only one could be kept, and of none nothing is promised.
        raise _fault("plan.no-plan", path, f"services: {', '.join(names) or '-'}")
    return frozen


def _fault(text_id: str, path: Path, reason: str) -> errors.FileFault:
    return errors.FileFault(text_id, place=subjects.Place(str(path)), reason=reason)
