"""Saves a plan to a file, and reads one as a claim."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from hanbae import _version, errors, subjects
from hanbae.actions import promising, workspace
from hanbae.clusters import reading
from hanbae.planning import deployments, freezing
from hanbae.results import freezes

LARGEST: Final = 32 * 1024 * 1024
"""Bytes of a file that is read at all."""


async def freeze(
    space: workspace.Workspace, names: Sequence[str], environment: str, commit: str
) -> freezes.Frozen:
    """What a deployment of a commit would promise.

    Raises:
        hanbae.errors.Refused: A registry does not have an image.
        hanbae.errors.Unreachable: A registry or the cluster did not answer.
    """
    revision = space.checkout.revision(commit)
    async with space.clusters(environment) as clusters:
        cluster = await reading.uid(clusters.workload)
        version = await reading.version(clusters.workload)
    promised = []
    for name in names:
        source = await deployments.read(
            space.policy, revision, name, environment, kube_version=version
        )
        images = await promising.digests(freezing.references(source), insecure=space.insecure)
        promised.append(freezing.service(source, images))
    return freezes.Frozen(
        kind="hanbae-plan",
        format=1,
        hanbae=_version.version,
        environment=environment,
        branch=space.environment(environment).branch or "",
        revision=revision.commit,
        policy=freezing.policy_digest(space.policy),
        cluster=cluster,
        services=tuple(promised),
    )


def write(frozen: freezes.Frozen, path: Path) -> None:
    """Write a plan to a file, which appears whole or not at all.

    Raises:
        hanbae.errors.FileFault: It cannot be written.
    """
    data = msgspec.json.format(msgspec.json.encode(frozen), indent=2) + b"\n"
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise _fault("plan.unwritable", path, error.strerror or type(error).__name__) from error


def read(path: Path) -> freezes.Frozen:
    """Read a plan.

    Raises:
        hanbae.errors.FileFault: It is none, or of another format.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise _fault(
            "plan.unreadable-file", path, error.strerror or type(error).__name__
        ) from error
    if len(data) > LARGEST:
        raise _fault("plan.no-plan", path, f"> {LARGEST} B")
    try:
        return msgspec.json.decode(data, type=freezes.Frozen)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _fault("plan.no-plan", path, str(error)) from error


def _fault(said: str, path: Path, reason: str) -> errors.FileFault:
    return errors.FileFault(said, place=subjects.Place(str(path)), reason=reason)
