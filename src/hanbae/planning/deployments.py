"""The plan of one deployment: what Argo CD will be asked for, which hooks must run, what must be proven.

Everything comes from one commit, and nothing from the working tree: the values, the chart, the migration files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct

from hanbae import errors, subjects, wording
from hanbae.apis import serving
from hanbae.argo import hooks, needs
from hanbae.charts import rendering
from hanbae.migrations import goose_files, transactions
from hanbae.planning import (
    digests,
    forecasting,
    manifests,
    proofs,
    releases,
    scheduling,
    upgrades,
)
from hanbae.policy import documents, labels, naming, service_paths
from hanbae.releases import migrated_databases, objects, parts, tools
from hanbae.repository import revisions, services
from hanbae.results import guards, plans
from hanbae.rules import application_sources

SYNC: str = "sync"
"""Id of the step that has Argo CD deploy."""
_PROVE = "prove-"


class Source(Struct, frozen=True):
    """A service at a commit, read and rendered.

    Attributes:
        policy: The policy.
        service: The service.
        environment: The environment.
        revision: The commit.
        rendered: The chart with the environment's values, or what its folder without a chart makes.
        output: How it was made, where there is no chart.
        in_git: What git alone makes of the chart, where the Application in the cluster changes that; None elsewhere.
    """

    policy: documents.Policy
    service: str
    environment: str
    revision: revisions.Revision
    rendered: rendering.Rendered
    output: manifests.Output | None = None
    in_git: rendering.Rendered | None = None

    @property
    def namespace(self) -> str:
        """Namespace of the release."""
        return naming.namespace(self.policy, self.service, self.environment)

    @property
    def values_file(self) -> str:
        """The environment's values file, relative to the repository; without a chart its kustomization or folder."""
        if self.output is not None:
            return self.output.file
        return str(naming.values_file(self.policy, self.service, self.environment))

    @property
    def templates(self) -> str:
        """The folder that its objects are written in, relative to the repository."""
        if self.output is not None:
            return self.output.folder
        return f"{naming.chart(self.policy, self.service)}/templates"

    @property
    def migrations(self) -> str:
        """The folder of the service's migrations, relative to the repository."""
        return str(naming.migrations_folder(self.policy, self.service))

    def databases(self) -> releases.Databases:
        """What it migrates.

        Raises:
            hanbae.errors.FileFault: The values declare what is no database.
        """
        return releases.read(
            self.policy,
            self.revision,
            self.service,
            self.environment,
            manifests=[manifest.object for manifest in self.rendered.manifests],
            values=self.rendered.values,
            file=self.values_file,
        )


async def read(
    policy: documents.Policy,
    revision: revisions.Revision,
    service: str,
    environment: str,
    *,
    cluster: serving.Cluster | None = None,
    live: Mapping[str, Any] | None = None,
) -> Source:
    """Read and render a service at a commit as Argo CD will.

    Args:
        policy: The policy.
        revision: The commit.
        service: The service.
        environment: The environment.
        cluster: What the workload cluster serves, which Argo CD passes to Helm; None for what the policy says of it.
        live: The Application in the cluster, whose settings count, as Argo CD renders with them; None for those of
            files.

    Raises:
        hanbae.errors.FileFault: No values for the environment, or the chart does not render; without a chart: nothing
            for the environment, or Kustomize does not build it.
    """
    policy = services.located(policy, revision)
    written = application_sources.in_files(policy, revision, service, environment)
    if service_paths.has_no_chart(policy.services, service):
        written, _ = _now(policy, service, environment, written, live)
        release = await manifests.make(policy, revision, service, environment, written=written)
        return Source(policy, service, environment, revision, release.rendered, release)
    now, is_changed = _now(policy, service, environment, written, live)
    rendered = await _chart(policy, revision, service, environment, written=now, cluster=cluster)
    if not is_changed:
        return Source(policy, service, environment, revision, rendered)
    # Rendered a second time, because the images that git names are the ones that are promised; see `_promised`.
    in_git = await _chart(policy, revision, service, environment, written=written, cluster=cluster)
    return Source(policy, service, environment, revision, rendered, in_git=in_git)


