"""What is read on the way of a secret, and what a database's tools say: a result or words, and no value in them."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from tests.support import fuzzing

from hanbae import errors, masking
from hanbae.migrations import goose_files, hazards, scripts, statuses, transactions
from hanbae.rules.migrations import images
from hanbae.sealing import certificates, ciphertexts, envfiles, pins

CANARY = "c4n4ry-of-a-secret"


def certificate() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    begin = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 5, begin, begin + dt.timedelta(9999)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


PEM = certificate()
DER = x509.load_pem_x509_certificate(PEM).public_bytes(serialization.Encoding.DER)


@fuzzing.bounded(120)
@given(
    fuzzing.damaged(
        PEM,
        DER,
        PEM.decode().encode("utf-16"),
        b"-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n",
    )
)
def test_a_certificate(data: bytes) -> None:
    with fuzzing.expected_errors():
        parsed = certificates.parse(data, "x.pem")
        assert parsed.public_key.key_size >= certificates.SMALLEST_KEY
        parsed.check(dt.datetime(2020, 2, 1, tzinfo=dt.UTC))


@fuzzing.bounded(120)
@given(fuzzing.damaged("AgB" + "A" * 400, "=", "AgA="), st.sampled_from(["A", "..", "a b", "한"]))
def test_a_sealed_value(data: bytes, key: str) -> None:
    with fuzzing.expected_errors():
        assert ciphertexts.shape(data.decode("utf-8", "replace")).length >= 0
    ciphertexts.is_key(key)
    pins.mentioned(data)
    pins.of({"certificates": {key: data.decode("utf-8", "replace")}}, key)


@fuzzing.bounded(150)
@given(
    fuzzing.damaged(f"A={CANARY}\nexport B='{CANARY}'\n# c\nC=\"{CANARY}\\n\"\nD={CANARY} # e\n")
)
def test_an_env_file(data: bytes) -> None:
    try:
        for key, value in envfiles.parse(data, "x.env").items():
            assert ciphertexts.is_key(key)
            assert isinstance(value, masking.Masked)
    except errors.FileFault as fault:
        shown = f"{fault} {fault.text.facts}"
        assert CANARY not in shown


SQL = """-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION a() RETURNS int AS $$ BEGIN DELETE FROM x; /* ' */ END $$ LANGUAGE plpgsql;
-- +goose StatementEnd
ALTER TABLE "a""b" DROP COLUMN c, ALTER d TYPE int USING (d::int); -- e
CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);
INSERT INTO a VALUES (E'\\'', $x$ ' $x$);
-- +goose Down
DROP TABLE a;
"""


@fuzzing.bounded(120)
@given(fuzzing.damaged(SQL))
def test_a_migration(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    parsed = scripts.parse(text)
    for statements in (parsed.up, parsed.down or ()):
        list(hazards.losses(statements))
        for statement in statements:
            assert 1 <= statement.line <= text.count("\n") + 1
            hazards.may_be_alone(statement.text)
            hazards.alone(statement.text)
            hazards.repeatable(statement.text)
            hazards.words(statement.text)
            list(hazards.parts(statement))
    transactions.bare({1: text})


@fuzzing.bounded(80)
@given(
    st.lists(
        fuzzing.damaged("00001_a.sql", "9999999999999999999_b.sql", "\u0661_x.sql").map(
            lambda b: b.decode("utf-8", "replace")
        ),
        max_size=5,
    )
)
def test_names_of_migrations(names: list[str]) -> None:
    with fuzzing.expected_errors():
        assert len(goose_files.versions(names)) <= len(names)


LOG = """2026/11/23 10:20:30 OK   00001_a.sql (1.2ms)
2026/11/23 10:20:30 goose: successfully migrated database to version: 20260101
2026/11/23 10:20:30     Applied At                  Migration
2026/11/23 10:20:30     Mon Jan  2 15:04:05 2026 -- 00001_a.sql
2026/11/23 10:20:30     Pending                  -- 00002_b.sql
2026/11/23 10:20:30 goose run: ERROR 00002_b.sql: failed to run SQL migration: ERROR: x (SQLSTATE 42601)
"""


@fuzzing.bounded(100)
@given(fuzzing.damaged(LOG))
def test_lines_of_a_log(data: bytes) -> None:
    lines = data.decode("utf-8", "replace").split("\n")
    for line in lines:
        statuses.applied(line)
        statuses.reached(line)
        masking.Redactor([masking.Masked(CANARY.encode())])(line)
    statuses.status(lines)
    failure = statuses.failure(lines)
    assert failure is None or failure.is_permanent in {True, False}


DOCKERFILE = """# syntax=docker/dockerfile:1
FROM --platform=$BUILDPLATFORM golang:1 AS build
COPY --from=x --chown=a:b ["a b", "/c"]
RUN <<EOF
echo $((1))
echo $((1))
EOF
COPY services/auth/migrations/ /app/migrations \\
  # comment
  /x
ENTRYPOINT ["goose", "-dir", "/app/migrations", "up"]
"""


@fuzzing.bounded(100)
@given(fuzzing.damaged(DOCKERFILE))
def test_a_dockerfile(data: bytes) -> None:
    lines = list(images.instructions(data.decode("utf-8", "replace")))
    assert len(images._last_stage(lines)) <= len(lines)


@pytest.mark.parametrize("depth", [1, 50_000])
def test_a_migration_of_nested_comments_and_quotes(depth: int) -> None:
    for text in ("/*", "(", "$$", "'", '"', "--"):
        statement = scripts.Statement(f"{text * depth};", 1)
        assert list(hazards.losses((statement,))) == []
        assert list(hazards.parts(statement)) is not None
