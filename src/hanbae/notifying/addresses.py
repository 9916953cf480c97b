"""Where receivers are: the word of whoever deploys, never a policy's.

A policy comes with a branch. It names receivers; the variables that hold their addresses are named after them, so that
a branch can neither lead anything elsewhere nor have another variable of the machine taken for an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hanbae import errors, files, subjects

_PREFIX: Final = "HANBAE_NOTIFY_"
_LARGEST: Final = 1 << 16


def variable(receiver: str, part: str = "") -> str:
    """The variable that holds something of a receiver's.

    Args:
        receiver: Its name in the policy.
        part: What it holds: empty for the address, ``KEY`` for the key by which messages are signed.
    """
    name = _PREFIX + receiver.upper().replace("-", "_")
    return f"{name}_{part}" if part else name


def value(receiver: str, environment: Mapping[str, str], part: str = "") -> str:
    """What a receiver's variable holds, or the file that ``_FILE`` behind its name leads to; empty where neither is.

    Args:
        receiver: Its name in the policy.
        environment: The variables.
        part: As for :func:`variable`.

    Raises:
        hanbae.errors.FileFault: The file cannot be read, or is empty.
    """
    name = variable(receiver, part)
    path = environment.get(f"{name}_FILE")
    if not path:
        return environment.get(name, "").strip()
    try:
        # The user's own: links are followed, as where Kubernetes mounts a Secret.
        content = files.ordinary(Path(path).expanduser().resolve(), most=_LARGEST) or b""
        text = content.decode().strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text:
        place = subjects.Place(path)
        raise errors.FileFault("notify.no-content", place=place, variable=f"{name}_FILE")
    return text
