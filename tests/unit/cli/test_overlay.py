"""``hanbae overlay`` for those who may not apply one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from hanbae import errors
from hanbae.cli import overlay


class Space:
    """A workspace whose cluster refuses, as it does to a deployer."""

    granted: list[bool]

    def __init__(self) -> None:
        self.granted = []

    @asynccontextmanager
    async def clusters(self, _: str, *, granted: bool = True) -> AsyncIterator[object]:
        self.granted.append(granted)
        yield object()


async def test_rights_that_hanbae_does_not_generate_are_asked_of_an_administrator() -> None:
    space = Space()
    with pytest.raises(errors.Forbidden) as caught:
        async with overlay._administered(cast("Any", space), "staging"):
            raise errors.Forbidden("cluster.forbidden", place=None)
    assert space.granted == [False], "the rights of `generate rbac` would not help"
    assert caught.value.hint is not None
    assert caught.value.hint.id == "overlay.administrators"
