"""A cluster whose watches list some objects and then tell nothing more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hanbae.clusters import connections, kinds, reading


class _Quiet:
    """What a watch asks of a connection."""

    def describe(self, *_: object, **__: object) -> None:
        """Describe nothing."""

    @asynccontextmanager
    async def stream(self, *_: object, **__: object) -> AsyncGenerator[None]:
        """Tell nothing, and end never."""
        await asyncio.Event().wait()
        yield


def quiet(monkeypatch: pytest.MonkeyPatch, *present: kinds.Object) -> connections.Cluster:
    """The cluster.

    Args:
        monkeypatch: Of the test.
        present: What is there, of whichever kind it is asked for.
    """

    async def pages(_: object, kind: kinds.Kind, *__: object, **___: object) -> Any:
        yield reading.Page([item for item in present if item["kind"] == kind.kind], "1000")

    monkeypatch.setattr(reading, "pages", pages)
    cluster: Any = _Quiet()
    return cluster  # type: ignore[no-any-return]
