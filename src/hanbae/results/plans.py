"""What hanbae is going to do, as data that can be shown, stored and compared before anything happens."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from hanbae import subjects


class Field(Struct, frozen=True, omit_defaults=True):
    """One field of an object that becomes another.

    Attributes:
        path: Where it is, as people write it: ``spec.template.spec.containers[app].image``.
        old: What it is, in one line, masked and clipped; None where it is not there.
        new: What it will be; None where it goes.
        hidden: Why neither is shown: ``sealed`` for ciphertext, ``secret`` for what must not be seen.
        managers: Who manages it in the cluster now, by ``managedFields``.
    """

    path: str
    old: str | None = None
    new: str | None = None
    hidden: Literal["", "sealed", "secret"] = ""
    managers: tuple[str, ...] = ()


class Change(Struct, frozen=True):
    """What will happen, or has happened, to one object; the outcome is in the past tense on purpose.

    Attributes:
        object: The object.
        outcome: What becomes of it; ``unknown`` where nobody who may look at it was asked.
        fields: The fields that change, by path.
        restarts: Whether its pods are made anew.
        kept: Whether it is to be deleted, but something in the cluster says that it must not be pruned.
        refused: The fields among these that the API server never changes: it will refuse the object.
    """

    object: subjects.Ref
    outcome: Literal["created", "changed", "unchanged", "deleted", "unknown"]
    fields: tuple[Field, ...] = ()
    restarts: bool = False
    kept: bool = False
    refused: tuple[str, ...] = ()


class Guard(Struct, frozen=True):
    """A promise that the plan rests on; it is read again under the lock, and a difference refuses.

    Attributes:
        promise: What is promised, such as ``branch-head:develop``; :mod:`hanbae.results.guards` reads it.
        expected: The value that it had when the plan was made.
    """

    promise: str
    expected: str


class Decide(Struct, frozen=True, tag=True):
    """Have a gate decided."""

    gate: str


class Sync(Struct, frozen=True, tag=True):
    """Start a sync of an Application at a revision and follow it.

    Attributes:
        application: Name of Argo CD's object.
        revision: Full commit id.
        only: Objects to sync; empty means a full sync, hooks included (a selective sync runs no hooks).
        hooks: The hook objects that a full sync of this revision must show in its result.
    """

    application: str
    revision: str
    only: tuple[subjects.Ref, ...] = ()
    hooks: tuple[subjects.Ref, ...] = ()


class Follow(Struct, frozen=True, tag=True):
    """Wait for the automated sync of an Application at a revision; start a full one only if it does not come."""

    application: str
    revision: str
    hooks: tuple[subjects.Ref, ...] = ()


Synced = Sync | Follow
"""What Argo CD carries out."""


class Upgrade(Struct, frozen=True, tag=True):
    """Have Helm install or upgrade a release, with its hooks in their order; one of several phases runs once in each.

    Attributes:
        release: Name of the release.
        revision: Full commit id.
        first: Objects of the release that the hooks before it read; they are applied before these.
        before: The hook Jobs that run before the release is applied, in their order.
        later: Those that run once it is rolled out.
    """

    release: str
    revision: str
    first: tuple[subjects.Ref, ...] = ()
    before: tuple[subjects.Ref, ...] = ()
    later: tuple[subjects.Ref, ...] = ()

    @property
    def hooks(self) -> tuple[subjects.Ref, ...]:
        """All runs of hook Jobs, in their order."""
        return (*self.before, *self.later)


Effect = Synced | Upgrade
"""What an engine carries out; the other steps only look."""


class Prove(Struct, frozen=True, tag=True):
    """Prove that a database has exactly these migrations applied.

    Attributes:
        database: Name of the database as the chart's values give it.
        versions: goose versions of the revision's files, ascending.
        hook: The Job that migrates it; its log says what was applied.
        job: The Job that asks goose for the database's status; it gets its name and key when it is run.
        bare: Versions that run outside a transaction, and so must not be interrupted.
        files: The revision's files, relative to the repository, in the order of `versions`; empty in plans that an
            older hanbae has recorded.
    """

    database: str
    versions: tuple[int, ...]
    hook: subjects.Ref
    job: dict[str, Any]
    bare: tuple[int, ...] = ()
    files: tuple[str, ...] = ()

    def named(self, version: int) -> str:
        """The file's name of a version, or the version itself where the names are not known."""
        index = self.versions.index(version) if version in self.versions else len(self.files)
        return self.files[index].rpartition("/")[2] if index < len(self.files) else str(version)