async def _chart(
    policy: documents.Policy,
    revision: revisions.Revision,
    service: str,
    environment: str,
    *,
    written: application_sources.Written,
    cluster: serving.Cluster | None,
) -> rendering.Rendered:
    """The chart of a service at a commit, as Argo CD makes it by what an Application says."""
    for text in written.unrendered:
        wording.warn(text)
    values = releases.values(revision, policy, service, environment, written=written)
    if values.missing:
        raise errors.FileFault(
            "plan.no-values",
            place=subjects.Place(values.missing[-1]),
            environment=environment,
            revision=revision.commit[:12],
        )
    overrides = releases.overrides(
        revision, policy, service, environment, values.contents, written=written
    )
    request = releases.requested(
        revision,
        policy,
        service,
        environment,
        values.contents,
        overrides=overrides,
        cluster=cluster,
    )
    return await rendering.render(revision, str(naming.chart(policy, service)), request)


def _now(
    policy: documents.Policy,
    service: str,
    environment: str,
    written: application_sources.Written,
    live: Mapping[str, Any] | None,
) -> tuple[application_sources.Written, bool]:
    """What Argo CD renders by, and whether the cluster says otherwise than git.

    That is said: nobody sees it in git, and it is deployed all the same.
    """
    if live is None or not application_sources.is_about(policy, service, environment, live):
        return written, False
    now = application_sources.of_live(policy, service, environment, live)
    names = application_sources.live_settings(
        policy, service, environment, live=now, former=written
    )
    if names:
        facts = {"application": now.application, "names": ", ".join(names)[:300]}
        wording.warn(wording.Text("application.live-settings", facts))
    return now, bool(names)


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
    if settings.engine == "helm":
        does = _upgrade(source)
    elif settings.sync == "auto":
        does = plans.Follow(name, commit, hooks=expected)
    else:
        does = plans.Sync(name, commit, hooks=expected)
        # Only here: where Argo CD starts syncs itself, its own would come first, and Helm applies
        # what its hooks read as a part of the upgrade.
        first = list(_needs_first(source, objects, name))
    after = tuple(step.id for step in first)
    proofs_ = _proofs(source)
    steps = [*first, plans.Step(SYNC, does, after)]
    steps += [plans.Step(f"{_PROVE}{proof.database}", proof, (SYNC,)) for proof in proofs_]
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
                *_images(_promised(source), source.namespace),
            )
        ),
        manifests=digests.of_manifests(source.rendered.manifests),
    )


def _promised(source: Source) -> list[dict[str, Any]]:
    """The objects whose images must run.

    Of a chart those of git, so that an image which only the cluster names is noticed. Without a chart those that Argo
    CD makes, of which the warning alone tells: what the cluster says to Kustomize may name the objects otherwise.
    """
    rendered = source.in_git or source.rendered
    return [manifest.object for manifest in rendered.manifests]


def _upgrade(source: Source) -> plans.Upgrade:
    """What Helm is asked for.

    Raises:
        hanbae.errors.FileFault: There is no chart, or one that Helm cannot deploy as Argo CD would.
    """
    if source.output is not None:
        place = subjects.Place(source.output.folder)
        raise errors.FileFault("upgrade.no-chart", place=place, service=source.service)
    return upgrades.of(
        source.policy,
        source.service,
        source.environment,
        commit=source.revision.commit,
        manifests=source.rendered.manifests,
        tree=source.revision,
    )


def is_proof(step: str) -> bool:
    """Whether a step of a plan, by its id, is a proof: then whatever migrates has come to its end."""
    return step.startswith(_PROVE)


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


