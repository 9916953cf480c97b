"""The records that Helm keeps of a release, as Secrets of the namespace: their labels, never what is in them.

Helm hands the labels of a revision on to the next one, whoever installs that. So a label says which of Helm's numbers
the others are about, and on a record with another number they say nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from hanbae import errors
from hanbae.clusters import answers, connections, kinds, reading, writing
from hanbae.policy import labels

KEY: Final = labels.KEY
"""The label by which hanbae knows what it has begun."""
REVISION: Final = labels.REVISION
"""The label with the commit of it."""
HELM_REVISION: Final = labels.HELM_REVISION
"""The label with Helm's number of it."""

DEPLOYED: Final = "deployed"
"""The status of the revision that is installed; of one that is worked on meanwhile, the former one keeps it."""

_PENDING: Final = "pending-"
_UNINSTALLED: Final = "uninstalled"
"""The status of one that was taken away with its history kept: what comes after it is a first install again."""


class Record(Struct, frozen=True):
    """What Helm says of one revision of a release.

    Attributes:
        name: Name of the Secret.
        uid: Its uid.
        number: Helm's number of the revision.
        status: ``deployed``, ``failed``, ``superseded``, ``pending-upgrade`` …
        created: When the Secret was made, by the cluster's clock.
        key: hanbae's key; empty for somebody else's.
        revision: The commit that hanbae has installed; empty likewise.
    """

    name: str
    uid: str
    number: int
    status: str
    created: str
    key: str
    revision: str

    @property
    def is_pending(self) -> bool:
        """Whether Helm works on it, or was ended while it did."""
        return self.status.startswith(_PENDING)


def marks(key: str, revision: str, before: Record | None) -> dict[str, str]:
    """The labels of the revision that hanbae is about to install.

    Args:
        key: hanbae's key.
        revision: The commit.
        before: The newest record before it.
    """
    number = before.number + 1 if before is not None else 1
    return {KEY: key, REVISION: revision, HELM_REVISION: str(number)}


def before_pending(history: Sequence[Record]) -> Record | None:
    """The revision to which a release goes back whose newest one was ended in the middle.

    The one that Helm calls deployed, else the newest that has ended: the pods of a failed one may serve. None where
    there is none, so that what is pending is a first install, and all there is of the release.

    Args:
        history: The records of the release, in the order of their numbers.
    """
    ended = [record for record in history if not record.is_pending]
    deployed = [record for record in ended if record.status == DEPLOYED]
    former = [*ended[-1:], *deployed[-1:]]
    return former[-1] if former and former[-1].status != _UNINSTALLED else None


async def last(cluster: connections.Cluster, namespace: str, release: str) -> Record | None:
    """The newest record of a release; None where Helm has none.

    Raises:
        hanbae.errors.Forbidden: Secrets may not be listed, which Helm needs as well.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    history = await every(cluster, namespace, release)
    return history[-1] if history else None


async def every(cluster: connections.Cluster, namespace: str, release: str) -> list[Record]:
    """The records of a release, in the order of Helm's numbers.

    Raises:
        hanbae.errors.Forbidden: Secrets may not be listed, which Helm needs as well.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    listed = await reading.metadata(
        cluster, kinds.SECRET, namespace, label_selector=f"owner=helm,name={release}"
    )
    return sorted(map(_record, listed), key=lambda record: record.number)


async def newest(cluster: connections.Cluster, namespace: str) -> dict[str, Record]:
    """Release → its newest record, of every release of a namespace.

    Raises:
        hanbae.errors.Forbidden: Secrets may not be listed, which Helm needs as well.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    listed = await reading.metadata(
        cluster, kinds.SECRET, namespace, label_selector="owner=helm,status!=superseded"
    )
    by_release: dict[str, Record] = {}
    for secret in listed:
        record, release = _record(secret), str(secret["metadata"]["labels"].get("name") or "")
        if release not in by_release or by_release[release].number < record.number:
            by_release[release] = record
    return by_release


async def forget(cluster: connections.Cluster, namespace: str, record: Record) -> None:
    """Take away the record of an upgrade that was ended in the middle, or Helm would refuse every other one.

    What it applied stays, and is the release's; the next upgrade brings all of it to one state.
    """
    try:
        await writing.delete(cluster, kinds.SECRET, namespace, record.name, uid=record.uid)
    except answers.Conflict as error:
        # A record of this name has another uid: somebody else's Helm is at work.
        raise errors.Refused("upgrade.busy-elsewhere", place=None, record=record.name) from error


def _record(secret: kinds.Object) -> Record:
    metadata = secret["metadata"]
    named = metadata.get("labels") or {}
    number = str(named.get("version") or "")
    is_own = bool(number) and named.get(HELM_REVISION) == number
    return Record(
        metadata["name"],
        metadata.get("uid") or "",
        int(number) if number.isdecimal() and len(number) < 10 else 0,  # noqa: PLR2004
        str(named.get("status") or ""),
        metadata.get("creationTimestamp") or "",
        str(named.get(KEY) or "") if is_own else "",
        str(named.get(REVISION) or "") if is_own else "",
    )
