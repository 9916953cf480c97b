"""Which image each environment runs: named so that nobody can move it, well formed, and the same along the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from hanbae import errors, patterns
from hanbae.argo import hooks
from hanbae.images import references
from hanbae.policy import documents, environments
from hanbae.rules import rulebook, views

_KUBERNETES: Final = "https://kubernetes.io/docs/concepts/containers/images/#image-names"
_POLICY: Final = "deployment-policy.ko.md, 배포 체크리스트"
_PRODUCTION: Final = frozenset({"production", "prod", "live"})
_MAIN: Final = frozenset({"main", "master"})
_MOVING: Final = patterns.lazy(
    r"(?i)(?:.*[-_.])?(?:latest|snapshot|nightly|edge|canary|stable|current|head|main|master|trunk|develop(?:ment)?|dev"
    r"|staging|stage|production|prod|release|test|beta|alpha|rc|lts)"
)
_LONGEST: Final = 600


@rulebook.of_release("ENV007", "error", source=_KUBERNETES, essential=False)
def moving(release: views.Release) -> Iterator[rulebook.Hit]:
    """Production runs an image by a tag that is made to be moved, or by none at all."""
    if not release.prepared or not is_production(release.policy, release.environment):
        return
    branches = {settings.branch for settings in release.policy.environments.values()}
    for name, on in release.once(_images).items():
        image = _parsed(name)
        if image is None or image.digest:
            continue
        facts = {"image": _shown(name), "tag": image.tag}
        fix = "" if _is_own(release, image) else "rule.env007-fix-other"
        if not image.tag:
            yield rulebook.Hit(_place(release, image, on, "tag"), facts, "none", fix=fix)
        elif (
            # A tag without any digit names no version.
            _MOVING.fullmatch(image.tag) or image.tag in branches or not re.search(r"\d", image.tag)
        ):
            yield rulebook.Hit(_place(release, image, on, "tag"), facts, "moving", fix=fix)


@rulebook.of_release("ENV008", "warning", source=_KUBERNETES, essential=False)
def undigested(release: views.Release) -> Iterator[rulebook.Hit]:
    """Production runs the service's own image by a tag alone, which somebody can move after it was tested."""
    if not release.prepared or not is_production(release.policy, release.environment):
        return
    for name, on in release.once(_images).items():
        image = _parsed(name)
        if image is None or image.digest or not image.tag or not re.search(r"\d", image.tag):
            continue
        if _is_own(release, image) and not _MOVING.fullmatch(image.tag):
            yield rulebook.Hit(_place(release, image, on, "digest"), {"image": _shown(name)})


@rulebook.of_release("ENV009", "error", source=_KUBERNETES, essential=True)
def malformed(release: views.Release) -> Iterator[rulebook.Hit]:
    """An image whose name no node can pull: the parts do not go together."""
    for name, on in release.once(_images).items():
        try:
            references.parse(name)
        except errors.WrongUse as error:
            kind = error.text.id.partition(".")[2]
            variant = {"bad-digest": "digest", "bad-tag": "tag"}.get(kind, "name")
            repository = _text(release, "repository")
            own = bool(repository) and name.startswith(repository)
            place = release.value_place("image", _wrong_key(repository, variant)) if own else on
            fix = "" if own else "rule.env009-fix-other"
            yield rulebook.Hit(place, {"image": _shown(name)}, variant, fix=fix)


def _wrong_key(repository: str, part: str) -> str:
    """The value that is at fault for a part of a name: the repository, where it has a tag or a digest of its own."""
    image = _parsed(repository)
    whole = image is None or bool(image.tag or image.digest)
    return "repository" if whole or part not in ("tag", "digest") else part


@rulebook.of_service("ENV010", "warning", source=_POLICY, essential=False)
def other_repository(service: views.Service) -> Iterator[rulebook.Hit]:
    """An environment that takes its image from another repository than the one before it."""
    before: views.Release | None = None
    for release in service.releases.values():
        repository = _text(release, "repository")
        if not release.prepared or not repository:
            continue
        if before is not None and _text(before, "repository") != repository:
            facts = {
                "environment": release.environment,
                "repository": _shown(repository),
                "other": before.environment,
                "before": _shown(_text(before, "repository")),
            }
            yield rulebook.Hit(release.value_place("image", "repository"), facts)
        before = release


@rulebook.of_service("ENV011", "warning", source=_POLICY, essential=False)
def moved(service: views.Service) -> Iterator[rulebook.Hit]:
    """One tag that is two images: it was moved, or an environment was given another build."""
    first: dict[tuple[str, str], tuple[str, str]] = {}
    for release in service.releases.values():
        tag, digest = _text(release, "tag"), _text(release, "digest")
        if not tag or not digest or _MOVING.fullmatch(tag):
            continue
        key = (_text(release, "repository"), tag)
        other, earlier = first.setdefault(key, (release.environment, digest))
        if earlier != digest:
            facts = {"tag": _shown(tag), "environment": release.environment, "other": other}
            yield rulebook.Hit(release.value_place("image", "digest"), facts)


def is_production(policy: documents.Policy, environment: str) -> bool:
    """Whether an environment is the one that users meet: by its name, else by its branch, else the last one."""
    names = environments.on_kubernetes(policy)
    named = [name for name in names if name in _PRODUCTION]
    branched = [name for name in names if policy.environments[name].branch in _MAIN]
    candidates = named or branched or names[-1:]
    return environment in candidates


def _images(release: views.Release) -> dict[str, views.On]:
    """The images of all containers, each where it is first met."""
    parts: dict[str, views.On] = {}
    for manifest in release.objects:
        if manifest.pod is None or hooks.is_ignored(manifest.data):
            continue
        for pointer, container in manifest.containers():
            image = container.get("image")
            if isinstance(image, str) and image and len(image) <= _LONGEST:
                parts.setdefault(image, views.On(manifest, (*pointer, "image")))
    return parts


def _parsed(name: str) -> references.Reference | None:
    try:
        return references.parse(name)
    except errors.WrongUse:
        return None  # said by another rule


def _is_own(release: views.Release, image: references.Reference) -> bool:
    own = _parsed(_text(release, "repository") or "-")
    return own is not None and own.repository == image.repository


def _place(release: views.Release, image: references.Reference, on: views.On, key: str) -> Any:
    """The service's own image is mended in the values, by ``hanbae image set``; others where they are written."""
    return release.value_place("image", key) if _is_own(release, image) else on


def _text(release: views.Release, key: str) -> str:
    value = release.value("image", key)
    return value if isinstance(value, str) else ""


def _shown(name: str) -> str:
    return name[:200]
