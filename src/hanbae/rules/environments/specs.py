"""Where an Application, or the set that makes it, says something else than the policy."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae import patterns
from hanbae.argo import applications, source_files
from hanbae.masking import shapes
from hanbae.policy import folders

Pointer = tuple[str | int, ...]

_BRANCH: Final = "refs/heads/"
_REFERENCE: Final = patterns.lazy(r"^\$[^/]*")
_OVERRIDES: Final = ("parameters", "fileParameters", "valuesObject", "values")


class Difference(Struct, frozen=True):
    """One field that differs.

    Attributes:
        variant: ``branch``, ``sync``, ``values``, ``namespace`` or ``field`` for any other.
        pointer: The field.
        policy: What the policy makes of it.
        present: What it is.
    """

    variant: str
    pointer: Pointer
    policy: str
    present: str

    @property
    def facts(self) -> dict[str, str]:
        """For the sentence."""
        field = ".".join(str(part) for part in self.pointer)
        return {"field": field, "wanted": self.policy[:200], "found": self.present[:200]}


def application(actual: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[Difference]:
    """What an Application says otherwise: where it deploys from and to, and who starts that.

    Args:
        actual: The Application, or the template of a set.
        expected: What the policy makes of it.
    """
    spec, ours = _mapping(actual.get("spec")), _mapping(expected.get("spec"))
    ours_source = applications.chart_source(expected)
    ours_repository = applications.repository_key(ours_source.get("repoURL"))
    base, source = _source(spec, ours_source)
    # A chart of a registry with values of this repository: the repository's part is what has a branch.
    sources = spec.get("sources")
    beside = next(
        (
            (("spec", "sources", index), other)
            for index, other in enumerate(sources if isinstance(sources, list) else ())
            if isinstance(other, Mapping)
            and applications.repository_key(other.get("repoURL")) == ours_repository
        ),
        None,
    )
    foreign = bool(source.get("chart")) and beside is not None
    at_branch, of_branch = beside if foreign and beside is not None else (base, source)
    branch = str(of_branch.get("targetRevision") or "HEAD")
    if _branch(branch) != _branch(str(ours_source.get("targetRevision"))):
        want = _branch(str(ours_source.get("targetRevision")))
        yield Difference("branch", (*at_branch, "targetRevision"), want, _branch(branch))
    automated, ours_automated = _automated(spec), _automated(ours)
    if automated != ours_automated:
        modes = {True: "auto", False: "manual"}
        pointer: Pointer = ("spec", "syncPolicy", "automated")
        yield Difference("sync", pointer, modes[ours_automated], modes[automated])
    helm, ours_helm = _mapping(source.get("helm")), _mapping(ours_source.get("helm"))
    files, ours_files = _files(source, helm), _files(ours_source, ours_helm)
    if files != ours_files:
        pointer = (*base, "helm", "valueFiles")
        yield Difference("values", pointer, ", ".join(ours_files), ", ".join(files) or "-")
    names = source_files.overridden(source)
    if names and not source_files.overridden(ours_source):
        key = next((key for key in _OVERRIDES if helm.get(key)), "")
        pointer = (*base, "helm", key) if key else (*base, "kustomize")
        yield Difference("override", pointer, "-", ", ".join(names))
    yield from _destination(_mapping(spec.get("destination")), _mapping(ours.get("destination")))
    release = helm.get("releaseName")
    if release != ours_helm.get("releaseName"):
        want = str(ours_helm.get("releaseName"))
        yield Difference("field", (*base, "helm", "releaseName"), want, str(release or "-"))
    if not foreign and applications.repository_key(source.get("repoURL")) != ours_repository:
        url = str(source.get("repoURL") or "-")
        printable = (
            "…" if shapes.in_url(url) else url
        )  # somebody may have written a password into it
        yield Difference("field", (*base, "repoURL"), str(ours_source.get("repoURL")), printable)
    if spec.get("project") != ours.get("project"):
        want = str(ours.get("project"))
        yield Difference("field", ("spec", "project"), want, str(spec.get("project") or "-"))


def anything(actual: Any, expected: Any, pointer: Pointer = ()) -> Difference | None:
    """The first part of generated content that is not what it would be generated as now."""
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        for key in dict.fromkeys((*expected, *actual)):
            if key not in actual or key not in expected:
                return Difference(
                    "field", (*pointer, str(key)), _shown(expected, key), _shown(actual, key)
                )
            below = anything(actual[key], expected[key], (*pointer, str(key)))
            if below is not None:
                return below
        return None
    if isinstance(actual, list) and isinstance(expected, list) and len(actual) == len(expected):
        deeper = (
            anything(a, b, (*pointer, i))
            for i, (a, b) in enumerate(zip(actual, expected, strict=True))
        )
        return next((difference for difference in deeper if difference is not None), None)
    # To Python 1, 1.0 and True are equal; to the API server they are not.
    if actual == expected and type(actual) is type(expected):
        return None
    return Difference("field", pointer, _brief(expected), _brief(actual))


def _destination(actual: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[Difference]:
    pointer: Pointer = ("spec", "destination")
    if actual.get("namespace") != expected.get("namespace"):
        want, is_ = str(expected.get("namespace")), str(actual.get("namespace") or "-")
        yield Difference("namespace", (*pointer, "namespace"), want, is_)
    if _cluster(actual) != _cluster(expected):
        field = "name" if expected.get("name") else "server"
        yield Difference("field", (*pointer, field), _cluster(expected), _cluster(actual) or "-")


def _cluster(destination: Mapping[str, Any]) -> str:
    """Argo CD's own cluster has a name and an address that mean the same."""
    named = str(destination.get("name") or destination.get("server") or "")
    return "https://kubernetes.default.svc" if named == "in-cluster" else named


