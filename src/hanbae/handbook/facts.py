"""What the documents tell of a repository, without what changes with every deployment: no tag, no sealed value."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct


class Migration(Struct, frozen=True):
    """What migrates one database.

    Attributes:
        job: Name of what runs it, a Job unless `kind` says otherwise.
        kind: Kind of what runs it.
        database: The database.
        phase: Argo CD's phase; empty for what is no hook.
        wave: Argo CD's wave.
        delete_policy: Argo CD's policy of deletion, as the annotation has it; empty without one.
        ttl: Seconds for which the finished Job is kept; None where it does not say.
        backoff_limit: How many attempts follow the first; None where it does not say.
        restart_policy: Of its pods.
        container: The container's name.
        image: Repository of its image; empty where no image is named yet.
        command: The words that the container runs.
        secret: Name of the Secret that has the address; empty where that is not known.
        key: The key of the address in it.
        variable: The variable by which the container reads it.
        reads_all: Whether the container reads all keys of that Secret as variables.
        table: goose's table of versions.
    """

    job: str
    kind: str
    database: str
    phase: str
    wave: int
    delete_policy: str
    ttl: int | None
    backoff_limit: int | None
    restart_policy: str
    container: str
    image: str
    command: tuple[str, ...]
    secret: str
    key: str
    variable: str
    reads_all: bool
    table: str


class Deployed(Struct, frozen=True):
    """A service in one environment.

    Attributes:
        workloads: What makes pods and stays, as ``kubectl`` names it: ``deployment/auth-service``.
        images: Repositories of the images.
        pull_secrets: Names of the Secrets that images are pulled with.
        services: Services with their ports: ``auth-service:8080``.
        others: Ingresses, autoscalers and the like, as ``kubectl`` names them.
        secrets: Name of a Secret → its keys, as far as they are known.
        migrations: What migrates, in order.
    """

    workloads: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    pull_secrets: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    secrets: dict[str, tuple[str, ...]] = {}
    migrations: tuple[Migration, ...] = ()


class Service(Struct, frozen=True):
    """A service of the repository.

    Attributes:
        name: Its name.
        folder: The folder of its chart; empty for one without.
        files: The files of that folder, from there.
        is_values_ignored: Whether git ignores ``values.yaml`` in that folder.
        is_sealed_in_template: Whether ``templates/sealed-secret.yaml`` is what kubeseal wrote, rather than a template.
        environments: Environment → what is there, in the order of promotion.
    """

    name: str
    folder: str
    files: tuple[str, ...]
    is_values_ignored: bool
    is_sealed_in_template: bool
    environments: dict[str, Deployed]

    def deployments(self) -> Iterator[tuple[str, Deployed]]:
        """Each environment with what is there."""
        return iter(self.environments.items())
