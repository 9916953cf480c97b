"""The containers of a pod as services of Compose.

What would give a container power over the developer's machine is never translated, whatever a chart asks for: it is
said instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import patterns, wording
from hanbae.local import container_variables, healthchecks, limits, mounts
from hanbae.local.composition import (
    FOLDER,
    TOOLS,
    Build,
    Composition,
    File,
    Role,
    SecretKey,
    Service,
)
from hanbae.releases import parts, variables
from hanbae.releases.objects import Object
from hanbae.results import compositions

_ODD: Final = patterns.lazy(r"[^A-Za-z0-9_.-]+")
_HARMLESS: Final = frozenset({"NET_BIND_SERVICE"})
"""Capabilities that even the strictest standard of Kubernetes lets a chart add."""
_SHARED: Final = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")
_ENDING: Final = frozenset({"Job", "CronJob"})


class Source(Struct, frozen=True):
    """What the pods of a release are translated with.

    Attributes:
        release: The release.
        sources: Its ConfigMaps, and the keys of its Secrets as far as they are known.
        build: How its own image is built here; None where there is no Dockerfile.
        unnamed: The image by which the chart was rendered since it names none yet; empty where it does.
    """

    release: parts.Release
    sources: variables.Sources
    build: Build | None = None
    unnamed: str = ""


class Translated(Struct, frozen=True):
    """The containers of a pod.

    Attributes:
        services: The services, in the order in which they begin.
        volumes: Volumes that they share or keep.
        files: Files that they mount.
        keys: Keys of Secrets that they read.
        gaps: What is not translated.
    """

    services: tuple[Service, ...] = ()
    volumes: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    keys: tuple[SecretKey, ...] = ()
    gaps: tuple[compositions.Gap, ...] = ()


def of(manifest: Object, source: Source, names: frozenset[str]) -> Translated:
    """The services of what makes pods.

    Args:
        manifest: The Deployment, Job or the like.
        source: What it is translated with.
        names: Names that other services have.
    """
    name = safe(manifest.name) or "unnamed"
    if name in names:
        name = f"{name}-{safe(source.release.service)}"
    translator = _Translator(manifest, source, name)
    return translator.all()


def safe(name: str) -> str:
    """A name that Compose takes and that is a file's name as well."""
    return _ODD.sub("-", name).strip("._-")[:100]


