"""The plan of one deployment: what Argo CD will be asked for, which hooks must run, what must be proven.

Everything comes from one commit, and nothing from the working tree: the values, the chart, the migration files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from hanbae import errors, subjects
from hanbae.argo import hooks, needs
from hanbae.charts import rendering
from hanbae.migrations import databases, files, transactions
from hanbae.planning import proofs, releases
from hanbae.policy import documents, naming
from hanbae.repository import revisions, services
from hanbae.results import guards, plans

SYNC: str = "sync"
"""Id of the step that has Argo CD deploy."""


class Source(Struct, frozen=True):
    """A service at a commit, read and rendered.

    Attributes:
        policy: The policy.
        service: The service.
        environment: The environment.
        revision: The commit.
        rendered: The chart with the environment's values.
    """

    policy: documents.Policy
    service: str
    environment: str
    revision: revisions.Revision
    rendered: rendering.Rendered

    @property
    def namespace(self) -> str:
        """Namespace of the release."""
        return naming.namespace(self.policy, self.service, self.environment)

    @property
    def values_file(self) -> str:
        """The environment's values file, relative to the repository."""
        return str(naming.values_file(self.policy, self.service, self.environment))


async def read(
    policy: documents.Policy,
    revision: revisions.Revision,
    service: str,
    environment: str,
    *,
    cluster: releases.Cluster | None = None,
) -> Source:
    """Read and render a service at a commit as Argo CD will.

    Args:
        policy: The policy.
        revision: The commit.
        service: The service.
        environment: The environment.
        cluster: What the workload cluster serves, which Argo CD passes to Helm; None for what the policy says of it.

    Raises:
        hanbae.errors.FileFault: No values for the environment, or the chart does not render.
    """
    policy = services.located(policy, revision)
    chart = str(naming.chart(policy, service))
    values = releases.values(revision, policy, service, environment)
    if values.missing:
        raise errors.FileFault(
            "plan.no-values",
            place=subjects.Place(values.missing[-1]),
            environment=environment,
            revision=revision.commit[:12],
        )
    request = releases.requested(policy, service, environment, values.contents, cluster=cluster)
    rendered = await rendering.render(revision, chart, request)
    return Source(policy, service, environment, revision, rendered)


def plan(source: Source, *, is_older: bool = False) -> plans.Plan:
    """The plan of a deployment.

    Args:
        source: The service at its commit.
        is_older: The commit need not be the head of its branch: the branch must contain it.

    Raises:
        hanbae.errors.FileFault: The migrations are not ones that goose would run, or the chart has no Job for a
            database that its values declare.
    """
    settings = source.policy.environments[source.environment]
    objects = [manifest.object for manifest in source.rendered.manifests]
    expected = hooks.expected(objects, namespace=source.namespace)
    name = naming.application(source.policy, source.service, source.environment)
    commit = source.revision.commit
    first: list[plans.Step] = []
    does: plans.Effect
    if settings.sync == "auto":
        does = plans.Follow(name, commit, hooks=expected)
    else:
        does = plans.Sync(name, commit, hooks=expected)
        first = list(_needs_first(source, objects, name))
    after = tuple(step.id for step in first)
    proofs_ = _proofs(source, objects)
    steps = [*first, plans.Step(SYNC, does, after)]
    steps += [plans.Step(f"prove-{proof.database}", proof, (SYNC,)) for proof in proofs_]
    return plans.Plan(
        format=1,
        service=source.service,
        environment=source.environment,
        steps=tuple(steps),
        guards=guards.written(
            (
                (guards.BranchContains if is_older else guards.BranchHead)(
                    settings.branch or "", commit
                ),
                *_images(objects, source.namespace),
            )
        ),
    )


def _needs_first(
    source: Source, objects: list[dict[str, Any]], application: str
) -> Iterator[plans.Step]:
    """A sync of just what PreSync hooks read, where they would wait for what comes after them.

    Selective syncs run no hooks, so the first install does not deadlock.
    """
    only = needs.of_presync(objects, source.namespace)
    if only:
        does = plans.Sync(application, source.revision.commit, only=only)
        yield plans.Step("secrets", does)


def _proofs(source: Source, objects: list[dict[str, Any]]) -> list[plans.Prove]:
    policy, file = source.policy, source.values_file
    declared = databases.declared(
        source.rendered.values, source.service, wave=policy.migrations.wave, file=file
    )
    jobs = {
        manifest["metadata"]["name"]: manifest for manifest in objects if manifest["kind"] == "Job"
    }
    release = naming.release(policy, source.service, source.environment)
    by_wave: list[tuple[int, plans.Prove]] = []
    for database in declared:
        expected = naming.migration_job(release, database.name, several=len(declared) > 1)
        job = proofs.job_of(jobs, database, expected)
        if job is None or not hooks.phases(job):
            raise errors.FileFault(
                "plan.no-migration-job",
                place=subjects.Place(file),
                database=database.name,
                job=expected,
            )
        folder = naming.migrations_folder(policy, source.service) / database.directory
        names = files.named(source.revision.folder(str(folder)), folder=str(folder))
        versions = tuple(sorted(names))
        if not versions:
            raise errors.FileFault(
                "plan.no-migrations", place=subjects.Place(str(folder)), database=database.name
            )
        chart = subjects.Place(f"{naming.chart(policy, source.service)}/templates")
        proof = proofs.of(job, database, namespace=source.namespace, place=chart)
        hook = _ref(job, source.namespace)
        texts = {
            version: (source.revision.read(f"{folder}/{name}") or b"").decode("utf-8", "replace")
            for version, name in names.items()
        }
        bare = transactions.bare(texts)
        paths = tuple(f"{folder}/{names[version]}" for version in versions)
        does = plans.Prove(database.name, versions, hook, proof, bare=bare, files=paths)
        by_wave.append((hooks.wave(job), does))
    return [proof for _, proof in sorted(by_wave, key=lambda item: item[0])]


def _images(objects: list[dict[str, Any]], namespace: str) -> Iterator[guards.RunningImage]:
    """The images that must run in the end: an override in Argo CD that nobody sees in git is noticed by these."""
    for manifest in objects:
        if manifest["kind"] in {"Deployment", "StatefulSet"}:
            for container in manifest["spec"]["template"]["spec"].get("containers") or []:
                image = container.get("image") or ""
                yield guards.RunningImage(_ref(manifest, namespace), container["name"], image)


def _ref(manifest: Mapping[str, Any], namespace: str) -> subjects.Ref:
    metadata = manifest["metadata"]
    return subjects.Ref(manifest["kind"], metadata.get("namespace") or namespace, metadata["name"])
