r"""Reads values to be sealed from ``KEY=value`` lines.

Every tool reads dotenv files a little differently, and a secret that comes out a little different is found late.
So this is the part on which they agree, spelled out, and the rest is a fault with its line:
blank lines and lines that begin with ``#``; an optional ``export``; a bare value up to the end of the line, with
white space around it and `` # …`` behind it taken off; ``'…'`` as it stands, over several lines if need be; ``"…"``
likewise, with ``\n``, ``\r``, ``\t``, ``\\``, ``\"`` and ``\$``.
Nothing is interpolated: a ``$`` stays a ``$``.

No error holds any part of a value, nor a key: a line of a longer value that was not quoted may look like one.
"""

from __future__ import annotations

import re
from typing import Final

from hanbae import errors, masking, patterns, subjects
from hanbae.sealing import ciphertexts

_NAME: Final = patterns.lazy(rb"[ \t]*(?:export[ \t]+)?([^\s=#'\"]+)[ \t]*=[ \t]*")
_BLANK: Final = patterns.lazy(rb"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_SINGLE: Final = patterns.lazy(rb"'([^']*)'")
_DOUBLE: Final = patterns.lazy(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE: Final = patterns.lazy(rb"\\(.)", re.DOTALL)
_SHELL: Final = patterns.lazy(rb"""[ \t\r$`\\;&|<>()'"]""")
"""What a shell takes for something else than itself where it stands in a bare value."""
_MEANT: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b'"': b'"', b"$": b"$"}


def parse(
    data: bytes,
    file: str,
    *,
    demand_quotes: bool = False,
    places: dict[str, subjects.Place] | None = None,
) -> dict[str, masking.Masked]:
    """The values of an env file, in their order.

    Args:
        data: The file's content.
        file: What places call it.
        demand_quotes: Refuse bare values that a shell and ``kubectl create secret --from-env-file`` read differently.
        places: Takes the line of each key.

    Raises:
        errors.FileFault: A line is not ``KEY=value``, a quote is not closed, a key comes twice or is not one; a value
            lacks quotes.
    """
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    values: dict[str, masking.Masked] = {}
    position = counted = 0
    line = 1
    while position < len(data):
        # Only what was read since: a file of empty lines would else be counted as often as it has lines.
        line += data.count(b"\n", counted, position)
        counted = position
        place = subjects.Place(file, line)
        if blank := _BLANK.match(data, position):
            position = blank.end()
            continue
        name = _NAME.match(data, position)
        if name is None:
            raise errors.FileFault("seal.env-line", place=place)
        key = name[1].decode("utf-8", "replace")
        if not ciphertexts.is_key(key):
            raise errors.FileFault("seal.env-line", place=place)
        if key in values:
            raise errors.FileFault("seal.env-twice", place=place)
        if demand_quotes:
            _demand_quotes(data, name.end(), place)
        values[key], position = _value(data, name.end(), place)
        if places is not None:
            places[key] = place
    return values


def literal(data: bytes, file: str) -> dict[str, masking.Masked]:
    r"""The values of lines whose values stand as they are, as ``sops -d`` prints them: only ``\n`` is an escape.

    Raises:
        errors.FileFault: A line is not ``KEY=value``, a key comes twice or is not one.
    """
    values: dict[str, masking.Masked] = {}
    for number, line in enumerate(data.split(b"\n"), 1):
        place = subjects.Place(file, number)
        if not line.strip() or line.lstrip().startswith(b"#"):
            continue
        name, separator, value = line.removesuffix(b"\r").partition(b"=")
        key = name.decode("utf-8", "replace")
        if not separator or not ciphertexts.is_key(key):
            raise errors.FileFault("seal.env-line", place=place)
        if key in values:
            raise errors.FileFault("seal.env-twice", place=place)
        values[key] = masking.Masked(value.replace(b"\\n", b"\n"))
    return values


def _demand_quotes(data: bytes, start: int, place: subjects.Place) -> None:
    if data[start : start + 1] in (b"'", b'"'):
        return
    end = data.find(b"\n", start)
    bare = data[start : len(data) if end < 0 else end].strip()
    if bare.startswith(b"~") or _SHELL.search(bare):
        raise errors.FileFault("seal.env-bare", place=place)


def _value(data: bytes, start: int, place: subjects.Place) -> tuple[masking.Masked, int]:
    if data[start : start + 1] not in (b"'", b'"'):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        bare = re.split(rb"(?:^|[ \t])#", data[start:end], maxsplit=1)[0].strip()
        if bare and not bare.strip(b"="):
            # The padding of base64: the line belongs to a longer value, and its "key" is a part of a secret.
            raise errors.FileFault("seal.env-line", place=place)
        return masking.Masked(bare), end + 1
    single = data[start : start + 1] == b"'"
    quoted = (_SINGLE if single else _DOUBLE).match(data, start)
    if quoted is None:
        raise errors.FileFault("seal.env-quote", place=place)
    rest = _BLANK.match(data, quoted.end())
    if rest is None:
        raise errors.FileFault("seal.env-after-quote", place=place)
    value = quoted[1]
    if not single:
        value = _ESCAPE.sub(lambda match: _MEANT.get(match[1], match[0]), value)
    return masking.Masked(value), rest.end()