class _Translator:
    """Translates one pod."""

    def __init__(self, manifest: Object, source: Source, name: str) -> None:
        self._manifest, self._source, self._name = manifest, source, name
        spec = manifest.get(*(manifest.pod or ()))
        self._spec: Mapping[str, Any] = spec if isinstance(spec, Mapping) else {}
        self._volumes = mounts.Volumes(name, self._spec, _claims(manifest), source.sources)
        self._gaps: list[compositions.Gap] = []
        metadata = manifest.get(*manifest.template_metadata)
        self._pod = container_variables.Pod(
            name,
            manifest.namespace,
            str(self._spec.get("serviceAccountName") or "default"),
            metadata if isinstance(metadata, Mapping) else {},
        )

    def all(self) -> Translated:
        self._of_pod()
        migrating = {
            (migration.part.pointer): migration
            for migration in self._source.release.migrations
            if migration.part.object == self._manifest
        }
        services: list[Service] = []
        mounted: list[mounts.Mounted] = []
        main = ""
        for pointer, container in self._manifest.containers():
            is_init = "initContainers" in pointer
            # Kubernetes' own kind of sidecar: an init container whose end nobody waits for.
            runs_beside = is_init and container.get("restartPolicy") == "Always"
            migration = migrating.get(pointer)
            role: Role = "workload"
            if runs_beside:
                role = "sidecar"
            elif migration is not None and (is_init or self._manifest.kind in _ENDING):
                role = "migration"
            elif is_init:
                role = "init"
            elif self._manifest.kind in _ENDING:
                role = "job"
            elif main:
                role = "sidecar"
            own = safe(str(container.get("name") or role)) or role
            is_first = not is_init and not main
            name = self._name if is_first else f"{self._name}-{own}"
            main = name if is_first else main
            mount = self._volumes.of(container)
            mounted.append(mount)
            service = self._service(name, role, container, mount)
            if migration is not None and role == "migration":
                service = msgspec.structs.replace(service, database=migration.database)
            services.append(service)
        return Translated(
            tuple(_beside(services, main, ends=self._manifest.kind in _ENDING)),
            tuple(name for mount in mounted for name in mount.volumes),
            tuple(file for mount in mounted for file in mount.files),
            (
                *(key for mount in mounted for key in mount.keys),
                *(key for service in services for key in _keys(service)),
            ),
            tuple(self._gaps),
        )

    def _service(
        self, name: str, role: Role, container: Mapping[str, Any], mount: mounts.Mounted
    ) -> Service:
        translated = container_variables.of(container, self._source.sources, self._pod)
        entrypoint, secret_entry = self._words(container, "command")
        command, secret_args = self._words(container, "args")
        runs_on = role in {"workload", "sidecar"}
        check, probe_gaps = healthchecks.of(container if runs_on else {})
        for text in (*translated.gaps, *probe_gaps, *mount.gaps):
            self._gap(name, text)
        if secret_entry or secret_args:
            self._gap(name, wording.Text("local.gap-secret-argument"))
        image = str(container.get("image") or "")
        own_image = bool(self._source.build) and self._is_own(image, role)
        resources = container.get("resources")
        caps = resources.get("limits") if isinstance(resources, Mapping) else None
        caps = caps if isinstance(caps, Mapping) else {}
        volumes = list(mount.entries)
        if healthchecks.is_over_network(check):
            volumes.append(
                {"type": "volume", "source": TOOLS, "target": "/.hanbae", "read_only": True}
            )
        settings = self._settings(name, container)
        if volumes:
            settings["volumes"] = volumes
        unnamed = bool(self._source.unnamed) and image == self._source.unnamed
        return Service(
            name=name,
            role=role,
            owner=self._source.release.service,
            image=self._source.build.image if unnamed and self._source.build else image,
            build=self._source.build if own_image else None,
            unnamed=unnamed,
            entrypoint=entrypoint,
            command=command,
            environment=translated.plain,
            secrets=translated.secret,
            whole=translated.whole,
            healthcheck=check,
            memory=limits.memory(caps.get("memory")),
            cpus=limits.cpus(caps.get("cpu")),
            settings=settings,
        )

    def _words(self, container: Mapping[str, Any], key: str) -> tuple[tuple[str, ...] | None, bool]:
        return container_variables.words(container.get(key), container, self._source.sources)

    def _is_own(self, image: str, role: Role) -> bool:
        """Whether an image is the service's own rather than another's, such as a proxy beside it."""
        if role == "sidecar" or not image:
            return False
        own = next(
            (
                entry.reference
                for workload in self._source.release.workloads
                if workload.ref.kind not in _ENDING
                for entry in workload.images
                if not entry.init
            ),
            image,
        )
        return repository(image) == repository(own)

    def _settings(self, name: str, container: Mapping[str, Any]) -> dict[str, Any]:
        """Who it runs as and what it may do; what gives more than Docker does by default is left out."""
        settings: dict[str, Any] = {}
        context = _merged(self._spec.get("securityContext"), container.get("securityContext"))
        user, group = context.get("runAsUser"), context.get("runAsGroup")
        if _is_id(user):
            # Without a group Docker takes the user's in the image's /etc/passwd, else 0, as containerd does.
            settings["user"] = f"{user}:{group}" if _is_id(group) else str(user)
        if context.get("readOnlyRootFilesystem") is True:
            settings["read_only"] = True
        if context.get("allowPrivilegeEscalation") is False:
            settings["security_opt"] = ["no-new-privileges:true"]
        settings |= self._capabilities(name, context.get("capabilities"))
        if context.get("privileged") is True:
            self._gap(name, wording.Text("local.gap-privileged"))
        folder = container.get("workingDir")
        if isinstance(folder, str) and folder:
            settings["working_dir"] = folder
        grace = self._spec.get("terminationGracePeriodSeconds")
        if isinstance(grace, int) and _is_id(grace):
            settings["stop_grace_period"] = f"{min(grace, 3600)}s"
        return settings

    def _capabilities(self, name: str, value: Any) -> dict[str, Any]:
        capabilities = value if isinstance(value, Mapping) else {}
        added = _texts(capabilities.get("add"))
        for capability in added:
            if capability not in _HARMLESS:
                facts = {"capability": capability}
                self._gap(name, wording.Text("local.gap-capability", facts))
        lists = {
            "cap_drop": _texts(capabilities.get("drop")),
            "cap_add": [entry for entry in added if entry in _HARMLESS],
        }
        return {key: entries for key, entries in lists.items() if entries}

    def _of_pod(self) -> None:
        for key in _SHARED:
            if self._spec.get(key) is True:
                self._gap(self._name, wording.Text("local.gap-shared", {"field": key}))
        replicas = self._manifest.get("spec", "replicas")
        if isinstance(replicas, int) and replicas > 1:
            facts = {"count": str(replicas)}
            self._gap(self._name, wording.Text("local.gap-replicas", facts))
        if self._manifest.kind == "CronJob":
            schedule = str(self._manifest.get("spec", "schedule"))
            self._gap(self._name, wording.Text("local.gap-schedule", {"schedule": schedule}))

    def _gap(self, name: str, text: wording.Text) -> None:
        self._gaps.append(compositions.Gap(name, text))


