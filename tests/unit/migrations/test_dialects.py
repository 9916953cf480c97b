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
        ("create table a (b LOWCARDINALITY(String));", "clickhouse"),
        ("create table a (b nullable (Int8));", "clickhouse"),
        ("create table a (b datetime64(3));", "clickhouse"),
        ("CREATE TABLE a (b int) engine innodb;", None),
        ("CREATE TABLE a (b int) engine=InnoDB;", "mysql"),
        ("DROP TABLE a ON CLU\N{LATIN SMALL LETTER LONG S}TER c;", "clickhouse"),
    ],
)
def test_words_that_one_database_alone_knows_say_the_dialect(
    text: str, dialect: str | None
) -> None:
    assert dialects.of_text(text) == dialect


def test_a_file_without_any_such_word_is_held_against_no_pattern(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("_CLICKHOUSE", "_MYSQL", "_FOREIGN"):
        monkeypatch.setattr(dialects, name, None)
    assert dialects.of_text("ALTER TABLE a ADD COLUMN b text NOT NULL DEFAULT '';") is None
