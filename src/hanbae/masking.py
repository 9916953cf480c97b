"""Secrets that cannot be printed by accident, and the one redactor before the event stream.

A plaintext secret is held in :class:`Masked` from the moment it is read; every way to turn it into text
(``str``, ``repr``, ``format``, msgspec, pickling) gives a mask or fails.
Text that comes from elsewhere (logs of goose and of applications, messages of the cluster) passes through a
:class:`Redactor`, which knows the values that must not be seen and the shapes that secrets have.

All stretches to hide are found in the text as it came and only then replaced: were they replaced one after
another, half of a value that overlaps another one would stay readable.
Logs are hostile: no search here may take more than linear time, however a line was made up.
"""

from __future__ import annotations

import base64
import bisect
import html
import itertools
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NoReturn
from urllib.parse import quote, quote_plus, unquote

MASK: Final = "•••"

# A short value ("dev", "1") would blot out ordinary words all over a log; below this length only the shapes count.
_SHORTEST: Final = 6
# One line of a longer secret is a weaker sign than the whole: "public" or "  }" may well be such a line.
_SHORTEST_LINE: Final = 10
# What a URL may be long before its "@"; bounds the work on lines that are full of "://".
_LONGEST_AUTHORITY: Final = 4096

Span = tuple[int, int]

_VALUE: Final = (
    r"\\*'(?P<single>(?:[^'\\\n]|\\.|''){0,4096})|\\*\"(?P<double>(?:[^\"\\\n]|\\[^\"])*)"
    r"|(?P<bare>[^\s,;&'\"}\])]+)"
)
# password=… as in libpq's strings, DB_PASSWORD: …, "password":"…", quoted or not, escaped or not.
_PASSWORD: Final = re.compile(
    rf"(?i)(?:password|passwd|passphrase|passcode)\\?[\"']?\s*[=:]\s*(?:{_VALUE})"
)
# Names that ordinary sentences use before a colon too, so only assignments and JSON members count.
_ASSIGNED: Final = re.compile(
    rf"(?i)(?:secret|token|api[_-]?key|access[_-]?key|private[_-]?key|secret[_-]?key)"
    rf"(?:\\?[\"']\s*:|\s*=)\s*(?:{_VALUE})"
)
_AUTHORIZATION: Final = re.compile(
    r"(?i)\b(?:bearer|authorization\\?[\"']?\s*[:=]\s*\\?[\"']?(?:basic|token|digest))\s+"
    r"(?P<bare>[A-Za-z0-9._~+/=-]{6,})"
)
_TOKENS: Final = re.compile(
    r"(?<![A-Za-z0-9_-])(?P<bare>eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,})"
)
_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_PRIVATE_KEY_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----")
# One quote or backslash, escaped by URLs, JSON, HTML or not at all.
_QUOTE: Final = (
    r"%(?:25)?(?:2[27]|5[cC])|\\{1,4}(?:u00|x)(?:2[27]|5[cC])|&(?:quot|apos|\#0*3[49]|\#[xX]2[27]);"
    r"|['\"]|\\(?!u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2})"
)
_FOLD: Final = re.compile(r"\\?\r?\n[ \t]*")
_SPACE: Final = re.compile(r"\s")
_SCHEME_BEFORE: Final = re.compile(r"[A-Za-z0-9+.-]*\Z")
_PORT: Final = re.compile(r"[0-9]{1,5}(?=[/?#]|\Z)")


class Masked:
    """A plaintext secret that shows itself only when asked by name.

    Args:
        plaintext: The secret's bytes.
    """

    __slots__ = ("_plaintext",)

    def __init__(self, plaintext: bytes) -> None:
        self._plaintext = plaintext

    def unmask(self) -> bytes:
        """The plaintext. The only way to it, so that every use can be found by searching."""
        return self._plaintext

    def __len__(self) -> int:
        return len(self._plaintext)

    def __bool__(self) -> bool:
        return bool(self._plaintext)

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Masked({MASK})"

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> NoReturn:
        message = "a masked secret is not serialised"
        raise TypeError(message)


