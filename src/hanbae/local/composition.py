"""What runs on a developer's machine, worked out from rendered releases; the Compose file is only its notation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from hanbae.results import compositions

Role = Literal["workload", "sidecar", "init", "migration", "job", "component"]
Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]

FOLDER: Final = ".hanbae/local"
"""What belongs to the local environment of one clone and never into git."""
TOOLS: Final = "probe-tools"
"""The service, and the volume, that bring the program by which images without a shell are probed."""
DATABASES: Final = "postgresql-databases"
"""The service that makes the databases."""


class SecretKey(Struct, frozen=True):
    """A key of a Secret of the chart's.

    Attributes:
        secret: Name of the Secret.
        key: The key.
    """

    secret: str
    key: str


Part = str | SecretKey
"""A part of a value: a text, or what a secret holds."""


class Port(Struct, frozen=True):
    """A port that a workload is reached by from the machine.

    Attributes:
        container: The port in the container.
        host: The port of the machine unless `variable` says otherwise.
        variable: The variable, as in ``.env``, by which a developer chooses another one.
        name: What the chart calls it; empty where it has no name.
    """

    container: int
    host: int
    variable: str
    name: str = ""


class Healthcheck(Struct, frozen=True):
    """A probe as Compose has it.

    Attributes:
        test: The command.
        interval: Seconds between two tries.
        timeout: Seconds that one may take.
        retries: Tries in a row that may fail.
        start_period: Seconds in which failures do not count.
        shows: Texts by which another notation of the same probe is known: its port and path, or its command.
    """

    test: tuple[str, ...]
    interval: int = 10
    timeout: int = 1
    retries: int = 3
    start_period: int = 0
    shows: tuple[str, ...] = ()


class Build(Struct, frozen=True):
    """How the image is built here.

    Attributes:
        dockerfile: The Dockerfile, from the repository's root.
        context: The folder that it is built from.
        image: What the image is called then.
    """

    dockerfile: str
    context: str
    image: str


class Service(Struct, frozen=True, kw_only=True):
    """A service of Compose.

    Attributes:
        name: Its name.
        role: What it is in the chart.
        owner: The service of the repository; empty for components.
        image: The image that the chart names; where it names none yet, that of `build`.
        build: How its image is built here; None where the repository has no Dockerfile of it.
        unnamed: Whether the chart names no image yet.
        entrypoint: What takes the place of the image's entry point; None to leave it.
        command: Its arguments; None to leave the image's.
        environment: Variables whose values are no secrets.
        secrets: Variables that hold something secret → their parts.
        whole: Secrets all of whose keys become variables, with what comes before the key.
        ports: What is published.
        aliases: Names by which the others reach it.
        healthcheck: Its probe.
        depends_on: Service → what it must have come to first.
        database: The database that it migrates.
        memory: Bytes that it may use; None for all.
        cpus: Cores that it may use; empty for all.
        settings: Other keys of Compose.
    """

    name: str
    role: Role
    image: str
    owner: str = ""
    build: Build | None = None
    unnamed: bool = False
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: Mapping[str, str] = {}
    secrets: Mapping[str, tuple[Part, ...]] = {}
    whole: tuple[tuple[str, str], ...] = ()
    ports: tuple[Port, ...] = ()
    aliases: tuple[str, ...] = ()
    healthcheck: Healthcheck | None = None
    depends_on: Mapping[str, Condition] = {}
    database: str = ""
    memory: int | None = None
    cpus: str = ""
    settings: Mapping[str, Any] = {}

    @property
    def runs_on(self) -> bool:
        """Whether it goes on running, rather than end when its work is done."""
        return self.role in {"workload", "sidecar"} or (
            self.role == "component" and self.name not in {TOOLS, DATABASES}
        )

    @property
    def has_secrets(self) -> bool:
        """Whether it reads a file of secret variables."""
        return bool(self.secrets or self.whole)


class File(Struct, frozen=True):
    """A file that is mounted into containers.

    Attributes:
        path: Below :data:`FOLDER`.
        content: Its text; None for the value of `key`.
        key: The key of a Secret that it holds.
    """

    path: str
    content: str | None = None
    key: SecretKey | None = None


class Address(Struct, frozen=True):
    """A secret that is the address of one of the local servers.

    Attributes:
        key: The key that holds it.
        engine: ``postgresql``, ``valkey`` or ``clickhouse``.
        database: The database; empty for Valkey.
    """

    key: SecretKey
    engine: str
    database: str = ""


class Composition(Struct, frozen=True, kw_only=True):
    """A whole local environment.

    Attributes:
        name: Name of the Compose project.
        environment: The environment whose charts these are.
        services: Its services, components first.
        volumes: Names of its volumes.
        keys: Every key of a Secret that something reads.
        rendered: Values of Secrets that a chart renders in clear.
        addresses: The keys among them that are addresses.
        databases: The databases of PostgreSQL.
        files: Files that are mounted.
        gaps: What of the charts is not translated.
        majors: Image of a PostgreSQL that the charts themselves bring → its major version.
    """

    name: str
    environment: str
    services: tuple[Service, ...]
    volumes: tuple[str, ...] = ()
    keys: tuple[SecretKey, ...] = ()
    rendered: Mapping[SecretKey, bytes] = {}
    addresses: tuple[Address, ...] = ()
    databases: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    gaps: tuple[compositions.Gap, ...] = ()
    majors: Mapping[str, int] = {}

    def service(self, name: str) -> Service | None:
        """A service by its name."""
        return next((service for service in self.services if service.name == name), None)
