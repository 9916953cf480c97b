"""The ApplicationSet that is to make an Application: asked to look again, and what it says about why it cannot."""

from __future__ import annotations

import contextlib
from typing import Final

from msgspec import Struct

from hanbae import excerpts
from hanbae.argo import applications
from hanbae.clusters import answers, connections, kinds, reading, writing

# Argo CD's reason when an Application that the set would make is not valid.
_JUDGED: Final = "ApplicationValidationError"


class Fault(Struct, frozen=True):
    """What an ApplicationSet says about its failure.

    Attributes:
        message: In Argo CD's words.
        is_final: It has judged the Applications that it would make, after the last request to look: a cluster, a
            project or a name is wrong. Argo CD keeps the request where it did not get as far as that, as with a
            repository that it cannot read; then the message may be of before, and the next attempt may succeed.
    """

    message: str
    is_final: bool


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
        made_by = await reading.get(self._cluster, kinds.APPLICATIONSET, self._namespace, self.name)
        if made_by is None:
            return None
        looks_again = applications.SET_REFRESH in (made_by["metadata"].get("annotations") or {})
        for condition in (made_by.get("status") or {}).get("conditions") or []:
            if condition.get("type") == "ErrorOccurred" and condition.get("status") == "True":
                is_verdict = condition.get("reason") == _JUDGED
                message = excerpts.one_line(str(condition.get("message") or ""))
                return Fault(message, is_final=is_verdict and not looks_again)
        return None
