"""What somebody has changed in a cluster since it was deployed, and who."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

from hanbae import subjects, wording

Way = Literal["gone", "pending", "of-others", "changed", "changed-by-nobody"]
"""How an object differs: somebody else's Helm works on the release or was ended in the middle (``pending``), or has
installed it (``of-others``); or its fields were changed, by somebody whom the API server names or not."""
RELEASE: Final = "Release"
"""The kind by which a release is pointed at: one that Helm no longer knows, or that somebody else has installed."""
APPLICATION: Final = "Application"
"""The kind of what Argo CD keeps of a service."""
_SENTENCES: Final[Mapping[Way, str]] = {
    "gone": "drift.gone",
    "pending": "drift.release-pending",
    "of-others": "drift.release-of-others",
    "changed": "drift.changed",
    "changed-by-nobody": "drift.changed-by-nobody",
}
_GONE: Final = {RELEASE: "drift.release-gone", APPLICATION: "drift.application-gone"}
"""Of what all of a service hangs on."""
_MOST: Final = 4
"""Fields that a sentence names; the rest is in JSON."""


class Drift(Struct, frozen=True, forbid_unknown_fields=True):
    """One object that is not as it was deployed.

    Attributes:
        object: The object.
        fields: The fields that differ, as people write their paths; none where the object is gone, and of a release.
        author: Who has changed it last, as the API server knows them by their field manager; empty for a gone object,
            and where nobody is named.
        at: When that was, in RFC 3339; empty likewise.
        is_gone: Whether it was deleted.
        revision: Of a release, Helm's number of the revision that somebody else has begun; 0 for every other object.
        status: Helm's status of that revision, such as ``pending-upgrade``; empty where it is deployed.
    """

    object: subjects.Ref
    fields: tuple[str, ...] = ()
    author: str = ""
    at: str = ""
    is_gone: bool = False
    revision: int = 0
    status: str = ""

    @property
    def way(self) -> Way:
        """How it differs."""
        if self.is_gone:
            return "gone"
        if self.object.kind == RELEASE:
            return "pending" if self.status else "of-others"
        return "changed" if self.author else "changed-by-nobody"


def sentences(listed: Iterable[Drift]) -> Iterator[wording.Text]:
    """What differs, in a sentence for each object."""
    for drift in listed:
        more = ("…",) if len(drift.fields) > _MOST else ()
        facts = {
            "object": str(drift.object),
            "fields": ", ".join((*drift.fields[:_MOST], *more)),
            "author": drift.author or "-",
            "time": drift.at or "-",
            "revision": str(drift.revision),
            "status": drift.status or "-",
        }
        text_id = _SENTENCES[drift.way]
        if drift.is_gone:
            text_id = _GONE.get(drift.object.kind, text_id)
        yield wording.Text(text_id, facts)
