"""What is read is sealed, and what is sealed is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from hanbae.rules import rulebook, views
from hanbae.rules.secrets import reading

_BY_HAND: Final = frozenset({"pull", "tls"})
"""Secrets that a cluster's people or other operators make: not every release brings its own."""
_KIND: Final = re.compile(r"^kind:\s*\w*Secret\s*$", re.MULTILINE)
_NAME: Final = re.compile(r"^\s+name:\s*[\"']?([a-z0-9.-]+)", re.MULTILINE)


@rulebook.of_release(
    "SEC001",
    "error",
    source="https://kubernetes.io/docs/concepts/configuration/secret/#using-a-secret",
)
def secret_not_made(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Secret that pods read and that nothing in the repository makes."""
    if not release.prepared:
        return
    made = reading.made(release)
    missing: dict[reading.Name, list[reading.Read]] = {}
    for read in reading.reads(release):
        if read.secret not in made and not read.optional and read.way not in _BY_HAND:
            missing.setdefault(read.secret, []).append(read)
    for (namespace, name), found in missing.items():
        own = (namespace, name) == (release.namespace, release.secret)
        if not own and name in _of_overlays(release):
            continue
        facts = {"secret": name, "objects": _labels(found)}
        if own:
            at: Any = release.value_place("sealedSecret", "encryptedData")
            yield rulebook.Hit(at, facts)
        else:
            on = views.On(found[0].at.object, found[0].at.pointer, key=True)
            yield rulebook.Hit(on, facts, variant="other", severity="warning")


def _of_overlays(release: views.Release) -> frozenset[str]:
    """Names of the Secrets that files beside the overlays make; read only when something is missing."""
    folders = {
        each.overlay.partition("/")[0]
        for each in release.policy.environments.values()
        if each.overlay
    }
    found: set[str] = set()
    for folder in folders:
        for path in release.service.project.tree.files(folder):
            if path.endswith((".yaml", ".yml")):
                found |= _secrets(release.service.text(path) or "")
    return frozenset(found)


def _secrets(text: str) -> set[str]:
    documents = re.split(r"^---.*$", text, flags=re.MULTILINE)
    return {name for each in documents if _KIND.search(each) for name in _NAME.findall(each)}


def _labels(found: Iterable[reading.Read]) -> str:
    return ", ".join(dict.fromkeys(read.at.object.label for read in found))


@rulebook.of_release(
    "SEC002",
    "error",
    source="https://kubernetes.io/docs/concepts/configuration/secret/#using-secrets-as-environment-variables",
)
def key_not_sealed(release: views.Release) -> Iterator[rulebook.Hit]:
    """A key that is read of a Secret that does not have it."""
    if not release.prepared:
        return
    made = reading.made(release)
    if not made:
        return
    has = {name: reading.keys(makers) for name, makers in made.items()}
    missing: dict[tuple[reading.Name, str], list[reading.Read]] = {}
    for read in reading.reads(release):
        known = has.get(read.secret)
        if (
            known is not None
            and read.key is not None
            and not read.optional
            and read.key not in known
        ):
            missing.setdefault((read.secret, read.key), []).append(read)
    own = (release.namespace, release.secret)
    sealed_in_values = bool(release.value("sealedSecret", "encryptedData"))
    for (secret, key), found in missing.items():
        at: Any = found[0].at
        if secret == own and sealed_in_values:
            at = release.value_place("sealedSecret", "encryptedData")
        yield rulebook.Hit(at, {"key": key, "secret": secret[1], "objects": _labels(found)})
    known = has.get(own)
    for database in release.databases:
        key = database.url_key
        if known is not None and key not in known and (own, key) not in missing:
            place = release.value_place("migration", "databases")
            facts = {"key": key, "secret": own[1], "database": database.name}
            yield rulebook.Hit(place, facts, variant="database")


@rulebook.of_release(
    "SEC003",
    "notice",
    source="https://github.com/bitnami/sealed-secrets#update-existing-secrets",
)
def key_not_read(release: views.Release) -> Iterator[rulebook.Hit]:
    """A sealed value that no pod reads: mostly what a renamed key has left behind."""
    read: dict[reading.Name, set[str | None]] = {}
    sealed = list(reading.sealed(release))
    if not sealed:
        return
    for one in reading.reads(release):
        read.setdefault(one.secret, set()).add(one.key)
    migrated = {database.url_key for database in release.databases}
    for each in sealed:
        name = (each.namespace, each.name)
        wanted = read.get(name)
        if wanted is None and not _mentioned(release, each.name):
            yield rulebook.Hit(
                views.On(each, ("metadata", "name"), key=True), {"secret": each.name}, "secret"
            )
        if wanted is None or None in wanted:
            continue
        for key in reading.ciphertexts(each):
            if key not in wanted and key not in migrated:
                facts = {"key": key, "secret": each.name}
                yield rulebook.Hit(reading.place(release, each, key), facts)


def _mentioned(release: views.Release, name: str) -> bool:
    """Whether any other object has the name as one of its texts: operators read Secrets in fields of their own."""
    waiting: list[Any] = [
        each.data for each in release.objects if each.kind not in {"SealedSecret", "Secret"}
    ]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, dict):
            waiting.extend(value for key, value in thing.items() if key != "metadata")
        elif isinstance(thing, list):
            waiting.extend(thing)
        elif thing == name:
            return True
    return False


_NEEDED: Final = {
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_PULLS: Final = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")


@rulebook.of_release(
    "SEC004",
    "error",
    source="https://kubernetes.io/docs/concepts/configuration/secret/#secret-types",
)
def type_and_keys(release: views.Release) -> Iterator[rulebook.Hit]:
    """A type of Secret without the keys that it must have, and a pull secret of another type."""
    sealed = list(reading.sealed(release))
    if not sealed:
        return
    pulled = {read.secret for read in reading.reads(release) if read.way == "pull"}
    for each in sealed:
        kind = str(each.get("spec", "template", "type") or "Opaque")
        known = reading.keys([each]) or frozenset()
        at = views.On(each, ("spec", "template", "type"))
        facts = {"secret": each.name, "type": kind}
        if (each.namespace, each.name) in pulled and kind not in _PULLS:
            yield rulebook.Hit(at, facts, variant="pull")
            continue
        for key in _NEEDED.get(kind, ()):
            if key not in known:
                yield rulebook.Hit(at, {**facts, "key": key})
