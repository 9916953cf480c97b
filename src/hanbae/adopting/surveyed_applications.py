"""Argo CD's Applications as a survey needs them: what is deployed from where, under which name, to where."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae.policy import folders

# An Application takes a file of another of its sources by that one's `ref`: `$values/charts/cart.yaml`.
_VALUES: Final = "$"


class Application(Struct, frozen=True):
    """An Application.

    Attributes:
        name: Its name.
        path: The folder in the repository that it deploys; empty where its chart is in a registry.
        release: Name of the Helm release.
        revision: What it follows: a branch, a tag, a commit or ``HEAD``.
        namespace: Where its objects go.
        cluster: The destination's name or address.
        value_files: As they are listed, from the repository's root where the list says so.
        automated: Whether Argo CD syncs by itself.
        repository: The repository's URL.
        project: Its AppProject.
        home: The namespace that it is in itself.
        recurses: Whether it reads plain manifests below its folder as well.
        by_plugin: Whether a plugin of Argo CD's makes the objects of its folder, in a way that only the plugin knows.
    """

    name: str
    path: str = ""
    release: str = ""
    revision: str = "HEAD"
    namespace: str = ""
    cluster: str = ""
    value_files: tuple[str, ...] = ()
    automated: bool = False
    repository: str = ""
    project: str = "default"
    home: str = "argocd"
    recurses: bool = False
    by_plugin: bool = False

    def is_of(self, files: Mapping[str, str], sources: Collection[str]) -> bool:
        """Whether it deploys something of a tree: the address of a fork or a mirror says little.

        Args:
            files: The files of the tree.
            sources: The folders with a chart or with workloads.
        """
        if self.path in sources:
            return True
        kustomizations = (
            folders.path(self.path, f"kustomization.{end}") for end in ("yaml", "yml")
        )
        return bool(self.path) and any(path in files for path in kustomizations)


def from_manifest(document: Mapping[str, Any]) -> Application:
    """An Application of its manifest; what is not as it should be is left out."""
    metadata, spec = _part(document, "metadata"), _part(document, "spec")
    sources = _sources(spec)
    destination = _part(spec, "destination")
    main = next((source for source in sources if _text(source, "path")), {})
    helm = next((_part(source, "helm") for source in sources if source.get("helm")), {})
    listed = helm.get("valueFiles")
    files = tuple(str(name) for name in listed) if isinstance(listed, list) else ()
    # A chart that comes from a registry has its values from a source of their own, which has a
    # `ref` and no path.
    with_ref = next((source for source in sources if source.get("ref")), main)
    path = folders.normal(_text(main, "path")) if main else ""
    return Application(
        name=_text(metadata, "name"),
        path=path or _folder(files),
        release=_text(helm, "releaseName") or _text(metadata, "name"),
        revision=_text(main or with_ref, "targetRevision").removeprefix("refs/heads/") or "HEAD",
        namespace=_text(destination, "namespace"),
        cluster=_text(destination, "name") or _text(destination, "server"),
        value_files=files,
        automated=isinstance(_part(spec, "syncPolicy").get("automated"), dict),
        repository=_text(main or with_ref, "repoURL"),
        project=_text(spec, "project") or "default",
        home=_text(metadata, "namespace") or "argocd",
        recurses=_part(main, "directory").get("recurse") is True,
        by_plugin=main.get("plugin") is not None,
    )


def _sources(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    several = spec.get("sources")
    sources: Iterable[Any] = several if isinstance(several, list) else [spec.get("source")]
    return [source for source in sources if isinstance(source, dict)]


def _folder(value_files: tuple[str, ...]) -> str:
    """The chart's folder where only its values are taken from the repository: that of the first such file."""
    for file in value_files:
        if file.startswith(_VALUES) and "/" in file:
            return posixpath.dirname(file.partition("/")[2])
    return ""


def _part(node: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = node.get(key)
    return value if isinstance(value, dict) else {}


def _text(node: Mapping[str, Any], key: str) -> str:
    value = node.get(key)
    return str(value)[:300] if isinstance(value, str | int | float) else ""
