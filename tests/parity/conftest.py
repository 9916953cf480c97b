"""What the comparisons with goose on PostgreSQL share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support import postgresql


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real PostgreSQL server."""
    with postgresql.running(tmp_path_factory.mktemp("postgresql")) as url:
        yield url
