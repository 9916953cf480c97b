"""What secrets look like: the one list for the rule over files, the redactor of texts, and whoever refuses a secret.

Tokens are known by the prefix that their issuer gives them, named values by the last word of their name.
Texts are hostile: everything here looks at a character a bounded number of times, however a text was made up.
"""

from __future__ import annotations

import os
import string
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

from hanbae import patterns

Strength = Literal["strong", "weak"]

_ALNUM: Final = string.ascii_letters + string.digits
_URL_SAFE: Final = f"{_ALNUM}_-"
_UPPER: Final = string.ascii_uppercase + string.digits
_HEX: Final = string.hexdigits
# ``dbURLKey2`` is db, URL, key and 2; each character belongs to one alternative only.
_WORDS: Final = patterns.lazy(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# No issuer's tokens are longer; bounds the work on a text that is one long run.
_LONGEST_PART: Final = 8192


class _Shape(NamedTuple):
    """Tokens of an issuer: a prefix, then parts of an alphabet, each of some length at least."""

    prefix: str
    issuer: str
    alphabet: str
    least: tuple[int, ...]
    separator: str = "."
    exact: bool = False


_SHAPES: Final = (
    *(_Shape(prefix, "AWS", _UPPER, (16,), exact=True) for prefix in ("AKIA", "ASIA")),
    *(_Shape(f"gh{kind}_", "GitHub", _ALNUM, (20,)) for kind in "pousr"),
    _Shape("github_pat_", "GitHub", f"{_ALNUM}_", (20,)),
    *(
        _Shape(prefix, "GitLab", _URL_SAFE, (16,))
        for prefix in ("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glagent-", "gloas-")
    ),
    *(
        _Shape(prefix, "Slack", f"{_ALNUM}-", (10,))
        for prefix in ("xoxa-", "xoxb-", "xoxe-", "xoxp-", "xoxr-", "xoxs-", "xapp-")
    ),
    _Shape("hooks.slack.com/services/", "Slack", f"{_ALNUM}_", (6, 6, 20), "/"),
    *(
        _Shape(prefix, "Stripe", _ALNUM, (16,))
        for prefix in ("sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_")
    ),
    _Shape("AIza", "Google", _URL_SAFE, (35,), exact=True),
    _Shape("GOCSPX-", "Google", _URL_SAFE, (20,)),
    _Shape("ya29.", "Google", _URL_SAFE, (20,)),
    _Shape("npm_", "npm", _ALNUM, (30,)),
    _Shape("pypi-AgE", "PyPI", _URL_SAFE, (50,)),
    *(_Shape(prefix, "Docker", _URL_SAFE, (20,)) for prefix in ("dckr_pat_", "dckr_oat_")),
    _Shape("SG.", "SendGrid", _URL_SAFE, (22, 43)),
    *(_Shape(prefix, "Vault", _URL_SAFE, (20,)) for prefix in ("hvs.", "hvb.", "hvr.")),
    _Shape("AGE-SECRET-KEY-1", "age", _UPPER, (58,)),
    _Shape("dop_v1_", "DigitalOcean", _HEX, (40,)),
    *(_Shape(prefix, "OpenAI", _URL_SAFE, (20,)) for prefix in ("sk-proj-", "sk-svcacct-")),
    _Shape("sk-ant-", "Anthropic", _URL_SAFE, (20,)),
    _Shape("hf_", "Hugging Face", _ALNUM, (30,)),
    _Shape("ATATT3", "Atlassian", f"{_URL_SAFE}=", (50,)),
    _Shape("shpat_", "Shopify", _HEX, (32,)),
    _Shape("sntrys_", "Sentry", f"{_URL_SAFE}+/=", (40,)),
    _Shape("eyJ", "JWT", _URL_SAFE, (8, 8, 0)),
)  # fmt: skip


def _beginnings(prefixes: Iterable[str]) -> tuple[str, ...]:
    """What prefixes with the same first two letters have in common."""
    alike: dict[str, list[str]] = {}
    for prefix in prefixes:
        alike.setdefault(prefix[:2], []).append(prefix)
    return tuple(map(os.path.commonprefix, alike.values()))


# Most texts have none of these, and looking for them takes half as many searches as for each prefix.
_BEGINNINGS: Final = _beginnings(shape.prefix for shape in _SHAPES)

PRIVATE_KEY: Final = patterns.lazy(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
"""The first line of a private key in PEM."""
SCHEME: Final = f"{_ALNUM}+.-"
"""The characters of a URL's scheme."""
LONG_USER: Final = 20
"""A user name of a URL that is so long is a token rather than a person's."""

PASSWORDS: Final = ("password", "passwd", "passphrase", "passcode")
"""Ends of names whose values are passwords in any sentence and any file."""
SHORT_PASSWORDS: Final = ("pwd", "pass", "pw")
"""The same abbreviated: whole words of a name only, for "bypass" and "compass" are none."""
JOINED: Final = frozenset(
    f"{owner}{short}"
    for owner in ("db", "pg", "my", "root", "admin", "user", "usr", "login", "ftp", "smtp", "mail", "redis", "ldap")
    for short in ("pwd", "pass")
)  # fmt: skip
KOREAN_PASSWORDS: Final = ("비밀번호", "비번", "암호", "패스워드")
KOREAN_TOKENS: Final = ("토큰", "인증키", "비밀키", "접속키", "개인키", "시크릿")
_WEAK: Final = frozenset(
    {"secret", "token", "credential", "credentials", "cookie", "apikey", "secretkey", "accesskey",
     "privatekey", "authkey", "accountkey"}
)  # fmt: skip
KEYS: Final = (
    "api", "access", "private", "secret", "signing", "encryption", "master", "account", "auth", "jwt", "session",
    "cookie", "shared", "hmac", "license",
)  # fmt: skip
ROOTS: Final = (
    "pass", "pwd", "pw", "secret", "token", "key", "credential", "cookie", *KOREAN_PASSWORDS, *KOREAN_TOKENS,
)  # fmt: skip
"""What every name of a secret contains, in lower case."""


class Token(NamedTuple):
    """A token in a text.

    Attributes:
        start: Index of its first character.
        end: Index behind its last one.
        issuer: Who issues such tokens.
    """

    start: int
    end: int
    issuer: str


def tokens(text: str) -> Iterator[Token]:
    """The tokens in a text whose issuer is known by their prefix, wherever a word may begin.

    After a letter or a digit none begins: base64 has every prefix somewhere.
    After ``/``, ``=``, ``-`` and ``_`` one does, as in ``https://ghp_…@host`` and ``-t=ghp_…``.
    """
    beginnings = tuple([beginning for beginning in _BEGINNINGS if beginning in text])
    for shape in _SHAPES if beginnings else ():
        if not shape.prefix.startswith(beginnings):
            continue
        start = text.find(shape.prefix)
        while start >= 0:
            body = start + len(shape.prefix)
            inside = start > 0 and text[start - 1] in _ALNUM and shape.prefix[0] != "h"
            end, complete = (body, False) if inside else _body(text, body, shape)
            if complete:
                yield Token(start, end, shape.issuer)
            # What was looked at is not looked at again: a token that began in it would end where this one does.
            start = text.find(shape.prefix, end)


def _body(text: str, start: int, shape: _Shape) -> tuple[int, bool]:
    """Where the parts behind a prefix end, and whether all of them are there."""
    end = start
    for index, least in enumerate(shape.least):
        if index:
            # Without its second or third part it is a word that only begins like a token.
            if text[end : end + 1] != shape.separator:
                return end, False
            end += 1
        part = text[end : end + _LONGEST_PART]
        length = len(part) - len(part.lstrip(shape.alphabet))
        end += length
        if length < least:
            return end, False
    if shape.exact:
        return end, end - start == shape.least[0] and text[end : end + 1] not in {*_ALNUM, *"+/_-"}
    return end, True


def in_url(url: str) -> bool:
    """Whether a URL carries a credential: a password, a token in the place of the user name, or a token elsewhere.

    ``https://git@host`` and ``https://ann@bitbucket.org`` carry none.
    """
    _, scheme, rest = url.partition("://")
    authority = rest.partition("/")[0]
    user, sign, _ = authority.rpartition("@")
    if any(True for _ in tokens(url)):
        return True
    if not scheme or not sign:
        return False
    name, colon, password = user.partition(":")
    if colon and password:
        return True
    return len(name) >= LONG_USER and any(map(str.isdigit, name))


def strength(name: str) -> Strength | None:
    """How surely the value of a name is a secret, by the name's last word.

    Args:
        name: The name, in any spelling: ``DB_PASSWORD``, ``clientSecret``, ``api-key``, ``비밀번호``.

    Returns:
        ``strong`` for a password's, of which an ordinary word counts as well; ``weak`` for a token's or a key's, whose
        value must look like one; None for another name.
    """
    if name.endswith(KOREAN_PASSWORDS):
        return "strong"
    if name.endswith(KOREAN_TOKENS):
        return "weak"
    words = [word.lower() for word in _WORDS.findall(name)]
    # `PASSWORD_2` is a password as well.
    while words and words[-1].isdigit():
        words.pop()
    if not words:
        return None
    last, previous = words[-1], words[-2] if len(words) > 1 else ""
    if last.endswith(PASSWORDS) or last in SHORT_PASSWORDS or last in JOINED:
        return "strong"
    keyed = last == "key" and previous in KEYS
    if (
        last in _WEAK
        or keyed
        # Rails' `secret_key_base`, and the `client-key-data` of a kubeconfig.
        or words[-2:] == ["key", "base"]
        or words[-3:] == ["client", "key", "data"]
    ):
        return "weak"
    return None
