"""What an API server serves: which resource for a kind, and which API versions and kinds altogether."""

from __future__ import annotations

import asyncio
from typing import Final

from hanbae import errors, foreign_json
from hanbae.clusters import answers, connections, kinds, outages
from hanbae.streams import gathering


async def kind(cluster: connections.Cluster, api_version: str, name: str) -> kinds.Kind | None:
    """The kind as the cluster serves it, or None when it does not.

    Every authenticated identity may ask.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    group, _, version = api_version.rpartition("/")
    path = f"/apis/{group}/{version}" if group else f"/api/{version}"
    call = answers.Call("get", path, "", "", cluster.context, cluster.server)
    try:
        listing = await cluster.ask(call, "GET", path)
    # A group or version that is not served is a 404, with a name in its details or without.
    except (answers.Missing, errors.WrongUse):
        return None
    for resource in foreign_json.mappings(listing.get("resources")):
        # Subresources are listed as well, such as `deployments/scale` with a kind of its own.
        if resource.get("kind") == name and "/" not in str(resource.get("name")):
            plural, inside = str(resource.get("name")), bool(resource.get("namespaced"))
            return kinds.Kind(group, version, plural, name, namespaced=inside)
    return None


_AT_ONCE: Final = 8
_CORE: Final = "/api/v1"


async def api_versions(cluster: connections.Cluster) -> tuple[str, ...]:
    """``group/version`` and ``group/version/Kind`` of what can be listed and watched: what Argo CD passes to Helm.

    A group whose own server does not answer is left out, as Argo CD does. Every authenticated identity may ask.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    groups = foreign_json.mappings((await _read(cluster, "/apis")).get("groups"))
    versions = [
        str(version.get("groupVersion"))
        for group in groups
        for version in foreign_json.mappings(group.get("versions"))
    ]
    free = asyncio.Semaphore(_AT_ONCE)

    async def kinds_of(version: str, path: str) -> set[str]:
        async with free:
            try:
                resources = foreign_json.mappings((await _read(cluster, path)).get("resources"))
            except errors.Error as error:
                # The core group has no server of its own, and a group's that does not answer is told
                # of by an API server that does.
                if path == _CORE or error.text.id == outages.GONE:
                    raise
                return set()
        return {
            f"{version}/{resource.get('kind')}"
            for resource in resources
            if {"list", "watch"} <= {*foreign_json.texts(resource.get("verbs"))}
        }

    asking = [kinds_of("v1", _CORE)]
    asking += [kinds_of(version, f"/apis/{version}") for version in versions]
    kinds_served = set().union(*await gathering.whole(asking))
    return tuple(sorted(kinds_served | {name.rpartition("/")[0] for name in kinds_served}))


async def _read(cluster: connections.Cluster, path: str) -> kinds.Object:
    call = answers.Call("get", path, "", "", cluster.context, cluster.server)
    return await cluster.ask(call, "GET", path)
