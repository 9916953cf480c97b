"""The files of a chart, as the policy lists them, and what ``Chart.yaml`` says of itself."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hanbae import errors, patterns, subjects
from hanbae.charts import declared, helmignore
from hanbae.policy import naming, service_paths
from hanbae.rules import rulebook, views

_POLICY: Final = "deployment-policy.ko.md, Helm 차트 구조"
_CHART: Final = "https://helm.sh/docs/topics/charts/#the-chartyaml-file"
_TEMPLATES: Final = ("deployment", "service", "ingress", "hpa", "migration-job")
# https://semver.org, the expression that it suggests
_SEMVER: Final = patterns.lazy(
    r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)"
    r"(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
)
_KEYS: Final = frozenset(
    {
        "apiVersion", "name", "version", "kubeVersion", "description", "type", "keywords", "home", "sources",
        "dependencies", "maintainers", "icon", "appVersion", "deprecated", "annotations",
    }
)  # fmt: skip
_LARGEST: Final = 1024 * 1024
"""Bytes of a Secret: there Helm keeps a release with all of the chart's files."""
_GENERATOR: Final = (
    "https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/Generators-Git/"
)
_KUSTOMIZATIONS: Final = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
_OF_A_CHART: Final = patterns.lazy(
    r"Chart\.(?:yaml|lock)|values[^/]*|templates/.*\.(?:ya?ml|tpl|txt)|crds/.*|charts/.*|README\.md|\.helmignore"
)


@rulebook.of_service("LAY001", "warning", source=_POLICY, essential=False)
def missing_template(service: views.Service) -> Iterator[rulebook.Hit]:
    """A template that the policy's chart layout has and this chart has not."""
    secret = "external-secret" if service.policy.secrets.are_external else "sealed-secret"
    paths = [f"templates/{name}.yaml" for name in (*_TEMPLATES, secret)]
    missing = [path for path in paths if path not in service.chart_files]
    if missing and not _is_library(service):
        yield rulebook.Hit(_chart(service), {"file": ", ".join(missing)})


@rulebook.of_service("LAY002", "error", source=_POLICY, essential=False)
def missing_values(service: views.Service) -> Iterator[rulebook.Hit]:
    """An environment without its values file, or a chart without example values."""
    if _is_library(service):
        return  # it is no service, which LAY008 says
    if "values.yaml.example" not in service.chart_files and _is_laid(service):
        yield rulebook.Hit(_chart(service), variant="example", severity="warning")
    reported = set()
    for environment in service.project.environments:
        for file in _lacking(service, environment):
            if file.path in reported:
                continue
            templates = naming.values_templates(service.policy, service.name, environment)
            if not any("{environment}" in template for template in templates):
                reported.add(file.path)  # one file of all environments
            facts = {"file": file.inside or file.path, "environment": environment}
            if service.chart_file(file.entry) in service.project.tree.files(service.chart):
                yield rulebook.Hit(_chart(service), facts | {"entry": file.entry}, "inside")
            else:
                variant = "environment" if file.inside else "outside"
                yield rulebook.Hit(_chart(service), facts, variant)


def _is_laid(service: views.Service) -> bool:
    """Whether the values files are those of hanbae's own layout, to which an example belongs."""
    services = service.policy.services
    named = services.named.get(service.name)
    return services.values is None and (named is None or named.values is None)


def _lacking(service: views.Service, environment: str) -> list[naming.ValuesFile]:
    """The values files that are not there and without which an environment is not rendered."""
    files = naming.values_sources(service.policy, service.name, environment)
    lacking = [file for file in files if not _is_there(service, file)]
    if lacking and service.project.shared.written(service.name, environment).ignores_missing:
        return []
    return lacking


def _is_there(service: views.Service, file: naming.ValuesFile) -> bool:
    if file.inside:
        return file.inside in service.chart_files
    try:
        return service.project.tree.read(file.path) is not None
    except errors.FileFault:
        return True  # LAY012 or the rendering says what is wrong with it


@rulebook.of_service("LAY008", "warning", source=_CHART, essential=False)
def odd_chart(service: views.Service) -> Iterator[rulebook.Hit]:
    """A ``Chart.yaml`` that Helm takes and that does not say what was meant."""
    data = service.about
    if data is None:
        return
    parsed = service.values(service.chart_file("Chart.yaml")) if _suspect(service, data) else None
    if parsed is None:
        return
    version = str(data.get("version", ""))
    if data.get("apiVersion") in (None, "v1"):  # any other Helm refuses, which INP001 says
        facts = {"value": str(data.get("apiVersion", "-"))}
        yield rulebook.Hit(parsed.place(("apiVersion",)), facts, "api")
    if not _SEMVER.fullmatch(version.removeprefix("v")):
        yield rulebook.Hit(parsed.place(("version",)), {"value": version or "-"}, "version")
    if data.get("type", "application") != "application":
        facts = {"value": str(data["type"])}
        yield rulebook.Hit(parsed.place(("type",)), facts, "type", severity="error")
    if data.get("name") != service.name:
        facts = {"value": str(data.get("name", "-")), "service": service.name}
        yield rulebook.Hit(parsed.place(("name",)), facts, "name", severity="notice")
    if isinstance(data.get("appVersion"), int | float):
        yield rulebook.Hit(parsed.place(("appVersion",)), {}, "app-version")
    for key in data:
        near = difflib.get_close_matches(str(key), _KEYS, n=1) if key not in _KEYS else None
        if near:
            yield rulebook.Hit(parsed.place((key,)), {"key": str(key), "near": near[0]}, "key")


