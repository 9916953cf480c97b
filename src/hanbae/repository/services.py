"""Finds what a command line names: an environment of the policy, a service of the repository."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hanbae import errors, subjects
from hanbae.policy import documents, loading, naming

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def known(loaded: loading.Loaded) -> tuple[str, ...]:
    """The services of the repository: the folders that have a chart where the policy says."""
    before, _, after = loaded.policy.services.path.partition("*")
    folder = loaded.root / before
    if not folder.is_dir():
        return ()
    return tuple(
        sorted(
            found.name
            for found in folder.iterdir()
            if _NAME.fullmatch(found.name)
            and (folder / f"{found.name}{after}" / "Chart.yaml").is_file()
        )
    )


def check(loaded: loading.Loaded, service: str) -> None:
    """Refuse a service that the repository does not have.

    Raises:
        errors.WrongUse: It has none of this name; the facts hold those that it has.
    """
    services = known(loaded)
    if service not in services:
        raise errors.WrongUse("services.unknown", service=service, known=_joined(services))


def environment(policy: documents.Policy, name: str) -> documents.Environment:
    """An environment that runs on Kubernetes.

    Raises:
        errors.WrongUse: The policy has none of this name, or it runs on something else.
    """
    found = policy.environments.get(name)
    if found is None:
        raise errors.WrongUse(
            "services.unknown-environment", environment=name, known=_joined(policy.environments)
        )
    if found.platform != "kubernetes":
        raise errors.WrongUse("services.other-platform", environment=name, platform=found.platform)
    return found


def environments(policy: documents.Policy) -> tuple[str, ...]:
    """The environments that run on Kubernetes, in the order of promotion."""
    return tuple(
        name for name, found in policy.environments.items() if found.platform == "kubernetes"
    )


def values_file(loaded: loading.Loaded, service: str, environment: str) -> tuple[Path, str]:
    """The values file of a service in an environment: its path, and how it is called in messages.

    Raises:
        errors.FileFault: A symlink on the way leads out of the repository.
    """
    relative = naming.values_file(loaded.policy, service, environment)
    path = loaded.root / relative
    try:
        inside = path.resolve().is_relative_to(loaded.root)
    except (OSError, RuntimeError):  # a link that leads to itself
        inside = False
    if not inside:
        raise errors.FileFault("placing.outside", place=subjects.Place(str(relative)))
    return path, str(relative)


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names) or "-"
