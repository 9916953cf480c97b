"""What a check looks at beyond the files when it is asked to: former commits, and the clusters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from hanbae.checking import searches
from hanbae.results import findings
from hanbae.rules import rulebook, views
from hanbae.rules.environments import argo
from hanbae.rules.layout import secrets
from hanbae.rules.secrets import controllers


class History(Struct, frozen=True):
    """Search former commits for plaintext secrets.

    Attributes:
        since: A commit before the first one that is searched; None for all of them.
    """

    since: str | None = None


class Live(Struct, frozen=True):
    """Look at the Applications that are in the clusters, and render for what these serve.

    Attributes:
        context: kubeconfig context to use instead of each environment's own.
        kubeconfig: kubeconfig file; None for those that kubectl would read.
    """

    context: str | None = None
    kubeconfig: Path | None = None


def searched(
    directory: Path, history: History, revision: str | None
) -> tuple[tuple[findings.Finding, ...], searches.Searched]:
    """The secrets that former commits hold, and how far they were searched."""
    from hanbae.checking import history_scan  # only who asks for it waits for its imports

    scan = history_scan.check_history(directory, revision=revision or "HEAD", since=history.since)
    return scan.findings, scan.searched


async def live(
    project: views.Project, clusters: Live, services: Sequence[str] | None, environment: str | None
) -> tuple[findings.Finding, ...]:
    """The Applications that differ from the policy, and controllers that are too old.

    Args:
        project: The repository.
        clusters: Which clusters.
        services: The services that are checked; None for all, and for Applications of services that are gone.
        environment: The one environment; None for all.
    """
    from hanbae.checking import (  # as above: a client of the cluster takes long to import
        live_applications,
        live_controllers,
    )

    project_services = {*project.services, *project.chartless}
    names = [name for name in services or () if name in project_services]
    # An empty list means all services to what is called below.
    if services is not None and not names:
        return ()
    applications = await live_applications.of_project(
        project,
        environments=(environment,) if environment is not None else (),
        services=names,
        context=clusters.context,
        kubeconfig=clusters.kubeconfig,
    )
    old = await live_controllers.of_project(
        project, environment, context=clusters.context, kubeconfig=clusters.kubeconfig
    )
    return (*applications, *old)


def unsought(
    history: History | None,
    live: Live | None,
    *,
    narrowed: bool,
    rules: Iterable[rulebook.Rule] = (),
) -> frozenset[str]:
    """The codes of which a check does not find all that there is, so that what accepts them may seem of no use.

    Args:
        history: How former commits are searched; None for not at all.
        live: Which clusters are looked at; None for none.
        narrowed: Whether only some services or one environment are.
        rules: The rules that are run.
    """
    codes = set()
    if history is None or history.since is not None:
        codes.add(secrets.FORMER)
    if live is None or narrowed:
        codes |= {argo.LIVE, controllers.LIVE}
    if live is not None:
        # Charts are rendered for the clusters as they are; a check without them also looks at what charts would make
        # in clusters with other API versions.
        codes |= {rule.code for rule in rules if rule.scope != "project"}
    return frozenset(codes)
