"""The Sealed Secrets controller that a repository installs: where its chart comes from, and how old it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae import errors, patterns, subjects
from hanbae.results import findings
from hanbae.rules import rulebook, views
from hanbae.sealing import versions

LIVE: Final = "SEC023"
"""The rule over the controllers in clusters."""

_SOURCE: Final = "https://github.com/bitnami/sealed-secrets/issues/1982"
_ADVISORY: Final = "https://github.com/advisories/GHSA-465p-v42x-3fmj"
_GONE: Final = "bitnami-labs.github.io/sealed-secrets"
_MOVED: Final = "bitnami.github.io/sealed-secrets"
_IMAGE: Final = patterns.lazy(r"sealed-secrets-controller:v?[0-9.]{3,20}")
"""Of whatever registry: Docker Hub's bitnami, ghcr.io's bitnami-labs, or a mirror of one's own."""
_MANIFEST: Final = patterns.lazy(r"sealed-secrets/releases/download/v[0-9.]{3,20}/controller")
_TAG: Final = patterns.lazy(r"\s*tag: *[\"']?v?[0-9.]{3,20}[\"']?\s*(?:#.*)?")
_NUMBER: Final = patterns.lazy(r"[0-9.]{3,20}")
_READ: Final = (".yaml", ".yml", ".json", ".tf", ".tofu", ".hcl", ".sh", ".toml", ".mk", "Makefile")
_NEAR: Final = 3
"""Lines between the repository of an image in a chart's values and its tag, at most."""
_MARK: Final = b"sealed-secrets"


@rulebook.of_project("SEC022", "error", source=_SOURCE, fixable=True, essential=True)
def installed(project: views.Project) -> Iterator[rulebook.Hit]:
    """A chart repository that is gone, and images of controllers that can be made to tell what they open."""
    for path in project.tree.files():
        if not path.endswith(_READ):
            continue
        try:
            data = project.tree.read(path) or b""
        except errors.FileFault:
            continue
        if _MARK not in data:
            continue
        lines = data.decode("utf-8", "replace").split("\n")
        for number, line in enumerate(lines, 1):
            if _GONE in line:
                edit = findings.Edit(path, number, _GONE, _MOVED)
                yield rulebook.Hit(
                    subjects.Place(path, number), {"url": _MOVED}, "repository", (edit,)
                )
            yield from _old(path, number, line)
            if versions.NAME in line and _IMAGE.search(line) is None:
                yield from _tagged(path, number, lines)


def _old(path: str, number: int, line: str) -> Iterator[rulebook.Hit]:
    """An image, or the manifest of a release, of an old controller."""
    for form in (_IMAGE, _MANIFEST):
        match = form.search(line)
        version = _NUMBER.search(match[0]) if match is not None else None
        if match is None or version is None or not versions.is_old(f":{version[0]}"):
            continue
        newer = match[0].replace(version[0], versions.SAFE)
        # A digest wins over the tag before it, and the digest of the newer version is not known
        # here.
        pinned = line[match.end() : match.end() + 1] == "@"
        edits = () if pinned else (findings.Edit(path, number, match[0], newer),)
        facts = {"image": match[0], "version": versions.SAFE}
        yield rulebook.Hit(subjects.Place(path, number), facts, "image", edits)


def _tagged(path: str, number: int, lines: list[str]) -> Iterator[rulebook.Hit]:
    """An old controller in a chart's values, where the tag stands beside the repository."""
    for near in range(max(number - 1 - _NEAR, 0), min(number + _NEAR, len(lines))):
        version = _NUMBER.search(lines[near]) if _TAG.fullmatch(lines[near]) else None
        if version is not None and versions.is_old(f":{version[0]}"):
            edit = findings.Edit(path, near + 1, version[0], versions.SAFE)
            facts = {"image": f"{versions.NAME}:{version[0]}", "version": versions.SAFE}
            yield rulebook.Hit(subjects.Place(path, near + 1), facts, "image", (edit,))
            return


# A controller in a cluster that is too old, which ``hanbae check --live`` looks for.
rulebook.reported(LIVE, "error", "project", source=_ADVISORY, essential=True)


def live(
    project: views.Project, environment: str, images: list[str] | None
) -> Iterator[rulebook.Hit]:
    """What the controller in an environment's cluster is.

    Args:
        project: The repository.
        environment: The environment.
        images: Images of the controllers that are there; None where they may not be read.
    """
    place = project.place("secrets.controller")
    facts = {"environment": environment, "controller": project.policy.secrets.controller}
    if images is None:
        yield rulebook.Hit(place, facts, "unseen", severity="notice")
        return
    for image in images:
        if versions.is_old(image):
            yield rulebook.Hit(place, {**facts, "image": image, "version": versions.SAFE}, "old")
