"""From the releases of an environment to the services of Compose, in the order in which they may begin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from hanbae import wording
from hanbae.local import addresses, components, healthchecks, pods, reaching
from hanbae.local.composition import (
    DATABASES,
    TOOLS,
    Composition,
    Condition,
    SecretKey,
    Service,
)
from hanbae.policy import documents
from hanbae.releases import parts
from hanbae.releases.objects import Object
from hanbae.results import compositions

_ENDED: Final[Condition] = "service_completed_successfully"
_PHASES: Final = {"PreSync": -1, "Sync": 0, "PostSync": 1}
_ENDING: Final = frozenset({"Job", "CronJob"})
_POSTGRES_NAMES: Final = frozenset({"postgres", "postgresql"})


class _Placed(msgspec.Struct, frozen=True):
    """What a pod has become, and when it may begin."""

    manifest: Object
    translated: pods.Translated
    moment: tuple[int, int]
    by_hand: bool

    @property
    def ends(self) -> bool:
        return self.manifest.kind in _ENDING

    @property
    def migrates(self) -> bool:
        return any(service.role == "migration" for service in self.translated.services)

    @property
    def ending(self) -> dict[str, Condition]:
        """Its containers that end last, each as what others wait for: a Job is over when all of them are."""
        services = [service for service in self.translated.services if not service.runs_on]
        before = {name for service in services for name in service.depends_on}
        return {service.name: _ENDED for service in services if service.name not in before}


def of(
    policy: documents.Policy, environment: str, name: str, sources: Sequence[pods.Source]
) -> Composition:
    """The local environment of some releases.

    Args:
        policy: The policy.
        environment: The environment that they were rendered for.
        name: Name of the Compose project.
        sources: The releases, with what their pods are translated with.
    """
    names = {"postgresql", "valkey", "clickhouse", DATABASES, TOOLS}
    services: list[Service] = []
    placed: list[_Placed] = []
    reached: dict[str, reaching.Reached] = {}
    owned = []
    gaps: list[compositions.Gap] = []
    for source in sources:
        own = list(_place(source, names))
        placed += own
        keys = tuple(key for entry in own for key in entry.translated.keys)
        owned.append(addresses.Owned(source.release, keys))
        for entry in own:
            for service in entry.translated.services[:]:
                if service.role == "workload":
                    reached[service.name] = reaching.of(source.release, entry.manifest)
            gaps += entry.translated.gaps
        services += _ordered(own)
    led = addresses.of(owned)
    databases = tuple(
        dict.fromkeys(entry.database for entry in led if entry.engine == "postgresql")
    )
    used = {entry.engine for entry in led} | set(_named_engines(services))
    tools = any(healthchecks.is_over_network(service.healthcheck) for service in services)
    servers = components.of(policy, used, databases, tools=tools)
    services = [*servers, *_after_components(services, led, used)]
    for holder, leading in reached.items():
        gaps += [compositions.Gap(holder, text) for text in leading.gaps]
    finished, more = reaching.published(services, reached)
    unbuilt = [
        compositions.Gap(service.name, wording.Text("local.gap-no-image", {}))
        for service in finished
        if service.unnamed and service.build is None and service.role == "workload"
    ]
    volumes = dict.fromkeys(volume for entry in placed for volume in entry.translated.volumes)
    return Composition(
        name=name,
        environment=environment,
        services=finished,
        volumes=tuple(dict.fromkeys([*volumes, *_volumes(servers)])),
        keys=tuple(
            dict.fromkeys(
                key
                for key in (
                    *(key for entry in owned for key in entry.keys),
                    *(entry.key for entry in led),
                )
            )
        ),
        addresses=led,
        databases=databases,
        files=tuple(
            {file.path: file for entry in placed for file in entry.translated.files}.values()
        ),
        gaps=(*gaps, *more, *unbuilt),
        majors=dict(_majors(source.release for source in sources)),
    )


def _place(source: pods.Source, names: set[str]) -> Iterator[_Placed]:
    for manifest in source.release.objects:
        if manifest.pod is None:
            continue
        translated = pods.of(manifest, source, frozenset(names))
        names.update(service.name for service in translated.services)
        phases = manifest.phases
        # A hook of other phases alone, such as SyncFail, is no part of a sync: it starts only by hand.
        phase = next((name for name in _PHASES if name in phases), "" if phases else "Sync")
        yield _Placed(
            manifest,
            translated,
            (_PHASES.get(phase, 0), manifest.wave),
            by_hand=not phase or manifest.kind == "CronJob",
        )


def _ordered(own: Sequence[_Placed]) -> Iterator[Service]:
    """The services of one release: Jobs one after the other, and what runs on after those that come before it."""
    jobs = sorted((entry for entry in own if entry.ends and not entry.by_hand), key=_moment)
    jobs = [entry for entry in jobs if entry.translated.services]
    yield from _one_after_the_other(own, jobs)
    for entry in own:
        if entry.by_hand:
            for service in entry.translated.services:
                yield _with(service, settings={"profiles": ["by-hand"]})
        elif not entry.ends:
            yield from _running(entry, jobs)


def _one_after_the_other(own: Sequence[_Placed], jobs: Sequence[_Placed]) -> Iterator[Service]:
    before: dict[str, Condition] = {}
    for entry in jobs:
        depends = before
        if entry.moment[0] > 0:  # after the sync
            depends = depends | _ready(own)
        for service in entry.translated.services:
            yield _with(service, depends_on=depends if _begins(service) else {})
        before = entry.ending


def _running(entry: _Placed, jobs: Sequence[_Placed]) -> Iterator[Service]:
    """What runs on, after the last Job that comes before it.

    Argo CD waits for a wave before it begins the next one. Migrations are waited for whatever their wave is, since a
    program finds its tables then at its first try.
    """
    before = [
        job.ending
        for job in jobs
        if job.moment[0] <= 0 and (job.migrates or job.moment < entry.moment)
    ]
    # The last one is enough, since each Job waits for the one before it.
    depends = before[-1] if before else {}
    for service in entry.translated.services:
        settings = {"restart": "on-failure:5"} if service.runs_on else {}
        begins = _begins(service)
        yield _with(service, depends_on=depends if begins else {}, settings=settings)


def _begins(service: Service) -> bool:
    """Whether a pod begins with it: it waits for no other container's end, and is not beside another one."""
    return _ENDED not in service.depends_on.values() and service.role != "sidecar"


