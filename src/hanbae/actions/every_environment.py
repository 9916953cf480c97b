"""Asks the same of services in several environments at once; one that does not answer hides no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hanbae import errors, workspaces
from hanbae.policy import environments as policy_environments
from hanbae.repository import services as repository_services
from hanbae.results import reach

_T = TypeVar("_T")


@dataclass(frozen=True)
class Answers(Generic[_T]):
    """What environments have answered.

    Attributes:
        services: The services that were asked about.
        environments: The environments that were asked, in the order of promotion.
        of: Environment → its answer; those that did not answer are not in it.
        unreached: Those, and why.
    """

    services: tuple[str, ...]
    environments: tuple[str, ...]
    of: dict[str, _T]
    unreached: tuple[reach.Unreached, ...]


async def ask(
    space: workspaces.Workspace,
    services: Sequence[str],
    environments: Sequence[str],
    question: Callable[[workspaces.Workspace, Sequence[str], str], Awaitable[_T]],
) -> Answers[_T]:
    """Ask every environment.

    Args:
        space: The workspace.
        services: The services; all of the working tree if none is given.
        environments: The environments; all on Kubernetes if none is given.
        question: What is asked of the services in one environment.

    Raises:
        hanbae.errors.WrongUse: There is no such service or environment.
    """
    names = chosen(space, services, environments)
    subjects = tuple(services) or repository_services.of_checkout(space.loaded)
    # Every environment is waited for: at the first error gather would else come back and leave the
    # others running.
    outcomes = await asyncio.gather(
        *(question(space, subjects, name) for name in names), return_exceptions=True
    )
    answers: dict[str, _T] = {}
    unreached = []
    for name, outcome in zip(names, outcomes, strict=True):
        if isinstance(outcome, errors.Error):
            unreached.append(reach.Unreached(name, outcome.text))
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            answers[name] = outcome
    return Answers(subjects, names, answers, tuple(unreached))


def chosen(
    space: workspaces.Workspace, services: Sequence[str], environments: Sequence[str]
) -> tuple[str, ...]:
    """The environments that are asked about services.

    Args:
        space: The workspace.
        services: The services; none for all.
        environments: The environments; all on Kubernetes if none is given.

    Raises:
        hanbae.errors.WrongUse: There is no such service or environment.
    """
    if services:  # to look for all of them takes a walk through the working tree
        repository_services.check(space.loaded, *services)
    names = tuple(environments) or policy_environments.on_kubernetes(space.policy)
    for name in names:
        space.environment(name)
    return names
