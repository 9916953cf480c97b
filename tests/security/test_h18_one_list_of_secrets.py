"""The rule over files and the redactor of texts go by one list of what secrets look like."""

from __future__ import annotations

import time

import pytest

from hanbae import masking
from hanbae.masking import shapes
from hanbae.rules.layout import plaintexts

LETTERS = "k3Jd8sQ0zXv7Lm2Wn5Rb9Tc4Yf6Hg1Pa0eUi"
UPPER = "Q7XW2LTR5PZK9D3MQ7XW2LTR5PZK9D3MQ7XW2LTR5PZK9D3MQ7XW2LTR5PZK9D3M"
HEX = "9f3c1b7a5d8e2046f1c3b5a79d8e20461c3b5a79"
PASSWORD = "9f-Tulpe-kiesel"

TOKENS = {
    # Put together here, so that no scanner takes this file for a leak.
    "AWS": "AKIA" + UPPER[:16],
    "AWS session": "ASIA" + UPPER[:16],
    "GitHub": "ghp_" + LETTERS,
    "GitHub app": "ghs_" + LETTERS,
    "GitHub user": "ghu_" + LETTERS,
    "GitHub refresh": "ghr_" + LETTERS,
    "GitHub fine-grained": "github_pat_" + LETTERS + "_" + LETTERS,
    "GitLab": "glpat-" + LETTERS[:20],
    "GitLab job": "glcbt-64_" + LETTERS[:20],
    "GitLab deploy": "gldt-" + LETTERS[:20],
    "Slack bot": "xoxb-" + "123456789012-" + LETTERS[:24],
    "Slack app": "xapp-" + "1-A0123-" + LETTERS[:24],
    "Slack hook": "https://hooks.slack.com/services/" + "T0123ABCD/B0123ABCD/" + LETTERS[:24],
    "Stripe": "sk_live_" + LETTERS[:24],
    "Stripe restricted": "rk_live_" + LETTERS[:24],
    "Google": "AIza" + LETTERS[:35],
    "npm": "npm_" + LETTERS,
    "PyPI": "pypi-AgE" + LETTERS + LETTERS,
    "Docker": "dckr_pat_" + LETTERS[:27],
    "SendGrid": "SG." + LETTERS[:22] + "." + (LETTERS + LETTERS)[:43],
    "Vault": "hvs." + LETTERS[:28],
    "age": "AGE-SECRET-KEY-1" + UPPER[:58],
    "DigitalOcean": "dop_v1_" + HEX + HEX[:24],
    "Hugging Face": "hf_" + LETTERS[:34],
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.MDEyMzQ1Njc4OWFiY2RlZg",
}


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize(
    "line", ["x: {}", "/{}", "a={}", "-t={}", "see-{}", "'{}'", "https://{}@host/x"]
)
def test_rule_and_redactor_know_the_same_tokens(kind: str, line: str) -> None:
    text = line.format(TOKENS[kind])
    secret = TOKENS[kind].rpartition("/")[2]
    assert len(plaintexts.find(f"{text}\n")) == 1
    assert secret not in masking.Redactor()(text)


NAMED = [
    "DB_PASS={}",
    "DB_PASS: {}",
    "dbpass={}",
    "dbPass: {}",
    "pwd: {}",
    "pwd={}",
    "Server=db;Uid=app;Pwd={};",
    "pass: {}",
    "pass={}",
    "PGPASSWORD={}",
    "MYSQL_PWD={}",
    "api_key: {}",
    "apiKey: {}",
    "api-key={}",
    "X-API-Key: {}",
    "access_key: {}",
    "signing_key: {}",
    "token: {}",
    "PRIVATE-TOKEN: {}",
    "X-Vault-Token: {}",
    "secret: {}",
    "Cookie: session={}",
    "Set-Cookie: sid={}; Path=/; HttpOnly",
    '"Cookie": "session={}"',
    '{{"headers":{{"Cookie":["sid={}; a=b"]}}}}',
    "Authorization: {}",
    "Authorization: Bearer {}",
    "비밀번호: {}",
    "비밀번호={}",
    "비밀번호\uff1a {}",
    "암호: {}",
    "패스워드: {}",
    "비밀키: {}",
    "토큰: {}",
    "--password {}",
    "--api-key {}",
    "GET /x?sig={}&a=b",
    "GET /x?X-Amz-Signature={}",
]


@pytest.mark.parametrize("line", NAMED)
def test_redactor_hides_the_value_of_every_name(line: str) -> None:
    value = "hunter2hunter2"
    redacted = masking.Redactor()(f"before {line.format(value)} after")
    assert "hunter2" not in redacted
    assert masking.MASK in redacted
    assert redacted.startswith("before ")


@pytest.mark.parametrize(
    "line",
    [
        "PWD=/app/src",
        "--- PASS: TestLogin (0.01s)",
        "pass: 12, fail: 0",
        "unexpected token: EOF",
        "invalid token: unexpected",
        "Secret: auth-secrets",
        "compass: north12345",
        "bypass=true",
        "비밀번호: 필수 항목입니다",
        "cookie: expired",
        "flag --token is required",
        "key: value",
        "primary key: users_pkey1",
        'ERROR: duplicate key value violates unique constraint "users_pkey" (SQLSTATE 23505)',
        "goose: no migrations to run. current version: 20240102030405",
        "checksum: 83018b20842310b3e25bf0bc771f414ada71d5ad668669012643f36abd1cc538",
        "image: ghcr.io/example/auth@sha256:83018b20842310b3e25bf0bc771f414ada71d5ad668669012643f36abd1cc538",
    ],
)
def test_ordinary_lines_stay_readable(line: str) -> None:
    assert masking.Redactor()(line) == line


@pytest.mark.parametrize(
    "line",
    [
        "비밀번호: {}",
        "암호: {}",
        "DB_PASS: {}",
        "dbpass: {}",
        "pwd: {}",
        "PGPASSWORD={}",
        "mypassword: {}",
    ],
)
def test_rule_finds_the_names_that_the_redactor_hides(line: str) -> None:
    (plain,) = plaintexts.find(line.format(PASSWORD) + "\n")
    assert plain.kind == "named"


@pytest.mark.parametrize(
    "text",
    [
        *(f"{root}=" * 100_000 for root in shapes.ROOTS if not root.isascii()),
        *(f"{prefix}" * 100_000 for prefix in ("eyJ-", "glpat-", "SG.", "hvs.", "ghp_", "sk_live_", "AKIA")),
        *(prefix + "A" * 500_000 for prefix in ("eyJ", "glpat-", "SG.", "hooks.slack.com/services/")),
        "cookie: " * 100_000,
        "cookie:" + " " * 500_000,
        "--" * 300_000,
        "--a" * 200_000,
        "-" * 600_000 + "password",
        "?sig" * 150_000,
        "pwd" + "'" * 500_000,
        "authorization: [" * 40_000,
        "https://" + "a" * 600_000,
        "https://a" * 80_000 + "@",
    ],
)  # fmt: skip
def test_hostile_text_is_looked_at_in_linear_time(text: str) -> None:
    """Not a benchmark: a quadratic search would take hours."""
    began = time.process_time()
    masking.Redactor()(text)
    plaintexts.find(text)
    assert time.process_time() - began < 20
