"""Where services stand, by the engines that deploy them: by Argo CD's Applications, or by Helm's records.

Whatever many services have in common is read in one list: an environment costs a handful of requests, however many
services there are, wherever its identity may list. Who may only read what it can name reads one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import structs

from hanbae import errors, workspaces
from hanbae.argo import standing
from hanbae.argocd_api import comparing
from hanbae.clusters import kinds, reading
from hanbae.deploying import helm_drift
from hanbae.engines.helm import standing as helm
from hanbae.planning import pending
from hanbae.policy import environments, naming
from hanbae.results import drifts, standings
from hanbae.rules import application_sources
from hanbae.streams import gathering

_AT_ONCE: Final = 8

_Applications = Mapping[str, Mapping[str, Any] | None]


class Engines:
    """One look at the engines of several environments; what these have in common is read once.

    Args:
        space: The workspace.
        commits: The commits of the clone.
    """

    def __init__(self, space: workspaces.Workspace, commits: pending.Commits) -> None:
        self._space = space
        self._commits = commits
        self._listed: dict[tuple[str, str], asyncio.Task[list[kinds.Object]]] = {}

    async def judge(
        self,
        clusters: workspaces.Clusters,
        services: Sequence[str],
        environment: str,
        *,
        head: str,
    ) -> list[standings.Standing]:
        """Where services stand in an environment.

        Args:
            clusters: The environment's connections.
            services: The services.
            environment: The environment.
            head: The commit at the head of its branch.

        Raises:
            hanbae.errors.Unreachable: A cluster or Argo CD did not answer, or does not let us look.
        """
        if environments.by_helm(self._space.policy, environment):
            return await self._of_helm(clusters, services, environment, head)
        applications = await self.applications(clusters, services, environment)
        return [
            structs.replace(
                standing.judge(application, service, environment, head=head),
                overrides=self._overrides(service, environment, application, head=head),
            )
            for service, application in ((name, applications.get(name)) for name in services)
        ]

    def _overrides(
        self,
        service: str,
        environment: str,
        application: Mapping[str, Any] | None,
        *,
        head: str,
    ) -> tuple[str, ...]:
        """What an Application sets and nothing in git says; git is looked through only where it sets anything."""
        where = self._space.policy, service, environment
        if application is None or not application_sources.is_about(*where, application):
            return ()
        live = application_sources.of_live(*where, application)
        unwritten = application_sources.Written(live.application)
        if not application_sources.live_settings(*where, live=live, former=unwritten):
            return ()
        revision = self._space.checkout.revision(head)
        written = application_sources.in_files(self._space.policy, revision, service, environment)
        return application_sources.live_settings(*where, live=live, former=written)

    async def _of_helm(
        self,
        clusters: workspaces.Clusters,
        services: Sequence[str],
        environment: str,
        head: str,
    ) -> list[standings.Standing]:
        policy = self._space.policy
        judged: dict[str, standings.Standing] = {}
        for namespace, service_names in naming.spaces(policy, services, environment).items():
            listed = await helm.read(clusters.workload, namespace)
            names = {
                service: naming.release(policy, service, environment) for service in service_names
            }
            releases = {name: listed.get(name, helm.NONE) for name in names.values()}
            newest = {name: release.record for name, release in releases.items() if release.record}
            installed = await helm_drift.of_releases(clusters.workload, namespace, newest)
            for service, name in names.items():
                entry = helm.judge(releases[name], service, environment, head=head)
                differing = installed.get(name, helm_drift.NOTHING).drifts
                judged[service] = self._settled(entry, differing)
        return [judged[service] for service in services]

    def _settled(
        self, entry: standings.Standing, differing: Sequence[drifts.Drift]
    ) -> standings.Standing:
        """Where a service stands by Helm's record, with what differs from the release."""
        # Helm does not say what a commit changes: what is the same in both is nothing new.
        if entry.state == "behind" and self._commits.same(
            entry.service, entry.deployed, entry.head
        ):
            entry = structs.replace(entry, state="current")
        if not differing:
            return entry
        return structs.replace(
            entry,
            state="drifted" if entry.state == "current" else entry.state,
            differing=tuple(drift.object for drift in differing),
            drifts=tuple(differing),
        )

    async def applications(
        self, clusters: workspaces.Clusters, services: Sequence[str], environment: str
    ) -> _Applications:
        """Service → its Application. All are listed at once where that is permitted, else asked for by name.

        Args:
            clusters: The environment's connections.
            services: The services.
            environment: The environment.

        Raises:
            hanbae.errors.Unreachable: A cluster or Argo CD did not answer, or does not let us look.
        """
        policy, namespace = self._space.policy, self._space.policy.argocd.namespace
        project = naming.project(policy, environment)
        names = {service: naming.application(policy, service, environment) for service in services}
        if len(services) > 1:
            try:
                if clusters.argocd is not None:
                    listed = await comparing.of_project(clusters.argocd, project, namespace)
                else:
                    listed = await self._every_application(clusters, namespace)
            except errors.Forbidden:
                pass
            else:
                by_name = {item["metadata"]["name"]: item for item in listed}
                return {service: by_name.get(name) for service, name in names.items()}
        places = asyncio.Semaphore(_AT_ONCE)

        async def read(name: str) -> Mapping[str, Any] | None:
            async with places:
                if clusters.argocd is not None:
                    return await comparing.application(clusters.argocd, name, project, namespace)
                return await reading.get(clusters.control, kinds.APPLICATION, namespace, name)

        applications = await gathering.whole(map(read, names.values()))
        return dict(zip(names, applications, strict=True))

    async def _every_application(
        self, clusters: workspaces.Clusters, namespace: str
    ) -> list[kinds.Object]:
        """The Applications of a cluster, which those of several environments are among."""
        key = (clusters.control.context, clusters.control.server)
        if key not in self._listed:
            listing = reading.find(clusters.control, kinds.APPLICATION, namespace)
            # The task, not its result: environments are judged concurrently and share
            # the one request.
            self._listed[key] = asyncio.create_task(listing)
        return await self._listed[key]
