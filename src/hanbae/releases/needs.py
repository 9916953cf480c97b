"""What the pods of a release need in their namespace, and what the release makes there."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hanbae import patterns
from hanbae.releases import external_secrets, parts
from hanbae.releases.objects import Object, On, Pointer

PLAIN_KINDS: Final = frozenset(
    [
        *(
            "Pod",
            "Deployment",
            "StatefulSet",
            "DaemonSet",
            "ReplicaSet",
            "Rollout",
            "Job",
            "CronJob",
        ),
        *("Secret", "ConfigMap", "ServiceAccount", "Service", "Ingress", "NetworkPolicy", "Role"),
        *(
            "RoleBinding",
            "ClusterRole",
            "ClusterRoleBinding",
            "HorizontalPodAutoscaler",
            "Namespace",
        ),
        *("PodDisruptionBudget", "PersistentVolumeClaim", "SealedSecret", "ServiceMonitor"),
    ]
)
"""Kinds that make nothing but what they are and their pods: no name in them is that of an object made of it."""

_REFERENCES: Final[Mapping[str, tuple[str, str]]] = {
    "secretKeyRef": ("Secret", "name"),
    "configMapKeyRef": ("ConfigMap", "name"),
    "secretRef": ("Secret", "name"),
    "configMapRef": ("ConfigMap", "name"),
}
_VOLUMES: Final[Mapping[str, tuple[str, str]]] = {
    "secret": ("Secret", "secretName"),
    "configMap": ("ConfigMap", "name"),
    "persistentVolumeClaim": ("PersistentVolumeClaim", "claimName"),
}
_KEYS: Final[Mapping[str, tuple[Pointer, ...]]] = {
    "Secret": (("data",), ("stringData",)),
    "ConfigMap": (("data",), ("binaryData",)),
    "SealedSecret": (
        ("spec", "encryptedData"),
        ("spec", "template", "data"),
        ("spec", "template", "stringData"),
    ),
}
_TOKEN: Final = "kubernetes.io/service-account-token"  # noqa: S105 - a type of Secret
_OF_OPERATORS: Final[Mapping[tuple[str, str], tuple[Pointer, frozenset[str]]]] = {
    ("cert-manager.io", "Certificate"): (
        ("spec", "secretName"),
        frozenset({"tls.crt", "tls.key", "ca.crt"}),
    ),
}
_MAKING_FLAGS: Final = frozenset({"secret-name", "secretName", "tls-secret-name"})
_CREATE: Final = "create secret "
"""What nearly no word has is looked for before the pattern."""
# The name is bounded by what the API server allows, 253 characters.
_CREATES: Final = patterns.lazy(
    r"\bcreate secret (?:generic|tls|docker-registry) [\"']?([a-z0-9][a-z0-9.-]{0,252})"
)
_LONGEST_ARGUMENT: Final = 20_000
_CNPG: Final = frozenset(
    [
        "username",
        "user",
        "password",
        "dbname",
        "host",
        "port",
        "uri",
        "jdbc-uri",
        "fqdn-uri",
        "fqdn-jdbc-uri",
        "pgpass",
    ]
)
"""Keys of the Secrets that CloudNativePG makes for a cluster's users."""


_Named = tuple[str, str, str, Pointer]
"""Kind, name and key of what a pod does not start without, and where it is named."""
_Output = tuple[str, str, frozenset[str] | None, parts.By]
"""Kind, name, keys and origin of what an object makes."""


def needs(objects: Iterable[Object]) -> tuple[parts.Need, ...]:
    """What pods do not start without; what is optional, and tokens that the cluster gives, are left out."""
    return tuple(
        parts.Need(kind, name, key, manifest.ref, On(manifest, pointer))
        for manifest in objects
        if manifest.pod is not None
        for kind, name, key, pointer in manifest.once(_named)
    )


def _named(manifest: Object) -> tuple[_Named, ...]:
    return tuple(_of_pod(manifest))


def _of_pod(manifest: Object) -> Iterator[_Named]:
    pod = manifest.pod or ()
    for location, _ in manifest.containers():
        for pointer, entry in _mappings(manifest, (*location, "env")):
            if isinstance(source := entry.get("valueFrom"), dict):
                yield from _referred(manifest, (*pointer, "valueFrom"), source, key=True)
        for pointer, source in _mappings(manifest, (*location, "envFrom")):
            yield from _referred(manifest, pointer, source, key=False)
    for pointer, volume in _mappings(manifest, (*pod, "volumes")):
        yield from _mounted(manifest, pointer, volume)
        for inner, source in _mappings(manifest, (*pointer, "projected", "sources")):
            for field, (kind, _) in _VOLUMES.items():
                if isinstance(source.get(field), dict):
                    yield from _files(manifest, (*inner, field), kind, "name")
    for pointer, _ in _mappings(manifest, (*pod, "imagePullSecrets")):
        yield from _need(manifest, (*pointer, "name"), "Secret")
    yield from _need(manifest, (*pod, "serviceAccountName"), "ServiceAccount")


