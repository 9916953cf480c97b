"""Which charts are services, and the shortest way to say where they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from msgspec import Struct

from hanbae.adopting import chartless_layout, environments, naming_patterns, shared_charts
from hanbae.adopting.manifest_folders import Folder
from hanbae.adopting.survey import CHART_FOLDERS, Chart, Survey, chart_globs_of
from hanbae.policy import folders

_OTHERS: Final = frozenset(
    {
        "infra",
        "infrastructure",
        "platform",
        "addons",
        "monitoring",
        "observability",
        "plugins",
        "test",
        "tests",
        "examples",
        "ci",
    }
)
"""Folders whose charts serve the cluster, or nothing."""
_OF_THE_CLUSTER: Final = _OTHERS | {
    "argo-cd",
    "argocd",
    "bootstrap",
    "cert-manager",
    "ingress",
    "ingress-controller",
    "ingress-nginx",
    "kube-system",
    "logging",
    "system",
}
"""Folders whose manifests do, where no Application deploys them."""


class Layout(Struct, frozen=True):
    """Where the services are.

    Attributes:
        paths: Globs.
        exclude: Folders that the globs fit and that are no services.
        services: Service → folder.
        named: Services that no glob fits → folder.
        left_out: Folders of charts that are no services.
        places: Folder → the service and the environment that it is of; the latter is empty for all environments.
        nameless: Services of which no folder says how they are called.
        shared: Application → service, where several services share a chart.
    """

    paths: tuple[str, ...]
    exclude: tuple[str, ...]
    services: dict[str, str]
    named: dict[str, str]
    left_out: tuple[str, ...]
    places: dict[str, tuple[str, str]] = {}
    nameless: frozenset[str] = frozenset()
    shared: dict[str, str] = {}


def services(survey: Survey, *, also: Collection[str] = ()) -> tuple[Chart, ...]:
    """The charts that are services: those that Applications deploy, else those that nothing speaks against.

    Args:
        survey: What there is.
        also: Folders of charts that are services because a person says so.
    """
    deployed = {application.path for application in survey.applications} | set(also)
    uses = Counter(part for chart in survey.charts for part in set(chart.parts))
    # What several charts are made of helps them, whether it calls itself a library or not.
    shared = {folder for folder, count in uses.items() if count > 1} - deployed
    charts = [chart for chart in survey.charts if not chart.library and chart.folder not in shared]
    parts = {part for chart in charts for part in chart.parts} - shared
    libraries = shared | {chart.folder for chart in survey.charts if chart.library}
    umbrellas = [chart for chart in charts if set(chart.parts) - libraries]
    # A chart of charts is the service where it has the environments' values and its parts have none.
    whole = [chart for chart in umbrellas if _has_environments(chart)]
    bare = {part for chart in whole for part in chart.parts}
    bare -= {chart.folder for chart in charts if _has_environments(chart)}
    members = []
    for chart in charts:
        if chart.folder in deployed:
            members.append(chart)
        elif chart.folder in survey.by_plugin:
            continue  # what Helm makes of it is not what is deployed
        elif chart.folder in bare or (chart in umbrellas and chart not in whole):
            continue
        elif _is_a_service(chart, parts):
            members.append(chart)
    return tuple(members)


def _has_environments(chart: Chart) -> bool:
    return any(environments.of_file(file) for file in chart.files)


def _is_a_service(chart: Chart, parts: set[str]) -> bool:
    if _OTHERS.intersection(chart.folder.split("/")):
        return False
    return chart.own_templates or bool(chart.parts) or chart.folder in parts


def layout(charts: Sequence[Chart], survey: Survey) -> Layout:
    """The globs that fit the services, and what they fit besides.

    Args:
        charts: The charts that are services.
        survey: What else there is.
    """
    groups: dict[str, dict[str, str]] = {}
    shared = _shared(charts, survey)
    named = dict(shared.values())
    taken_folders = set(named.values())
    for chart in charts:
        if chart.folder in taken_folders:
            continue
        glob, name = chart_globs_of(chart.folder)
        if not naming_patterns.is_service(name):
            named[_name(chart)] = chart.folder
        else:
            groups.setdefault(glob, {})[name] = chart.folder
    # At the top of the repository `*` would be every folder: each such chart is named by itself.
    called = {chart.folder: _name(chart) for chart in charts}
    for name, folder in groups.pop("*", {}).items():
        named[called[folder] if name in CHART_FOLDERS else name] = folder
    by_name = {name: folder for members in groups.values() for name, folder in members.items()}
    deployed = {chart.folder for chart in charts}
    others = [chart.folder for chart in survey.charts if chart.folder not in deployed]
    exclude = [folder for folder in others if chart_globs_of(folder)[0] in groups]
    overlays, kustomized = _overlays(survey)
    own = {name: base for name, base in kustomized.items() if name not in by_name | named}
    with_folder = by_name | named | own
    plain = chartless_layout.of(_plain(survey, with_folder), survey.values, with_folder)
    by_overlay = {
        overlay.folder: (name, overlay.environment)
        for overlay in survey.overlays
        for name, base in own.items()
        if overlay.base == base
    }
    by_folder = {folder: (name, "") for name, folder in with_folder.items()}
    return Layout(
        (*groups, *overlays, *plain.paths),
        (*exclude, *plain.exclude),
        dict(sorted((with_folder | plain.services).items())),
        named | plain.named,
        tuple(folder for folder in others if folder not in exclude),
        by_folder | by_overlay | plain.places,
        plain.nameless | (named.keys() - {service for service, _ in shared.values()}),
        {application: service for application, (service, _) in shared.items()},
    )


def _shared(charts: Sequence[Chart], survey: Survey) -> dict[str, tuple[str, str]]:
    """Application → service and folder, for charts that several services share."""
    places = {chart.folder for chart in charts}
    own = [application for application in survey.applications if application.path in places]
    services_ = shared_charts.services(own)
    return {
        application.name: (services_[application.name], application.path)
        for application in own
        if application.name in services_
    }


def _plain(survey: Survey, others: Collection[str]) -> tuple[Folder, ...]:
    """The folders without a chart that are services: those that Applications deploy.

    Where none is deployed, and nothing else here is a service either, those that nothing speaks against.
    """
    covered = [overlay.base for overlay in survey.overlays if "/" in overlay.base]
    every = [
        folder
        for folder in survey.folders
        if not any(folders.holds(base, f"{folder.path}/") for base in covered)
        and folder.path not in survey.by_plugin
    ]
    applied = {application.path for application in survey.applications}
    deployed = {folder.path for folder in every if folder.path in applied}
    by_path = chartless_layout.templates(every)
    services_ = [
        folder
        for folder in every
        if folder.path in deployed
        or not _OF_THE_CLUSTER.intersection(by_path[folder.path].split("/"))
    ]
    if deployed or others:
        return chartless_layout.with_siblings(deployed, services_, beside=not others)
    return tuple(services_)


def _overlays(survey: Survey) -> tuple[tuple[str, ...], dict[str, str]]:
    """The globs of the services' overlays, and service → what they are overlays of."""
    globs: dict[str, None] = {}
    bases: dict[str, str] = {}
    for overlay in survey.overlays:
        parent, slash, name = overlay.base.rpartition("/")
        if (
            not slash
            or _OTHERS.intersection(parent.split("/"))
            or not naming_patterns.is_service(name)
        ):
            continue
        # `/overlays/`, of `apps/cart/overlays/dev`.
        between = overlay.folder[len(overlay.base) : -len(overlay.environment)]
        globs[f"{parent}/*{between}{{environment}}"] = None
        bases[name] = overlay.base
    return tuple(globs), bases


def _name(chart: Chart) -> str:
    name = re.sub(r"[^a-z0-9-]+", "-", chart.name.lower()).strip("-")
    return name if naming_patterns.is_service(name) else "service"
