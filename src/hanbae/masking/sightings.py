"""Secrets in lines of logs: named values, headers, URLs, private keys and tokens, each with the stretch to hide.

The names and the tokens are those of :mod:`hanbae.masking.shapes`; what is particular to logs is here.
A log is prose as well: after a name that ordinary sentences use before a colon ("unexpected token: EOF"), a value
must look like a secret to be hidden.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from hanbae import patterns
from hanbae.masking import shapes
from hanbae.masking.spellings import Span

Sight = Callable[[str], Iterator[Span]]
"""Finds the stretches of a text that one kind of secret takes."""

# What a URL may be long before its "@"; bounds the work on lines that are full of "://".
_LONGEST_AUTHORITY: Final = 4096
_LONGEST_SCHEME: Final = 35
# A user name of a web address that is so long is a token; a log rather hides one too many than a file is accused.
_LONG_USER: Final = 16
# A value with a letter and a digit is random from here on; without a digit only a much longer one is.
_RANDOM: Final = 8
_RANDOM_LETTERS: Final = 24
_COUNT: Final = 5

_VALUE: Final = (
    r"\\*'(?P<single>(?:[^'\\\n]|\\.|''){0,4096})|\\*\"(?P<double>(?:[^\"\\\n]|\\[^\"])*)"
    r"|(?P<bare>[^\s,;&'\"}\])]+)"
)
# `\uff1a` is the full-width colon of Korean and Japanese text.
_SEPARATED: Final = rf"[0-9]{{0,3}}(?P<quote>\\?[\"'])?\s*(?P<separator>[=:\uff1a])\s*(?:{_VALUE})"
# password=… as in libpq's strings, DB_PASSWORD: …, "password":"…", quoted or not, escaped or not.
_PASSWORD: Final = patterns.lazy(
    rf"(?i)(?P<name>{'|'.join((*shapes.PASSWORDS, *shapes.KOREAN_PASSWORDS))}){_SEPARATED}"
)
_SHORT: Final = patterns.lazy(
    # Within a word only with a capital, as in `dbPass`: `bypass` and `compass` are ordinary words.
    rf"(?P<name>(?<![A-Za-z])(?i:{'|'.join(shapes.SHORT_PASSWORDS)})|(?<=[a-z0-9])(?:Pwd|Pass)"
    rf"|(?i:{'|'.join(sorted(shapes.JOINED))})){_SEPARATED}"
)
_TOKEN: Final = patterns.lazy(
    rf"(?i)(?P<name>secret|token|credentials?|{'|'.join(shapes.KOREAN_TOKENS)}"
    rf"|(?:{'|'.join(shapes.KEYS)})[ _-]?key){_SEPARATED}"
)
# The bracket and the quotes are those of headers that are printed as lists, as in
# `{"Authorization": ["Basic …"]}`.
_AUTHORIZATION: Final = patterns.lazy(
    r"(?i)\b(?:bearer|authorization\\?[\"']?\s*[:=]\s*\[?\\?[\"']?(?:basic|token|digest))\s+"
    r"(?P<bare>[A-Za-z0-9._~+/=-]{6,})"
)
_BARE_AUTHORIZATION: Final = patterns.lazy(
    r"(?i)\bauthorization\\?[\"']?\s*[:=]\s*\[?\\?[\"']?(?P<bare>[^\s\"',\\\]]{12,})"
)
_COOKIE: Final = patterns.lazy(
    r"(?i)(?<![A-Za-z])(?:set-)?cookies?\\?[\"']?\s*[:=]\s*\[?\\?[\"']?(?P<bare>[^\r\n\"'\\\]]{4,})"
)
_SIGNATURE: Final = patterns.lazy(
    r"(?i)[?&;](?:x-amz-signature|x-goog-signature|signature|sig)=(?P<bare>[^\s&;\"']+)"
)
# Forty letters at most, so that a line of nothing but hyphens and letters is not searched anew from
# each of them.
_FLAG: Final = patterns.lazy(
    r"(?i)(?<![A-Za-z0-9-])--?[a-z-]{0,40}(?:password|passwd|pass|pwd|token|secret|api-?key)[ \t]+[\"']?"
    r"(?P<bare>[^\s\"'-][^\s\"']*)"
)
_PRIVATE_KEY_END: Final = patterns.lazy(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_SPACE: Final = patterns.lazy(r"\s")
_PORT: Final = patterns.lazy(r"[0-9]{1,5}(?=[/?#]|\Z)")


def _named(pattern: re.Pattern[str], is_secret: Callable[[re.Match[str], str], bool]) -> Sight:
    """Values with a name, those of which the function says so."""

    def sight(text: str) -> Iterator[Span]:
        for match in pattern.finditer(text):
            group = match.lastgroup
            if group is not None and match[group] and is_secret(match, match[group]):
                yield match.span(group)

    return sight


def _any(_match: re.Match[str], _value: str) -> bool:
    return True


def _is_password(match: re.Match[str], value: str) -> bool:
    # "비밀번호: 필수 항목입니다" is a sentence; after an English name a password may be Hangul.
    return match["name"].isascii() or not _is_hangul(value[0])


def _is_short_password(match: re.Match[str], value: str) -> bool:
    name = match["name"]
    if name.lower() == "pwd" and value.startswith(("/", "~")):
        return False  # the working directory in a list of variables
    if name.lower() != "pass" or match["separator"] == "=":
        return True
    # What test runners print: "--- PASS: TestLogin", "pass: 12".
    prefixed = match.string[max(match.start() - 1, 0) : match.start()] in {"_", "."}
    return prefixed or (name != "PASS" and not (value.isdigit() and len(value) <= _COUNT))


def _is_token(match: re.Match[str], value: str) -> bool:
    name = match["name"]
    if not name.isascii():
        return not _is_hangul(value[0])
    if match["separator"] == "=" or match["quote"]:
        return True
    if name[-3:].lower() == "key":
        return not value.isalpha() or len(value) >= _RANDOM_LETTERS
    return _is_random(value)


def _is_cookie(_match: re.Match[str], value: str) -> bool:
    return "=" in value or _is_random(value)


def _is_random(value: str) -> bool:
    mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    return len(value) >= (_RANDOM if mixed else _RANDOM_LETTERS)


def _is_no_word(_match: re.Match[str], value: str) -> bool:
    return not value.isalpha()


def _is_hangul(character: str) -> bool:
    return "가" <= character <= "힣"


def _tokens(text: str) -> Iterator[Span]:
    return ((token.start, token.end) for token in shapes.tokens(text))


def _url_passwords(text: str) -> Iterator[Span]:
    """``user:password@`` in URLs: passwords may hold any character, ``@``, ``/`` and quotes included."""
    following = text.find("://")
    while following >= 0:
        start = following + 3
        following = text.find("://", start)
        near = text[max(0, start - _LONGEST_SCHEME) : start - 3]
        scheme = near[len(near.rstrip(shapes.SCHEME)) :]
        if not scheme:
            continue
        token = text[start : _end_of_url(text, start - 3 - len(scheme), start)]
        user, colon, rest = token.partition(":")
        host = token.rfind("@")
        if host < 0:
            continue
        web = scheme.lower().endswith(("http", "https"))
        # Without a colon before the `@` there is no password: a colon behind it is that of the
        # port.
        if not colon or host < len(user):
            # https://TOKEN@github.com: the user name is the secret.
            if web and token.find("@") >= _LONG_USER and "/" not in token[: token.find("@")]:
                yield start, start + token.find("@")
        # A slash before the colon means that the colon, and with it the `@`, are part of the path.
        elif "/" not in user and not _is_port(user, rest):
            long = web and len(user) >= shapes.LONG_USER
            yield start + (0 if long else len(user) + 1), start + host


def _end_of_url(text: str, before: int, start: int) -> int:
    """Where a URL may end at most: at the quote that matches the one before it, else at white space."""
    limit = min(len(text), start + _LONGEST_AUTHORITY)
    opened = text[before - 1] if before else ""
    if opened and opened in "'\"`":
        # A quote behind a backslash is part of the value, unless the opening one has a backslash
        # too: then the whole is a string within a string.
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


def _private_keys(text: str) -> Iterator[Span]:
    """The body of a PEM private key; without an end everything that follows."""
    start = 0
    while (begin := shapes.PRIVATE_KEY.search(text, start)) is not None:
        end = _PRIVATE_KEY_END.search(text, begin.end())
        start = end.start() if end else len(text)
        yield begin.end(), start


ALL: Final[tuple[Sight, ...]] = (
    _url_passwords,
    _named(_PASSWORD, _is_password),
    _named(_SHORT, _is_short_password),
    _named(_TOKEN, _is_token),
    _named(_AUTHORIZATION, _any),
    _named(_BARE_AUTHORIZATION, _any),
    _named(_COOKIE, _is_cookie),
    _named(_SIGNATURE, _any),
    _named(_FLAG, _is_no_word),
    _tokens,
    _private_keys,
)
"""Every kind of secret that is known without knowing its value."""
