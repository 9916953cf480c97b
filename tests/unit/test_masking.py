"""A plaintext secret stays hidden, however a program spells it, and no log line can stall the redactor."""

from __future__ import annotations

import base64
import copy
import html
import json
import pickle
import shlex
import time
import traceback
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hanbae import masking

CANARY = "c4n4ry-p'w/#?x@ss\"w0rd\\&=+ 한"

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "json": json.dumps,
    "json in json": lambda value: json.dumps(json.dumps(value)),
    "json, not only ascii": lambda value: json.dumps(value, ensure_ascii=False),
    "python": repr,
    "shell": shlex.quote,
    "shell, backslashes": lambda value: "".join(c if c.isalnum() else f"\\{c}" for c in value),
    "shell, double quotes": lambda value: "'" + value.replace("'", "'\"'\"'") + "'",
    "sql": lambda value: "'" + value.replace("'", "''") + "'",
    "url": lambda value: quote(value, safe=""),
    "url path": quote,
    "url twice": lambda value: quote(quote(value, safe=""), safe=""),
    "url, lower case": lambda value: quote(value, safe="").replace("%2F", "%2f"),
    "form": quote_plus,
    "html": html.escape,
    "url in json": lambda value: json.dumps(quote(value, safe="/@")),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 url": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "base64 of basic auth": lambda value: base64.b64encode(f"u:{value}".encode()).decode(),
    "base64 of a longer user": lambda value: base64.b64encode(f"user:{value}!".encode()).decode(),
    "hex": lambda value: value.encode().hex(),
    "folded": lambda value: f"{value[:9]}\n    {value[9:20]}\r\n{value[20:]}",
    "base64, folded": lambda value: base64.encodebytes(value.encode() * 3).decode(),
}


def fragments(text: str) -> list[str]:
    """Stretches of the canary that would give a part of it away."""
    return [text[start : start + 8] for start in range(len(text) - 7)]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_value_is_hidden_however_it_is_spelled(spelling: str) -> None:
    spelled = SPELLINGS[spelling](CANARY)
    redacted = masking.Redactor([masking.Masked(CANARY.encode())])(f"before {spelled} after")
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")
    assert masking.MASK in redacted
    hidden = [part for part in fragments(spelled) if part in redacted]
    assert not hidden


@given(st.text(min_size=6, max_size=40).filter(lambda value: len(value.strip()) >= 6))
@example("''''''''''''''''")
@example("\\\\\\\\\\\\\\\\'\"")
@example("a!b%20c&amp;d")
def test_any_value_is_hidden_raw_and_in_json(value: str) -> None:
    redactor = masking.Redactor([masking.Masked(value.encode("utf-8", "surrogatepass"))])
    assert value.strip() not in redactor(f"<{value}>")
    if value.encode("utf-8", "ignore").decode() == value:
        assert json.dumps(value.strip())[1:-1] not in redactor(json.dumps({"v": value}))


