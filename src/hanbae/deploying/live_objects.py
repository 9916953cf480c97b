"""Reads objects of a cluster by their names; where many of a kind are read, all of them in one list."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Final

from hanbae import errors, subjects
from hanbae.clusters import connections, discovering, kinds, reading
from hanbae.planning import forecasting

_AT_ONCE: Final = 8
_MANY: Final = 12
"""Objects of a kind in a namespace from which on one list is read instead of each by its name."""


async def read(
    cluster: connections.Cluster, api_versions: Mapping[subjects.Ref, str]
) -> dict[subjects.Ref, forecasting.Live]:
    """Object → what is there of it.

    Args:
        cluster: The cluster.
        api_versions: Object → its ``apiVersion``.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    pairs = dict.fromkeys((api_version, ref.kind) for ref, api_version in api_versions.items())
    served = {pair: await discovering.kind(cluster, *pair) for pair in pairs}
    places = asyncio.Semaphore(_AT_ONCE)
    counted = Counter(
        (api_version, ref.kind, ref.namespace) for ref, api_version in api_versions.items()
    )
    listed: dict[subjects.Ref, kinds.Object] = {}
    wholly: set[tuple[str, str, str]] = set()

    async def every(api_version: str, name: str, namespace: str) -> None:
        kind = served[api_version, name]
        if kind is None or not namespace:
            return
        async with places:
            try:
                items = await reading.find(cluster, kind, namespace)
            except errors.Forbidden:
                return  # each may be readable by its name all the same
        listed.update({kinds.ref(item): item for item in items})
        wholly.add((api_version, name, namespace))

    async def by_name(ref: subjects.Ref, api_version: str) -> forecasting.Live:
        kind = served[api_version, ref.kind]
        if kind is None:
            return forecasting.Live(None)
        if (api_version, ref.kind, ref.namespace) in wholly:
            return forecasting.Live(listed.get(ref))
        async with places:
            try:
                return forecasting.Live(await reading.get(cluster, kind, ref.namespace, ref.name))
            except errors.Forbidden:
                return forecasting.Live(None, readable=False)

    # Lists first: what they contain is not read by name.
    await asyncio.gather(*(every(*group) for group, count in counted.items() if count >= _MANY))
    answers = await asyncio.gather(
        *(by_name(ref, api_version) for ref, api_version in api_versions.items())
    )
    return dict(zip(api_versions, answers, strict=True))
