"""Messages that are waited for as long as a test may take: how soon they arrive is the machine's affair."""

from __future__ import annotations

import pytest

from hanbae.notifying import senders


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up after a minute; what is about giving up has its own seconds."""
    monkeypatch.setattr(senders, "PATIENCE", 60.0)
