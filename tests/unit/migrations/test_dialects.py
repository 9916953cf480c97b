from __future__ import annotations

import pytest

from hanbae.migrations import dialects


@pytest.mark.parametrize(
    ("driver", "dialect"),
    [("clickhouse", "clickhouse"), ("PGX", "postgres"), ("turso", "sqlite"), ("up", None)],
)
def test_a_driver_says_the_dialect(driver: str, dialect: str | None) -> None:
    assert dialects.of_driver(driver) == dialect


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("CREATE TABLE a (b UInt8) ENGINE = ReplicatedMergeTree ORDER BY b;", "clickhouse"),
        ("DROP TABLE a ON CLUSTER 'c';", "clickhouse"),
        ("CREATE TABLE a (b int AUTO_INCREMENT);", "mysql"),
        ("CREATE DATABASE IF NOT EXISTS a;", "other"),
        ("CREATE TABLE a (engine text);\nCREATE DATABASE b;", None),
    ],
)
def test_words_that_one_database_alone_knows_say_the_dialect(
    text: str, dialect: str | None
) -> None:
    assert dialects.of_text(text) == dialect