@given(st.text(), st.text(min_size=6, alphabet="ab:/@'\"\\ %\n"))
def test_redacting_twice_changes_nothing_more(text: str, value: str) -> None:
    redactor = masking.Redactor([masking.Masked(value.encode())])
    assert redactor(redactor(text)) == redactor(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://shop:pw@db:5432/shop", "postgres://shop:•••@db:5432/shop"),
        ("postgres://shop:p@ss/w#r?d@db/shop", "postgres://shop:•••@db/shop"),
        ("'postgres://shop:p w@db/shop' failed", "'postgres://shop:•••@db/shop' failed"),
        ('"url":"redis://:pw@valkey:6379"', '"url":"redis://:•••@valkey:6379"'),
        ("fetch https://u:pw@git/x.git, then", "fetch https://u:•••@git/x.git, then"),
        ("https://ghp_0123456789abcdefghij@github.com/x", "https://•••@github.com/x"),
        ("http://api.example.com:8080/mail?to=a@b.c", "http://api.example.com:8080/mail?to=a@b.c"),
        ("oci://localhost:5000/app@sha256:aa", "oci://localhost:5000/app@sha256:aa"),
        ("no password here: https://example.com", "no password here: https://example.com"),
        ("host=db password=hunter2 user=x", "host=db password=••• user=x"),
        ("host=db password='it''s' user=x", "host=db password='•••' user=x"),
        ("DB_PASSWORD=x", "DB_PASSWORD=•••"),
        ('{"password":"a,b","user":"x"}', '{"password":"•••","user":"x"}'),
        (r"{\"password\": \"x\", \"u\": 1}", r"{\"password\": \"•••\", \"u\": 1}"),
        ("client_secret=abc&x=1", "client_secret=•••&x=1"),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer •••"),
        ("Authorization: Basic dTpwdw==", "Authorization: Basic •••"),
        ("token eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl end", "token ••• end"),
        (
            "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nx",
            "-----BEGIN PRIVATE KEY-----•••-----END PRIVATE KEY-----\nx",
        ),
        (
            'password authentication failed for user "shop"',
            'password authentication failed for user "shop"',
        ),
        ('secret "auth-secrets" not found', 'secret "auth-secrets" not found'),
        ("couldn't find key JWT_SECRET in Secret services-dev/auth-secrets",) * 2,
    ],
)
def test_shapes_of_secrets_are_hidden_and_ordinary_words_stay(text: str, expected: str) -> None:
    assert masking.Redactor()(text) == expected


def test_overlapping_values_leave_nothing_between_them() -> None:
    redactor = masking.Redactor([masking.Masked(b"abcdefgh"), masking.Masked(b"efghijkl")])
    assert redactor("x abcdefghijkl y") == "x ••• y"


def test_password_of_a_secret_url_is_a_secret_by_itself() -> None:
    redactor = masking.Redactor([masking.Masked(b"postgres://shop:corr%40ct-horse@db/shop")])
    assert redactor("tried corr@ct-horse") == "tried •••"
    assert redactor("tried corr%40ct-horse") == "tried •••"


def test_line_of_a_secret_of_many_lines_is_hidden_by_itself() -> None:
    redactor = masking.Redactor([masking.Masked(b"first line of it\nx\nsecond line of it\n")])
    assert redactor("got second line of it") == "got •••"
    assert redactor("x marks the spot") == "x marks the spot"


def test_short_value_does_not_blot_out_words() -> None:
    assert masking.Redactor([masking.Masked(b"dev")])("deploying to dev") == "deploying to dev"


HOSTILE = {
    "letters": "a" * 250_000,
    "schemes": "://" * 82_500,
    "urls": "'http://a:b" * 22_500,
    "urls and at-signs": "http://a:" * 12_500 + "@" * 125_000,
    "tokens": "eyJ-" * 62_500,
    "keywords": "password=" * 27_500,
    "open quotes": "password='" * 25_000,
    "open double quotes": 'password="\\' * 22_500,
    "keyword and spaces": "password" + " " * 250_000,
    "backslashes": "\\" * 250_000,
    "almost the value": "p'w'\"\\w'p" * 27_500,
    "half the value": "hunter2" * 35_000,
    "folds": "hunter22\n" * 27_500,
    "private keys": "-----BEGIN PRIVATE KEY-----" * 9_250,
    "authorizations": "authorization: basic " * 12_000,
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_hostile_log_is_redacted_in_linear_time(line: str) -> None:
    redactor = masking.Redactor(
        [
            masking.Masked(v)
            for v in (b"p'w'\"\\w'p!!", b"hunter22", b"'!'!'!'!'!'!'!'!", CANARY.encode())
        ]
    )
    began = time.process_time()
    redactor(line)
    assert time.process_time() - began < 3  # seconds; a quadratic search takes half an hour


def test_masked_secret_shows_itself_nowhere() -> None:
    secret = masking.Masked(b"canary-value")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>30}", f"{[secret]}", f"{secret!r}"]
    assert all("canary" not in text for text in shown)
    for serialise in (pickle.dumps, msgspec.json.encode, json.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError) as caught:
            serialise(secret)
        assert "canary" not in "".join(traceback.format_exception(caught.value))
    assert not hasattr(secret, "__dict__")
    assert secret.unmask() == b"canary-value"
    assert len(secret) == 12
    assert not masking.Masked(b"")
