"""The disposable process that evaluates the team's own rules: ``python -m hanbae.rules.expression_worker``.

An expression of a few dozen letters can make a text of gigabytes; CEL counts iterations, not what texts grow to, and
the API server, which counts both, is not here. So processor time and memory are the limits, in a process of its own.

A request is the expression and the objects, marshalled by the parent, which is trusted here; the answer is JSON.
"""

from __future__ import annotations

import json
import marshal
import resource
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any, Final

from hanbae import confinement
from hanbae.rules import compiled_expressions

READY: Final = b"+"
"""What the process says first: it has started."""
RECEIPT: Final = b"\n"
"""What it says when it has read a request: what ends it now is the expression."""
MEMORY: Final = 1024**3
"""Address space in bytes; what the API server would refuse long before takes more."""
SECONDS: Final = 2
"""Processor time for one expression over the objects of a release, which takes milliseconds."""
# Seconds of processor time for all expressions together. It is the hard limit: what is lowered
# below it for one expression can be raised for the next.
_LIFETIME: Final = 3600
_LONGEST: Final = 300


def evaluate(expression: str, objects: Sequence[Mapping[str, Any]]) -> list[bool | str]:
    """Whether an expression is true of each object; CEL's words where it cannot be evaluated."""
    program = compiled_expressions.compiled(expression)
    return [_verdict(program, manifest) for manifest in objects]


def _verdict(program: Any, manifest: Mapping[str, Any]) -> bool | str:
    try:
        value = program.eval(data={"object": manifest}).value()
    except MemoryError:
        return f"it takes more than {MEMORY // 1024**2} MiB"
    except RuntimeError as error:  # the budget of iterations is used up, for one
        return str(error)[:_LONGEST]
    return value if isinstance(value, bool) else str(value)[:_LONGEST]


def main() -> int:
    """Answer requests until there are none."""
    confinement.confine(memory=MEMORY, cpu=_LIFETIME)
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    replies.write(READY)
    replies.flush()
    while (content := _received(requests)) is not None:
        replies.write(RECEIPT)
        replies.flush()
        _allow()
        request: tuple[str, list[dict[str, Any]]] = marshal.loads(content)  # noqa: S302  from the parent
        reply = json.dumps(evaluate(*request)).encode()
        replies.write(len(reply).to_bytes(8, "big") + reply)
        replies.flush()
    return 0


def _allow() -> None:
    """Let this process take `SECONDS` of processor time from now on."""
    # RLIMIT_CPU counts whole seconds from the start of the process, so what was used up to now
    # is added, rounded up.
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + SECONDS
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (min(soft, hard), hard))


def _received(stream: IO[bytes]) -> bytes | None:
    head = stream.read(8)
    if len(head) < 8:  # noqa: PLR2004  the parent has gone, or wants no more
        return None
    return stream.read(int.from_bytes(head, "big"))


if __name__ == "__main__":
    sys.exit(main())