def _automated(spec: Mapping[str, Any]) -> bool:
    policy = _mapping(spec.get("syncPolicy"))
    automated = policy.get("automated")
    if automated is not None and not isinstance(automated, Mapping):
        return True
    return applications.is_automated({"spec": {"syncPolicy": policy}})


def _source(
    spec: Mapping[str, Any], expected: Mapping[str, Any]
) -> tuple[Pointer, Mapping[str, Any]]:
    """The source that renders the chart, and where it stands."""
    sources = spec.get("sources")
    if not isinstance(sources, list):
        return ("spec", "source"), _mapping(spec.get("source"))
    path = _path(expected)
    every = [(i, source) for i, source in enumerate(sources) if isinstance(source, Mapping)]
    rendering = [item for item in every if item[1].get("path") or item[1].get("chart")]
    # A source that others take values from may render something as well, but it is not the one that is meant.
    rendering.sort(key=lambda item: (not item[1].get("helm"), _path(item[1]) != path))
    candidates = rendering or every
    if not candidates:
        return ("spec", "sources"), {}
    return ("spec", "sources", candidates[0][0]), candidates[0][1]


def _path(source: Mapping[str, Any]) -> str:
    return posixpath.normpath(str(source.get("path") or "").strip("/"))


def _files(source: Mapping[str, Any], helm: Mapping[str, Any]) -> list[str]:
    """The values files, from the repository's root where they are in it."""
    value = helm.get("valueFiles")
    files = [
        _REFERENCE.sub("", name).lstrip("/")
        if (name := str(file)).startswith(("/", "$"))
        else posixpath.normpath(f"{_path(source)}/{name}")
        for file in (value if isinstance(value, list) else ())
    ]
    # Helm begins with the chart's own, whether it is listed or not.
    folder = _path(source) if source.get("path") else posixpath.dirname(files[0]) if files else ""
    return files[1:] if files[:1] == [folders.path(folder, "values.yaml")] else files


def _branch(revision: str) -> str:
    return revision.removeprefix(_BRANCH)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _shown(mapping: Mapping[str, Any], key: Any) -> str:
    return _brief(mapping[key]) if key in mapping else "-"


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{…}"
    return "[…]" if isinstance(value, list) else " ".join(str(value).split())[:100]
