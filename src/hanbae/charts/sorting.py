"""From the texts that Helm's templates make to a release: split, sorted and written down as ``helm template`` does.

Helm's library returns a text for each template; everything after that is here, with Helm's own rules, which matter
because Argo CD applies what ``helm template`` prints, in its order:

- CRDs come first, as they are; hooks come last; a hook of a kind that Helm does not know is left out.
- Manifests and hooks each stand in the order in which Helm installs kinds; those of one kind as their files' names
  sort, and within a file as it has them.
- A file is split wherever a line begins with ``---``, whatever follows.

Pure functions over text: this runs in the disposable worker and imports nothing that is slow to load.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

# The kinds in the order in which Helm installs them (its InstallOrder); others come after, by name.
_ORDER = (
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
)
_POSITIONS = {kind: at for at, kind in enumerate(_ORDER)}
_HOOKS = frozenset(
    {
        "pre-install",
        "post-install",
        "pre-delete",
        "post-delete",
        "pre-upgrade",
        "post-upgrade",
        "pre-rollback",
        "post-rollback",
        "test",
        "test-success",
    }
)
_HOOK = "helm.sh/hook"
_NOTES = "NOTES.txt"
_CRDS = re.compile(r"(?:^|\n)---[^\n]*(?=\n|$)")
# What Go's regular expressions and its unicode.IsSpace take for white space.
_BLANK = " \t\n\f\r"
_SPACE = (
    _BLANK
    + "\v\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    + "".join(map(chr, range(0x2000, 0x200B)))
)


class Release(NamedTuple):
    """A rendered release.

    Attributes:
        documents: File in the chart and content as JSON, file by file; hooks that Helm leaves out included.
        order: Indices of `documents` in the order of ``helm template``.
        manifest: What ``helm template --include-crds`` prints.
    """

    documents: list[tuple[str, str]]
    order: list[int]
    manifest: str


class _Head(NamedTuple):
    kind: str
    hook: str | None


def release(
    crds: Iterable[tuple[str, str]], files: Mapping[str, str], parsed: Callable[[str], str]
) -> Release:
    """Split and sort what a chart's templates made.

    Args:
        crds: File and content of the chart's CRDs, in Helm's order.
        files: Template → text.
        parsed: Makes JSON of a YAML document.

    Raises:
        ValueError: A document that Helm would not take; the message begins with its file.
    """
    documents: list[tuple[str, str]] = []
    order: list[int] = []
    manifest = []
    for name, text in crds:
        manifest.append(_written(name, text))
        for document in _CRDS.split(text):
            order += _kept(documents, name, _content(name, document, parsed))
    manifests: list[tuple[tuple[int, str], str, str, list[int]]] = []
    hooks = list(manifests)
    for name in sorted(files):
        base = name.rpartition("/")[2]
        if base.startswith("_") or name.endswith(_NOTES):
            continue
        for document in split(files[name]):
            content = _content(name, document, parsed)
            head = _head(name, content)
            entry = (_position(head.kind), name, document, _kept(documents, name, content))
            if head.hook is None:
                manifests.append(entry)
            elif all(word.strip().lower() in _HOOKS for word in head.hook.split(",")):
                hooks.append(entry)
    manifests.sort(key=lambda entry: entry[0])
    hooks.sort(key=lambda entry: entry[0])
    manifest += [_written(name, document) for _, name, document, _ in manifests]
    text = "".join(manifest).strip(_SPACE) + "\n"
    text += "".join(_written(name, document) for _, name, document, _ in hooks)
    for entry in (*manifests, *hooks):
        order += entry[3]
    return Release(documents, order, text)


def split(text: str) -> Iterator[str]:
    r"""The documents of a rendered template as Helm splits it: a regular expression of Helm's without its cost.

    That is ``(?:^|\s*\n)---\s*``, which takes quadratic time over long white space.
    """
    text = text.lstrip(_SPACE)
    start = _after(text, 3) if text.startswith("---") else 0
    while True:
        at = text.find("\n---", start)
        document = text[start:at].rstrip(_BLANK) if at >= 0 else text[start:]
        if document.strip(_SPACE):
            yield document.lstrip(_SPACE)
        if at < 0:
            return
        start = _after(text, at + 4)


def _after(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at


def _written(name: str, text: str) -> str:
    return f"---\n# Source: {name}\n{text}\n"


def _kept(documents: list[tuple[str, str]], name: str, content: str) -> list[int]:
    """Keep a document unless it is empty; its index."""
    if content in {"null", "{}"}:
        return []
    documents.append((name, content))
    return [len(documents) - 1]


def _content(name: str, document: str, parsed: Callable[[str], str]) -> str:
    if "\0" in document:  # where the library's strings end
        message = f"YAML parse error on {name}: control characters are not allowed"
        raise ValueError(message)
    try:
        return parsed(document)
    except Exception as error:
        message = f"YAML parse error on {name}: {error}"
        raise ValueError(message) from error


def _head(name: str, content: str) -> _Head:
    """Kind and hook, which must have the shapes that Helm decodes."""
    document = json.loads(content)
    if document is None:
        return _Head("", None)
    metadata = document.get("metadata") or {}
    annotations = (metadata.get("annotations") or {}) if isinstance(metadata, dict) else None
    if not isinstance(annotations, dict):
        message = f"YAML parse error on {name}: metadata or annotations are no mapping"
        raise ValueError(message)  # noqa: TRY004  a fault in the chart, not in this program
    for key, value in (
        ("apiVersion", document.get("apiVersion")),
        ("kind", document.get("kind")),
        ("name", metadata.get("name")),
        *annotations.items(),
    ):
        if isinstance(value, dict | list):
            message = f"YAML parse error on {name}: {key} is no text"
            raise ValueError(message)  # noqa: TRY004  the same
    hook = annotations.get(_HOOK, "") if _HOOK in annotations else None
    return _Head(_text(document.get("kind")), None if hook is None else _text(hook))


def _text(value: Any) -> str:
    """A scalar as Helm's decoder makes a string of it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _position(kind: str) -> tuple[int, str]:
    at = _POSITIONS.get(kind)
    return (len(_ORDER), kind) if at is None else (at, "")
