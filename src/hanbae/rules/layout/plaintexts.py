"""Plaintext secrets in the text of a file: private keys, passwords in URLs, tokens of known shape, named values.

Known shapes are sure; a value that only its key makes a secret is judged by key and value together: the key's last
word must be a secret's (``DB_PASSWORD``, ``clientSecret``; not ``passwordKey`` or ``secretName``), and the value must
be no placeholder, no reference, no ciphertext and no name.
Names, tokens and their spelling are those of :mod:`hanbae.masking.shapes`, which the redactor goes by as well.

Nothing that is found carries any part of a value.
Files are hostile: every search is for a fixed word, and everything around a hit is looked at within a bound.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

from hanbae import patterns
from hanbae.masking import shapes
from hanbae.rules.layout import file_kinds

Kind = Literal["private-key", "url", "token", "named"]
_Hit = tuple[int, int, Kind, str]
"""Index of a secret's first character and of where its value ends, and what it is. A URL is all on one line."""

LARGEST: Final = 2 * 1024 * 1024
"""Characters of a file that are looked at."""

_MOST: Final = 200
"""Finds in one file; whoever has so many needs no longer list."""
# Characters before a word of a secret in which the rest of its key is looked for.
_REACH: Final = 64
_MOST_VALUES: Final = 1_000_000
"""Characters of values that are judged in one file: a line can be made in which each value holds all the rest."""


