"""The demo whose sandbox the end-to-end tests share: of one process, or of all processes of a run."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Final

from tests.support import scenes

from hanbae.sandbox import running

_SANDBOX: Final = "HANBAE_TEST_SANDBOX"
NAME: Final = os.environ.get(_SANDBOX, "e2e")
"""One name, so that a run that was killed leaves nothing that the next does not take; two at a time need two."""
VARIABLE: Final = "HANBAE_TEST_DEMO"
"""Names the file that says what the demo of this run has printed."""
_REFUSED: Final = 5


@dataclasses.dataclass(frozen=True)
class Demo:
    """The demo, and the sandbox that it has left running.

    Attributes:
        ended: The command.
        sandbox: Its sandbox.
    """

    ended: scenes.Ended
    sandbox: running.Sandbox


def begin() -> Demo:
    """Run ``hanbae demo --keep``.

    Raises:
        AssertionError: It failed; its words are in the message.
    """
    ended = scenes.hanbae("demo", "--keep", "--name", NAME, "--output", "json")
    if ended.code != 0:
        if ended.code != _REFUSED:  # of another run of the tests: it is theirs to take down
            end()
        raise AssertionError(ended.err[-4000:])
    return Demo(ended, running.attach(NAME))


def keep(demo: Demo, file: Path) -> dict[str, str]:
    """Write down what the demo has printed; returns the variables with which :func:`kept` finds it."""
    file.write_text(json.dumps(dataclasses.asdict(demo.ended)), encoding="utf-8")
    return {VARIABLE: str(file)}


def kept() -> Demo | None:
    """The demo of this run, if it has one for all of its processes."""
    path = os.environ.get(VARIABLE)
    if path is None:
        return None
    ended = scenes.Ended(**json.loads(Path(path).read_text(encoding="utf-8")))
    return Demo(ended, running.attach(NAME))


def another() -> dict[str, str]:
    """Variables for a process that is to have a demo of its own beside the one of the run."""
    return {_SANDBOX: f"{NAME}-again"}


def end() -> None:
    """Take the sandbox down."""
    running.down(NAME)
