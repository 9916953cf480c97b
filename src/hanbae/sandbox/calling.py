"""Running a program to its end, and telling of its failure in its own words."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from hanbae import errors


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdin: bytes | None = None,
    deadline_s: float = 120.0,
) -> bytes:
    """Run a command to its end and return its standard output.

    Raises:
        errors.Failed: It failed or took too long; its words are in the error.
        KeyboardInterrupt: Ctrl-C or SIGTERM has ended it.
    """
    try:
        ended = subprocess.run(
            command,
            env=dict(environment),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            check=False,
            timeout=deadline_s,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise errors.Failed(
            "sandbox.command-failed", command=_shown(command), output=str(error)
        ) from error
    heed_interrupt(ended.returncode)
    if ended.returncode != 0:
        raise errors.Failed(
            "sandbox.command-failed",
            command=_shown(command),
            output=ended.stderr.decode(errors="replace").strip()[-2000:],
        )
    return ended.stdout


def heed_interrupt(returncode: int) -> None:
    """Be interrupted where a child has been: Ctrl-C and ``timeout`` reach both, which an event loop heeds later.

    Raises:
        KeyboardInterrupt: The child was ended by SIGINT or SIGTERM.
    """
    if returncode in {-signal.SIGINT, -signal.SIGTERM}:
        raise KeyboardInterrupt


def _shown(command: Sequence[str]) -> str:
    """A command as a person would write it: the program's name and its first words."""
    words = list(command)
    if words[0] == "nsenter":
        words = words[words.index("--") + 1 :]
    return " ".join([Path(words[0]).name, *words[1:4]])
