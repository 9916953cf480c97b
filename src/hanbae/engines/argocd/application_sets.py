"""The ApplicationSet that is to make an Application: asked to look again, and what it says about why it cannot."""

from __future__ import annotations

import contextlib

from msgspec import Struct

from hanbae.argo import applications
from hanbae.clusters import answers, connections, kinds, reading, writing


class Fault(Struct, frozen=True):
    """What an ApplicationSet says about its failure.

    Attributes:
        message: In Argo CD's words.
        of_now: The set has worked off the last refresh, so this is what came of it. Argo CD keeps the request where
            it could not even run the generators, and then this may be as old as the set.
    """

    message: str
    of_now: bool


class ApplicationSet:
    """One ApplicationSet on the control cluster.

    Args:
        cluster: The control cluster.
        namespace: Its namespace.
        name: Its name; empty for none, which is asked nothing and says nothing.
    """

    def __init__(self, cluster: connections.Cluster, namespace: str, name: str) -> None:
        self.name = name
        self._namespace = namespace
        self._cluster = cluster

    async def refresh(self) -> None:
        """Ask it to look at the repository now; nothing happens where there is no such set."""
        if not self.name:
            return
        patch = {"metadata": {"annotations": {applications.SET_REFRESH: "true"}}}
        with contextlib.suppress(answers.Missing):
            await writing.merge_patch(
                self._cluster, kinds.APPLICATIONSET, self._namespace, self.name, patch
            )

    async def fault(self) -> Fault | None:
        """What it says about its failure; None where there is no such set or it has not failed."""
        if not self.name:
            return None
        made_by = await reading.get(
            self._cluster, kinds.APPLICATIONSET, self._namespace, self.name
        )
        if made_by is None:
            return None
        of_now = applications.SET_REFRESH not in (made_by["metadata"].get("annotations") or {})
        for condition in (made_by.get("status") or {}).get("conditions") or []:
            if condition.get("type") == "ErrorOccurred" and condition.get("status") == "True":
                return Fault(str(condition.get("message") or ""), of_now)
        return None
