"""What moves from one environment to the next: the set that was proven together, and what becomes of it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hanbae import wording
from hanbae.results import checklists, images, merge_requests, previews


class Member(Struct, frozen=True):
    """A service of a set.

    Attributes:
        service: Its name.
        proven: Full id of the commit that its last deployment has proven.
        deployment: Id of that deployment.
        by: Who has deployed, as the cluster knows them.
        images: The images that it runs, hooks included.
        migrations: Database → the versions that it was proven to have.
        checklist: What became of the policy's checklist then, where this machine's history knows it.
    """

    service: str
    proven: str
    deployment: str
    by: str
    images: tuple[str, ...]
    migrations: dict[str, tuple[int, ...]]
    checklist: tuple[checklists.Checked, ...] = ()


class ProvenSet(Struct, frozen=True):
    """Services that run in an environment as they were proven there.

    Attributes:
        id: By this a set is called: the same for the same objects, images and migrations.
        environment: The environment.
        commit: Full id of a commit in which all of them are so.
        members: The services.
    """

    id: str
    environment: str
    commit: str
    members: tuple[Member, ...]


class Commit(Struct, frozen=True):
    """A commit that moves.

    Attributes:
        id: Its full id.
        author: Its author's name.
        subject: The first line of its message.
    """

    id: str
    author: str
    subject: str


class Migration(Struct, frozen=True):
    """A migration that will run.

    Attributes:
        service: Its service.
        database: Its database.
        file: The file, relative to the repository.
        does: The first words of its statements.
        loses: Those of statements that take something away.
        transaction: Whether it runs in a transaction.
        undone_by: The first words of the statements of its way back; empty where it has none.
    """

    service: str
    database: str
    file: str
    does: tuple[str, ...]
    loses: tuple[str, ...] = ()
    transaction: bool = True
    undone_by: tuple[str, ...] = ()


class Promotion(Struct, frozen=True):
    """What a promotion brings about.

    Attributes:
        source: The environment that the set is from.
        target: The environment that it is for.
        proven: The set.
        base: Full id of the head of the target's branch.
        commit: Full id of the commit that the branch is to become; the base where there is nothing to promote.
        branch: The branch that the merge request is of.
        into: The target's branch.
        images: What the target's files say of images then.
        commits: The commits that come with it, the newest first.
        more: How many others come with it.
        comparison: What the target's objects become.
        migrations: What will run in the target's databases, in this order.
        notes: What a person should know about it.
        waived: What somebody waives so that it may be done at all.
    """

    source: str
    target: str
    proven: ProvenSet
    base: str
    commit: str
    branch: str
    into: str
    images: tuple[images.ImageSet, ...]
    commits: tuple[Commit, ...]
    more: int
    comparison: previews.Comparison
    migrations: tuple[Migration, ...]
    notes: tuple[wording.Text, ...] = ()
    waived: tuple[checklists.Decision, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether there is anything to promote."""
        return self.commit != self.base


Outcome = Literal["nothing", "planned", "pushed", "opened", "updated"]
"""What became of a promotion: ``planned`` with ``--dry-run``, ``pushed`` where there is no forge."""


class Promoted(Struct, frozen=True):
    """What was done.

    Attributes:
        promotion: What it brings about.
        outcome: What became of it.
        request: The merge request; None where there is none.
    """

    promotion: Promotion
    outcome: Outcome
    request: merge_requests.MergeRequest | None = None
