"""How encoders, shells, URLs and people write a known value, so that it is found however it is spelled."""

from __future__ import annotations

import base64
import html
import itertools
import json
import re
import shlex
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus, unquote

Span = tuple[int, int]

# A short value ("dev", "1") would blot out ordinary words all over a log; below this length only the shapes count.
_SHORTEST: Final = 6
# One line of a longer secret is a weaker sign than the whole: "public" or "  }" may well be such a line.
_SHORTEST_LINE: Final = 10
# A shorter run of letters is everywhere; then the whole text is looked at.
_SHORTEST_CORE: Final = 3
# One quote or backslash, escaped by URLs, JSON, HTML or not at all.
_QUOTE: Final = (
    r"%(?:25)?(?:2[27]|5[cC])|\\{1,4}(?:u00|x)(?:2[27]|5[cC])|&(?:quot|apos|\#0*3[49]|\#[xX]2[27]);"
    r"|['\"]|\\(?!u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2})"
)


class Spelled:
    """A value with characters that are written differently by URLs, JSON, shells, SQL and HTML.

    Its longest run of letters and digits is searched for first, which costs next to nothing; only around
    those places are the spellings tried, in any mixture.
    """

    def __init__(self, value: str) -> None:
        runs = re.findall(r"[A-Za-z0-9]+", value)
        self.core = max(runs, key=len, default="")
        # Atomic groups throughout: nothing is tried twice, so a hostile line cannot make the search explode.
        self.pattern = re.compile("".join(f"(?>{atom})" for atom in _atoms(value)))
        # How far from its core a value may reach, if each of its characters is written with up to
        # twenty.
        self.reach = 20 * len(value)

    def find(self, text: str) -> Iterator[Span]:
        """Where the value is, however it is spelled."""
        for start, end in self._windows(text):
            for match in self.pattern.finditer(text, start, end):
                yield match.span()

    def _windows(self, text: str) -> Iterator[Span]:
        if len(self.core) < _SHORTEST_CORE:
            yield 0, len(text)
            return
        start = end = -1
        for core in positions(text, self.core):
            if core - self.reach > end:
                if end >= 0:
                    yield start, end
                start = max(0, core - self.reach)
            end = min(len(text), core + len(self.core) + self.reach)
        if end >= 0:
            yield start, end


def values(plaintext: bytes) -> set[str]:
    """What of a secret is secret by itself: the whole, its lines, the password of a URL."""
    text = plaintext.decode("utf-8", "replace").strip()
    spellings = {text} if len(text) >= _SHORTEST else set()
    lines = text.splitlines()
    if len(lines) > 1:
        spellings |= {line for line in map(str.strip, lines) if len(line) >= _SHORTEST_LINE}
    password = re.match(
        r"[A-Za-z][A-Za-z0-9+.-]*://[^:/@]*:(?P<password>.*)@[^@]*\Z", text, re.DOTALL
    )
    if password is not None:
        spelled = {password["password"], unquote(password["password"])}
        spellings |= {value for value in spelled if len(value) >= _SHORTEST}
    return spellings


def encodings(plaintext: bytes) -> set[str]:
    """Base64 at each of its three alignments (``user:secret`` of an Authorization header), and hexadecimal."""
    spellings: set[str] = set()
    for data in {plaintext, plaintext.strip()}:
        if len(data) < _SHORTEST:
            continue
        spellings |= {data.hex(), data.hex().upper()}
        for shift in range(3):
            whole = base64.b64encode(bytes(shift) + data).decode()
            # The characters that depend on what stands before and behind the secret are cut off.
            inner = whole[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6]
            spellings |= {inner, inner.translate(str.maketrans("+/", "-_"))}
    return spellings


def escapings(value: str) -> set[str]:
    """The value as the usual encoders write it; each is searched for as it stands."""
    spellings = {value, repr(value)[1:-1], shlex.quote(value).strip("'"), html.escape(value)}
    spellings |= {quote(value, safe=safe) for safe in ("", "/", "$&+,;=:/?@!'()*")}
    spellings |= {quote_plus(value), value.replace("'", "''"), value.replace('"', '""')}
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        spellings |= {once, json.dumps(once, ensure_ascii=ascii_only)[1:-1]}
    return spellings


def _atoms(value: str) -> Iterator[str]:
    """A pattern for each character, or for each run where a character's share could not be told."""
    for kind, group in itertools.groupby(value, _kind):
        run = "".join(group)
        if kind == "quote":
            # A shell's way to write one quote, `'"'"'`, has five.
            yield f"(?:{_QUOTE}){{{len(run)},{5 * len(run)}}}"
        elif kind == "line":
            yield rf"(?:%(?:25)?0[aAdD]|\\{{1,4}}[rn]|\\{{0,3}}[\r\n]){{1,{2 * len(run)}}}"
        elif kind == "word":
            yield run
        else:
            yield from map(_spelling, run)


def _kind(character: str) -> str:
    if character in "'\"\\":
        return "quote"
    if character in "\r\n":
        return "line"
    return "word" if character.isascii() and character.isalnum() else "other"


def _spelling(character: str) -> str:
    """A pattern for the ways in which one character is written, the longer ones first."""
    encoded = character.encode()
    units = character.encode("utf-16-be")
    pairs = zip(units[::2], units[1::2], strict=True)
    ways = [
        "".join(rf"%(?:25)?{_hex(f'{byte:02x}')}" for byte in encoded),
        "".join(rf"\\{{1,4}}u{_hex(f'{high:02x}{low:02x}')}" for high, low in pairs),
        "".join(rf"\\{{1,4}}x{_hex(f'{byte:02x}')}" for byte in encoded),
        "".join(rf"\\{{1,4}}{byte:03o}" for byte in encoded),
        rf"&\#(?:0*{ord(character)}|[xX]0*{_hex(f'{ord(character):x}')});",
    ]
    named = {"&": "&amp;", "<": "&lt;", ">": "&gt;", " ": r"\+", "\t": r"\\{1,4}t"}
    if character in named:
        ways.append(named[character])
    return "|".join([*ways, rf"\\{{0,3}}{re.escape(character)}"])


def _hex(digits: str) -> str:
    return "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in digits)


def positions(text: str, value: str) -> Iterator[int]:
    """Where a value stands in a text, overlapping ones included."""
    start = text.find(value)
    while start >= 0:
        yield start
        start = text.find(value, start + 1)
