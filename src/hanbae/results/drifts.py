"""What somebody has changed in a cluster since it was deployed, and who."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from hanbae import subjects, wording

RELEASE: Final = "Release"
"""The kind by which a release is pointed at: one that Helm no longer knows, or that somebody else has installed."""
APPLICATION: Final = "Application"
"""The kind of what Argo CD keeps of a service."""
_GONE: Final = {RELEASE: "drift.release-gone", APPLICATION: "drift.application-gone"}
"""Of what all of a service hangs on."""
_MOST: Final = 4
"""Fields that a sentence names; the rest is in JSON."""


class Drift(Struct, frozen=True, forbid_unknown_fields=True):
    """One object that is not as it was deployed.

    Attributes:
        object: The object.
        fields: The fields that differ, as people write their paths; none where the object is gone. Of a release, Helm's
            number of the revision that is somebody else's, and its status where they have not ended.
        author: Who has changed it last, as the API server knows them by their field manager; empty for a gone object,
            and where nobody is named.
        at: When that was, in RFC 3339; empty likewise.
        is_gone: Whether it was deleted.
    """

    object: subjects.Ref
    fields: tuple[str, ...] = ()
    author: str = ""
    at: str = ""
    is_gone: bool = False

    @property
    def is_pending(self) -> bool:
        """Whether it is a release on which somebody else's Helm works, or was ended in the middle."""
        return self.object.kind == RELEASE and len(self.fields) > 1


def sentences(listed: Iterable[Drift]) -> Iterator[wording.Text]:
    """What differs, in a sentence for each object."""
    for drift in listed:
        more = ("…",) if len(drift.fields) > _MOST else ()
        facts = {
            "object": str(drift.object),
            "fields": ", ".join((*drift.fields[:_MOST], *more)),
            "author": drift.author or "-",
            "time": drift.at or "-",
        }
        text_id = "drift.changed" if drift.author else "drift.changed-by-nobody"
        if drift.object.kind == RELEASE:
            text_id = "drift.release-pending" if drift.is_pending else "drift.release-of-others"
        if drift.is_gone:
            text_id = _GONE.get(drift.object.kind, "drift.gone")
        yield wording.Text(text_id, facts)