def _proofs(source: Source) -> list[plans.Prove]:
    service = source.databases()
    proofs_: list[plans.Prove] = []
    for other in service.model.migrations:
        # `service.migrated` has none of these, so nothing below would say that they are not proven.
        if other.tool not in tools.OF_GOOSE and other.provable is not None:
            wording.warn(other.provable)
    _refuse_twice(source, service)
    for entry in service.migrated:
        migration = _provable(source, service, entry)
        if migration is None:
            continue
        database = entry.database
        folder = str(PurePosixPath(source.migrations) / database.directory)
        names = goose_files.named(source.revision.folder(folder), folder=folder)
        versions = tuple(sorted(names))
        # Who renders a Job of their own may have its files elsewhere, such as in another
        # repository; who declares a database says that they are here.
        if not versions and not entry.declared:
            facts = {"job": entry.job, "database": database.name, "folder": folder}
            wording.warn(wording.Text("plan.no-files", facts))
            continue
        if not versions:
            raise errors.FileFault(
                "plan.no-migrations", place=subjects.Place(folder), database=database.name
            )
        texts = {
            version: (source.revision.read(f"{folder}/{name}") or b"").decode("utf-8", "replace")
            for version, name in names.items()
        }
        account = naming.release(source.policy, source.service, source.environment)
        proofs_.append(
            plans.Prove(
                database.name,
                versions,
                migration.job,
                proofs.of(migration, namespace=source.namespace, account=account),
                bare=transactions.bare(texts),
                files=tuple(f"{folder}/{names[version]}" for version in versions),
            )
        )
    return proofs_


def _refuse_twice(source: Source, service: releases.Databases) -> None:
    """Refuse two databases of one name: what is proven of one would count for the other."""
    proven = [
        entry for entry in service.migrated if entry.migration and not entry.migration.provable
    ]
    for name, count in Counter(entry.database.name for entry in proven).items():
        if count > 1:
            jobs = [entry.job for entry in proven if entry.database.name == name]
            place = subjects.Place(source.values_file)
            facts = {"database": name, "jobs": ", ".join(jobs), "service": source.service}
            raise errors.FileFault("plan.database-twice", place=place, **facts)


def _provable(
    source: Source, service: releases.Databases, entry: migrated_databases.Migrated
) -> parts.Migration | None:
    """The migration that a proof is made of; None, with a warning, for one that only its Job knows and none can prove.

    Raises:
        hanbae.errors.FileFault: The values declare the database, and no Job migrates it in a way that can be proven.
    """
    migration = entry.migration
    facts = {"job": entry.job, "database": entry.database.name}
    if migration is not None and (entry.declared or migration.provable is None):
        if migration.provable is None:
            return migration
        place = subjects.Place(source.templates)
        raise errors.FileFault("plan.not-goose-up", place=place, **facts)
    if migration is not None and migration.provable is not None:
        wording.warn(migration.provable)
        return None
    text_id = "plan.no-migration-job"
    place = subjects.Place(source.values_file)
    if any(_is_of(manifest, entry) for manifest in service.model.objects):
        text_id = "plan.not-goose-up"
        place = subjects.Place(source.templates)
    raise errors.FileFault(text_id, place=place, **facts)


def _is_of(manifest: objects.Object, entry: migrated_databases.Migrated) -> bool:
    """Whether an object is a database's Job by its name or its label, whatever it runs."""
    label = manifest.get("metadata", "labels", labels.DATABASE)
    return manifest.kind == "Job" and (manifest.name == entry.job or label == entry.database.name)


def _images(objects: list[dict[str, Any]], namespace: str) -> Iterator[guards.RunningImage]:
    """The images that must run in the end; see :func:`_promised`."""
    for manifest in objects:
        if manifest.get("kind") not in {"Deployment", "StatefulSet"}:
            continue
        ref = scheduling.reference(manifest, namespace)
        containers = forecasting.pod(manifest).get("containers")
        for container in containers if isinstance(containers, list) else ():
            # The preflight tells of what has an odd shape; here it has no image that could run.
            if isinstance(container, Mapping) and isinstance(container.get("name"), str):
                yield guards.RunningImage(ref, container["name"], str(container.get("image") or ""))
