"""What a sandbox is doing right now, component by component, asked of the components themselves."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import msgspec

from hanbae import errors
from hanbae.sandbox import (
    addons,
    components,
    folders,
    identities,
    namespaces,
    probing,
    running,
    sites,
)

State = Literal["ready", "not-ready", "stopped"]


class Component(msgspec.Struct, frozen=True):
    """One component.

    Attributes:
        name: Which one.
        state: ``ready``; ``not-ready``, which runs but does not do its work yet; or ``stopped``.
        detail: Why it is not ready; empty when it is.
        log: Its log; for pods, see ``kubectl logs``.
        started: When this run began; None for pods and for what never ran.
    """

    name: str
    state: State
    detail: str = ""
    log: str = ""
    started: datetime | None = None


class Status(msgspec.Struct, frozen=True):
    """A sandbox.

    Attributes:
        name: Which one.
        state: ``ready`` if everything in it is; ``not-ready``; ``stopped`` if it has a folder but no processes; or
            ``absent``.
        folder: Its folder.
        address: Where its API server, registry, Argo CD and PostgreSQL are reached; empty if it has none.
        components: Everything in it.
    """

    name: str
    state: Literal["ready", "not-ready", "stopped", "absent"]
    folder: str
    address: str = ""
    components: tuple[Component, ...] = ()


def of(name: str) -> Status:
    """The status of one sandbox.

    Raises:
        errors.WrongUse: The name is not usable.
    """
    folder = folders.of(name)
    identity = identities.load(folder)
    if identity is None:
        return Status(name, "absent", str(folder.root))
    if not namespaces.Namespaces(folder).alive():
        return Status(name, "stopped", str(folder.root), identity.inner)
    try:
        listed = _components(running.attach(name).site)
    except errors.Unreachable:
        # It never was whole (an interrupted `up`, or one that is at work just now), or is dying under our eyes.
        return Status(name, "not-ready", str(folder.root), identity.inner)
    whole = all(component.state == "ready" for component in listed)
    state: State = "ready" if whole else "not-ready"
    return Status(name, state, str(folder.root), identity.inner, listed)


def every() -> list[Status]:
    """The status of every sandbox of this user."""
    statuses = [of(folder.name) for folder in folders.every()]
    return [status for status in statuses if status.state != "absent"]


def _components(site: sites.Site) -> tuple[Component, ...]:
    processes = site.namespaces.processes()

    def daemon(definition: sites.Daemon) -> Component:
        process = processes.get(definition.name)
        log = str(site.folder.logs / f"{definition.name}.log")
        if process is None or not process.running:
            code = "" if process is None else f"exit code {process.code}"
            return Component(definition.name, "stopped", code, log)
        reason = definition.ready()
        started = datetime.fromtimestamp(process.started, UTC)
        return Component(definition.name, "not-ready" if reason else "ready", reason, log, started)

    def judged(name: str, ready: Callable[[], str]) -> Component:
        reason = ready()
        return Component(name, "not-ready" if reason else "ready", reason)

    pods: dict[str, Callable[[], str]] = {
        "node": lambda: site.api.node_ready(site.identity.host),
        "coredns": lambda: addons.dns_ready(site),
        "sealed-secrets": lambda: addons.sealed_secrets_ready(site),
        "postgresql": lambda: addons.postgresql_ready(site),
    }
    # Side by side, because each one that hangs is asked until a deadline of seconds.
    with (
        site.namespaces.network() as network,
        concurrent.futures.ThreadPoolExecutor(
            8, initializer=probing.enter_network, initargs=(network,)
        ) as workers,
    ):
        answers = [workers.submit(daemon, definition) for definition, _ in components.daemons(site)]
        answers += [workers.submit(judged, name, ready) for name, ready in pods.items()]
        return tuple(answer.result() for answer in answers)
