"""``hanbae render``: what Argo CD would render of every service in every environment."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors, patterns, wording
from hanbae.charts import gathering, pools, writing
from hanbae.charts import rendering as charts
from hanbae.checking import program_fingerprint, projects
from hanbae.planning import manifests, releases
from hanbae.policy import environments, naming, service_paths
from hanbae.repository import keeping, readings, services, trees
from hanbae.rules import application_sources, views

_VERSION: Final = patterns.lazy(r"v?(?:0|[1-9]\d{0,8})(?:\.(?:0|[1-9]\d{0,8})){1,3}(?:[^\d.].*)?")
"""What Kubernetes' own parser takes for a version: two numbers or more, and whatever a distribution appends."""
_AHEAD: Final = 4
"""Services that are rendered while an earlier one is written out; more would only cost memory."""


class Request(Struct, frozen=True):
    """What is to be rendered.

    Attributes:
        services: The services; empty for all.
        environment: The one environment; None for all.
        revision: A commit instead of the working tree.
        kube_version: The cluster's Kubernetes version, such as ``v1.35.4``; None for the policy's.
        api_versions: What the cluster has beyond what the policy and the repository say, such as
            ``bitnami.com/v1alpha1``.
        printed: Whether only what Helm prints is wanted; then a chart's CRDs are not among the objects.
    """

    services: tuple[str, ...] = ()
    environment: str | None = None
    revision: str | None = None
    kube_version: str | None = None
    api_versions: tuple[str, ...] = ()
    printed: bool = False


class Release(Struct, frozen=True):
    """A rendered release.

    Attributes:
        service: The service.
        environment: The environment.
        release: Name of the release.
        namespace: Its namespace.
        manifest: What ``helm template``, or Kustomize, prints; plain manifests one after the other.
        objects: The objects, in the order in which Argo CD gets them.
        warnings: What of that is other objects with another Helm or Kubernetes.
    """

    service: str
    environment: str
    release: str
    namespace: str
    manifest: str
    objects: tuple[dict[str, Any], ...]
    warnings: tuple[wording.Text, ...] = ()


class _Entry(Struct, array_like=True):
    """What is kept of a release: the answer, and the files that were not what git lists, with what was read of them."""

    unlisted: dict[bytes, str]
    """Path in the system's bytes → digest. Git may convert a file, and an editor save it after it was listed."""
    answer: pools.Answer


class Failure(Struct, frozen=True):
    """A release that does not render.

    Attributes:
        service: The service.
        environment: The environment; empty for all of them.
        fault: Why.
    """

    service: str
    environment: str
    fault: errors.FileFault


@contextlib.asynccontextmanager
async def rendering(
    directory: Path, request: Request | None = None, *, cache: keeping.Cache | None = None
) -> AsyncIterator[AsyncIterator[Release | Failure]]:
    """Render services; the scope owns the workers, and what it gives is in the order of services and environments.

    Args:
        directory: The folder of the policy, or one below it.
        request: What is to be rendered; None for everything as it is in the working tree.
        cache: Results of earlier runs; None to render everything anew.

    Raises:
        hanbae.errors.WrongUse: No policy, or no such revision, service or environment.
        hanbae.errors.FileFault: The policy has a fault.
    """
    request = request or Request()
    project = projects.project(directory, revision=request.revision)
    services, environments = _chosen(project, request)
    running = deque[asyncio.Task[list[Release | Failure]]]()
    async with pools.opened() as pool:
        renderer = _Renderer(pool, project, request, environments, cache)

        async def outcomes() -> AsyncIterator[Release | Failure]:
            waiting = deque(services)
            while waiting or running:
                while waiting and len(running) < pool.size + _AHEAD:
                    running.append(asyncio.create_task(renderer.of(waiting.popleft())))
                # It stays in `running` while it is awaited, so that `finally` ends it too where the
                # reader breaks off here.
                for release in await running[0]:
                    yield release
                running.popleft()

        try:
            yield outcomes()
        finally:
            for task in running:
                task.cancel()
            # Waited for, because they use processes of the pool, which is closed next.
            await asyncio.gather(*running, return_exceptions=True)
    if cache is not None:
        cache.clean()


