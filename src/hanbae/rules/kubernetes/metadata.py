"""Names, labels and annotations that the API server refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from hanbae import patterns
from hanbae.rules import rulebook, views
from hanbae.rules.kubernetes import shapes

_SUBDOMAIN: Final = patterns.lazy(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
)
_LABEL: Final = patterns.lazy(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS1035: Final = patterns.lazy(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_PATH: Final = patterns.lazy(r"(?!\.\.?$)[^/%]+")
_VALUE: Final = patterns.lazy(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_KEY_NAME: Final = patterns.lazy(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_LENGTH: Final = 63
_NAME_LENGTH: Final = 253
_KEY_LENGTH: Final = _NAME_LENGTH + 1 + _LABEL_LENGTH
_ANNOTATIONS: Final = 256 * 1024

#: Kind → form of its name and how long it may be, where it is not a subdomain of 253 characters.
_FORMS: Final[Mapping[str, tuple[re.Pattern[str], int, str]]] = {
    "Namespace": (_LABEL, _LABEL_LENGTH, "label"),
    "Service": (_DNS1035, _LABEL_LENGTH, "service"),
    # A CronJob puts 11 characters behind its name for each of its Jobs, which may have 63.
    "CronJob": (_SUBDOMAIN, 52, "subdomain"),
    "Role": (_PATH, _NAME_LENGTH, "path"),
    "RoleBinding": (_PATH, _NAME_LENGTH, "path"),
    "ClusterRole": (_PATH, _NAME_LENGTH, "path"),
    "ClusterRoleBinding": (_PATH, _NAME_LENGTH, "path"),
}
#: Kinds whose name becomes a label of their pods, which therefore is no longer.
_IN_LABELS: Final = {"Job": _LABEL_LENGTH}
_NAMES: Final = "https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"
_LABELS: Final = "https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set"


@rulebook.of_release("KUB006", "error", source=_NAMES, essential=True)
def wrong_name(release: views.Release) -> Iterator[rulebook.Hit]:
    """A name that the API server refuses for this kind."""
    for manifest in release.objects:
        name = manifest.get("metadata", "name")
        if name is None or name == "":
            generated = manifest.get("metadata", "generateName")
            if not isinstance(generated, str) or not generated:
                yield rulebook.Hit(
                    views.On(manifest, ("metadata",)), {"kind": manifest.kind}, "missing"
                )
            continue
        if not isinstance(name, str):
            continue  # KUB001 says so
        form, longest, variant = _FORMS.get(manifest.kind, (_SUBDOMAIN, _NAME_LENGTH, "subdomain"))
        longest = _IN_LABELS.get(manifest.kind, longest)
        on = views.On(manifest, ("metadata", "name"))
        if len(name) > longest:
            facts = {
                "object": manifest.label[:300],
                "length": str(len(name)),
                "longest": str(longest),
            }
            yield rulebook.Hit(on, facts, "long")
        elif not form.fullmatch(name):
            yield rulebook.Hit(on, {"object": manifest.label}, variant)


@rulebook.of_release("KUB007", "error", source=_LABELS, essential=True)
def wrong_label(release: views.Release) -> Iterator[rulebook.Hit]:
    """A label, an annotation or a selector's label that the API server refuses."""
    for manifest in release.objects:
        for pointer, variant in manifest.once(_wrong_labels):
            facts = {"object": manifest.label}
            if variant != "large":
                facts["key"] = str(pointer[-1])[:300]
            is_key = variant in ("annotation", "large")
            yield rulebook.Hit(views.On(manifest, pointer, key=is_key), facts, variant)


def _wrong_labels(manifest: views.Object) -> tuple[tuple[views.Pointer, str], ...]:
    """What the API server refuses, and which sentence says why."""
    wrong = [
        ((*pointer, key), reason)
        for pointer, labels in _labels(manifest)
        for key, value in labels.items()
        if (reason := _fault(key, value))
    ]
    for pointer in (("metadata",), manifest.template_metadata if manifest.pod else ()):
        annotations = shapes.mapping(manifest.get(*pointer, "annotations")) if pointer else {}
        # The API server looks at the key of an annotation as if it were in lower case.
        wrong += [
            ((*pointer, "annotations", key), "annotation")
            for key in annotations
            if not _is_key(str(key).lower())
        ]
        size = sum(len(str(key)) + len(str(value)) for key, value in annotations.items())
        if size > _ANNOTATIONS:
            wrong.append(((*pointer, "annotations"), "large"))
    return tuple(wrong)


def _labels(manifest: views.Object) -> Iterator[tuple[views.Pointer, dict[str, Any]]]:
    pointers: list[views.Pointer] = [("metadata", "labels")]
    if manifest.pod is not None and manifest.kind != "Pod":
        pointers += [(*manifest.template_metadata, "labels"), ("spec", "selector", "matchLabels")]
    if manifest.kind == "Service":
        pointers.append(("spec", "selector"))
    for pointer in pointers:
        value = manifest.get(*pointer)
        if isinstance(value, dict):
            yield pointer, value


def _fault(key: Any, value: Any) -> str:
    # The lengths first: what is too long is neither matched nor kept.
    if not isinstance(key, str) or len(key) > _KEY_LENGTH:
        return "key"
    if not isinstance(value, str) or len(value) > _LABEL_LENGTH:
        return _fault_of_pair(key, "") or ("value" if isinstance(value, str) else "")
    return _fault_of_pair(key, value)


# The same few labels are on every object of a chart.
@lru_cache(maxsize=4096)
def _fault_of_pair(key: str, value: str) -> str:
    if not _is_short_key(key):
        return "key"
    return "" if _VALUE.fullmatch(value) else "value"


def _is_key(key: str) -> bool:
    return len(key) <= _KEY_LENGTH and _is_short_key(key)


@lru_cache(maxsize=4096)
def _is_short_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and not (0 < len(prefix) <= _NAME_LENGTH and _SUBDOMAIN.fullmatch(prefix)):
        return False
    return 0 < len(name) <= _LABEL_LENGTH and bool(_KEY_NAME.fullmatch(name))
