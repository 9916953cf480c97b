"""Renders the services of an environment, and reads from the objects what runs of them on a developer's machine."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors, subjects
from hanbae.charts import pools, rendering
from hanbae.local import composing, pods
from hanbae.local.composition import Build, Composition
from hanbae.planning import manifests, releases
from hanbae.policy import documents, environments, loading, naming, service_paths
from hanbae.releases import parts, variables
from hanbae.repository import services, trees

_TAG: Final = "local"
"""The tag of what is built here."""
_DOCKERFILES: Final = ("Dockerfile", "Containerfile")
_LARGEST: Final = 256 * 1024


class Local(Struct, frozen=True):
    """The local environment of a repository.

    Attributes:
        loaded: The policy.
        composition: What runs.
    """

    loaded: loading.Loaded
    composition: Composition


async def read(directory: Path) -> Local:
    """The local environment, of the files as git has them.

    Raises:
        hanbae.errors.WrongUse: No policy, or no environment on Kubernetes whose charts could be taken.
        hanbae.errors.FileFault: The policy has a fault, or a chart does not render.
    """
    loaded = services.opened(directory)
    policy = loaded.policy
    environment = base(policy)
    tree = trees.WorkingTree(loaded.root)
    name = composing.project_name(policy.argocd.repository)
    deployed = [
        service
        for service in services.every(policy, tree)
        if _is_in(policy, tree, service, environment)
    ]
    async with pools.opened() as pool:
        sources = await asyncio.gather(
            *(_source(pool, policy, tree, service, environment, name) for service in deployed)
        )
    composition = composing.of(policy, environment, name, sources)
    rendered = composing.rendered_secrets(source.release for source in sources)
    return Local(loaded, msgspec.structs.replace(composition, rendered=rendered))


def base(policy: documents.Policy) -> str:
    """The environment whose charts the local one is made of.

    Raises:
        hanbae.errors.WrongUse: There is none.
    """
    if policy.local.environment is not None:
        environments.require(policy.local.environment, policy)
        return policy.local.environment
    names = environments.on_kubernetes(policy)
    if not names:
        raise errors.WrongUse("local.no-environment")
    return names[0]


def _is_in(policy: documents.Policy, tree: trees.Tree, service: str, environment: str) -> bool:
    if service_paths.has_no_chart(policy.services, service):
        return service_paths.is_in(policy.services, service, environment)
    return not releases.values(tree, policy, service, environment).missing


async def _source(  # noqa: PLR0917  a service, where it is, and what for
    pool: pools.Pool,
    policy: documents.Policy,
    tree: trees.Tree,
    service: str,
    environment: str,
    project: str,
) -> pods.Source:
    release = await _release(pool, policy, tree, service, environment)
    unnamed = ""
    if not release.begun and not service_paths.has_no_chart(policy.services, service):
        # A chart that names no image yet renders no pods: it is rendered with the one that is built here.
        layer = msgspec.json.encode({"image": {"tag": _TAG}})
        release = await _release(pool, policy, tree, service, environment, layer)
        unnamed = next((image.reference for image in release.images if not image.init), "")
    build = _build(policy, tree, service, project)
    return pods.Source(release, _sources(release), build, unnamed)


async def _release(  # noqa: PLR0917
    pool: pools.Pool,
    policy: documents.Policy,
    tree: trees.Tree,
    service: str,
    environment: str,
    layer: bytes = b"",
) -> parts.Release:
    if service_paths.has_no_chart(policy.services, service):
        release = await manifests.make(policy, tree, service, environment)
        objects: Iterable[Mapping[str, Any]] = [item.object for item in release.rendered.manifests]
        return releases.read(
            policy, tree, service, environment, manifests=objects, values={}, file=release.file
        ).model
    contents = releases.values(tree, policy, service, environment).contents
    overrides = releases.overrides(tree, policy, service, environment, contents)
    request = releases.requested(tree, policy, service, environment, contents, overrides=overrides)
    if layer:
        request = msgspec.structs.replace(request, values=(*request.values, layer))
    chart = str(naming.chart(policy, service))
    (answer,) = await rendering.answers(pool, tree, chart, [request])
    rendered = rendering.rendered(answer, chart=chart, values_files=request.values_files)
    return releases.read(
        policy,
        tree,
        service,
        environment,
        manifests=[item.object for item in rendered.manifests],
        values=rendered.values,
        file=str(naming.values_file(policy, service, environment)),
    ).model


def _sources(release: parts.Release) -> variables.Sources:
    """The namespace's objects; of a Secret that somebody else makes, the keys that are named."""
    keys: dict[str, set[str]] = {}
    for entry in release.makes:
        if entry.kind == "Secret":
            keys.setdefault(entry.name, set()).update(entry.keys or ())
    for need in release.needs:
        if need.kind == "Secret":
            keys.setdefault(need.name, set()).update({need.key} - {""})
    for migration in release.migrations:
        if migration.address is not None:
            keys.setdefault(migration.address.secret, set()).add(migration.address.key)
    return variables.Sources(
        config_maps={
            manifest.name: data
            for manifest in release.objects
            if manifest.kind == "ConfigMap" and isinstance(data := manifest.get("data"), dict)
        },
        secrets={name: frozenset(entries) for name, entries in keys.items()},
    )


def _build(policy: documents.Policy, tree: trees.Tree, service: str, project: str) -> Build | None:
    """How the service's image is built, where the repository has a Dockerfile of it."""
    if service_paths.has_no_chart(policy.services, service):
        return None
    folder = str(naming.around(policy, service))
    listed = tree.files(folder) if folder not in ("", ".") else tree.files()
    for name in _DOCKERFILES:
        path = posixpath.normpath(posixpath.join(folder, name))
        if path in listed:
            # A name that no registry of others has: nobody's image is taken for it.
            image = f"localhost/{project}-{pods.safe(service)}:{_TAG}"
            return Build(path, _context(tree, folder, path), image)
    return None


def _context(tree: trees.Tree, folder: str, path: str) -> str:
    """The folder that a Dockerfile is written for: where what it copies is."""
    try:
        text = (tree.read(path) or b"")[:_LARGEST].decode("utf-8", "replace")
    except errors.FileFault:
        return "."
    files = tree.files()
    for line in text.splitlines():
        words = line.split()
        # What is copied from another stage says nothing of the folder.
        if not words or words[0].upper() not in {"COPY", "ADD"} or "--from" in line:
            continue
        named = [word for word in words[1:-1] if not word.startswith("--")]
        for source in named[:1]:
            own = posixpath.normpath(source.lstrip("/"))
            if _is_there(files, own):
                return "."
            if _is_there(files, posixpath.normpath(posixpath.join(folder, own))):
                return f"./{folder}"
    return "."


def _is_there(files: Mapping[str, str], path: str) -> bool:
    return path in files or any(file.startswith(f"{path}/") for file in files)


def place(loaded: loading.Loaded) -> subjects.Place:
    """Where the policy says what the local environment is made of."""
    return loaded.place("local")
