"""How long a server that is gone is waited for: not at all, or for as long as somebody has begun what must be ended.

All requests of a connection share one outage. So what is asked for when it has lasted too long fails at once, however
many requests there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from hanbae import errors
from hanbae.clusters import answers

RESTART: Final = 30.0
"""Seconds that the restart of an API server takes at most."""
_STARTS_IN: Final = 10.0
"""Seconds in which a server that is back may still refuse what it allows: it has not read all of its Roles."""
GONE: Final = "cluster.unreachable"
"""What is said of a server that nobody reached, or that broke off."""
_FAILING: Final = "cluster.failing"
# 503 is the API server's own while it starts, 502 that of a load balancer in front of one that is
# gone.
_STARTING: Final = {str(HTTPStatus.SERVICE_UNAVAILABLE.value), str(HTTPStatus.BAD_GATEWAY.value)}


class Outages:
    """The outages of one server.

    Args:
        clock: Seconds that never go back.

    Attributes:
        patience: Seconds that an outage may last before a request fails; none as long as it is 0.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.patience = 0.0
        self._clock = clock
        self._began: float | None = None
        self._ended: float | None = None

    def outlasts(self, error: errors.Error) -> bool:
        """Whether a request that failed is to be made again: nothing came of it, and the server may be back soon.

        Args:
            error: Why it failed; most say that the server is there.
        """
        # It does not end the outage: whoever refuses everybody may not have read its Roles yet.
        if isinstance(error, errors.Forbidden) and self._is_starting:
            return True
        if not _is_outage(error):
            # Any other error was said by a server that is there; a lost answer proves nothing.
            if not isinstance(error, answers.Unanswered):
                self.answered()
            return False
        if self._began is None or self._ended is not None:
            self._began, self._ended = self._clock(), None
        return self._clock() - self._began < self.patience

    def answered(self) -> None:
        """The server is there."""
        if self._began is not None and self._ended is None:
            self._ended = self._clock()

    def judged(self, error: errors.Error) -> errors.Error:
        """An error as it is meant: a server that has only just come back does not know yet who may do what."""
        if isinstance(error, errors.Forbidden) and self._is_starting:
            return errors.Unreachable.saying(error.text)
        return error

    @property
    def _is_starting(self) -> bool:
        if self._began is None or not self.patience:
            return False
        if self._ended is None:
            return self._clock() - self._began < self.patience
        return self._clock() - self._ended < _STARTS_IN


def _is_outage(error: errors.Error) -> bool:
    """Whether nobody took a request: a write whose answer was lost is another matter, and has another class."""
    if type(error) is not errors.Unreachable:
        return False
    text = error.text
    return text.id == GONE or (text.id == _FAILING and text.facts.get("status") in _STARTING)