@rulebook.of_service(
    "LAY013",
    "warning",
    source="https://helm.sh/docs/chart_template_guide/helm_ignore_file/",
    essential=True,
)
def large_file(service: views.Service) -> Iterator[rulebook.Hit]:
    """A file that makes the chart larger than Helm can store."""
    odd = [path for path in service.chart_files if not _OF_A_CHART.fullmatch(path)]
    if not odd:
        return
    rules = helmignore.Rules(service.text(service.chart_file(".helmignore")) or "")
    for path in odd:
        if _is_ignored(rules, path):
            continue
        size = _size(service, service.chart_file(path))
        if size > _LARGEST:
            facts = {"file": path, "size": str(size // 1024)}
            yield rulebook.Hit(subjects.Place(service.chart_file(path)), facts)


@rulebook.of_service(
    "LAY018", "error", source="https://helm.sh/docs/helm/helm_dependency_build/", essential=True
)
def stale_lock(service: views.Service) -> Iterator[rulebook.Hit]:
    """A lock that was written for other dependencies: Helm does not fetch by it, and Argo CD asks Helm to."""
    names = ("Chart.yaml", "Chart.lock", "requirements.yaml", "requirements.lock")
    locks = [name for name in names if name.endswith(".lock") and name in service.chart_files]
    if not locks:
        return
    texts = {name: service.text(service.chart_file(name)) for name in names}
    files = {name: text.encode() for name, text in texts.items() if text is not None}
    chart = declared.read(files)
    # What a name of a repository stands for is the user's own affair, and not the repository's.
    named = any(dependency.origin == "named" for dependency in chart.dependencies)
    if named or not declared.is_stale(chart):
        return
    place = declared.place_of_digest(service.chart, chart, files[chart.lock_file])
    facts = {"file": chart.file, "service": service.name}
    names_needed = [dependency.name for dependency in chart.dependencies]
    vendored = all(_is_vendored(service, name) for name in names_needed)
    if vendored:
        yield rulebook.Hit(place, facts, "vendored", severity="warning")
    else:
        yield rulebook.Hit(place, facts)


def _is_vendored(service: views.Service, dependency: str) -> bool:
    """Whether a chart seems to be among those in ``charts``; which one an archive is, its name says."""
    return any(
        path.startswith((f"charts/{dependency}/", f"charts/{dependency}-"))
        for path in service.chart_files
    )


@rulebook.of_project("LAY015", "error", source=_GENERATOR, essential=False)
def folder_without_chart(project: views.Project) -> Iterator[rulebook.Hit]:
    """A folder where a chart should be, without ``Chart.yaml``: Argo CD makes an Application of it all the same."""
    if not service_paths.follow_from_names(project.policy.services):
        return  # its generators look for Chart.yaml
    (glob,) = service_paths.globs(project.policy.services)
    before, after = glob.before, glob.after
    folders: dict[str, set[str]] = {}
    for path in project.tree.files(before.rstrip("/")):
        service, _, rest = path.removeprefix(before).partition("/")
        inside = f"/{rest}"
        if path.startswith(before) and inside.startswith(f"{after}/"):
            folders.setdefault(service, set()).add(inside.removeprefix(f"{after}/"))
    for service, files in folders.items():
        if service in project.services or not files.isdisjoint(_KUSTOMIZATIONS):
            continue
        folder = f"{before}{service}{after}"
        yield rulebook.Hit(subjects.Place(folder), {"folder": folder, "count": str(len(files))})


def _chart(service: views.Service) -> subjects.Place:
    return subjects.Place(service.chart_file("Chart.yaml"))


def _is_library(service: views.Service) -> bool:
    return (service.about or {}).get("type") == "library"


def _suspect(service: views.Service, data: Mapping[Any, Any]) -> bool:
    """Whether anything may be wrong, so that the places are worth reading."""
    return not (
        data.get("apiVersion") == "v2"
        and data.get("type", "application") == "application"
        and data.get("name") == service.name
        and not isinstance(data.get("appVersion"), int | float)
        and _SEMVER.fullmatch(str(data.get("version", "")).removeprefix("v"))
        and data.keys() <= _KEYS
    )


def _size(service: views.Service, path: str) -> int:
    try:
        return len(service.project.tree.read(path) or b"")
    except errors.FileFault:
        return 0  # said of the whole chart


def _is_ignored(rules: helmignore.Rules, path: str) -> bool:
    try:
        return rules.keeps_out(path)
    except ValueError:
        return False  # said of the chart, which does not render