class Redactor:
    """Takes secrets out of text that came from somewhere else.

    Args:
        secrets: Plaintext values that must never be seen: as they are, encoded, escaped, or line by line.
    """

    def __init__(self, secrets: Iterable[Masked] = ()) -> None:
        plain: set[str] = set()
        spelled: dict[str, _Spelled] = {}
        for secret in secrets:
            for value in _values(secret.unmask()):
                plain |= _escapings(value)
                if not (value.isascii() and value.isalnum()):
                    spelled[value] = _Spelled(value)
            plain |= _encodings(secret.unmask())
        self._plain = tuple(plain)
        self._spelled = tuple(spelled.values())

    def __call__(self, text: str) -> str:
        """The same text with every known secret and everything that looks like one masked."""
        spans = [span for shape in _SHAPES for span in shape(text)]
        if self._plain or self._spelled:
            spans += self._known(text)
            if "\n" in text:
                spans += self._folded(text)
        return _mask(text, spans)

    def _known(self, text: str) -> list[Span]:
        found: list[Span] = []
        for value in self._plain:
            found += ((at, at + len(value)) for at in _positions(text, value))
        for spelled in self._spelled:
            found += spelled.find(text)
        return found

    def _folded(self, text: str) -> Iterator[Span]:
        """Values that somebody broke over several lines, such as base64 of ``openssl`` or a narrow terminal."""
        starts, removed, pieces, last = [0], [0], [], 0
        for fold in _FOLD.finditer(text):
            pieces.append(text[last : fold.start()])
            last = fold.end()
            starts.append(starts[-1] + len(pieces[-1]))
            removed.append(removed[-1] + fold.end() - fold.start())
        pieces.append(text[last:])

        def original(at: int) -> int:
            return at + removed[bisect.bisect_right(starts, at) - 1]

        for start, end in self._known("".join(pieces)):
            yield original(start), original(end - 1) + 1


class _Spelled:
    """A value with characters that are written differently by URLs, JSON, shells, SQL and HTML.

    Its longest run of letters and digits is searched for first, which costs next to nothing; only around
    those places are the spellings tried, in any mixture.
    """

    def __init__(self, value: str) -> None:
        runs = re.findall(r"[A-Za-z0-9]+", value)
        self.core = max(runs, key=len, default="")
        # Atomic groups throughout: nothing is tried twice, so a hostile line cannot make the search explode.
        self.pattern = re.compile("".join(f"(?>{atom})" for atom in _atoms(value)))
        self.reach = 20 * len(value)

    def find(self, text: str) -> Iterator[Span]:
        """Where the value is, however it is spelled."""
        for start, end in self._windows(text):
            for match in self.pattern.finditer(text, start, end):
                yield match.span()

    def _windows(self, text: str) -> Iterator[Span]:
        if len(self.core) < 3:  # noqa: PLR2004  such a core is everywhere
            yield 0, len(text)
            return
        start = end = -1
        for at in _positions(text, self.core):
            if at - self.reach > end:
                if end >= 0:
                    yield start, end
                start = max(0, at - self.reach)
            end = min(len(text), at + len(self.core) + self.reach)
        if end >= 0:
            yield start, end


def _values(plaintext: bytes) -> set[str]:
    """What of a secret is secret by itself: the whole, its lines, the password of a URL."""
    text = plaintext.decode("utf-8", "replace").strip()
    found = {text} if len(text) >= _SHORTEST else set()
    lines = text.splitlines()
    if len(lines) > 1:
        found |= {line for line in map(str.strip, lines) if len(line) >= _SHORTEST_LINE}
    password = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://[^:/@]*:(?P<it>.*)@[^@]*\Z", text, re.DOTALL)
    if password is not None:
        spelled = {password["it"], unquote(password["it"])}
        found |= {value for value in spelled if len(value) >= _SHORTEST}
    return found


def _encodings(plaintext: bytes) -> set[str]:
    """Base64 at each of its three alignments (``user:secret`` of an Authorization header), and hexadecimal."""
    found: set[str] = set()
    for data in {plaintext, plaintext.strip()}:
        if len(data) < _SHORTEST:
            continue
        found |= {data.hex(), data.hex().upper()}
        for shift in range(3):
            whole = base64.b64encode(bytes(shift) + data).decode()
            # The characters that depend on what stands before and behind the secret are cut off.
            inner = whole[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6]
            found |= {inner, inner.translate(str.maketrans("+/", "-_"))}
    return found


