"""Which name was probably meant."""

from __future__ import annotations

import pytest

from hanbae.cli.text import suggestions


@pytest.mark.parametrize(
    ("text_id", "facts", "near"),
    [
        (
            "rehearsal.no-such-database",
            {"service": "auth", "database": "auth_audt", "existing": "auth_db, auth_audit"},
            "auth_audit",
        ),
        (
            "rehearsal.no-such-database",
            {"service": "billing", "database": "invoces", "existing": "invoices, ledger"},
            "invoices",
        ),
        (
            "cluster.unknown-context",
            {"context": "prodution", "contexts": "dev, production"},
            "production",
        ),
        ("services.unknown", {"service": "auht", "known": "auth, billing"}, "auth"),
        ("services.unknown", {"service": "auht", "known": "-"}, ""),
    ],
)
def test_the_fact_that_a_sentence_is_about_is_compared(
    text_id: str, facts: dict[str, str], near: str
) -> None:
    assert suggestions.of_text(text_id, facts) == near