def _chosen(project: views.Project, request: Request) -> tuple[tuple[str, ...], tuple[str, ...]]:
    revisions = [request.revision] if request.revision else []
    source = services.source(project.policy, *revisions)
    present = services.every(project.policy, project.tree)
    services.require(request.services, present, source=source)
    if request.environment is not None:
        environments.require(request.environment, project.policy)
    # Else each chart in each environment would be called one that does not render.
    if request.kube_version is not None and not _VERSION.fullmatch(request.kube_version):
        raise errors.WrongUse("render.not-a-version", value=request.kube_version)
    names = (request.environment,) if request.environment else project.environments
    return tuple(dict.fromkeys(request.services)) or present, names


class _Renderer:
    """Renders one service after the other."""

    def __init__(
        self,
        pool: pools.Pool,
        project: views.Project,
        request: Request,
        environments: Sequence[str],
        cache: keeping.Cache | None,
    ) -> None:
        self._pool, self._project, self._request = pool, project, request
        self._environments, self._kept = environments, cache

    async def of(self, service: str) -> list[Release | Failure]:
        """The releases of a service that there are values for."""
        tree = self._project.tree
        if service_paths.has_no_chart(self._project.policy.services, service):
            return await self._without_chart(service)
        present = self._present(service)
        try:
            answers = await self._answers(service, present, tree.files())
        except errors.FileFault as fault:
            return [Failure(service, "", fault)]
        return [
            self._release(service, name, answer)
            for name, answer in zip(present, answers, strict=True)
        ]

    def _present(self, service: str) -> dict[str, tuple[str, ...]]:
        """Environment → the values files of a service, where it has them or its Application does without."""
        policy, tree = self._project.policy, self._project.tree
        listed, present = tree.files(), {}
        for environment in self._environments:
            paths = tuple(map(str, naming.values_files(policy, service, environment)))
            existing = tuple(path for path in paths if path in listed)
            written = application_sources.in_files(policy, tree, service, environment)
            if existing == paths or written.ignores_missing:
                present[environment] = existing
        return present

    async def _without_chart(self, service: str) -> list[Release | Failure]:
        """The releases of a service of overlays or plain manifests, in the environments that it is in."""
        policy = self._project.policy
        releases_: list[Release | Failure] = []
        for name in self._environments:
            if not service_paths.is_in(policy.services, service, name):
                continue
            try:
                release = await manifests.make(
                    policy, self._project.tree, service, name, cache=self._kept
                )
            except errors.FileFault as fault:
                releases_.append(Failure(service, name, fault))
                continue
            objects = tuple(manifest.object for manifest in release.rendered.manifests)
            releases_.append(
                Release(
                    service,
                    name,
                    naming.release(policy, service, name),
                    naming.namespace(policy, service, name),
                    release.manifest or _written(objects),
                    objects,
                    release.rendered.warnings,
                )
            )
        return releases_

    async def _answers(
        self, service: str, values: dict[str, tuple[str, ...]], ids: Any
    ) -> list[pools.Answer]:
        """What workers answer, or have answered before."""
        chart = str(naming.chart(self._project.policy, service))
        tree = readings.Readings(self._project.tree)
        keys, chart_digest = {}, ""
        if self._kept is not None:
            # Nothing of the chart is read for this but links and `.helmignore`; git's ids stand for
            # contents.
            chart_digest = gathering.digest(tree, chart)
            # Files are in the key by their ids, so values that were edited are never answered for
            # by former ones.
            keys = {
                name: self._key(
                    tree, service, name, chart_digest, *(_id(tree, file, ids) for file in files)
                )
                for name, files in values.items()
            }
        recalled: dict[str, pools.Answer | None] = {
            name: self._recalled(key, tree) for name, key in keys.items()
        }
        missing = [name for name in values if recalled.get(name) is None]
        if missing:
            read = {name: [tree.read(file) or b"" for file in values[name]] for name in missing}
            requests = [self._want(tree, service, name, data) for name, data in read.items()]
            answers = await charts.answers(
                self._pool, tree, chart, requests, manifest=True, printed=self._request.printed
            )
            recalled |= dict(zip(missing, answers, strict=True))
            # What was fetched since the keys were made is not what they are of.
            if keys and gathering.digest(tree, chart) == chart_digest:
                self._keep(
                    {keys[name]: answer for name, answer in zip(missing, answers, strict=True)},
                    tree,
                )
        return [answer for name in values if (answer := recalled[name]) is not None]

    def _want(
        self, tree: trees.Tree, service: str, environment: str, values: Sequence[bytes]
    ) -> pools.Release:
        policy = self._project.policy
        # Of the tree itself, which is looked through once for all services.
        written = application_sources.in_files(policy, self._project.tree, service, environment)
        return releases.requested(
            self._project.tree,
            policy,
            service,
            environment,
            values,
            overrides=releases.overrides(
                tree, policy, service, environment, values, written=written
            ),
            kube_version=self._request.kube_version,
            api_versions=self._request.api_versions,
        )

    def _key(
        self, tree: trees.Tree, service: str, environment: str, chart: str, *values: str
    ) -> str:
        want = self._want(tree, service, environment, ())
        return keeping.key(
            f"render {self._request.printed}",
            program_fingerprint.program(),
            repr(want),  # JSON cannot have a name that is no UTF-8
            chart,
            *values,
        )

    def _keep(self, answers: dict[str, pools.Answer], tree: readings.Readings) -> None:
        unlisted = {os.fsencode(path): digest for path, digest in tree.unlisted.items()}
        for key, answer in answers.items():
            if self._kept is not None and answer.error is None and not _has_secrets(answer):
                self._kept.put(key, msgspec.msgpack.encode(_Entry(unlisted, answer)))

    def _recalled(self, key: str, tree: trees.Tree) -> pools.Answer | None:
        # An entry that another hanbae has written in another form is as good as none.
        data = self._kept.get(key) if self._kept is not None else None
        if data is None:
            return None
        try:
            entry = msgspec.msgpack.decode(data, type=_Entry)
        except msgspec.DecodeError:
            return None
        is_same = all(
            readings.digest(tree.read(os.fsdecode(path)) or b"") == digest
            for path, digest in entry.unlisted.items()
        )
        return entry.answer if is_same else None

    def _release(self, service: str, environment: str, answer: pools.Answer) -> Release | Failure:
        policy = self._project.policy
        chart = str(naming.chart(policy, service))
        try:
            rendered = charts.rendered(answer, chart=chart)
        except errors.FileFault as fault:
            return Failure(service, environment, fault)
        written = application_sources.in_files(policy, self._project.tree, service, environment)
        return Release(
            service,
            environment,
            naming.release(policy, service, environment),
            naming.namespace(policy, service, environment),
            answer.manifest,
            tuple(manifest.object for manifest in rendered.manifests),
            (*rendered.warnings, *written.unrendered),
        )


def _written(objects: Sequence[dict[str, Any]]) -> str:
    """Plain manifests as one text: as they are applied, whichever files they are from."""
    return "---\n".join(writing.document(manifest).decode() for manifest in objects)


def _id(tree: trees.Tree, file: str, ids: dict[str, str]) -> str:
    # The id of a link is that of what it says, not of the file that it leads to, and what could not
    # be read has none.
    object_id = ids[file]
    if object_id.startswith("link:") or object_id == trees.UNREADABLE:
        return readings.digest(tree.read(file) or b"")
    return object_id


def _has_secrets(answer: pools.Answer) -> bool:
    """Whether there is a Secret among the objects: such a release is not kept on the disk."""
    return any(
        isinstance(document, dict) and str(document.get("kind")).startswith(("Secret", "List"))
        for _, document in answer.documents
    )
