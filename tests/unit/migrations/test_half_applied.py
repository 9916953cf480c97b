"""A migration outside a transaction that goose has broken off: the statement, as goose v3.27 writes it."""

from __future__ import annotations

import pytest

from hanbae.migrations import half_applied

FILE = b"""-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE a (t text DEFAULT 'x "y"');
-- why
ALTER TABLE a
\tADD COLUMN n int;
CREATE INDEX CONCURRENTLY a_n ON a (n);
-- +goose Down
DROP TABLE a;
"""
ERROR = 'failed to execute SQL query {}: ERROR: relation "b" does not exist (SQLSTATE 42P01)'


@pytest.mark.parametrize(
    ("query", "stop"),
    [
        (r'''"CREATE TABLE a (t text DEFAULT 'x \"y\"');"''', half_applied.Stop(3, 0, 3)),
        (r'"ALTER TABLE a\n\tADD COLUMN n int;"', half_applied.Stop(5, 1, 3)),
        ('"CREATE INDEX CONCURRENTLY a_n ON a (n);"', half_applied.Stop(7, 2, 3)),
        ('"CREATE INDEX CONCURRENTLY a_m ON a (m);"', None),
        ("nothing", None),
    ],
)
def test_the_statement_is_found_in_its_file(query: str, stop: half_applied.Stop | None) -> None:
    assert half_applied.stopped(FILE, ERROR.format(query)) == stop


def test_a_statement_that_is_in_the_file_twice_is_not_guessed_at() -> None:
    twice = b"-- +goose NO TRANSACTION\n-- +goose Up\nSELECT 1;\nSELECT 1;\n"
    assert half_applied.stopped(twice, ERROR.format('"SELECT 1;"')) is None
