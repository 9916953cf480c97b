"""The variables of a container: which have a value that may be read by anybody, and which hold a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae import patterns, wording
from hanbae.local.composition import Part, SecretKey
from hanbae.releases import shells, variables

_NAME: Final = patterns.lazy(r"[A-Za-z_][A-Za-z0-9_.-]*")
_LABEL: Final = patterns.lazy(r"metadata\.(labels|annotations)\['([^']+)'\]")


class Pod(Struct, frozen=True):
    """What a container may ask of its own pod.

    Attributes:
        name: The name that stands for that of the pod.
        namespace: Its namespace.
        account: Its ServiceAccount.
        metadata: The metadata of the pod's template.
    """

    name: str
    namespace: str
    account: str
    metadata: Mapping[str, Any]


class Translated(Struct, frozen=True):
    """The variables of a container.

    Attributes:
        plain: Name → value.
        secret: Name → the parts of its value, at least one of them secret.
        whole: Secrets all of whose keys become variables, with what comes before the key.
        gaps: What cannot be said here.
    """

    plain: Mapping[str, str]
    secret: Mapping[str, tuple[Part, ...]]
    whole: tuple[tuple[str, str], ...]
    gaps: tuple[wording.Text, ...]


def of(container: Mapping[str, Any], sources: variables.Sources, pod: Pod) -> Translated:
    """The variables of a container, expanded as the kubelet does it.

    Args:
        container: The container, whatever shape it has.
        sources: The namespace's ConfigMaps, and the keys of its Secrets as far as they are known.
        pod: Its pod.
    """
    own = variables.Variables(container, sources)
    plain: dict[str, str] = {}
    secret: dict[str, tuple[Part, ...]] = {}
    gaps: list[wording.Text] = []
    for name, entry in _names(container, sources).items():
        if not _NAME.fullmatch(name):
            gaps.append(wording.Text("local.gap-variable-name", {"variable": name}))
            continue
        value = _of_pod(entry, pod) if entry is not None else None
        parts = (value,) if value is not None else own.variable(name)
        if parts is None:
            continue
        if any(isinstance(part, variables.Unread) for part in parts):
            gaps.append(wording.Text("local.gap-variable", {"variable": name}))
            continue
        read = tuple(map(_part, parts))
        if any(isinstance(part, SecretKey) for part in read):
            secret[name] = read
        else:
            plain[name] = "".join(map(str, read))
    return Translated(plain, secret, tuple(_whole(container)), tuple(gaps))


def words(
    texts: Any, container: Mapping[str, Any], sources: variables.Sources
) -> tuple[tuple[str, ...] | None, bool]:
    """A command or its arguments with ``$(NAME)`` expanded; None where there are none.

    Returns:
        The words, and whether one of them would hold a secret, and so keeps its reference.
    """
    if not isinstance(texts, list) or not texts:
        return None, False
    own = variables.Variables(container, sources)
    result, is_secret = [], False
    for text in map(str, texts):
        value = own.value(shells.argument(text, own))
        if all(isinstance(part, str) for part in value):
            result.append("".join(map(str, value)))
        else:
            result.append(text)
            is_secret = True
    return tuple(result), is_secret


def _names(
    container: Mapping[str, Any], sources: variables.Sources
) -> dict[str, Mapping[str, Any] | None]:
    """The names in their order; with its entry for what ``env`` has, which goes before ``envFrom``."""
    names: dict[str, Mapping[str, Any] | None] = {}
    for source in _mappings(container.get("envFrom")):
        prefix = str(source.get("prefix") or "")
        config, secret = source.get("configMapRef"), source.get("secretRef")
        keys: Any = ()
        if isinstance(config, Mapping):
            keys = sources.config_maps.get(str(config.get("name")), ())
        elif isinstance(secret, Mapping):
            keys = sorted(sources.secrets.get(str(secret.get("name"))) or ())
        for key in keys:
            # The kubelet leaves out keys that are no names of variables.
            if _NAME.fullmatch(f"{prefix}{key}"):
                names[f"{prefix}{key}"] = None
    for entry in _mappings(container.get("env")):
        if "name" in entry:
            names[str(entry["name"])] = entry
    return names


def _whole(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for source in _mappings(container.get("envFrom")):
        secret = source.get("secretRef")
        if isinstance(secret, Mapping) and secret.get("name"):
            yield str(source.get("prefix") or ""), str(secret["name"])


def _of_pod(entry: Mapping[str, Any], pod: Pod) -> str | None:
    """What the pod says of itself; None for what it cannot say here."""
    source = entry.get("valueFrom")
    reference = source.get("fieldRef") if isinstance(source, Mapping) else None
    if not isinstance(reference, Mapping):
        return None
    path = str(reference.get("fieldPath") or "")
    own = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "spec.serviceAccountName": pod.account,
    }
    if path in own:
        return own[path]
    label = _LABEL.fullmatch(path)
    if label is None:
        return None
    entries = pod.metadata.get(label[1])
    return str(entries.get(label[2], "")) if isinstance(entries, Mapping) else ""


def _part(part: str | variables.Key | variables.Unread) -> Part:
    return SecretKey(part.secret, part.key) if isinstance(part, variables.Key) else str(part)


def _mappings(entries: Any) -> Iterator[Mapping[str, Any]]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping):
            yield entry
