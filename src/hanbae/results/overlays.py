"""What ``hanbae overlay`` would do and has done: the objects of an environment's platform layer, and its parts."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hanbae import subjects, wording
from hanbae.results import plans


class Part(Struct, frozen=True):
    """A part that the policy's ``purpose`` names for a namespace.

    Attributes:
        namespace: The namespace in this environment.
        name: The part, in the policy's words.
        provided: ``service`` where `hanbae deploy` deploys it, ``overlay`` where an object of the overlay is called so,
            or is of the kind with which it ends,
            ``expected`` where somebody else deploys it and the policy says by which Service it is reached, ``declared``
            where hanbae makes its namespace and nothing else.
        by: The service, the object or the expected Service; empty for what is only declared.
        present: Whether the expected Service is there; None where nobody looked.
    """

    namespace: str
    name: str
    provided: Literal["service", "overlay", "expected", "declared"]
    by: str = ""
    present: bool | None = None


class Preview(Struct, frozen=True):
    """What applying an overlay would do.

    Attributes:
        environment: The environment.
        folder: The overlay's folder.
        revision: The commit.
        forecast: What becomes of each object, as the API server says in a dry run.
        parts: What the policy's namespaces are for, and who provides it.
        conflicts: Fields that somebody else manages with another value, one sentence for each object.
        notes: What a person should know about it.
        refusals: Why it would be refused, whatever a person accepts.
    """

    environment: str
    folder: str
    revision: str
    forecast: tuple[plans.Change, ...]
    parts: tuple[Part, ...] = ()
    conflicts: tuple[wording.Text, ...] = ()
    notes: tuple[wording.Text, ...] = ()
    refusals: tuple[wording.Text, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything would become another."""
        return any(change.outcome in {"created", "changed"} for change in self.forecast)


class Stored(Struct, frozen=True):
    """What became of one object that was applied.

    Attributes:
        object: The object.
        outcome: What became of it.
    """

    object: subjects.Ref
    outcome: Literal["created", "changed", "unchanged"]


class Applied(Struct, frozen=True):
    """What applying an overlay has done.

    Attributes:
        environment: The environment.
        folder: The overlay's folder.
        revision: The commit.
        objects: What became of each object, in the order in which they were applied.
    """

    environment: str
    folder: str
    revision: str
    objects: tuple[Stored, ...]
