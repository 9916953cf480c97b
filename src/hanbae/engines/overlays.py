"""Applies the objects of an overlay on the API server's side, and has it say first what that would do.

The order is that of ``kubectl apply -k``: what others need, Namespaces and definitions of kinds, comes first.
Nothing is deleted: what was taken out of an overlay stays until a person deletes it.
Each object is applied whole or not at all, and applying it again changes nothing, so that one that was interrupted is
ended by beginning it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, foreign_json, subjects, wording
from hanbae.clusters import answers, connections, discovering, kinds, reading, watching, writing

MANAGER: Final = writing.MANAGER
"""Under which name the API server files what is applied."""

_DEFINITION: Final = kinds.Kind(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)
_FIRST: Final = ("Namespace", _DEFINITION.kind)
_AT_ONCE: Final = 8
_SERVED_WITHIN: Final = 30.0
"""Seconds within which an API server serves a kind that was just defined."""


class Tried(Struct, frozen=True):
    """What the API server says of one object in a dry run.

    Attributes:
        ref: The object.
        before: What is there; None where nothing is.
        after: What would be there; None where that is refused.
        is_sent: Whether the API server was asked: not about what needs a Namespace or a kind of the same overlay.
        conflict: Which fields somebody else manages with another value, in the server's words; None where none.
        refusal: Why it would be refused; None where it would not.
    """

    ref: subjects.Ref
    before: kinds.Object | None
    after: kinds.Object | None
    is_sent: bool = True
    conflict: wording.Text | None = None
    refusal: wording.Text | None = None


class Stored(Struct, frozen=True):
    """One object that was applied.

    Attributes:
        ref: The object.
        before: What was there; None where nothing was.
        after: What is there.
    """

    ref: subjects.Ref
    before: kinds.Object | None
    after: kinds.Object


def ordered(manifests: Iterable[kinds.Object]) -> tuple[kinds.Object, ...]:
    """The objects in the order in which they are applied."""

    def rank(manifest: kinds.Object) -> int:
        kind = manifest.get("kind")
        return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)

    # The sort is stable: the rest stays in the overlay's own order.
    return tuple(sorted(manifests, key=rank))


async def tried(
    cluster: connections.Cluster, manifests: Sequence[kinds.Object]
) -> tuple[Tried, ...]:
    """What the API server says to each object, without storing anything.

    Raises:
        hanbae.errors.Forbidden: This identity may not read or apply one of them.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    defined = _defined(manifests)
    spaces = {_name(item) for item in manifests if item.get("kind") == "Namespace"}
    # A dry run stores nothing, so the API server would refuse objects in a Namespace that only this
    # overlay creates.
    missing = {name for name in spaces if not await reading.get(cluster, kinds.NAMESPACE, "", name)}
    served = await _served(cluster, manifests)
    free = asyncio.Semaphore(_AT_ONCE)

    async def dry_run(manifest: kinds.Object) -> Tried:
        async with free:
            key = str(manifest.get("apiVersion")), str(manifest.get("kind"))
            kind = served[key]
            ref = _ref(manifest)
            if kind is None:
                if key in defined:
                    return Tried(ref, None, manifest, is_sent=False)
                facts = {"object": str(ref), "api_version": key[0], "kind": key[1]}
                refusal = wording.Text("overlay.unknown-kind", facts)
                return Tried(ref, None, None, is_sent=False, refusal=refusal)
            if fault := _unplaced(manifest, kind):
                return Tried(ref, None, None, is_sent=False, refusal=fault)
            if kind.namespaced and ref.namespace in missing:
                return Tried(ref, None, manifest, is_sent=False)
            return await _dry(cluster, kind, ref, manifest)

    return tuple(await asyncio.gather(*map(dry_run, ordered(manifests))))


async def apply(
    cluster: connections.Cluster, manifests: Sequence[kinds.Object], *, force: bool
) -> AsyncGenerator[Stored]:
    """Apply the objects, one after the other; each is yielded once the API server has stored it.

    Args:
        cluster: The cluster.
        manifests: The objects.
        force: Take fields from whoever manages them with another value.

    Raises:
        hanbae.errors.Failed: A kind that was defined is not served.
        hanbae.errors.Refused: The API server refused an object; those before it are applied.
        hanbae.errors.Unreachable: Whether the object was applied is not known; those before it are.
    """
    defined = _defined(manifests)
    served: dict[tuple[str, str], kinds.Kind | None] = {}
    for manifest in ordered(manifests):
        key = str(manifest.get("apiVersion")), str(manifest.get("kind"))
        if key not in served:
            # Prefer the overlay's own definition: discovery may lag behind a kind that was
            # just established.
            served[key] = defined.get(key) or await discovering.kind(cluster, *key)
        kind, ref = served[key], _ref(manifest)
        if kind is None:
            facts = {"object": str(ref), "api_version": key[0], "kind": key[1]}
            raise errors.Refused("overlay.unknown-kind", place=None, **facts)
        if fault := _unplaced(manifest, kind):
            raise errors.Refused.saying(fault)
        before = await reading.get(cluster, kind, ref.namespace, ref.name)
        after = await writing.apply(cluster, kind, manifest, force=force)
        if kind.kind == _DEFINITION.kind:
            await _established(cluster, ref.name)
        yield Stored(ref, before, after)


