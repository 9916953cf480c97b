"""What environments share that they should not, and what they lack that the others have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hanbae import patterns, subjects
from hanbae.policy import environments
from hanbae.results import findings
from hanbae.rules import neighbours, rulebook, views

_PULL: Final = (
    "https://kubernetes.io/docs/concepts/containers/images/#specifying-imagepullsecrets-on-a-pod"
)
_ROUTES: Final = frozenset({"HTTPRoute", "GRPCRoute", "TLSRoute"})
_APART: Final = frozenset({"sealedSecret", "externalSecret", "image"})
_LONGEST: Final = 4096
_DEEPEST: Final = 20
_DOTS: Final = 2
"""Dots of a host that has a label for an environment."""
_WORD: Final = patterns.lazy(r"[a-z0-9-]+")
_DASH: Final = patterns.lazy("-")
# Hosts of URLs, and names that are nothing but a host.
_HOST: Final = patterns.lazy(
    r"(?:://(?:[^/@\s]{1,200}@)?|^)([a-z0-9.-]{1,253})(?=[:/?#\s]|$)", re.MULTILINE
)
_FILE: Final = patterns.lazy(r".*\.(?:ya?ml|json|toml|conf|env|txt|log|pem|crt|key)")

Keys = tuple[str | int, ...]


@rulebook.of_service("ENV012", "warning", source=_PULL, essential=True)
def no_pull_secret(service: views.Service) -> Iterator[rulebook.Hit]:
    """An environment whose pods name no pull secret although those of another do."""
    named = {
        release.environment: {
            name for manifest in release.objects for name in _pull_secrets(manifest)
        }
        for release in service.releases.values()
        if any(manifest.pod for manifest in release.objects)
    }
    others = [name for name, secrets in named.items() if secrets]
    for environment, secrets in named.items():
        if others and not secrets:
            facts = {"environment": environment, "others": ", ".join(others)}
            yield rulebook.Hit(service.releases[environment].value_place("imagePullSecrets"), facts)


@rulebook.of_service(
    "ENV013",
    "error",
    source="https://kubernetes.io/docs/concepts/services-networking/ingress/",
    essential=True,
)
def shared_host(service: views.Service) -> Iterator[rulebook.Hit]:
    """One host that two environments answer for."""
    first: dict[str, str] = {}
    for release in service.releases.values():
        for host, manifest in _hosts(release).items():
            other = first.setdefault(host, release.environment)
            if other != release.environment:
                facts = {"host": host[:200], "environment": release.environment, "other": other}
                together = environments.share_pods_cluster(
                    service.policy.environments[other], release.settings
                )
                severity: findings.Severity | None = None if together else "warning"
                yield rulebook.Hit(_written(release, host, manifest), facts, severity=severity)


@rulebook.of_release(
    "ENV014", "warning", source="deployment-policy.ko.md, Kubernetes 네임스페이스", essential=True
)
def elsewhere(release: views.Release) -> Iterator[rulebook.Hit]:
    """A value that names a namespace or a host of another environment."""
    others = release.service.project.shared.neighbours(release.environment)
    if not others.order:
        return
    values = {k: v for k, v in release.values.items() if k not in _APART}
    # All at once: hardly any release has such a word.
    if not _named(others, "\n".join(text[:_LONGEST] for text in _texts(values))):
        return
    for keys, value in _strings(values):
        words = _named(others, value[:_LONGEST])
        if words:
            word = min(words, key=others.order.__getitem__)
            other = others.namespaces.get(word) or others.labels[word]
            facts = {"key": ".".join(map(str, keys)), "word": word, "other": other}
            yield rulebook.Hit(release.service.value_place(release.values_file, keys), facts)


def _named(others: neighbours.Neighbours, text: str) -> set[str]:
    """The words of a text that are namespaces of other environments, or labels of their hosts."""
    # Looked up, not searched for one by one: it does not matter how many environments there are.
    lower = text.lower()
    words = others.namespaces.keys() & _WORD.findall(lower)
    return words | (others.labels.keys() & set(_ends_of_labels(lower)))


def _pull_secrets(manifest: views.Object) -> Iterator[str]:
    entries = None
    if manifest.kind == "ServiceAccount":
        entries = manifest.get("imagePullSecrets")
    elif manifest.pod is not None:
        entries = manifest.get(*manifest.pod, "imagePullSecrets")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("name"):
            yield str(entry["name"])


def _hosts(release: views.Release) -> dict[str, views.Object]:
    by_host: dict[str, views.Object] = {}
    for manifest in release.objects:
        hosts: list[Any] = []
        if manifest.kind == "Ingress":
            rules = manifest.get("spec", "rules")
            entries = rules if isinstance(rules, list) else ()
            hosts = [rule.get("host") for rule in entries if isinstance(rule, dict)]
        elif manifest.kind in _ROUTES:
            names = manifest.get("spec", "hostnames")
            hosts = names if isinstance(names, list) else []
        for host in hosts:
            if isinstance(host, str) and host:
                by_host.setdefault(host, manifest)
    return by_host


def _written(release: views.Release, host: str, manifest: views.Object) -> subjects.Place:
    """Where the environment's values have the host; the template where they do not."""
    keys_of_host = next((keys for keys, value in _strings(release.values) if value == host), None)
    if keys_of_host is None:
        return subjects.Place(manifest.template)
    return release.service.value_place(release.values_file, keys_of_host)


def _ends_of_labels(text: str) -> Iterator[str]:
    """The labels of hosts, and what stands at a label's end: ``dev`` of ``api-dev.example.com``."""
    if text.count(".") < _DOTS:
        return
    for match in _HOST.finditer(text):
        if match[1].count(".") >= _DOTS and not _FILE.fullmatch(match[1]):
            # The last label is a top-level domain, which is not called after an environment.
            for label in match[1].split(".")[:-1]:
                yield label
                yield from (label[dash.end() :] for dash in _DASH.finditer(label))


def _texts(values: Mapping[str, Any]) -> list[str]:
    """What :func:`_strings` gives, without its keys and in another order."""
    texts: list[str] = []
    level: list[Any] = [values]
    # A text may stand one level below the deepest list or mapping that is looked into.
    for _ in range(_DEEPEST + 2):
        texts += [value for value in level if isinstance(value, str)]
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += value.values()
            elif isinstance(value, list):
                below += value
        level = below
    return texts


def _strings(value: Any, pointer: Keys = ()) -> Iterator[tuple[Keys, str]]:
    if isinstance(value, str):
        yield pointer, value
    elif len(pointer) > _DEEPEST:
        return
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from _strings(below, (*pointer, str(key)))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _strings(below, (*pointer, index))
