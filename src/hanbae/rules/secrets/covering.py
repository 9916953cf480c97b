"""What is read is sealed, and what is sealed is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hanbae import subjects
from hanbae.releases import external_secrets, needs
from hanbae.rules import rulebook, views
from hanbae.rules.kubernetes import shapes
from hanbae.rules.secrets import secret_readers

_BY_HAND: Final = frozenset({"pull", "tls"})
"""Secrets that a cluster's people or other operators make: not every release brings its own."""


@rulebook.of_release(
    "SEC001",
    "error",
    source="https://kubernetes.io/docs/concepts/configuration/secret/#using-a-secret",
    essential=True,
)
def secret_not_made(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Secret that pods read and that nothing in the repository makes."""
    if not (release.prepared or release.service.kustomized):
        return
    makers = secret_readers.producers(release)
    # What Argo CD does not apply is none of the model's.
    makes = needs.makes(release.objects) if release.model.ignored else release.model.makes
    operated = {
        (entry.by.namespace, entry.name)
        for entry in makes
        if entry.kind == "Secret" and entry.origin != "external"
    }
    missing: dict[secret_readers.Name, list[secret_readers.Read]] = {}
    for read in secret_readers.reads(release):
        absent = read.secret not in makers and read.secret not in operated
        if absent and not read.optional and read.way not in _BY_HAND:
            missing.setdefault(read.secret, []).append(read)
    for (namespace, name), reads in missing.items():
        own = (namespace, name) == (release.namespace, release.secret)
        if not own and (
            name in release.service.project.shared.overlay_secrets
            or release.once(_makes_some_itself)
        ):
            continue
        facts = {"secret": name, "objects": _labels(reads)}
        on = views.On(reads[0].place.object, reads[0].place.pointer, key=True)
        if own:
            facts["arguments"] = secret_readers.arguments(_keys_by_name(release, reads))
        if own and release.policy.secrets.are_external:
            yield rulebook.Hit(on, facts, variant="external", fix="rule.sec001-fix-external")
        elif own and not release.service.kustomized and _seals(release):
            part: Any = release.value_place("sealedSecret", "encryptedData")
            yield rulebook.Hit(part, facts)
        else:
            fix = "" if own else "rule.sec001-fix-other"
            yield rulebook.Hit(on, facts, variant="other", severity="warning", fix=fix)
    yield from _unmounted(release, makers)


def _unmounted(
    release: views.Release, makers: Mapping[secret_readers.Name, list[views.Object]]
) -> Iterator[rulebook.Hit]:
    """Secrets of a SecretProviderClass that no pod mounts: its driver makes them only while one does."""
    for (_, name), classes in makers.items():
        if any(maker.kind != secret_readers.CLASS for maker in classes):
            continue
        reads = [read for read in secret_readers.reads(release) if read.secret[1] == name]
        needed = [read for read in reads if not read.optional and read.way not in _BY_HAND]
        if needed and not any(secret_readers.is_mounted(release, maker) for maker in classes):
            facts = {"secret": name, "objects": _labels(needed), "class": classes[0].name}
            on = views.On(needed[0].place.object, needed[0].place.pointer, key=True)
            yield rulebook.Hit(on, facts, "unmounted", fix="rule.sec001-fix-unmounted")


def _seals(release: views.Release) -> bool:
    """Whether a release would seal its own Secret: a chart that hanbae did not lay says so by its values."""
    return release.service.project.policy.profile != "essential" or "sealedSecret" in release.values


def _makes_some_itself(release: views.Release) -> bool:
    """Whether the release gives one of its programs the right to make Secrets, of which nothing says the names."""
    return any(
        _covers(rule, "resources", "secrets") and _covers(rule, "verbs", "create")
        for role in release.of_kind("Role", "ClusterRole")
        for _, rule in shapes.entries(role.get("rules"))
    )


def _covers(rule: Mapping[str, Any], field: str, word: str) -> bool:
    words = rule.get(field)
    return isinstance(words, list) and (word in words or "*" in words)


def _keys_by_name(release: views.Release, reads: Iterable[secret_readers.Read]) -> Iterator[str]:
    """The keys of the service's own Secret that are read by name."""
    yield from (read.key for read in reads if read.key)
    yield from (database.url_key for database in release.databases)


def _labels(reads: Iterable[secret_readers.Read]) -> str:
    return ", ".join(dict.fromkeys(read.place.object.label for read in reads))


@rulebook.of_release(
    "SEC002",
    "error",
    source="https://kubernetes.io/docs/concepts/configuration/secret/#using-secrets-as-environment-variables",
    essential=True,
)
def key_not_sealed(release: views.Release) -> Iterator[rulebook.Hit]:
    """A key that is read of a Secret that does not have it."""
    if not (release.prepared or release.service.kustomized):
        return
    makers_of = secret_readers.producers(release)
    if not makers_of:
        return
    has = {name: secret_readers.keys(makers, name[1]) for name, makers in makers_of.items()}
    missing: dict[tuple[secret_readers.Name, str], list[secret_readers.Read]] = {}
    for read in secret_readers.reads(release):
        keys = has.get(read.secret)
        if keys is not None and read.key is not None and not read.optional and read.key not in keys:
            missing.setdefault((read.secret, read.key), []).append(read)
    own = (release.namespace, release.secret)
    sealed_in_values = bool(release.value("sealedSecret", "encryptedData"))
    for (secret, key), reads in missing.items():
        part: Any = reads[0].place
        if secret == own and sealed_in_values:
            part = release.value_place("sealedSecret", "encryptedData")
        facts = {"key": key, "secret": secret[1], "objects": _labels(reads)}
        makers = makers_of[secret]
        if all(maker.kind == external_secrets.KIND for maker in makers):
            facts["maker"] = makers[0].label
            part = views.On(makers[0], ("spec", "data"))
            yield rulebook.Hit(part, facts, "external", fix="rule.sec002-fix-external")
            continue
        fix = "" if secret == own else "rule.sec002-fix-other"
        yield rulebook.Hit(part, facts, fix=fix)
    keys = has.get(own)
    for database in release.databases:
        key = database.url_key
        if keys is not None and key not in keys and (own, key) not in missing:
            place = release.value_place("migration", "databases")
            facts = {"key": key, "secret": own[1], "database": database.name}
            is_external = makers_of[own][0].kind == external_secrets.KIND
            fix = "rule.sec002-fix-external" if is_external else ""
            facts |= {"maker": makers_of[own][0].label} if fix else {}
            yield rulebook.Hit(place, facts, variant="database", fix=fix)


@rulebook.of_service("SEC019", "warning", source="docs: hanbae secrets verify", essential=True)
def sealed_elsewhere(service: views.Service) -> Iterator[rulebook.Hit]:
    """A key that is sealed in other environments and not in this one: mostly one that was forgotten on the way.

    Only environments in which something is sealed are compared; of the others SEC001 says it.
    """
    sealed: dict[str, frozenset[str]] = {}
    referring: dict[str, views.Object] = {}
    for environment, release in service.releases.items():
        own = (release.namespace, release.secret)
        makers = [
            manifest
            for manifest in secret_readers.producers(release).get(own, ())
            if manifest.kind in {"SealedSecret", external_secrets.KIND}
        ]
        keys = _compared(makers)
        if keys:
            sealed[environment] = keys
        if makers and makers[0].kind == external_secrets.KIND:
            referring[environment] = makers[0]
    everywhere = frozenset().union(*sealed.values())
    for environment, own_keys in sealed.items():
        release = service.releases[environment]
        maker = referring.get(environment)
        for key in sorted(everywhere - own_keys - _required(release)):
            has = ", ".join(name for name, others in sealed.items() if key in others)
            facts = {"key": key, "has": has, "environment": environment, "service": service.name}
            if maker is None:
                place = release.value_place("sealedSecret", "encryptedData")
                yield rulebook.Hit(place, facts)
            else:
                facts |= {"maker": maker.label, "secret": release.secret}
                place = subjects.Place(maker.template)
                yield rulebook.Hit(place, facts, "external", fix="rule.sec002-fix-external")


def _compared(makers: Iterable[views.Object]) -> frozenset[str]:
    """The keys that are sealed, or referred to by name."""
    names: set[str] = set()
    for manifest in makers:
        if manifest.kind == external_secrets.KIND:
            names |= external_secrets.keys(manifest.data) or frozenset()
        else:
            names |= secret_readers.ciphertexts(manifest).keys()
    return frozenset(names)


def _required(release: views.Release) -> frozenset[str]:
    """The keys of a service's own Secret that SEC002 asks for."""
    own = (release.namespace, release.secret)
    reads = secret_readers.reads(release)
    named = {read.key for read in reads if read.secret == own and read.key and not read.optional}
    return frozenset({*named, *(database.url_key for database in release.databases)})


@rulebook.of_release(
    "SEC003",
    "notice",
    source="https://github.com/bitnami/sealed-secrets#update-existing-secrets",
    essential=False,
)
def key_not_read(release: views.Release) -> Iterator[rulebook.Hit]:
    """A sealed value that no pod reads: mostly what a renamed key has left behind."""
    read: dict[secret_readers.Name, set[str | None]] = {}
    makers = [*secret_readers.sealed(release), *secret_readers.external(release)]
    if not makers:
        return
    for reading_ in secret_readers.reads(release):
        read.setdefault(reading_.secret, set()).add(reading_.key)
    migrated = {database.url_key for database in release.databases}
    for manifest in makers:
        secret = _secret(manifest)
        keys = read.get((manifest.namespace, secret))
        if keys is None and not _mentioned(release, secret):
            part = views.On(manifest, ("metadata", "name"), key=True)
            yield rulebook.Hit(part, {"secret": secret}, "secret")
        # None among them: somebody reads all keys.
        if keys is None or None in keys:
            continue
        for key in secret_readers.keys([manifest], secret) or ():
            if key not in keys and key not in migrated:
                facts = {"key": key, "secret": secret}
                yield rulebook.Hit(secret_readers.place(release, manifest, key), facts)


def _secret(manifest: views.Object) -> str:
    is_external = manifest.kind == external_secrets.KIND
    return external_secrets.secret(manifest.data) if is_external else manifest.name


def _mentioned(release: views.Release, name: str) -> bool:
    """Whether any other object has the name as one of its texts: operators read Secrets in fields of their own."""
    waiting: list[Any] = [
        manifest.data
        for manifest in release.objects
        if manifest.kind not in {"SealedSecret", "Secret", external_secrets.KIND}
    ]
    while waiting:
        document = waiting.pop()
        if isinstance(document, dict):
            waiting.extend(value for key, value in document.items() if key != "metadata")
        elif isinstance(document, list):
            waiting.extend(document)
        elif document == name:
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
    essential=True,
)
def type_and_keys(release: views.Release) -> Iterator[rulebook.Hit]:
    """A type of Secret without the keys that it must have, and a pull secret of another type."""
    makers = [*secret_readers.sealed(release), *secret_readers.external(release)]
    if not makers:
        return
    pulled = {read.secret for read in secret_readers.reads(release) if read.way == "pull"}
    for manifest in makers:
        if secret_readers.adds(manifest):
            continue  # to a Secret whose type something else has said
        is_external = manifest.kind == external_secrets.KIND
        path = (
            ("spec", "target", "template", "type") if is_external else ("spec", "template", "type")
        )
        kind = str(manifest.get(*path) or "Opaque")
        secret = _secret(manifest)
        keys = secret_readers.keys([manifest], secret)
        part = views.On(manifest, path)
        facts = {"secret": secret, "type": kind}
        if (manifest.namespace, secret) in pulled and kind not in _PULLS:
            yield rulebook.Hit(part, facts, variant="pull")
            continue
        for key in _NEEDED.get(kind, ()):
            if keys is not None and key not in keys:
                yield rulebook.Hit(part, {**facts, "key": key})
