"""Builds the overlays of a repository for the rules, and reads its folders of plain manifests."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from hanbae import errors, libyaml
from hanbae.planning import directories, kustomize, manifests
from hanbae.policy import naming
from hanbae.repository import keeping
from hanbae.rules import builds, views
from hanbae.rules.kustomize import overlays, scanning

_AT_ONCE: Final = 2


async def built(project: views.Project, cache: keeping.Cache | None = None) -> views.Project:
    """The repository with its overlays, built.

    Args:
        project: The repository.
        cache: Outputs of earlier runs; None to build everything anew.
    """
    free = asyncio.Semaphore(_AT_ONCE)

    async def build(overlay: overlays.Overlay) -> builds.Built:
        async with free:
            return await _built(project, overlay, cache)

    project_overlays = overlays.overlays(project.policy, project.tree)
    results = await asyncio.gather(*(build(overlay) for overlay in project_overlays))
    return dataclasses.replace(project, overlays=tuple(results))


def without_chart(project: views.Project) -> tuple[str, ...]:
    """The names of the services that have overlays and no chart."""
    project_overlays = overlays.overlays(project.policy, project.tree)
    return tuple(sorted({overlay.service for overlay in project_overlays if overlay.service}))


def services(project: views.Project) -> Iterator[views.Service]:
    """What was built, as services with a release for each environment, for the rules over objects."""
    by_service: dict[str, list[builds.Built]] = {}
    for overlay in project.overlays:
        by_service.setdefault(overlay.service, []).append(overlay)
    for name, all_built in by_service.items():
        view = views.Service(project, name, kustomized=True)
        for overlay in all_built:
            if overlay.objects:
                release = views.Release(view, overlay.environment, {}, overlay.objects)
                view.releases[overlay.environment] = release
        yield view


async def _built(
    project: views.Project, overlay: overlays.Overlay, cache: keeping.Cache | None = None
) -> builds.Built:
    result = builds.Built(overlay.environment, overlay.folder, overlay.service)
    tree = project.tree
    if overlay.service in project.chartless:
        try:
            service, environment = overlay.service, overlay.environment
            written = project.shared.written(service, environment)
            source = manifests.source(project.policy, tree, service, environment, written=written)
            if source.engine == "directory":
                return _plain(project, overlay, source)
        except errors.FileFault as fault:
            return msgspec.structs.replace(result, plain=True, fault=fault)
        # Its kustomization is what parameters of the Application make of it.
        tree = source.tree
    if scanning.named(tree, overlay.folder) is None:
        return msgspec.structs.replace(result, there=False)
    return await _kustomized(project, overlay, scanning.scan(tree, overlay.folder), cache)


async def _kustomized(
    project: views.Project,
    overlay: overlays.Overlay,
    scan: scanning.Scan,
    cache: keeping.Cache | None,
) -> builds.Built:
    result = builds.Built(
        overlay.environment,
        overlay.folder,
        overlay.service,
        refusals=tuple(scan.refusals),
        images=tuple(scan.images),
        error=scan.fault,
    )
    # What is refused is never built: a build would follow URLs, run plugins and read other folders.
    command = kustomize.program()
    if scan.refusals or scan.fault or not command:
        return result
    output, error = await kustomize.output(command, scan.files, overlay.folder, cache)
    result = msgspec.structs.replace(result, program=command[0])
    if error:
        return msgspec.structs.replace(result, error=error)
    try:
        objects = tuple(_objects(project, overlay, output))
    except libyaml.Fault as wrong:
        return msgspec.structs.replace(result, error=str(wrong)[:500])
    return msgspec.structs.replace(result, objects=objects)


def _plain(
    project: views.Project, overlay: overlays.Overlay, source: manifests.Source
) -> builds.Built:
    """A folder of plain manifests, read as Argo CD reads it."""
    result = builds.Built(overlay.environment, overlay.folder, overlay.service, plain=True)
    fallback = naming.namespace(project.policy, overlay.service, overlay.environment)
    read = directories.read(source.tree, source.folder, source.directory)
    objects = tuple(
        views.Object(
            manifest.object,
            manifest.template,
            index,
            str((manifest.object.get("metadata") or {}).get("namespace") or fallback),
        )
        for index, manifest in enumerate(read)
    )
    return msgspec.structs.replace(result, objects=objects)


def _objects(
    project: views.Project, overlay: overlays.Overlay, output: bytes
) -> Iterator[views.Object]:
    documents = list(libyaml.load_all(output))
    fallback = naming.namespace(project.policy, overlay.service, overlay.environment)
    for index, document in enumerate(
        document for document in documents if isinstance(document, dict)
    ):
        own = document.get("metadata")
        metadata: dict[str, Any] = own if isinstance(own, dict) else {}
        template = kustomize.origin(metadata) or scanning.named(project.tree, overlay.folder) or ""
        namespace = str(metadata.get("namespace") or fallback)
        yield views.Object(document, template, index, namespace)
