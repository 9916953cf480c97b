"""Which migrations must not be interrupted."""

from __future__ import annotations

from hanbae.migrations import transactions


def test_versions_without_a_transaction_are_those_whose_annotation_stands_alone_on_a_line() -> None:
    texts = {
        1: "-- +goose Up\nCREATE TABLE a ();",
        2: "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY i ON a (b);",
        3: "-- +goose Up\n-- see: +goose NO TRANSACTION\nSELECT 1;",
        4: "--  +goose  no transaction \n-- +goose Up\nVACUUM;",
    }
    assert transactions.bare(texts) == (2, 4)
