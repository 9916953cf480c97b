"""How a group of watchers ends: everything was seen, or the one error that matters."""

from __future__ import annotations

from hanbae import errors


class Finished(Exception):
    """Everything that was to be seen was seen: ends the group of watchers."""


def deepest(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that matters: a bug before an expected failure before the end."""
    leaves: list[BaseException] = []
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop()
        if isinstance(error, BaseExceptionGroup):
            waiting += error.exceptions
        else:
            leaves.append(error)
    return min(leaves, key=_rank)


def _rank(error: BaseException) -> int:
    if isinstance(error, Finished):
        return 2
    return 1 if isinstance(error, errors.Error) else 0
