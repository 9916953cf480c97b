"""``hanbae local up``, ``down``, ``logs`` and ``status``: the local environment, started by Docker Compose."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from hanbae import errors, files, loops, masking, wording
from hanbae.actions import generate_compose
from hanbae.local import compose_document, compose_file, docker, local_environment, secret_values
from hanbae.local.composition import Composition, Service
from hanbae.policy import loading, naming
from hanbae.repository import services as repository_services
from hanbae.results import compositions

_PAUSE: Final = 0.5
"""Seconds between two looks at what runs."""
_TAIL: Final = 20
"""Lines of a log that say why a service has ended."""

Telling = Callable[[wording.Text], None]


def up(
    directory: Path,
    names: Sequence[str] = (),
    *,
    build: bool = False,
    timeout: float | None = None,
    asking: secret_values.Asking | None = None,
    telling: Telling = lambda _: None,
    logging: Callable[[str], None] = lambda _: None,
) -> compositions.Local:
    """Write what Compose reads, start it, and wait until everything is as its probes want it.

    Run again, it changes only what is not as the charts have it.

    Args:
        directory: The repository or a folder in it.
        names: Services of the repository, or of Compose; all by default. What they depend on is started with them.
        build: Build the images of services that have a Dockerfile, instead of taking those that the charts name.
        timeout: Seconds to wait; default ``rollout.deadline`` of the policy.
        asking: Asks for secrets that are missing; None to make them up.
        telling: Is told what happens.
        logging: Is given the lines of logs that say why it failed.

    Raises:
        hanbae.errors.WrongUse: No policy, no such service, or no environment whose charts could be run.
        hanbae.errors.FileFault: A chart does not render; a file is in the way.
        hanbae.errors.Refused: The Compose file is somebody's own, or a port of this machine is taken.
        hanbae.errors.Lacking: There is no Docker, or no Compose.
        hanbae.errors.Unreachable: Docker does not answer.
        hanbae.errors.Failed: Something did not start, or did not become ready in time.
    """
    local = loops.run(local_environment.read(directory))
    root, composition = local.loaded.root, local.composition
    services = _chosen(local, names)
    foreign = generate_compose.foreign_file(root)
    if foreign:
        raise errors.Refused("local.foreign-up", path=foreign)
    # Before anything is written: where Docker is missing, no file is left behind.
    docker.require(root)
    generate_compose.placed(local)
    store = secret_values.Store(root)
    values, made_up = store.complete(composition, asking)
    store.write(composition, values)
    if made_up:
        keys = ", ".join(f"{key.secret}/{key.key}" for key in made_up)
        telling(wording.Text("local.made-up", {"keys": keys, "folder": secret_values.STORE}))
    project = _project(root, build=build, composition=composition)
    running = project.running()
    _refuse_busy(project, composition, running)
    redact = masking.Redactor(values.values())
    telling(wording.Text("local.starting", {"project": composition.name}))
    within = timeout if timeout is not None else _deadline(local)
    try:
        project.up([service.name for service in services] if names else [], build=build)
        _wait(project, _needed(composition, services), within)
    except errors.Failed:
        for line in _why(project, redact):
            logging(line)
        raise
    return compositions.Local(composition.name, project.running())


def down(directory: Path, *, volumes: bool = False) -> None:
    """Stop what runs; databases keep their data unless that is to go as well.

    Args:
        directory: The repository or a folder in it.
        volumes: Whether the data goes.

    Raises:
        hanbae.errors.WrongUse: No policy, or no Compose file.
        hanbae.errors.Lacking: There is no Docker, or no Compose.
        hanbae.errors.Unreachable: Docker does not answer.
        hanbae.errors.Failed: Something did not stop.
    """
    _opened(directory).down(volumes=volumes)


def status(directory: Path) -> compositions.Local:
    """What runs, and whether the Compose file is as the charts ask for.

    Raises:
        hanbae.errors.WrongUse: No policy, or no Compose file.
        hanbae.errors.FileFault: A chart does not render.
        hanbae.errors.Lacking: There is no Docker, or no Compose.
        hanbae.errors.Unreachable: Docker does not answer.
    """
    project = _opened(directory)
    local = loops.run(local_environment.read(directory))
    running = {row.name: row for row in project.running()}
    rows = {
        service.name: running.get(service.name, compositions.Running(service.name, "absent"))
        for service in local.composition.services
        if service.name in running or not service.settings.get("profiles")
    }
    rows |= running
    change = generate_compose.placed(local, check=True)
    return compositions.Local(
        local.composition.name, tuple(rows.values()), stale=change.outcome == "stale"
    )


def logs(
    directory: Path, names: Sequence[str] = (), *, follow: bool = False, tail: int | None = None
) -> Iterator[str]:
    """The lines of the services' logs, without what is secret here.

    Args:
        directory: The repository or a folder in it.
        names: Services of Compose, or of the repository; all by default.
        follow: Whether to go on as they write.
        tail: Only so many lines of each; None for all.

    Raises:
        hanbae.errors.WrongUse: No policy, no such service, or no Compose file.
        hanbae.errors.Lacking: There is no Docker, or no Compose.
        hanbae.errors.Unreachable: Docker does not answer.
    """
    project = _opened(directory)
    redact = masking.Redactor(secret_values.Store(project.root).read().values())
    every = tuple(compose_document.services(project.config()))
    compose_names = []
    for name in names:
        own = [name] if name in every else _beginning(name, every)
        # Compose itself would name no log, and say nothing.
        if not own and name not in compose_document.services(project.config(profiles=True)):
            raise _unknown(repository_services.opened(directory), name, every)
        compose_names += own or [name]
    for line in project.logs(compose_names, follow=follow, tail=tail):
        yield redact(line)


def _beginning(name: str, every: Sequence[str]) -> list[str]:
    """The services of Compose that a service of the repository has become, by their names."""
    return [own for own in every if own == name or own.startswith(f"{name}-")]


def _unknown(loaded: loading.Loaded, name: str, every: Iterable[str]) -> errors.WrongUse:
    """Why a name is none of what runs: the repository has no such service, or nothing of it runs here."""
    try:
        repository_services.check(loaded, name)
    except errors.WrongUse as error:
        return error
    return errors.WrongUse("local.nothing-of", service=name, known=", ".join(every) or "-")


def _chosen(local: local_environment.Local, names: Sequence[str]) -> tuple[Service, ...]:
    """The services that are meant: by their names in Compose, or all of a service of the repository."""
    composition = local.composition
    if not names:
        return tuple(
            service for service in composition.services if not service.settings.get("profiles")
        )
    services: list[Service] = []
    for name in names:
        own = [service for service in composition.services if name in {service.name, service.owner}]
        if not own:
            listed = dict.fromkeys(
                service.owner or service.name for service in composition.services
            )
            raise _unknown(local.loaded, name, listed)
        services += [service for service in own if not service.settings.get("profiles")] or own
    return tuple(services)


def _needed(composition: Composition, services: Sequence[Service]) -> tuple[Service, ...]:
    """The services with everything that they depend on."""
    waiting = [service.name for service in services]
    names: set[str] = set()
    while waiting:
        name = waiting.pop()
        service = composition.service(name)
        if name not in names and service is not None:
            names.add(name)
            waiting += service.depends_on
    return tuple(service for service in composition.services if service.name in names)


def _project(
    root: Path, *, build: bool = False, composition: Composition | None = None
) -> docker.Project:
    names = list(generate_compose.present_files(root))
    if not names:
        raise errors.WrongUse("local.no-file")
    if build and composition is not None:
        text = compose_file.build_text(composition)
        files.replace(root / compose_file.BUILD, text, mode=0o600)
        # Behind the main file and before the override, so that what a developer overrides still
        # counts.
        names.insert(1, compose_file.BUILD)
    return docker.project(root, names)


def _opened(directory: Path) -> docker.Project:
    """The project as it is on the disk, whatever has become of the charts since."""
    return _project(repository_services.opened(directory).root)


def _refuse_busy(
    project: docker.Project, composition: Composition, running: Sequence[compositions.Running]
) -> None:
    """Refuse a port of this machine that somebody else has, before anything is started."""
    # A port that a container of this project publishes is taken by ourselves.
    own = {address.rpartition(":")[2] for row in running for address in row.addresses}
    for port, (name, container) in sorted(project.ports().items()):
        if str(port) not in own and _is_busy(port):
            service = composition.service(name)
            ports = service.ports if service is not None else ()
            variable = next((entry.variable for entry in ports if entry.container == container), "")
            text_id = "local.busy" if variable else "local.busy-override"
            raise errors.Refused(text_id, port=str(port), service=name, variable=variable)


def _is_busy(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Without it, connections of a server that has ended (TIME_WAIT) would count as somebody who
        # listens.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _wait(project: docker.Project, services: Sequence[Service], within: float) -> None:
    """Wait until everything runs and is healthy, or has ended well.

    Raises:
        hanbae.errors.Failed: Something has ended badly, or time is up.
    """
    until = time.monotonic() + within
    probed = {
        name
        for name, entry in compose_document.services(project.config()).items()
        if compose_document.healthcheck(entry) is not None
    }
    while True:
        rows = {row.name: row for row in project.running()}
        for service in services:
            row = rows.get(service.name)
            # What runs on must not exit at all, whatever its code; what has an end must end with 0.
            if row is not None and row.state == "exited" and (row.exit_code or service.runs_on):
                code = str(row.exit_code)
                raise errors.Failed("local.ended", service=service.name, code=code)
        waiting = [
            service.name
            for service in services
            if not _is_ready(service, rows, is_probed=service.name in probed)
        ]
        if not waiting:
            return
        if time.monotonic() > until:
            raise errors.Failed(
                "local.not-ready", services=", ".join(waiting), seconds=f"{within:.0f}"
            )
        time.sleep(_PAUSE)


def _is_ready(
    service: Service, rows: Mapping[str, compositions.Running], *, is_probed: bool
) -> bool:
    row = rows.get(service.name)
    if row is None:
        return False
    if not service.runs_on:
        return row.state == "exited" and not row.exit_code
    # What is just starting again has no health for a moment, although it is probed.
    return row.state == "running" and (row.health == "healthy" or not (is_probed or row.health))


def _why(project: docker.Project, redact: Callable[[str], str]) -> Iterator[str]:
    """The last lines of what has ended badly, or is not well."""
    for row in project.running():
        if row.exit_code or row.health == "unhealthy" or row.state == "restarting":
            for line in project.logs([row.name], follow=False, tail=_TAIL):
                yield redact(line)


def _deadline(local: local_environment.Local) -> float:
    return float(naming.seconds(local.loaded.policy.rollout.deadline))
