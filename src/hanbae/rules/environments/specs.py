"""Where an Application, or the set that makes it, says something else than the policy."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae.argo import applications

Pointer = tuple[str | int, ...]

_BRANCH: Final = "refs/heads/"


class Difference(Struct, frozen=True):
    """One field that differs.

    Attributes:
        variant: ``branch``, ``sync``, ``values``, ``namespace`` or ``field`` for any other.
        pointer: The field.
        wanted: What the policy makes of it.
        found: What it is.
    """

    variant: str
    pointer: Pointer
    wanted: str
    found: str

    @property
    def facts(self) -> dict[str, str]:
        """For the sentence."""
        field = ".".join(str(part) for part in self.pointer)
        return {"field": field, "wanted": self.wanted[:200], "found": self.found[:200]}


def application(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[Difference]:
    """What an Application says otherwise: where it deploys from and to, and who starts that.

    Args:
        found: The Application, or the template of a set.
        wanted: The same as the policy makes it.
    """
    spec, ours = _mapping(found.get("spec")), _mapping(wanted.get("spec"))
    source, ours_source = _source(spec, ours), _mapping(ours.get("source"))
    at: Pointer = ("spec", "source")
    branch = str(source.get("targetRevision") or "HEAD")
    if _branch(branch) != _branch(str(ours_source.get("targetRevision"))):
        want = _branch(str(ours_source.get("targetRevision")))
        yield Difference("branch", (*at, "targetRevision"), want, _branch(branch))
    automated, ours_automated = _automated(spec), _automated(ours)
    if automated != ours_automated:
        modes = {True: "auto", False: "manual"}
        pointer: Pointer = ("spec", "syncPolicy", "automated")
        yield Difference("sync", pointer, modes[ours_automated], modes[automated])
    helm, ours_helm = _mapping(source.get("helm")), _mapping(ours_source.get("helm"))
    files, ours_files = _files(source, helm), _files(ours_source, ours_helm)
    if files != ours_files:
        pointer = (*at, "helm", "valueFiles")
        yield Difference("values", pointer, ", ".join(ours_files), ", ".join(files) or "-")
    yield from _destination(_mapping(spec.get("destination")), _mapping(ours.get("destination")))
    release = helm.get("releaseName")
    if release != ours_helm.get("releaseName"):
        want = str(ours_helm.get("releaseName"))
        yield Difference("field", (*at, "helm", "releaseName"), want, str(release or "-"))
    if _repository(source.get("repoURL")) != _repository(ours_source.get("repoURL")):
        # Not what it is: somebody may have written a password into it.
        yield Difference("field", (*at, "repoURL"), str(ours_source.get("repoURL")), "…")
    if spec.get("project") != ours.get("project"):
        want = str(ours.get("project"))
        yield Difference("field", ("spec", "project"), want, str(spec.get("project") or "-"))


def anything(found: Any, wanted: Any, at: Pointer = ()) -> Difference | None:
    """The first part of generated content that is not what it would be generated as now."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        for key in dict.fromkeys((*wanted, *found)):
            if key not in found or key not in wanted:
                return Difference("field", (*at, str(key)), _shown(wanted, key), _shown(found, key))
            below = anything(found[key], wanted[key], (*at, str(key)))
            if below is not None:
                return below
        return None
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        each = (
            anything(a, b, (*at, i)) for i, (a, b) in enumerate(zip(found, wanted, strict=True))
        )
        return next((difference for difference in each if difference is not None), None)
    if found == wanted and type(found) is type(wanted):
        return None
    return Difference("field", at, _brief(wanted), _brief(found))


def _destination(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[Difference]:
    at: Pointer = ("spec", "destination")
    if found.get("namespace") != wanted.get("namespace"):
        want, is_ = str(wanted.get("namespace")), str(found.get("namespace") or "-")
        yield Difference("namespace", (*at, "namespace"), want, is_)
    if _cluster(found) != _cluster(wanted):
        field = "name" if wanted.get("name") else "server"
        yield Difference("field", (*at, field), _cluster(wanted), _cluster(found) or "-")


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


def _source(spec: Mapping[str, Any], wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """The source that renders the chart."""
    sources = spec.get("sources")
    if not isinstance(sources, list):
        return _mapping(spec.get("source"))
    path = _path(_mapping(wanted.get("source")))
    every = [each for each in sources if isinstance(each, Mapping)]
    return next((each for each in every if _path(each) == path), every[0] if every else {})


def _path(source: Mapping[str, Any]) -> str:
    return posixpath.normpath(str(source.get("path") or "").strip("/"))


def _files(source: Mapping[str, Any], helm: Mapping[str, Any]) -> list[str]:
    """The values files, from the repository's root where they are in it."""
    found = helm.get("valueFiles")
    return [
        name.lstrip("/")
        if (name := str(each)).startswith(("/", "$"))
        else posixpath.normpath(f"{_path(source)}/{name}")
        for each in (found if isinstance(found, list) else ())
    ]


def _branch(revision: str) -> str:
    return revision.removeprefix(_BRANCH)


def _repository(url: Any) -> str:
    return str(url or "").strip().removesuffix("/").removesuffix(".git").lower()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _shown(mapping: Mapping[str, Any], key: Any) -> str:
    return _brief(mapping[key]) if key in mapping else "-"


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{…}"
    return "[…]" if isinstance(value, list) else " ".join(str(value).split())[:100]
