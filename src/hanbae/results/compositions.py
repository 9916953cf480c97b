"""What is said of the local environment: what of the charts it leaves out, where it differs, what runs."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hanbae import wording

Aspect = Literal[
    "service", "image", "environment", "secret", "ports", "probe", "database", "order", "limits"
]
"""What is compared: whether there is such a service, its image, names of variables, secrets kept out of the file,
ports, probes, the database's major version, the order of migrations, and memory and CPU."""


class Gap(Struct, frozen=True):
    """A part of a chart that is not translated into Compose.

    Attributes:
        service: The service of Compose that lacks it.
        text: What it is, and what happens instead.
    """

    service: str
    text: wording.Text


class Difference(Struct, frozen=True):
    """Something in which the Compose file is not as the chart.

    Attributes:
        service: The service of Compose.
        aspect: What was compared.
        chart: How the chart has it.
        compose: How the Compose file has it; empty where it has nothing.
        text: The difference.
    """

    service: str
    aspect: Aspect
    chart: str
    compose: str
    text: wording.Text


class Parity(Struct, frozen=True):
    """How the Compose file compares with the charts.

    Attributes:
        environment: The environment whose charts these are.
        files: The Compose files that were read.
        services: The services that were compared.
        differences: Where they differ.
        gaps: What of the charts is not translated.
        unread: A Compose file that was not compared, since only Compose can merge it and there is none here.
    """

    environment: str
    files: tuple[str, ...]
    services: tuple[str, ...]
    differences: tuple[Difference, ...]
    gaps: tuple[Gap, ...] = ()
    unread: str = ""


class Running(Struct, frozen=True):
    """A service of the local environment as it is now.

    Attributes:
        name: The service.
        state: ``running``, ``exited``, another state of Docker's, or ``absent``.
        health: ``healthy``, ``unhealthy``, ``starting``; empty where there is no probe or nothing runs.
        exit_code: With what it has ended; None while it runs.
        addresses: Where it is reached from this machine, such as ``127.0.0.1:8080``.
    """

    name: str
    state: str
    health: str = ""
    exit_code: int | None = None
    addresses: tuple[str, ...] = ()


class Local(Struct, frozen=True):
    """The local environment as it is now.

    Attributes:
        project: Name of the Compose project.
        services: Its services.
        stale: Whether ``compose.yaml`` is not what the charts ask for.
    """

    project: str
    services: tuple[Running, ...]
    stale: bool = False
