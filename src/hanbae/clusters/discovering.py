"""Which resource an API server serves for a kind that hanbae does not know by itself."""

from __future__ import annotations

from hanbae import errors
from hanbae.clusters import answers, connections, kinds


async def kind(cluster: connections.Cluster, api_version: str, name: str) -> kinds.Kind | None:
    """The kind as the cluster serves it, or None when it does not.

    Every authenticated identity may ask.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    group, _, version = api_version.rpartition("/")
    path = f"/apis/{group}/{version}" if group else f"/api/{version}"
    asked = answers.Asked("get", path, "", "", cluster.context, cluster.server)
    try:
        found = await cluster.ask(asked, "GET", path)
    except (answers.Missing, errors.WrongUse):
        return None
    for each in found.get("resources") or []:
        if each.get("kind") == name and "/" not in str(each.get("name")):
            plural, inside = str(each["name"]), bool(each.get("namespaced"))
            return kinds.Kind(group, version, plural, name, namespaced=inside)
    return None
