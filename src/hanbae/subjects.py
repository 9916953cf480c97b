"""How the things that hanbae talks about are pointed at: objects in a cluster and places in files."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

_LONGEST_STEM: Final = 58
"""Letters of a generated name before the random ones, at most: Kubernetes cuts off the rest."""
_RANDOM: Final = 5


class Ref(Struct, frozen=True, order=True):
    """One Kubernetes object, spelled the one way in which hanbae spells it: ``Job/services-dev/x``.

    Attributes:
        kind: The object's kind, such as ``Job``.
        namespace: Its namespace; empty for cluster-scoped objects.
        name: Its name.
    """

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """``Kind/namespace/name``, or ``Kind/name`` for a cluster-scoped object."""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)

    def has_pod(self, pod: str) -> bool:
        """Whether a pod of its namespace is called as Kubernetes calls the pods of this Job.

        A name that only begins like the Job's may be a pod of another one: ``migrate-identity`` and
        ``migrate-identity-audit``. A Job's ``generateName`` stands for its name, as in a manifest. Pods of an Indexed
        Job have a number in between, as those of another Job may have: they count as nobody's.

        Args:
            pod: The pod's name.
        """
        stem = pod[:-_RANDOM]
        job = stem[: len(self.name) + _RANDOM] if self.name.endswith("-") else self.name
        return job.startswith(self.name) and stem == f"{job}-"[:_LONGEST_STEM]


class Place(Struct, frozen=True, order=True):
    """A place in a file that a person edits.

    Attributes:
        file: Path as the user would write it, relative to the repository where possible.
        line: Line, counted from 1; 0 when only the file is known.
        column: Column, counted from 1; 0 when only the line is known.
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """``file:line:column``, the form that editors and terminals turn into a link."""
        parts = [self.file]
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)
