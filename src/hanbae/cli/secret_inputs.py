"""Where the plaintexts come from: standard input, a hidden prompt, or an env file; never the command line.

An argument is seen by everybody on the machine, in ``ps`` and in the shell's history: no option takes a value.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

import click

from hanbae import confinement, errors, files, masking, subjects, wording
from hanbae.cli.text import catalogue, narration
from hanbae.sealing import envfiles, manifests, plaintexts

LARGEST: Final = 1024 * 1024
"""Bytes; Kubernetes takes no larger Secret."""


def gather(
    keys: Sequence[str], *, env_file: Path | None, stdin: bool, speaker: narration.Narration
) -> Mapping[str, masking.Masked]:
    """The values of these keys.

    Args:
        keys: The keys; none for all of an env file.
        env_file: An env file to take them from.
        stdin: Whether standard input holds the value of the one key, or ``KEY=value`` lines.
        speaker: Says what was taken off a value.

    Raises:
        errors.WrongUse: Nothing to ask and nobody to ask it of, or a key has no value.
        errors.FileFault: The env file has a fault.
    """
    confinement.forbid_core_dumps()  # before the first of them is in memory
    plaintexts.check_keys(keys)
    if env_file is not None and stdin:
        raise errors.WrongUse("seal.two-sources")
    if env_file is not None:
        return _chosen(keys, envfiles.parse(read(env_file), str(env_file)))
    if stdin:
        data = _bounded(sys.stdin.buffer.read(LARGEST + 1))
        if len(keys) == 1:
            return {keys[0]: _whole(keys[0], data, speaker)}
        return _chosen(keys, envfiles.parse(data, "-"))
    if not keys:
        raise errors.WrongUse("seal.nothing")
    if not sys.stdin.isatty():
        raise errors.WrongUse("seal.no-terminal", keys=" ".join(keys))
    return {key: _asked(key) for key in keys}


def refuse_typed(argument: str) -> NoReturn:
    """Refuse an argument that holds a value, without repeating it.

    Raises:
        errors.WrongUse: Always.
    """
    name = argument.partition("=")[0]
    key = name if manifests.is_key(name) else "KEY"
    raise errors.WrongUse("seal.value-typed", key=key)


def read(path: Path) -> bytes:
    """The content of a file that the command line names; a pipe such as ``<(pass show …)`` will do.

    Raises:
        errors.FileFault: It cannot be read.
        errors.WrongUse: It has no end in sight.
    """
    try:
        with path.open("rb") as file:
            return _bounded(file.read(LARGEST + 1))
    except OSError as error:
        reason = files.reason(error)
        raise errors.FileFault(
            "seal.unreadable", place=subjects.Place(str(path)), reason=reason
        ) from error


def _asked(key: str) -> masking.Masked:
    question = catalogue.sentence(wording.Text("seal.ask", {"key": key}))
    answer: str = click.prompt(question, hide_input=True, default="", show_default=False, err=True)
    return masking.Masked(answer.encode("utf-8", "surrogateescape"))


def _whole(key: str, data: bytes, speaker: narration.Narration) -> masking.Masked:
    """The value is all of it, but for the newline that ``echo`` and editors put at the end."""
    if data.endswith(b"\n"):
        speaker.note(wording.Text("seal.newline", {"key": key}))
        data = data.removesuffix(b"\n").removesuffix(b"\r")
    return masking.Masked(data)


def _chosen(
    keys: Sequence[str], values: Mapping[str, masking.Masked]
) -> Mapping[str, masking.Masked]:
    missing = [key for key in keys if key not in values]
    if missing:
        raise errors.WrongUse("seal.keys-missing", keys=" ".join(missing))
    return {key: values[key] for key in keys} if keys else values


def _bounded(data: bytes) -> bytes:
    if len(data) > LARGEST:
        raise errors.WrongUse("seal.too-large", limit=str(LARGEST // 1024))
    return data
