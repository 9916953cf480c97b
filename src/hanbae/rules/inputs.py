"""What cannot be read, or not as it is meant; and what accepts findings in vain.

Most of it is met on the way to the rules or after them, by :mod:`hanbae.checking`, and is only registered here.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import Final

from hanbae import subjects
from hanbae.rules import declaring, rulebook, views

_RENDERING: Final = "https://helm.sh/docs/chart_template_guide/debugging/"
_ACCEPTING: Final = "hanbae check --help"

# A chart or a values file that cannot be read or rendered.
rulebook.reported("INP001", "error", "service", source=_RENDERING, essential=True)
# A comment that would accept a finding: without a code or a reason, with a code that no rule has, without a finding.
rulebook.reported("INP002", "warning", "service", source=_ACCEPTING, essential=True)
rulebook.reported("INP003", "warning", "service", source=_ACCEPTING, essential=True)
rulebook.reported("INP004", "warning", "service", source=_ACCEPTING, essential=True)
# An entry of the baseline of which there is less than it says.
rulebook.reported("INP005", "notice", "project", source=_ACCEPTING, essential=True)


@rulebook.of_service(
    "INP006", "error", source="https://yaml.org/spec/1.2.2/#3213-node-comparison", essential=True
)
def doubled_key(service: views.Service) -> Iterator[rulebook.Hit]:
    """A key that is there twice in a values file or the chart's own: Helm takes the last one, without a word."""
    files = [service.chart_file("Chart.yaml"), service.chart_file("values.yaml")]
    files += [file for release in service.releases.values() for file in release.values_files]
    for file in dict.fromkeys(files):
        parsed = service.values(file)
        for keys, (line, column) in parsed.doubled:
            key = ".".join(str(part) for part in keys)
            place, facts = subjects.Place(file, line, column), {"key": key[:200]}
            if (line, column) in parsed.repeated:  # nothing is lost yet
                yield rulebook.Hit(place, facts, "same", severity="warning")
            else:
                yield rulebook.Hit(place, facts)


@rulebook.of_release(
    "INP007",
    "error",
    source="https://helm.sh/docs/chart_template_guide/builtin_objects/",
    essential=True,
)
def depends_on_renderer(release: views.Release) -> Iterator[rulebook.Hit]:
    """Objects that are others with another release of Helm, or another patch release of Kubernetes.

    What is checked would not be what Argo CD applies: that depends on the Helm in it, and on the cluster.
    """
    reported = set()
    for dependence in release.dependences:
        key = (dependence.on, dependence.template)
        if key not in reported:
            reported.add(key)
            words = "HelmVersion" if dependence.on == "helm" else "KubeVersion"
            # The template may ask by way of a named template that it includes.
            helpers = [path for path, text in release.service.templates if "define" in text]
            facts = {
                "objects": ", ".join(dependence.objects)[:300],
                "identity": dependence.identity,
            }
            place = _asking(release, [[dependence.template], helpers], words)
            yield rulebook.Hit(place, facts, variant=dependence.on)


@rulebook.of_release(
    "INP008",
    "notice",
    source="https://helm.sh/docs/chart_template_guide/builtin_objects/",
    essential=False,
)
def assumes_apis(release: views.Release) -> Iterator[rulebook.Hit]:
    """Objects that are others in a cluster with API versions of which nothing says whether it has them."""
    if release.untried:
        chart = subjects.Place(release.service.chart_file("Chart.yaml"))
        facts = {"versions": ", ".join(release.untried)[:300]}
        yield rulebook.Hit(chart, facts, "untried", severity="warning")
    versions = sorted({name for other in release.alternatives for name in other.assumed})
    if versions:
        templates = [path for path, _ in release.service.templates]
        place = _asking(release, [templates], *versions, "APIVersions")
        yield rulebook.Hit(place, {"versions": ", ".join(versions)[:300]})


def _asking(release: views.Release, groups: Sequence[Sequence[str]], *words: str) -> subjects.Place:
    """The line that asks for something; the first template where none of the chart's own can be told to.

    Args:
        release: The release.
        groups: The templates, in groups of which a later one is looked at only if no line of the earlier ones asks.
        words: What such a line says, the surest first.
    """
    for templates in groups:
        for word in (*words, "Capabilities"):
            for template in templates:
                text = release.service.text(template) or ""
                for number, line in enumerate(text.split("\n"), 1):
                    if word in line:
                        return subjects.Place(template, number)
    # A packed dependency asks.
    chart = release.service.chart_file("Chart.yaml")
    return subjects.Place(next((path for templates in groups for path in templates), chart))


@rulebook.of_project("INP009", "error", source="https://yaml.org/spec/1.2.2/", essential=True)
def no_yaml(project: views.Project) -> Iterator[rulebook.Hit]:
    """A file of Applications, kinds or a kustomization that is no YAML: nothing else of it can be checked."""
    built = {overlay.folder for overlay in project.overlays if overlay.error or overlay.refusals}
    for broken in declaring.broken(project.tree, project.policy):
        if broken.kind == "kustomization" and posixpath.dirname(broken.place.file) in built:
            continue  # what cannot be built of it is reported in Kustomize's words
        yield rulebook.Hit(broken.place, {"kind": broken.kind})
