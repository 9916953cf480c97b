"""How the things that hanbae talks about are pointed at: objects in a cluster and places in files."""

from __future__ import annotations

from collections.abc import Iterable
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
        Job have a number in between, as those of another Job may have: :func:`job_of` tells whose they are.

        Args:
            pod: The pod's name.
        """
        stem = pod[:-_RANDOM]
        job = self._whole(stem)
        return job.startswith(self.name) and stem == f"{job}-"[:_LONGEST_STEM]

    def has_numbered_pod(self, pod: str) -> bool:
        """As :meth:`has_pod`, for pods of an Indexed Job: ``migrate-0-x7k2p``, which may be one of ``migrate-0``."""
        stem = pod[:-_RANDOM]
        name, _, number = stem.removesuffix("-").rpartition("-")
        end = f"-{number}-"
        job = self._whole(name)
        is_number = number.isascii() and number.isdecimal()
        # Of a long name Kubernetes cuts off what comes before the number.
        return (
            is_number
            and job.startswith(self.name)
            and stem == job[: _LONGEST_STEM - len(end)] + end
        )

    def _whole(self, stem: str) -> str:
        """The Job's whole name, where it begins the name of a pod."""
        return stem[: len(self.name) + _RANDOM] if self.name.endswith("-") else self.name


def job_of(pod: str, jobs: Iterable[Ref]) -> Ref | None:
    """The Job that a pod is of, by the pod's name; None where it is of none, or may be of several.

    Args:
        pod: The pod's name.
        jobs: All Jobs whose pods there may be.
    """
    distinct = tuple(dict.fromkeys(jobs))
    named = [job for job in distinct if job.has_pod(pod)]
    # A Job that is called as another one's pods are numbered goes before.
    owners = named or [job for job in distinct if job.has_numbered_pod(pod)]
    return owners[0] if len(owners) == 1 else None


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
