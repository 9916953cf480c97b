"""Asks the same of services in several environments at once; one that does not answer hides no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from hanbae import errors, workspaces
from hanbae.policy import environments as named_environments
from hanbae.repository import services as repository_services

_T = TypeVar("_T")


async def ask(
    space: workspaces.Workspace,
    services: Sequence[str],
    environments: Sequence[str],
    question: Callable[[workspaces.Workspace, Sequence[str], str], Awaitable[_T]],
) -> tuple[tuple[str, ...], dict[str, _T | errors.Error]]:
    """Ask every environment.

    Args:
        space: The workspace.
        services: The services; all of the working tree if none is given.
        environments: The environments; all on Kubernetes if none is given.
        question: What is asked of the services in one environment.

    Returns:
        The services, and the answer of each environment, or why there is none.

    Raises:
        hanbae.errors.WrongUse: There is no such service or environment.
    """
    repository_services.check(space.loaded, *services)
    chosen = tuple(services) or repository_services.of_checkout(space.loaded)
    names = tuple(environments) or named_environments.on_kubernetes(space.policy)
    for name in names:
        space.environment(name)
    outcomes = await asyncio.gather(
        *(question(space, chosen, name) for name in names), return_exceptions=True
    )
    answers: dict[str, _T | errors.Error] = {}
    for name, answer in zip(names, outcomes, strict=True):
        if isinstance(answer, BaseException) and not isinstance(answer, errors.Error):
            raise answer
        answers[name] = answer
    return chosen, answers
