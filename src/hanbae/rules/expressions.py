"""Evaluates expressions of the team's own rules in a process of their own, and ends it when one takes too much."""

from __future__ import annotations

import atexit
import contextlib
import marshal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hanbae import errors, foreign_json
from hanbae.rules import expression_worker

_TOO_MUCH: Final = (
    f"it takes more than {expression_worker.SECONDS} s of processor time"
    f" or {expression_worker.MEMORY // 1024**2} MiB of memory"
)
_NO_PROCESS: Final = "the process that evaluates it does not start"
# Bytes of an answer, whose length the process says itself.
_LARGEST: Final = 64 * 1024 * 1024
_MOST_ENDS: Final = 5
"""Processes that expressions may end; after that none is evaluated, or many such rules would take minutes."""

Verdicts = list[bool | str]


class Evaluator:
    """One process, started for the first expression and anew after one that ends it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._refused: set[str] = set()
        self._is_ready: bool | None = None
        """Whether the process has started; None before it is asked for the first time."""
        self._is_received = False
        """Whether the process has read the last request."""

    def evaluate(self, expression: str, objects: Sequence[Mapping[str, Any]]) -> Verdicts:
        """Whether an expression is true of each object; why not, where it cannot be evaluated.

        Args:
            expression: An expression that compiles.
            objects: The objects.
        """
        if self._is_ready is False:
            return [_NO_PROCESS] * len(objects)
        if expression in self._refused or len(self._refused) >= _MOST_ENDS:
            return [_TOO_MUCH] * len(objects)
        verdicts = self._ask(marshal.dumps((expression, [*objects])))
        if verdicts is None or len(verdicts) != len(objects):
            self.end()
            if not self._is_ready:
                return [_NO_PROCESS] * len(objects)
            # One that takes too long over one object is not tried on the next: each would take as long.
            self._refused.add(expression)
            return [_TOO_MUCH] * len(objects)
        return verdicts

    def end(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            # First of all: closing the pipe writes what is still buffered, and would wait for a
            # process that does not read.
            self._process.kill()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            self._process.wait()
            self._process = None

    def _ask(self, request: bytes) -> Verdicts | None:
        """The answer; None when the process died over the request or its answer cannot be read."""
        waited = self._process is not None
        self._is_received = False
        verdicts = self._exchange(request)
        if verdicts is None and waited and not self._is_received:
            # It ended while it waited, as when the machine's memory ran out: that is no fault of this expression.
            self.end()
            verdicts = self._exchange(request)
        return verdicts

    def _exchange(self, request: bytes) -> Verdicts | None:
        try:
            process = self._started()
            assert process.stdin is not None  # noqa: S101  both are pipes
            assert process.stdout is not None  # noqa: S101
            process.stdin.write(len(request).to_bytes(8, "big") + request)
            process.stdin.flush()
            if self._is_ready is None:
                # Isolated, it does not find hanbae among the packages of a user.
                self._is_ready = process.stdout.read(1) == expression_worker.READY
            if not self._is_ready:
                return None
            self._is_received = process.stdout.read(1) == expression_worker.RECEIPT
            size = int.from_bytes(process.stdout.read(8), "big")
            reply = process.stdout.read(size) if size <= _LARGEST else b""
            return foreign_json.decode(reply, Verdicts)
        except (OSError, errors.Lacking, foreign_json.Fault):
            return None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._is_ready = None
            with errors.starting(sys.executable):
                self._process = subprocess.Popen(
                    # Isolated and without an environment: the current folder may be a checkout, and
                    # what foreign expressions are evaluated in needs nothing that the user has.
                    [sys.executable, "-I", "-m", "hanbae.rules.expression_worker"],
                    env={},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            atexit.register(self.end)
        return self._process


_EVALUATOR: Final = Evaluator()


def evaluate(expression: str, objects: Sequence[Mapping[str, Any]]) -> Verdicts:
    """See :meth:`Evaluator.evaluate`: by the one process that all checks of this process share."""
    return _EVALUATOR.evaluate(expression, objects) if objects else []