# The files in which values stand; source code has its own tools.
_ENDINGS: Final = (
    ".yaml", ".yml", ".json", ".toml", ".ini", ".cfg", ".conf", ".properties", ".env", ".tfvars", ".tpl", ".txt",
    ".example", ".sample", ".template", ".pem", ".key", ".crt", ".sh", ".xml", ".npmrc", ".netrc", ".pgpass",
    ".htpasswd", ".dockercfg", ".ovpn",
)  # fmt: skip
_NAMES: Final = frozenset({"config", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"})
_LEFT_OUT: Final = (".schema.json", "go.sum")
_KEYSTORES: Final = (".p12", ".pfx", ".jks", ".keystore", ".kdbx")

# The same few names are everywhere.
_strength: Final = lru_cache(maxsize=4096)(shapes.strength)

_BODY: Final = patterns.lazy(r"(?:\\n|[\s\"'+|>-])*[A-Za-z0-9+/=]{16}")

_ASCII_ROOTS: Final = tuple(filter(str.isascii, shapes.ROOTS))
_HANGUL_ROOTS: Final = tuple(root for root in shapes.ROOTS if not root.isascii())
_KEY: Final = string.ascii_letters + string.digits + "_.-"
_RIGHT: Final = patterns.lazy(r"([A-Za-z0-9_.-]{0,48}+)[\"']?[ \t]*+(?::=|=>|[:=])(?!/)[ \t]*")
_VALUE_BELOW: Final = patterns.lazy(
    r"([A-Za-z0-9_.-]{0,48}+)[\"']?[ \t]*+(?:#[^\n]{0,200})?\r?\n[ \t]*value[ \t]*:[ \t]*"
)
_BLOCK: Final = patterns.lazy(r"[|>][+-]?[0-9]?[ \t]*\r?\n[ \t]*")
_VALUE: Final = patterns.lazy(
    r"\\\"(?P<escaped>[^\"\\\n]{0,4096})\\\"|'(?P<single>[^'\n]{0,4096})'|\"(?P<double>(?:[^\"\\\n]|\\.){0,4096})\"|(?P<bare>\S{0,4096})"
)
_MORE: Final = patterns.lazy(r"[ \t]+(?!#)\S")
_SAMPLE: Final = patterns.lazy(
    r"(?i)example|change.?(?:me|it|this)|placeholder|dummy|sample|redacted|replace|your(?:[-_ ]|[a-z])"
    r"|to.?do\b|\bfixme\b|\b(?:tbd|insert|enter|fill|set)[-_ ](?:in|me|the|a)\b|not[-_]?a[-_]?(?:real|secret)"
    r"|(?:secret|key|token|password|value|id)[-_ ]?here\b|hard.?coded|base64.?encoded|\bfake|x{3}|\*{3}|\.{3}|…"
)
# ``secret_pw``, ``another_pw``, ``some-password``: any one, as a manual says it.
_ANY: Final = patterns.lazy(
    r"(?i)(?:some|any|another|other|secret|my)[-_ ]?(?:pw|pwd|pass|passwd|password|passphrase|secret|token)"
)
# ``__secret__``, ``--token--``, ``#{token}#``, ``@@token@@``: what a pipeline or a person puts the value in for.
_MARKED: Final = patterns.lazy(r"(__|--|==|%%|##|@@|~~|::)[A-Za-z][\w .-]{0,80}\1")
# ``md5(random()::text)``, ``Joi.string()``, ``varchar(255)``: a call, not what it gives.
_CALL: Final = patterns.lazy(
    r"[A-Za-z_$][\w.:$]{0,80}\(.{0,400}\)(?:[.:;,!?][^\s()]{0,80})?|function\(.*"
)
# ``^4.0.23``, ``>=1.2,<2``, ``4.0.23(@types/node@25.0.10)``, ``workspace:*``.
_VERSION: Final = patterns.lazy(
    r"[\^~<>=!v]{0,3}[0-9]+(?:\.[0-9x*]+){1,3}(?:[-+.,(<>=!][\w@/.()<>=!*+:-]{0,400})?"
    r"|(?:npm|workspace|catalog|link|portal|patch|github|git\+ssh|git\+https):.{0,400}"
)
# ``:password``, ``?``, ``user.password``, ``DB_PASSWORD``: a parameter, a field or a variable of that name.
_VARIABLE: Final = patterns.lazy(
    r"(?:[:#?][A-Za-z_]?\w{0,80}|[A-Za-z_$][\w$]{0,80}(?:[.]|->|::)[\w$.?!\[\]'\"]{1,160})"
)
_UPPER_NAME: Final = patterns.lazy(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_REFERENCE: Final = patterns.lazy(
    r"[<$%@!&*{\[]|(?:ref\+|vault:|op://|env:|file:|ENC\[|sha(?:256|512):|arn:|projects/|https?://|/|\.{1,2}/|~/|-----BEGIN)"
)
# ``secret/hcp-k8s-secret.yaml``: the file in which the secret is.
_FILE: Final = patterns.lazy(
    r"[\w.-]{1,80}(?:/[\w.-]{1,80}){1,20}\.(?:ya?ml|json|pem|key|crt|p12|jks|env|txt|conf|ini)"
)
_DEFAULTS: Final = frozenset(
    {
        "password", "passwd", "pass", "secret", "token", "test", "tests", "testing", "guest", "root", "admin",
        "user", "postgres", "mysql", "redis", "rabbitmq", "dev", "local", "localhost", "none", "null", "true",
        "false", "yes", "no", "empty", "unset", "disabled", "enabled", "required", "optional", "string", "app",
        "123456", "error", "warning", "always", "never", "prompt", "stdin", "hidden", "masked", "inherit", "default",
        "passwort", "kennwort", "wachtwoord", "senha", "parola", "parole", "salasana", "haslo", "heslo", "jelszo",
        "losenord", "adgangskode", "passord", "sifre", "lozinka", "contrasena", "contrasenya", "motdepasse",
    }
)  # fmt: skip
_END_OF_STRING: Final = patterns.lazy(r"\\?[\"'`][)\]};,]")
_PUBLIC: Final = patterns.lazy(
    r"\s*-----BEGIN (?:CERTIFICATE|PUBLIC KEY|RSA PUBLIC KEY|DH PARAMETERS|X509 CRL)"
)
_NAME: Final = patterns.lazy(
    r"[A-Za-z]+(?:[0-9]{1,3}[a-z]{0,2})?(?:[-._/:][A-Za-z]*(?:[0-9]{1,3}[a-z]{0,2})?)*"
)
# A sealed value begins with the length of its RSA block, two bytes: 512 of a key of 4096 bits, 256 of one of 2048.
# One that was cut while it was copied is no secret either; that it is cut is for the secrets' rules.
_CIPHERTEXT: Final = patterns.lazy(r"A[gQ][A-D][A-Za-z0-9+/]{61,}={0,2}")
# Characters that a value has at least which is a password, a token or a key, or one of these
# without a digit.
_SHORTEST: Final = 6
_SHORTEST_WEAK: Final = 12
_SHORTEST_PLAIN: Final = 24
# Different characters that any of them has, and bits of entropy for each character of a token or a
# key.
_FEWEST_CHARACTERS: Final = 4
_BITS: Final = 3.0
_LONGEST_URL: Final = 400
_LONGEST_SCHEME: Final = 20
_LONGEST_LINE: Final = 4096
_LONGEST_KEY: Final = 16 * 1024
_END_OF_URL: Final = patterns.lazy(r"[\s\"'`<>|]")
_SHELL_VARIABLE: Final = patterns.lazy(r"\$\{[^{}]{0,200}\}")
_COMPOSED: Final = patterns.lazy(r"\s|\{\{|\$\{|\$\(")


class Plain(Struct, frozen=True, order=True):
    """A secret that stands in a text for everybody to read.

    Attributes:
        line: Its line, counted from 1.
        column: Its column, counted from 1.
        kind: What it was known by.
        name: The key, the URL's scheme, or who gives out such tokens; never a part of the value.
        last: The line on which its value ends, counted from 1: a value may stand below its key.
    """

    line: int
    column: int
    kind: Kind
    name: str
    last: int


def looked_at(path: str) -> bool:
    """Whether a file of this name is one in which values stand."""
    name = path.rpartition("/")[2]
    if name.endswith(_LEFT_OUT):
        return False
    if name.endswith((*_ENDINGS, ".lock")) or name in _NAMES or name.startswith("Dockerfile"):
        return True
    return "kubeconfig" in name or "env" in name.split(".")


def is_keystore(path: str) -> bool:
    """Whether a file of this name holds private keys in a form of its own."""
    return path.endswith(_KEYSTORES)


def find(text: str, file_kind: file_kinds.FileKind = "values") -> tuple[Plain, ...]:
    """The secrets in a text, by line; of two on one line only the surer one.

    Args:
        text: The text.
        file_kind: What values mean in such a file.
    """
    text = text[:LARGEST]
    by_line: dict[int, Plain] = {}
    line, counted = 1, 0
    for start, end, kind, name in _hits(text, file_kind):
        if start < counted:  # the next kind of secret is looked for from the beginning
            line, counted = 1, 0
        line, counted = line + text.count("\n", counted, start), start
        if line not in by_line:
            column = start - (text.rfind("\n", 0, start) + 1) + 1
            last = line + text.count("\n", start, end)
            by_line[line] = Plain(line, column, kind, name, last)
        if len(by_line) >= _MOST:
            break
    return tuple(sorted(by_line.values()))


def is_plain(value: str, *, strong: bool) -> bool:
    """Whether a value, of which the key says that it is secret, is one rather than something in its place.

    Args:
        value: The value, without quotes.
        strong: Whether the key is a password's, so that an ordinary word counts as well.
    """
    value = value.strip()
    if len(value) < (_SHORTEST if strong else _SHORTEST_WEAK) or _is_in_its_place(value):
        return False
    if strong:
        return True
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    if not mixed and (len(value) < _SHORTEST_PLAIN or not value.isalpha()):
        return False
    return not _NAME.fullmatch(value) and _entropy(value[:256]) >= _BITS


def is_placeholder(value: str) -> bool:
    """Whether a value says itself that it is none: a sample, a reference, a ciphertext; or it is meant for everybody.

    Args:
        value: The value, without quotes.
    """
    value = value.strip()
    if not value or _SAMPLE.search(value[:200]) or value.startswith(("ENC[", "<", "$")):
        return True
    if _MARKED.fullmatch(value[:1024]):
        return True
    return _PUBLIC.match(value) is not None and "PRIVATE" not in value


def _is_in_its_place(value: str) -> bool:
    """Whether something stands where a secret would: a placeholder, a reference, a sentence, a ciphertext."""
    # What a look at the beginning decides comes first, and ciphertexts are most of what there is.
    if _CIPHERTEXT.fullmatch(value) or _REFERENCE.match(value) or not value.isascii():
        return True
    if len(set(value)) < _FEWEST_CHARACTERS or value.lower() in _DEFAULTS:
        return True
    if _SAMPLE.search(value[:200]):
        return True
    if any(form.fullmatch(value[:1024]) for form in (_ANY, _MARKED, _CALL, _VERSION, _FILE)):
        return True
    return _COMPOSED.search(value) is not None or _is_variable(value)


def _is_variable(value: str) -> bool:
    """Whether a value is the name of the variable or the field that holds the secret."""
    if _UPPER_NAME.fullmatch(value[:100]):
        return shapes.strength(value) is not None
    if not _VARIABLE.fullmatch(value[:400]):
        return False
    return value[0] in ":#?" or shapes.strength(value.rstrip("!?']\"")) is not None


def _hits(text: str, file_kind: file_kinds.FileKind) -> Iterator[_Hit]:
    if "-----BEGIN" in text:
        for match in shapes.PRIVATE_KEY.finditer(text):
            if body := _BODY.match(text, match.end()):
                end = text.find("-----END", body.end(), body.end() + _LONGEST_KEY)
                yield match.start(), max(end, body.end()), "private-key", ""
    if "://" in text:
        yield from _urls(text, samples=file_kind == "samples")
    for token in shapes.tokens(text):
        if not _SAMPLE.search(text, token.start, token.end):
            yield token.start, token.end, "token", token.issuer
    if file_kind != "words":
        yield from _named(text, file_kind)


def _urls(text: str, *, samples: bool = False) -> Iterator[_Hit]:
    for colon in _positions(text, "://"):
        rest = text[colon + 3 : colon + 3 + _LONGEST_URL]
        if "@" not in rest:
            continue
        end = _END_OF_URL.search(rest)
        credentials, _, host = rest[: end.start() if end else len(rest)].rpartition("@")
        credentials = _SHELL_VARIABLE.sub("$_", credentials)  # its default begins with a colon
        user, _, password = credentials.partition(":")
        before = text[max(0, colon - _LONGEST_SCHEME) : colon]
        scheme = before[len(before.rstrip(shapes.SCHEME)) :].lstrip(f"{string.digits}+.-")
        if not scheme or "/" in user:
            continue
        if not password and _is_random_user(user):
            yield colon, colon, "url", scheme
        # `https://host:8443/a@b` has a port, and the sign is in its path.
        if not password or re.match(r"[0-9]{1,5}[/?#]", password):
            continue
        sample = password.lower() in _DEFAULTS or password == user or _SAMPLE.search(password)
        if sample or _REFERENCE.match(password) or _COMPOSED.search(password):
            continue
        if _MARKED.fullmatch(password) or (samples and not is_plain(password, strong=False)):
            continue
        if (
            re.match(r"(?:[\w-]+\.)*example(?:\.(?:com|org|net))?(?:[:/?]|\Z)", host)
            and len(password) < _SHORTEST
        ):
            continue
        yield colon, colon, "url", scheme


def _is_random_user(user: str) -> bool:
    """Whether the user name of a URL without a password is a token of unknown issuer: ``https://9f3c…@host/…``."""
    issued = any(True for _ in shapes.tokens(user))
    return len(user) >= shapes.LONG_USER and not issued and is_plain(user, strong=False)


def _named(text: str, file_kind: file_kinds.FileKind) -> Iterator[_Hit]:
    lower = text.lower()
    if len(lower) != len(text):  # a letter whose lower case is longer; the places would be wrong
        lower = text
    roots = _ASCII_ROOTS if text.isascii() else shapes.ROOTS
    following, spent = 0, 0
    for start in _positions(lower, *roots):
        if start < following:
            continue
        if spent > _MOST_VALUES:
            return
        assigned = _assigned(text, start)
        if assigned is None:
            continue
        following = start + 1
        first, key, value_start = assigned
        strength = _strength(key)
        if strength is None or _in_comment(text, start):
            continue
        value = _value(text, value_start, file_kind)
        spent += len(value)
        strong = strength == "strong" and file_kind != "samples"
        if is_plain(value, strong=strong) and not _is_same_word(value, key):
            # A key may have several such words, as `SECRET_KEY` has: what is left of it is passed
            # over.
            following = value_start
            end = text.index(value, value_start) + len(value)
            yield first, end, "named", key[:_REACH]


def _assigned(text: str, start: int) -> tuple[int, str, int] | None:
    """The key around a word of a secret, between its first character and that of its value; None where it has none."""
    hangul = ""
    if not text[start].isascii():
        hangul = next((root for root in _HANGUL_ROOTS if text.startswith(root, start)), "")
    name = start + len(hangul)
    right = _RIGHT.match(text, name)
    below = _VALUE_BELOW.match(text, name) if right is None else None
    # Most are words of a sentence, or parts of other names: there is nothing more to look at.
    if right is None and below is None:
        return None
    near = text[max(0, start - _REACH) : start]
    before = near[len(near.rstrip(_KEY)) :]
    first = start - len(before)
    if near.endswith(f"checksum/{before}"):
        return None
    if right is not None:
        return first, before + hangul + right[1], right.end()
    head = text[max(0, start - 2 * _REACH) : first].rstrip(" \t\"'")
    if below is None or not head.endswith("name:"):
        return None
    return first, before + hangul + below[1], below.end()


def _is_same_word(value: str, key: str) -> bool:
    """Whether the value only says again what the key is called: ``dbPassword: db-password``."""
    return re.sub(r"[-_. ]", "", value[:100]).lower() == re.sub(r"[-_.]", "", key).lower()


def _value(text: str, start: int, file_kind: file_kinds.FileKind) -> str:
    block = _BLOCK.match(text, start)
    match = _VALUE.match(text, block.end() if block else start)
    if match is None:
        return ""
    for name in ("escaped", "single", "double"):
        if match[name] is not None:
            return str(match[name])
    bare = str(match["bare"])
    has_quotes = '"' in bare or "'" in bare or "`" in bare
    end = _END_OF_STRING.search(bare) if has_quotes else None
    if end is not None and not _CALL.fullmatch(bare[:1024]):
        bare = bare[: end.start()]  # of the string of a program that it stands in
    if _MORE.match(text, match.end()) or file_kind == "code":
        return ""  # a sentence, or an expression of a program
    # A shell takes no parenthesis in a word.
    return "" if file_kind == "script" and "(" in bare else bare.rstrip(",;}]")


def _in_comment(text: str, index: int) -> bool:
    start = max(text.rfind("\n", max(0, index - _LONGEST_LINE), index), index - _LONGEST_LINE) + 1
    line = text[start : start + 2 * _REACH].lstrip()
    return line.startswith(("#", "//", "{{- /*", "{{/*"))


def _positions(text: str, *words: str) -> list[int]:
    """Where any of some words begin, in order."""
    positions = set()
    for word in words:
        start = text.find(word)
        while start >= 0:
            positions.add(start)
            start = text.find(word, start + len(word))
    return sorted(positions)


def _entropy(value: str) -> float:
    """Bits for each character, by Shannon, of the value's own frequencies."""
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values())