def _beside(services: list[Service], main: str, *, ends: bool) -> Iterator[Service]:
    """Sidecars in the network of their pod; what runs before it one after the other."""
    sidecars = [service.name for service in services if service.role == "sidecar"]
    # Docker lets nobody join the network of a container that has ended: in a Job it is the first sidecar's.
    holder = sidecars[0] if ends and sidecars else main
    before = ""
    for service in services:
        settings = dict(service.settings)
        depends = dict(service.depends_on)
        if service.name != holder and (service.role == "sidecar" or holder in sidecars):
            settings["network_mode"] = f"service:{holder}"
            depends[holder] = "service_started"
        if before and service.role != "sidecar":
            depends[before] = "service_completed_successfully"
        if service.role in {"init", "migration"} and service.name != main:
            before = service.name
        yield msgspec.structs.replace(service, settings=settings, depends_on=depends)


def _keys(service: Service) -> Iterator[SecretKey]:
    for value in service.secrets.values():
        yield from (part for part in value if isinstance(part, SecretKey))


def repository(image: str) -> str:
    """An image without tag and digest."""
    rest = image.partition("@")[0]
    folder, slash, name = rest.rpartition("/")
    # In the last part only: a colon before it stands in front of a registry's port.
    return f"{folder}{slash}{name.partition(':')[0]}"


def env_file(service: Service) -> str:
    """Where the secret variables of a service are, from the repository's root."""
    return f"{FOLDER}/env/{service.name}.env"


def named(composition: Composition, owner: str) -> tuple[Service, ...]:
    """The services of Compose that a service of the repository has become."""
    return tuple(service for service in composition.services if service.owner == owner)


def _claims(manifest: Object) -> frozenset[str]:
    templates = manifest.get("spec", "volumeClaimTemplates")
    return frozenset(
        str(metadata.get("name"))
        for entry in (templates if isinstance(templates, list) else ())
        if isinstance(entry, Mapping) and isinstance(metadata := entry.get("metadata"), Mapping)
    )


def _merged(pod: Any, container: Any) -> dict[str, Any]:
    return {
        **(pod if isinstance(pod, Mapping) else {}),
        **(container if isinstance(container, Mapping) else {}),
    }


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
