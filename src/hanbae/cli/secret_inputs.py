"""Where the plaintexts come from: standard input, a hidden prompt, or an env file; never the command line.

An argument is seen by everybody on the machine, in ``ps`` and in the shell's history: no option takes a value.
"""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

import click

from hanbae import confinement, errors, files, masking, subjects, wording
from hanbae.cli.text import catalogue, narration
from hanbae.sealing import ciphertexts, envfiles, plaintexts

LARGEST: Final = 1024 * 1024
"""Bytes; Kubernetes takes no larger Secret."""
SECONDS_FOR_WRITER: Final = 10.0
"""How long a named pipe is waited for that nobody writes to."""
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_FEWEST: Final = 16
_MOST: Final = 1024
"""Random bytes: fewer can be guessed, and no application takes more."""


def gather(
    keys: Sequence[str],
    *,
    env_file: Path | None,
    stdin: bool,
    speaker: narration.Narration,
    manifest: Path | None = None,
    others: bool = False,
    places: dict[str, subjects.Place] | None = None,
) -> Mapping[str, masking.Masked]:
    """The values of these keys.

    Args:
        keys: The keys; none for all of an env file or a manifest.
        env_file: An env file to take them from.
        stdin: Whether standard input holds the value of the one key, or ``KEY=value`` lines.
        speaker: Says what was taken off a value, and what a manifest says that is not taken.
        manifest: The manifest of a Secret to take them from.
        others: Whether there are values or keys from elsewhere, so that there may be none here.
        places: Takes the line of each key of an env file, a manifest or such lines.

    Raises:
        errors.WrongUse: Nothing to ask and nobody to ask it of, or a key has no value.
        errors.FileFault: The env file or the manifest has a fault.
    """
    confinement.forbid_core_dumps()  # before the first of them is in memory
    plaintexts.check_keys(keys)
    if sum((env_file is not None, stdin, manifest is not None)) > 1:
        raise errors.WrongUse("seal.two-sources")
    if env_file is not None:
        return _chosen(keys, _of_env_file(env_file, places))
    if manifest is not None:
        return _chosen(keys, _of_manifest(manifest, speaker, places))
    if stdin:
        data = whole(sys.stdin.buffer)
        if len(keys) == 1:
            return {keys[0]: _whole(keys[0], data, speaker)}
        return _chosen(keys, envfiles.parse(data, "-", demand_quotes=True, places=places))
    if not keys:
        if others:
            return {}
        raise errors.WrongUse("seal.nothing")
    # A hidden prompt asks at /dev/tty even where stdin is a pipe, and what is piped in would be ignored.
    if not sys.stdin.isatty():
        raise errors.WrongUse("seal.no-terminal", keys=" ".join(keys))
    return {key: _prompt(key) for key in keys}


def _of_env_file(path: Path, places: dict[str, subjects.Place] | None) -> dict[str, masking.Masked]:
    return envfiles.parse(read(path), str(path), demand_quotes=True, places=places)


def of_files(assignments: Sequence[str]) -> dict[str, masking.Masked]:
    """The values of ``KEY=PATH``: each is all bytes of a file.

    Raises:
        errors.WrongUse: One is not that; the error repeats nothing but the key.
        errors.FileFault: A file cannot be read.
    """
    confinement.forbid_core_dumps()  # while the first is in memory, the pipe of the second may be waited for
    return {key: masking.Masked(read(Path(path))) for key, path in _assigned(assignments).items()}


def lengths(assignments: Sequence[str]) -> dict[str, int]:
    """Key → number of random bytes, of ``KEY=BYTES``.

    Raises:
        errors.WrongUse: One is not that; the error repeats nothing but the key.
    """
    lengths = {}
    for key, text in _assigned(assignments).items():
        # No more digits than the bound has: int() raises ValueError for more than 4300 of them.
        is_number = text.isascii() and text.isdigit() and len(text) <= len(str(_MOST))
        if not is_number or not _FEWEST <= int(text) <= _MOST:
            raise errors.WrongUse("seal.not-a-length", key=key, least=str(_FEWEST), most=str(_MOST))
        lengths[key] = int(text)
    return lengths