class Loss(Struct, frozen=True):
    """A statement after which data is gone.

    Attributes:
        file: The migration's file, relative to the repository.
        line: The line.
        words: The statement's first words.
        is_past: Whether it was run already, on the way up: the way back makes the place anew and leaves it empty.
    """

    file: str
    line: int
    words: str
    is_past: bool = False


class TakeBack(Struct, frozen=True, tag=True):
    """Take the newest migrations of a database back, in the image that has their files, before the pods change.

    Attributes:
        proof: What that image can prove of the database; the way back is the same Job with another command.
        version: The version that the database is to have then; at least 1.
        reached: The highest version that it is known to have.
        revision: The commit of the image.
        losses: What is lost by it.
    """

    proof: Prove
    version: int
    reached: int
    revision: str
    losses: tuple[Loss, ...] = ()

    @property
    def database(self) -> str:
        """Name of the database."""
        return self.proof.database

    @property
    def versions(self) -> tuple[int, ...]:
        """What is taken back, in goose's order: the newest first."""
        newest = reversed(self.proof.versions)
        return tuple(number for number in newest if self.version < number <= self.reached)

    @property
    def bare(self) -> tuple[int, ...]:
        """Those of them that run outside a transaction."""
        return tuple(number for number in self.versions if number in self.proof.bare)


class Step(Struct, frozen=True):
    """One step of a plan; `after` names the steps that must be done first."""

    id: str
    does: Decide | Effect | Prove | TakeBack
    after: tuple[str, ...] = ()


class Plan(Struct, frozen=True):
    """Everything that one deployment of one service to one environment is going to do.

    Attributes:
        format: Which form it has.
        service: The service.
        environment: The environment.
        steps: What is done, in this order.
        guards: What it rests on.
        forecast: What will become of each object.
        manifests: SHA-256 of the manifests that are deployed, as a saved plan has it; empty in plans that an older
            hanbae has recorded.
    """

    format: Literal[1]
    service: str
    environment: str
    steps: tuple[Step, ...]
    guards: tuple[Guard, ...] = ()
    forecast: tuple[Change, ...] = ()
    manifests: str = ""

    @property
    def revision(self) -> str:
        """The commit that is deployed; of a plan that only takes databases back, the one that stays deployed."""
        does = [step.does for step in self.steps]
        effects = (effect.revision for effect in does if isinstance(effect, Effect))
        return next(effects, None) or next(way.revision for way in self.ways_back)

    @property
    def jobs(self) -> tuple[subjects.Ref, ...]:
        """The Jobs that are its hooks."""
        does = [step.does for step in self.steps]
        hooks = [hook for effect in does if isinstance(effect, Effect) for hook in effect.hooks]
        hooks += [proof.hook for proof in does if isinstance(proof, Prove)]
        return tuple(dict.fromkeys(hook for hook in hooks if hook.kind == "Job"))

    @property
    def deploys(self) -> bool:
        """Whether an engine deploys anything by it."""
        return any(isinstance(step.does, Effect) for step in self.steps)

    @property
    def engine(self) -> Literal["argocd", "helm", ""]:
        """What carries it out; nothing where databases alone are taken back."""
        if not self.deploys:
            return ""
        return "helm" if any(isinstance(step.does, Upgrade) for step in self.steps) else "argocd"

    @property
    def ways_back(self) -> tuple[TakeBack, ...]:
        """The databases that are taken back, in the order in which that is done."""
        return tuple(step.does for step in self.steps if isinstance(step.does, TakeBack))