def _referred(
    manifest: Object, pointer: Pointer, source: Mapping[str, Any], *, key: bool
) -> Iterator[_Named]:
    for field, (kind, name) in _REFERENCES.items():
        reference = source.get(field)
        if isinstance(reference, dict) and reference.get("optional") is not True:
            own = str(reference.get("key") or "") if key else ""
            yield from _need(manifest, (*pointer, field, name), kind, own)


def _mounted(manifest: Object, pointer: Pointer, volume: Mapping[str, Any]) -> Iterator[_Named]:
    for field, (kind, name) in _VOLUMES.items():
        if isinstance(volume.get(field), dict):
            yield from _files(manifest, (*pointer, field), kind, name)


def _files(manifest: Object, pointer: Pointer, kind: str, name: str) -> Iterator[_Named]:
    if manifest.get(*pointer, "optional") is True:
        return
    # Without `items` the volume has whatever keys there are, so none of them is asked for.
    keys = [str(entry.get("key") or "") for _, entry in _mappings(manifest, (*pointer, "items"))]
    for key in keys or [""]:
        yield from _need(manifest, (*pointer, name), kind, key)


def _need(manifest: Object, pointer: Pointer, kind: str, key: str = "") -> Iterator[_Named]:
    name = manifest.get(*pointer)
    # Kubernetes makes the ServiceAccount `default` in every namespace.
    if isinstance(name, str) and name and (kind, name) != ("ServiceAccount", "default"):
        yield kind, name, key, pointer


def makes(objects: Iterable[Object]) -> tuple[parts.Product, ...]:
    """What the objects make in their namespace, themselves or through an operator."""
    return tuple(
        parts.Product(kind, name, keys, manifest.ref, origin)
        for manifest in objects
        for kind, name, keys, origin in manifest.once(_outputs)
    )


def _outputs(manifest: Object) -> tuple[_Output, ...]:
    return tuple(_makes(manifest))


def _makes(manifest: Object) -> Iterator[_Output]:
    kind = manifest.kind
    if kind in ("Secret", "ConfigMap"):
        is_token = manifest.get("type") == _TOKEN
        # Kubernetes fills such a Secret in after it has been created.
        keys = None if is_token else _keys(manifest)
        yield kind, manifest.name, keys, "operator" if is_token else "object"
    elif kind in ("PersistentVolumeClaim", "ServiceAccount"):
        yield kind, manifest.name, frozenset(), "object"
    elif kind == "SealedSecret":
        # The controller ignores the name that the template has, and calls the Secret like this object.
        yield "Secret", manifest.name, _keys(manifest), "sealed"
    elif kind == external_secrets.KIND:
        if external_secrets.policy(manifest.data) != "None":
            name = external_secrets.secret(manifest.data)
            keys = external_secrets.keys(manifest.data)
            yield "Secret", name, keys, "external"
    elif kind == "SecretProviderClass":
        for _, entry in _mappings(manifest, ("spec", "secretObjects")):
            data = entry.get("data")
            keys = frozenset(
                str(item.get("key"))
                for item in (data if isinstance(data, list) else ())
                if isinstance(item, dict)
            )
            yield "Secret", str(entry.get("secretName")), keys, "external"
    elif kind == "Job":
        for name in _told_to_make(manifest):
            yield "Secret", name, None, "operator"
    else:
        yield from _operated(manifest)


def _told_to_make(manifest: Object) -> Iterator[str]:
    """Names of the Secrets that a Job's arguments have it make, as those that issue webhooks' certificates do."""
    for _, container in manifest.containers():
        words = [
            word
            for field in ("command", "args")
            for word in _texts(container.get(field))
            if len(word) <= _LONGEST_ARGUMENT
        ]
        # `--secret-name=NAME` and `--secret-name NAME`; the last word gets an empty one behind it.
        for word, following in itertools.pairwise([*words, ""]):
            flag, equals, value = word.partition("=")
            if flag.lstrip("-") in _MAKING_FLAGS and flag.startswith("-"):
                yield value if equals else following
            if _CREATE in word:
                yield from (match[1] for match in _CREATES.finditer(word))


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _operated(manifest: Object) -> Iterator[_Output]:
    """What other controllers make up for an object of theirs."""
    group = manifest.api_version.partition("/")[0]
    entry = _OF_OPERATORS.get((group, manifest.kind))
    if entry is not None:
        name = manifest.get(*entry[0])
        if isinstance(name, str):
            yield "Secret", name, entry[1], "operator"
    elif (group, manifest.kind) == ("postgresql.cnpg.io", "Cluster"):
        for end in ("app", "superuser"):
            yield "Secret", f"{manifest.name}-{end}", _CNPG, "operator"


def _keys(manifest: Object) -> frozenset[str]:
    sections = (manifest.get(*pointer) for pointer in _KEYS[manifest.kind])
    return frozenset(str(key) for part in sections if isinstance(part, dict) for key in part)


def _mappings(manifest: Object, pointer: Pointer) -> Iterator[tuple[Pointer, dict[str, Any]]]:
    value = manifest.get(*pointer)
    for index, entry in enumerate(value if isinstance(value, list) else ()):
        if isinstance(entry, dict):
            yield (*pointer, index), entry
