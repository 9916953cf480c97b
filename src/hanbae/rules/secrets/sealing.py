"""SealedSecrets: bound to what the policy says, named as they are read, and made of sealed values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hanbae import errors, libyaml, subjects
from hanbae.rules import rulebook, scaffolds, views
from hanbae.rules.secrets import secret_readers
from hanbae.sealing import ciphertexts

_DOMAIN: Final = "sealedsecrets.bitnami.com"
# In the controller's order: cluster-wide wins where both are said.
_SCOPES: Final = ("cluster-wide", "namespace-wide")
_SCOPE_SOURCE: Final = "https://github.com/bitnami/sealed-secrets#scopes"
_FAULTS: Final = {
    "seal.not-base64": "base64",
    "seal.no-rsa-block": "block",
    "seal.cut-off": "short",
}
_SHORTEST: Final = 300
"""Characters of a text that can be a sealed value; what is shorter is told by its form already."""


@rulebook.of_release("SEC005", "error", source=_SCOPE_SOURCE, essential=False)
def scope(release: views.Release) -> Iterator[rulebook.Hit]:
    """A SealedSecret whose annotations say another scope than its values are sealed with."""
    expected = release.policy.secrets.scope
    for manifest in secret_readers.sealed(release):
        own = manifest.annotations
        actual = next(
            (name for name in _SCOPES if own.get(f"{_DOMAIN}/{name}") == "true"), "strict"
        )
        if actual == expected:
            continue
        facts = {"object": manifest.label, "scope": expected, "said": actual}
        template = manifest.get("spec", "template", "metadata", "annotations", default={})
        mistyped = next((name for name in _SCOPES if f"{_DOMAIN}/{name}" in own), None)
        variant = ""
        pointer: views.Pointer = ("metadata", "annotations")
        if actual == "strict" and mistyped is not None:
            variant, pointer = "value", (*pointer, f"{_DOMAIN}/{mistyped}")
        elif isinstance(template, dict) and f"{_DOMAIN}/{expected}" in template:
            variant, pointer = "template", ("spec", "template", "metadata", *pointer[1:])
        elif actual != "strict":
            pointer = (*pointer, f"{_DOMAIN}/{actual}")
        yield rulebook.Hit(views.On(manifest, pointer), facts, variant)


@rulebook.of_release("SEC006", "error", source=_SCOPE_SOURCE, essential=True)
def name_and_namespace(release: views.Release) -> Iterator[rulebook.Hit]:
    """A SealedSecret whose name or namespace is not the one that its values are bound to."""
    bound = release.policy.secrets.scope
    for manifest in secret_readers.sealed(release):
        facts = {"object": manifest.label}
        if bound != "cluster-wide" and manifest.namespace != release.namespace:
            part = views.On(manifest, ("metadata", "namespace"))
            yield rulebook.Hit(part, {**facts, "namespace": manifest.namespace}, "namespace")
        if (
            bound == "strict"
            and manifest.name != release.secret
            and _from_values(release, manifest)
        ):
            part = views.On(manifest, ("metadata", "name"), key=True)
            yield rulebook.Hit(part, {**facts, "name": release.secret}, "name")
        elif bound == "strict" and (name := _name_in_file(release, manifest)):
            part = views.On(manifest, ("metadata", "name"), key=True)
            yield rulebook.Hit(part, {**facts, "name": name}, "renamed")
        for field, own in (("name", manifest.name), ("namespace", manifest.namespace)):
            part = views.On(manifest, ("spec", "template", "metadata", field), key=True)
            actual = manifest.get(*part.pointer)
            if actual is not None and actual != own:
                more = {**facts, "field": field, "value": str(actual)[:80]}
                yield rulebook.Hit(part, more, "template", severity="warning")


def _name_in_file(release: views.Release, manifest: views.Object) -> str:
    """The name with which a manifest was sealed, where a kustomization gives it another; else empty."""
    if not release.service.kustomized:
        return ""
    own = secret_readers.ciphertexts(manifest)
    try:
        documents = list(libyaml.load_all(release.service.text(manifest.template) or ""))
    except libyaml.Fault:
        return ""
    for document in documents:
        if isinstance(document, dict) and document.get("kind") == "SealedSecret":
            written = views.Object(document, manifest.template, 0, manifest.namespace)
            if own and secret_readers.ciphertexts(written) == own:
                return written.name if written.name != manifest.name else ""
    return ""


def _from_values(release: views.Release, manifest: views.Object) -> bool:
    """Whether its values are those that ``hanbae secrets seal`` wrote for the service's Secret."""
    sealed = release.value("sealedSecret", "encryptedData", default={})
    if not isinstance(sealed, dict) or not sealed:
        return False
    own = set(map(str, secret_readers.ciphertexts(manifest).values()))
    return any(str(value) in own for value in sealed.values())