async def _dry(
    cluster: connections.Cluster, kind: kinds.Kind, ref: subjects.Ref, manifest: kinds.Object
) -> Tried:
    before = await reading.get(cluster, kind, ref.namespace, ref.name)
    conflict = None
    try:
        try:
            after = await writing.apply(cluster, kind, manifest, dry=True)
        except answers.Conflict as error:
            facts = {"object": str(ref), "message": str(error.text.facts.get("message", ""))}
            conflict = wording.Text("overlay.conflict", facts)
            # With force the rest of the change shows beside the conflict; a dry run takes no field.
            after = await writing.apply(cluster, kind, manifest, dry=True, force=True)
    except errors.Refused as error:
        return Tried(ref, before, None, conflict=conflict, refusal=error.text)
    return Tried(ref, before, after, conflict=conflict)


async def _served(
    cluster: connections.Cluster, manifests: Sequence[kinds.Object]
) -> dict[tuple[str, str], kinds.Kind | None]:
    keys = dict.fromkeys((str(item.get("apiVersion")), str(item.get("kind"))) for item in manifests)
    answers_ = await asyncio.gather(*(discovering.kind(cluster, *key) for key in keys))
    return dict(zip(keys, answers_, strict=True))


def _defined(manifests: Iterable[kinds.Object]) -> dict[tuple[str, str], kinds.Kind]:
    """``apiVersion`` and kind → what definitions among the objects make of it."""
    by_key = {}
    for manifest in manifests:
        if manifest.get("kind") != _DEFINITION.kind:
            continue
        spec = foreign_json.below(manifest, "spec")
        names = foreign_json.below(spec, "names")
        for version in foreign_json.mappings(spec.get("versions")):
            kind = kinds.Kind(
                str(spec.get("group")),
                str(version.get("name")),
                str(names.get("plural")),
                str(names.get("kind")),
                namespaced=spec.get("scope") != "Cluster",
            )
            by_key[kind.api_version, kind.kind] = kind
    return by_key


def _unplaced(manifest: kinds.Object, kind: kinds.Kind) -> wording.Text | None:
    """Why it is not known which object is meant: it has no name, or no namespace but that of whoever applies it."""
    if not _name(manifest):
        return wording.Text("overlay.no-name", {"kind": kind.kind})
    if kind.namespaced and not _ref(manifest).namespace:
        return wording.Text("overlay.no-namespace", {"object": str(_ref(manifest))})
    return None


async def _established(cluster: connections.Cluster, name: str) -> None:
    """Wait until the API server serves a kind that was defined.

    Raises:
        hanbae.errors.Failed: It does not.
    """
    try:
        async with asyncio.timeout(_SERVED_WITHIN):
            # A watch begins with what is there, so a definition that is established already
            # is seen at once.
            stream = watching.watch(
                cluster, _DEFINITION, None, field_selector=f"metadata.name={name}"
            )
            async with aclosing(stream):
                async for version in stream:
                    status = foreign_json.below(version.object, "status")
                    for condition in foreign_json.mappings(status.get("conditions")):
                        if (condition.get("type"), condition.get("status")) == (
                            "Established",
                            "True",
                        ):
                            return
    except TimeoutError:
        facts = {"definition": name, "seconds": f"{_SERVED_WITHIN:g}"}
        raise errors.Failed("overlay.not-served", place=None, **facts) from None


def _ref(manifest: Mapping[str, Any]) -> subjects.Ref:
    metadata = foreign_json.below(manifest, "metadata")
    namespace = str(metadata.get("namespace") or "")
    return subjects.Ref(str(manifest.get("kind")), namespace, _name(manifest))


def _name(manifest: Mapping[str, Any]) -> str:
    return str(foreign_json.below(manifest, "metadata").get("name") or "")