def generated(lengths: Mapping[str, int]) -> dict[str, masking.Masked]:
    """New random values: as many bytes, written in letters, digits, ``-`` and ``_``."""
    if not lengths:
        return {}
    import secrets  # loads all of OpenSSL

    return {
        key: masking.Masked(secrets.token_urlsafe(length).encode())
        for key, length in lengths.items()
    }


def _assigned(assignments: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for assignment in assignments:
        key, separator, value = assignment.partition("=")
        if not separator or not value or not ciphertexts.is_key(key):
            raise errors.WrongUse("seal.not-assigned")
        if key in values:
            raise errors.WrongUse("seal.key-twice", key=key)
        values[key] = value
    return values


def _of_manifest(
    path: Path, speaker: narration.Narration, places: dict[str, subjects.Place] | None
) -> Mapping[str, masking.Masked]:
    from hanbae.sealing import secret_manifests

    secret = secret_manifests.parse(read(path), str(path), places=places)
    if secret.type != "Opaque":
        speaker.note(wording.Text("seal.manifest-type", {"type": secret.type}))
    return secret.values


def refuse_typed(argument: str) -> NoReturn:
    """Refuse an argument that holds a value, without repeating it.

    Raises:
        errors.WrongUse: Always.
    """
    name = argument.partition("=")[0]
    key = name if ciphertexts.is_key(name) else "KEY"
    raise errors.WrongUse("seal.value-typed", key=key)


def read(path: Path, *, most: int = LARGEST) -> bytes:
    """The content of a file that the command line names; a pipe such as ``<(pass show …)`` will do.

    Args:
        path: The file.
        most: Bytes that it may have.

    Raises:
        errors.FileFault: It cannot be read, or is a pipe that nobody writes to.
        errors.WrongUse: It has no end in sight.
    """
    place = subjects.Place(str(path))
    try:
        # O_NONBLOCK: otherwise opening a named pipe waits until somebody opens it for writing.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            is_pipe = stat.S_ISFIFO(os.fstat(file.fileno()).st_mode)
            head = _awaited(file.fileno(), place) if is_pipe else b""
            # By now there is a writer, which may take as long as it needs.
            os.set_blocking(file.fileno(), True)
            return _bounded(head + file.read(most + 1), most, place)
    except OSError as error:
        reason = files.reason(error)
        raise errors.FileFault("seal.unreadable", place=place, reason=reason) from error


def _awaited(handle: int, place: subjects.Place) -> bytes:
    """Wait until a pipe has something or is at its end: as long as its writer takes, but for a writer not for ever.

    Returns:
        What had to be read of it to know; mostly nothing.
    """
    waiting = select.poll()
    waiting.register(handle, select.POLLIN)
    # poll() says nothing of a pipe that has had no writer yet, as of one whose writer is silent.
    # read() tells them apart: end of file without a writer, EAGAIN with one.
    while not waiting.poll(SECONDS_FOR_WRITER * 1000):
        try:
            head = os.read(handle, 1)
        except BlockingIOError:  # somebody has it open, and may be asked for a passphrase
            continue
        if not head:
            raise errors.FileFault("seal.nobody-writes", place=place)
        return head
    return b""


def whole(stream: BinaryIO) -> bytes:
    """All of a stream.

    Raises:
        errors.WrongUse: It has no end in sight.
    """
    return _bounded(stream.read(LARGEST + 1))


def _prompt(key: str) -> masking.Masked:
    question = catalogue.sentence(wording.Text("seal.ask", {"key": key}))
    answer: str = click.prompt(question, hide_input=True, default="", show_default=False, err=True)
    return masking.Masked(answer.encode("utf-8", "surrogateescape"))


def _whole(key: str, data: bytes, speaker: narration.Narration) -> masking.Masked:
    """The value is all of it, but for the newline that ``echo`` and editors put at the end, and PowerShell's mark."""
    if data.startswith(_BYTE_ORDER_MARK):
        speaker.note(wording.Text("seal.byte-order-mark", {"key": key}))
        data = data.removeprefix(_BYTE_ORDER_MARK)
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


def _bounded(data: bytes, most: int = LARGEST, place: subjects.Place | None = None) -> bytes:
    if len(data) > most:
        raise errors.WrongUse("seal.too-large", place=place, limit=str(most // 1024))
    return data