@rulebook.of_release(
    "SEC007",
    "error",
    source="https://github.com/bitnami/sealed-secrets/blob/main/docs/developer/crypto.md",
    essential=True,
)
def malformed(release: views.Release) -> Iterator[rulebook.Hit]:
    """A text among the sealed values that can be none."""
    for manifest in secret_readers.sealed(release):
        for key, value in secret_readers.ciphertexts(manifest).items():
            variant = _fault(value)
            if variant:
                facts = {"key": key, "secret": manifest.name}
                fix = "" if secret_readers.is_own(release, manifest) else "rule.sec007-fix-other"
                yield rulebook.Hit(
                    secret_readers.place(release, manifest, key), facts, variant, fix=fix
                )


def _fault(value: Any) -> str:
    if not isinstance(value, str):
        return "base64"
    try:
        ciphertexts.shape(value)
    except errors.WrongUse as error:
        return _FAULTS[error.text.id]
    return ""


@rulebook.of_service("SEC008", "error", source=_SCOPE_SOURCE, essential=True)
def copied(service: views.Service) -> Iterator[rulebook.Hit]:
    """One ciphertext in two places: it was copied, since sealing the same value twice never gives the same text."""
    first: dict[str, tuple[views.Release, views.Object, str]] = {}
    for release in service.releases.values():
        for manifest in secret_readers.sealed(release):
            for key, value in secret_readers.ciphertexts(manifest).items():
                if not isinstance(value, str) or len(value) < _SHORTEST:
                    continue
                before = first.setdefault(value, (release, manifest, key))
                if before[1] is not manifest or before[2] != key:
                    yield from _copy(before, (release, manifest, key))


def _copy(
    before: tuple[views.Release, views.Object, str], now: tuple[views.Release, views.Object, str]
) -> Iterator[rulebook.Hit]:
    release, manifest, key = now
    facts = {"key": key, "other": before[2]}
    fix = "" if secret_readers.is_own(release, manifest) else "rule.sec008-fix-other"
    origin = secret_readers.place(release, manifest, key)
    place = origin if isinstance(origin, subjects.Place) else _line(release, manifest, key)
    if before[0] is not release:
        facts |= {"environment": release.environment, "from": before[0].environment}
        if _bound(release, manifest) != _bound(before[0], before[1]):
            yield rulebook.Hit(place, facts, fix=fix)
    elif _bound(release, manifest) != _bound(release, before[1]):
        yield rulebook.Hit(place, facts, "secrets", fix=fix)
    else:
        yield rulebook.Hit(place, facts, "keys", severity="warning", fix=fix)


def _line(release: views.Release, manifest: views.Object, key: str) -> subjects.Place:
    """The line of a template on which a sealed value is written out; the template where it is on none."""
    value = str(secret_readers.ciphertexts(manifest).get(key))[:_SHORTEST]
    text = release.service.text(manifest.template) or ""
    start = text.find(value)
    return subjects.Place(manifest.template, text.count("\n", 0, start) + 1 if start >= 0 else 0)


def _bound(release: views.Release, manifest: views.Object) -> tuple[str, ...]:
    """What the policy's scope binds the values of a SealedSecret to."""
    scope = release.policy.secrets.scope
    if scope == "cluster-wide":
        return (str(release.value("sealedSecret", "certificate")),)
    return (
        (manifest.namespace,) if scope == "namespace-wide" else (manifest.namespace, manifest.name)
    )


@rulebook.of_release(
    "SEC009",
    "error",
    source="https://github.com/bitnami/sealed-secrets#managing-existing-secrets",
    essential=True,
)
def made_twice(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Secret that two objects of a release make."""
    for (_, name), every in secret_readers.producers(release).items():
        makers = [maker for maker in every if not secret_readers.adds(maker)]
        if len(makers) == 1:
            continue
        # The SealedSecret comes first, so that the other object is told.
        makers.sort(key=lambda maker: maker.kind != "SealedSecret")
        for other in makers[1:]:
            if other.kind == makers[0].kind:
                continue  # one object twice, which KUB030 tells
            facts = {"secret": name, "one": makers[0].kind, "other": other.kind}
            yield rulebook.Hit(views.On(other, ("metadata", "name"), key=True), facts)


@rulebook.of_release(
    "SEC010", "error", source="docs/adr/0001-migrations-run-as-sync-hooks.md", essential=False
)
def wave(release: views.Release) -> Iterator[rulebook.Hit]:
    """A SealedSecret, or an ExternalSecret where the policy has these, in another wave than the policy's."""
    expected = release.policy.secrets.wave
    external = secret_readers.external(release) if release.policy.secrets.are_external else ()
    for manifest in (*secret_readers.sealed(release), *external):
        if manifest.wave != expected:
            part = views.On(manifest, ("metadata", "annotations", "argocd.argoproj.io/sync-wave"))
            facts = {"object": manifest.label, "wave": str(manifest.wave), "wanted": str(expected)}
            facts["service"] = release.service.name
            is_upgraded = scaffolds.is_upgraded(release.service)
            fix = "rule.sec010-fix-upgrade" if is_upgraded else ""
            yield rulebook.Hit(part, facts, fix=fix)
