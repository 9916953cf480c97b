"""The model of a release; every field is worked out from rendered objects and nobody writes into it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hanbae import subjects, wording
from hanbae.releases.objects import Object, On

Engine = Literal["helm", "kustomize", "directory"]
NamedBy = Literal["policy", "values", "label", "key", "folder", "job", "service"]
By = Literal["object", "sealed", "external", "operator"]


class Image(Struct, frozen=True):
    """An image that a container runs.

    Attributes:
        workload: What makes the pod.
        container: The container's name.
        reference: The image as the manifest names it.
        part: Where it stands in the rendered object; from there :mod:`hanbae.charts.tracing` finds its line.
        pull_secrets: Those of the pod, then those of its ServiceAccount where the release has it.
        init: Whether an init container runs it.
    """

    workload: subjects.Ref
    container: str
    reference: str
    part: On
    pull_secrets: tuple[str, ...] = ()
    init: bool = False


class Workload(Struct, frozen=True):
    """An object that makes pods.

    Attributes:
        ref: The object.
        object: The object as it was rendered.
        images: The images of its containers, init containers first.
    """

    ref: subjects.Ref
    object: Object
    images: tuple[Image, ...]


class Address(Struct, frozen=True):
    """Where a migration has its database's address from.

    Attributes:
        secret: Name of the Secret.
        key: The key.
        variable: The variable by which the container reads it.
    """

    secret: str
    key: str
    variable: str


class Migration(Struct, frozen=True):
    """A container that changes a database's schema.

    Attributes:
        job: What makes its pod; a Job, unless pods migrate when they start.
        container: The container's name.
        part: The container in the rendered object.
        image: Its image.
        tool: ``goose``, ``hanbae-migrate``, another tool's name, or ``unknown``.
        program: The program as the container names it, such as ``/usr/local/bin/goose``; empty for the entry point.
        command: What goose is asked for, such as ``up``; empty for other tools and where it cannot be read.
        driver: goose's driver; empty where it cannot be read.
        folder: The folder of the migrations in the image; empty where it cannot be read.
        table: goose's table of versions; empty where it cannot be read.
        lock_timeout: The timeout that its connection brings, in PostgreSQL's words; empty for none that is seen.
        address: Where the address is from; None where that is not one key of one Secret.
        database: Name of the database.
        named_by: What names it.
        phase: Argo CD's phase; empty for what is no hook.
        wave: Argo CD's wave.
        order: Its place among the release's migrations, from 0.
        per_pod: Whether it runs whenever a pod starts, so several at once.
        provable: None where a proof can be made of it, else what is missing.
    """

    job: subjects.Ref
    container: str
    part: On
    image: Image
    tool: str
    program: str = ""
    command: str = ""
    driver: str = ""
    folder: str = ""
    table: str = ""
    lock_timeout: str = ""
    address: Address | None = None
    database: str = ""
    named_by: NamedBy = "job"
    phase: str = ""
    wave: int = 0
    order: int = 0
    per_pod: bool = False
    provable: wording.Text | None = None


class Need(Struct, frozen=True):
    """An object of the namespace without which a pod does not start.

    Attributes:
        kind: ``Secret``, ``ConfigMap``, ``PersistentVolumeClaim`` or ``ServiceAccount``.
        name: Its name.
        key: The key; empty for all of them and for what has none.
        by: What has the pod.
        part: Where it is named.
    """

    kind: str
    name: str
    key: str
    by: subjects.Ref
    part: On


class Product(Struct, frozen=True):
    """An object of the namespace that the release makes, or has an operator make.

    Attributes:
        kind: As of :class:`Need`.
        name: Its name.
        keys: Its keys; None where they are decided elsewhere.
        by: What makes it.
        origin: ``object`` for itself, ``sealed`` for a SealedSecret, ``external`` for what is copied from a store,
            ``operator`` for what another controller makes up.
    """

    kind: str
    name: str
    keys: frozenset[str] | None
    by: subjects.Ref
    origin: By


class Release(Struct, frozen=True):
    """A release.

    Attributes:
        service: The service.
        namespace: Where its objects go that name no namespace.
        name: Name of the release.
        objects: What Argo CD applies or runs, in the order of rendering.
        ignored: What Argo CD never applies, such as Helm's tests.
        workloads: What makes pods.
        images: Every image of them.
        migrations: What migrates, in the order in which it runs.
        needs: What its pods need.
        makes: What it makes.
        begun: Whether it runs an image of its own rather than the scaffold's placeholder.
    """

    service: str
    namespace: str
    name: str
    objects: tuple[Object, ...]
    ignored: tuple[Object, ...]
    workloads: tuple[Workload, ...]
    images: tuple[Image, ...]
    migrations: tuple[Migration, ...]
    needs: tuple[Need, ...]
    makes: tuple[Product, ...]
    begun: bool
