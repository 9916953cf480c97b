"""Which charts are services, and the shortest way to say where they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from msgspec import Struct

from hanbae.adopting import environments
from hanbae.adopting.survey import CHART_FOLDERS, Chart, Survey, chart_globs_of

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
_SERVICE: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


class Layout(Struct, frozen=True):
    """Where the services are.

    Attributes:
        paths: Globs.
        exclude: Folders that the globs fit and that are no services.
        services: Service → folder.
        named: Services that no glob fits → folder.
        left_out: Folders of charts that are no services.
    """

    paths: tuple[str, ...]
    exclude: tuple[str, ...]
    services: dict[str, str]
    named: dict[str, str]
    left_out: tuple[str, ...]


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
    chosen = []
    for chart in charts:
        if chart.folder in deployed:
            chosen.append(chart)
        elif chart.folder in bare or (chart in umbrellas and chart not in whole):
            continue
        elif _is_a_service(chart, parts):
            chosen.append(chart)
    return tuple(chosen)


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
    named: dict[str, str] = {}
    for chart in charts:
        glob, name = chart_globs_of(chart.folder)
        if not is_name(name):
            named[_name(chart)] = chart.folder
        else:
            groups.setdefault(glob, {})[name] = chart.folder
    # At the top of the repository `*` would be every folder: each such chart is named by itself.
    called = {chart.folder: _name(chart) for chart in charts}
    for name, folder in groups.pop("*", {}).items():
        named[called[folder] if name in CHART_FOLDERS else name] = folder
    taken = {name: folder for members in groups.values() for name, folder in members.items()}
    chosen = {chart.folder for chart in charts}
    others = [chart.folder for chart in survey.charts if chart.folder not in chosen]
    exclude = [folder for folder in others if chart_globs_of(folder)[0] in groups]
    overlays, kustomized = _overlays(survey)
    own = {name: base for name, base in kustomized.items() if name not in taken | named}
    return Layout(
        (*groups, *overlays),
        tuple(exclude),
        dict(sorted((taken | named | own).items())),
        named,
        tuple(folder for folder in others if folder not in exclude),
    )


def _overlays(survey: Survey) -> tuple[tuple[str, ...], dict[str, str]]:
    """The globs of the services' overlays, and service → what they are overlays of."""
    globs: dict[str, None] = {}
    bases: dict[str, str] = {}
    for overlay in survey.overlays:
        parent, slash, name = overlay.base.rpartition("/")
        if not slash or _OTHERS.intersection(parent.split("/")) or not is_name(name):
            continue
        between = overlay.folder[len(overlay.base) : -len(overlay.environment)]
        globs[f"{parent}/*{between}{{environment}}"] = None
        bases[name] = overlay.base
    return tuple(globs), bases


def _name(chart: Chart) -> str:
    name = re.sub(r"[^a-z0-9-]+", "-", chart.name.lower()).strip("-")
    return name if is_name(name) else "service"


def is_name(text: str) -> bool:
    """Whether a service may be called so."""
    return bool(_SERVICE.fullmatch(text))
