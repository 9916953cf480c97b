"""The Sealed Secrets controller that a repository installs: where its chart comes from, and how old it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hanbae import errors, subjects
from hanbae.results import findings
from hanbae.rules import rulebook, views
from hanbae.sealing import versions

LIVE: Final = "SEC023"
"""The rule over the controllers in clusters."""

_SOURCE: Final = "https://github.com/bitnami/sealed-secrets/issues/1982"
_ADVISORY: Final = "https://github.com/advisories/GHSA-465p-v42x-3fmj"
_GONE: Final = "bitnami-labs.github.io/sealed-secrets"
_MOVED: Final = "bitnami.github.io/sealed-secrets"
_IMAGE: Final = re.compile(r"bitnami/sealed-secrets-controller:v?[0-9.]{3,20}")
_NUMBER: Final = re.compile(r"[0-9.]{3,20}$")
_READ: Final = (".yaml", ".yml", ".json", ".tf", ".hcl", ".sh", ".toml")
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
        for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
            place = subjects.Place(path, number)
            if _GONE in line:
                edit = findings.Edit(path, number, _GONE, _MOVED)
                yield rulebook.Hit(place, {"url": _MOVED}, "repository", (edit,))
            image = _IMAGE.search(line)
            if image is not None and versions.is_old(image[0]):
                newer = _NUMBER.sub(versions.SAFE, image[0])
                pinned = line[image.end() : image.end() + 1] == "@"
                edits = () if pinned else (findings.Edit(path, number, image[0], newer),)
                facts = {"image": image[0], "version": versions.SAFE}
                yield rulebook.Hit(place, facts, "image", edits)


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