def _escapings(value: str) -> set[str]:
    """The value as the usual encoders write it; each is searched for as it stands."""
    found = {value, repr(value)[1:-1], shlex.quote(value).strip("'"), html.escape(value)}
    found |= {quote(value, safe=safe) for safe in ("", "/", "$&+,;=:/?@!'()*")}
    found |= {quote_plus(value), value.replace("'", "''"), value.replace('"', '""')}
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        found |= {once, json.dumps(once, ensure_ascii=ascii_only)[1:-1]}
    return found


def _atoms(value: str) -> Iterator[str]:
    """A pattern for each character, or for each run where a character's share could not be told."""
    for kind, group in itertools.groupby(value, _kind):
        run = "".join(group)
        if kind == "quote":
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


def _positions(text: str, value: str) -> Iterator[int]:
    at = text.find(value)
    while at >= 0:
        yield at
        at = text.find(value, at + 1)


def _url_passwords(text: str) -> Iterator[Span]:
    """``user:password@`` in URLs: passwords may hold any character, ``@``, ``/`` and quotes included."""
    at = text.find("://")
    while at >= 0:
        start = at + 3
        at = text.find("://", start)
        scheme = _SCHEME_BEFORE.search(text, max(0, start - 35), start - 3)
        if scheme is None or not scheme[0]:
            continue
        token = text[start : _end_of_url(text, scheme.start(), start)]
        user, colon, rest = token.partition(":")
        host = token.rfind("@")
        if host < 0:
            continue
        web = scheme[0].lower().endswith(("http", "https"))
        if not colon or host < len(user):
            # https://TOKEN@github.com: the user name is the secret.
            if web and token.find("@") >= 16 and "/" not in token[: token.find("@")]:  # noqa: PLR2004
                yield start, start + token.find("@")
        elif "/" not in user and not _is_port(user, rest):
            yield start + (0 if web and len(user) >= 20 else len(user) + 1), start + host  # noqa: PLR2004


def _end_of_url(text: str, before: int, start: int) -> int:
    """Where a URL may end at most: at the quote that matches the one before it, else at white space."""
    limit = min(len(text), start + _LONGEST_AUTHORITY)
    opened = text[before - 1] if before else ""
    if opened and opened in "'\"`":
        close = text.find(opened, start, limit)
        while close > start and text[close - 1] == "\\" and text[before - 2 : before - 1] != "\\":
            close = text.find(opened, close + 1, limit)
        line = text.find("\n", start, limit)
        if close >= 0 and (line < 0 or close < line):
            return close
    space = _SPACE.search(text, start, limit)
    return space.start() if space else limit


def _is_port(host: str, rest: str) -> bool:
    """Whether what follows the colon is a port: ``http://db.example.com:8080/mail?to=a@b`` has no password."""
    return bool(_PORT.match(rest)) and ("." in host or host == "localhost" or host.startswith("["))


def _matches(pattern: re.Pattern[str]) -> Callable[[str], Iterator[Span]]:
    def find(text: str) -> Iterator[Span]:
        for match in pattern.finditer(text):
            name = match.lastgroup
            if name is not None and match[name]:
                yield match.span(name)

    return find


def _private_keys(text: str) -> Iterator[Span]:
    """The body of a PEM private key; without an end everything that follows."""
    at = 0
    while (begin := _PRIVATE_KEY.search(text, at)) is not None:
        end = _PRIVATE_KEY_END.search(text, begin.end())
        at = end.start() if end else len(text)
        yield begin.end(), at


_SHAPES: Final[tuple[Callable[[str], Iterator[Span]], ...]] = (
    _url_passwords,
    _matches(_PASSWORD),
    _matches(_ASSIGNED),
    _matches(_AUTHORIZATION),
    _matches(_TOKENS),
    _private_keys,
)


def _mask(text: str, spans: list[Span]) -> str:
    """Replace the union of the spans; touching ones become one mask, so that lengths tell nothing."""
    if not spans:
        return text
    pieces, last = [], 0
    end = -1
    for start, stop in sorted(spans):
        if start > end:
            if end >= 0:
                pieces.append(MASK)
                last = end
            pieces.append(text[last:start])
        end = max(end, stop)
    return "".join([*pieces, MASK, text[end:]])