def _with(
    service: Service,
    *,
    depends_on: Mapping[str, Condition] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Service:
    return msgspec.structs.replace(
        service,
        depends_on={**service.depends_on, **(depends_on or {})},
        settings={**service.settings, **(settings or {})},
    )


def _moment(entry: _Placed) -> tuple[int, int]:
    return entry.moment


def _ready(own: Sequence[_Placed]) -> dict[str, Condition]:
    """What runs on, each in the state in which others can use it."""
    return {
        service.name: "service_healthy" if service.healthcheck else "service_started"
        for entry in own
        if not entry.ends
        for service in entry.translated.services
        if service.role == "workload"
    }


def _after_components(
    services: Iterable[Service], led: Sequence[Any], used: set[str]
) -> Iterator[Service]:
    """The services, each after the servers that its release has addresses of, and after what it is probed with."""
    by_key = {entry.key: entry.engine for entry in led}
    engines: dict[str, set[str]] = {}
    every = tuple(services)
    for service in every:
        own = engines.setdefault(service.owner, set())
        own |= {
            by_key[part]
            for value in service.secrets.values()
            for part in value
            if isinstance(part, SecretKey) and part in by_key
        }
        own |= set(_named_engines([service]))
        secrets = {secret for _, secret in service.whole}
        own |= {engine for key, engine in by_key.items() if key.secret in secrets}
    for service in every:
        depends = dict(service.depends_on)
        for engine in components.ENGINES:
            # What waits for a Job begins after what that Job has waited for, and a sidecar after its pod.
            if _begins(service) and engine in engines[service.owner] and engine in used:
                if engine == "postgresql" and any(item.engine == engine for item in led):
                    depends[DATABASES] = _ENDED
                else:
                    depends[engine] = "service_healthy"
        if healthchecks.is_over_network(service.healthcheck):
            depends[TOOLS] = _ENDED
        yield msgspec.structs.replace(service, depends_on=depends)


def _named_engines(services: Iterable[Service]) -> Iterator[str]:
    """The servers that variables are called after, such as ``VALKEY_HOST``."""
    for service in services:
        for name in (*service.environment, *service.secrets):
            engine = addresses.engine(name)
            if engine in {"valkey", "clickhouse"}:
                yield engine


def _volumes(servers: Iterable[Service]) -> Iterator[str]:
    for service in servers:
        for entry in service.settings.get("volumes", ()):
            yield str(entry["source"])


def _majors(releases: Iterable[parts.Release]) -> Iterator[tuple[str, int]]:
    """The PostgreSQL that charts bring themselves: an image of a pod, or a cluster of CloudNativePG."""
    for release in releases:
        references: list[str] = [image.reference for image in release.images]
        references += [
            str(manifest.get("spec", "imageName") or "")
            for manifest in release.objects
            if manifest.kind == "Cluster" and manifest.api_version.startswith("postgresql.cnpg.io/")
        ]
        for reference in references:
            if pods.repository(reference).rpartition("/")[2] in _POSTGRES_NAMES:
                major = components.major(reference)
                if major is not None:
                    yield reference, major


def project_name(text: str) -> str:
    """A name that Compose takes for a project, of a repository's address or a folder's name."""
    last = text.rstrip("/").rpartition("/")[2].removesuffix(".git").lower()
    return re.sub(r"[^a-z0-9_-]+", "-", last).strip("-_")[:50] or "local"


def rendered_secrets(releases: Iterable[parts.Release]) -> Mapping[SecretKey, bytes]:
    """The values of Secrets that charts render in clear; they are in the repository for everybody to read already."""
    import base64
    import binascii

    values: dict[SecretKey, bytes] = {}
    for release in releases:
        for manifest in release.objects:
            if manifest.kind != "Secret":
                continue
            data, texts = manifest.get("data"), manifest.get("stringData")
            for key, value in (data if isinstance(data, dict) else {}).items():
                try:
                    decoded = base64.b64decode(str(value), validate=True)
                except (binascii.Error, ValueError):
                    continue
                values[SecretKey(manifest.name, str(key))] = decoded
            # After `data`, over which it wins in the API server as well.
            for key, value in (texts if isinstance(texts, dict) else {}).items():
                values[SecretKey(manifest.name, str(key))] = str(value).encode()
    return values
