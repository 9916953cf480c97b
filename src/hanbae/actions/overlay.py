"""``hanbae overlay``: an environment's platform layer, seen before it is applied, and applied."""

from __future__ import annotations

import posixpath
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from hanbae import errors, subjects, wording, workspaces
from hanbae.clusters import connections, kinds, reading
from hanbae.engines import overlays as engine
from hanbae.planning import differing, forecasting, immutability, manifests, predicting
from hanbae.policy import documents, naming
from hanbae.repository import services
from hanbae.results import overlays, plans
from hanbae.rules.kustomize import scanning

_WORDS: Final = str.maketrans({" ": "-", "_": "-"})


class Overlay(Struct, frozen=True):
    """The overlay of an environment at a commit, built.

    Attributes:
        environment: The environment.
        folder: Its folder.
        revision: The commit.
        policy: The policy.
        services: The services of the commit.
        objects: What Kustomize builds of it, in the order in which it is applied.
    """

    environment: str
    folder: str
    revision: str
    policy: documents.Policy
    services: tuple[str, ...]
    objects: tuple[kinds.Object, ...]


async def build(
    space: workspaces.Workspace, environment: str, *, revision: str | None = None
) -> Overlay:
    """Build the overlay of an environment.

    Args:
        space: The workspace.
        environment: The environment.
        revision: The commit; by default the head of the environment's branch, as the remote has it now.

    Raises:
        hanbae.errors.WrongUse: No such environment or commit, or there is no Kustomize here.
        hanbae.errors.FileFault: The policy names no overlay, the commit has none there, or it cannot be built.
        hanbae.errors.Unreachable: The remote did not answer.
    """
    settings = space.environment(environment)
    if not settings.overlay:
        place = space.loaded.place(f"environments.{environment}")
        raise errors.FileFault("overlay.none", place=place, environment=environment)
    folder = posixpath.normpath(settings.overlay)
    tree = space.checkout.revision(revision or await space.head(environment))
    if scanning.named(tree, folder) is None:
        facts = {"folder": folder, "revision": tree.commit[:12], "environment": environment}
        raise errors.FileFault("overlay.not-there", place=subjects.Place(folder), **facts)
    rendered, _ = await manifests.kustomized(tree, folder)
    objects = engine.ordered(manifest.object for manifest in rendered.manifests)
    names = services.every(space.policy, tree)
    return Overlay(environment, folder, tree.commit, space.policy, names, objects)


async def preview(cluster: connections.Cluster, overlay: Overlay) -> overlays.Preview:
    """What applying an overlay would do to a cluster.

    Raises:
        hanbae.errors.Forbidden: This identity may not read or apply one of the objects.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    tried = await engine.tried(cluster, overlay.objects)
    untried = [str(item.ref) for item in tried if not item.is_sent and item.refusal is None]
    notes: tuple[wording.Text, ...] = ()
    if untried:
        notes = (wording.Text("overlay.not-asked", {"objects": ", ".join(untried)}),)
    return overlays.Preview(
        overlay.environment,
        overlay.folder,
        overlay.revision,
        forecasting.in_order(_change(item) for item in tried),
        await _parts(cluster, overlay),
        tuple(item.conflict for item in tried if item.conflict is not None),
        notes,
        tuple(item.refusal for item in tried if item.refusal is not None),
    )


async def apply(
    cluster: connections.Cluster, overlay: Overlay, *, force: bool = False
) -> AsyncGenerator[overlays.Stored]:
    """Apply an overlay, object by object; what is yielded is stored.

    Args:
        cluster: The cluster of the pods.
        overlay: The overlay.
        force: Take fields from whoever manages them with another value.

    Raises:
        hanbae.errors.Refused: The API server refused an object; those before it are applied.
        hanbae.errors.Unreachable: Whether the object was applied is not known; those before it are.
    """
    async for stored in engine.apply(cluster, overlay.objects, force=force):
        outcome: Literal["created", "changed", "unchanged"] = "created"
        if stored.before is not None:
            outcome = "changed" if differing.fields(stored.before, stored.after) else "unchanged"
        yield overlays.Stored(stored.ref, outcome)


def _change(item: engine.Tried) -> plans.Change:
    if item.after is None:
        return plans.Change(item.ref, "unknown")
    if item.before is None:
        return plans.Change(item.ref, "created")
    others = {
        # The fields of hanbae's own manager are nobody else's that would be overruled.
        path: tuple(name for name in names if name != engine.MANAGER)
        for path, names in predicting.managers(item.before).items()
    }
    fields = differing.fields(item.before, item.after, managers=others)
    if not fields:
        return plans.Change(item.ref, "unchanged")
    restarts = differing.restarts(item.ref.kind, item.before, item.after)
    refused = immutability.refused(item.before, item.after)
    return plans.Change(item.ref, "changed", fields, restarts, refused=refused)


async def _parts(cluster: connections.Cluster, overlay: Overlay) -> tuple[overlays.Part, ...]:
    """What the policy's namespaces are for, and who provides it."""
    parts = list(parts_of(overlay.policy, overlay.environment, overlay.services, overlay.objects))
    for index, part in enumerate(parts):
        if part.provided != "expected":
            continue
        try:
            service = await reading.get(cluster, kinds.SERVICE, part.namespace, part.by)
        except errors.Forbidden:
            continue  # whoever may apply the overlay need not read Services
        parts[index] = overlays.Part(
            part.namespace, part.name, part.provided, part.by, service is not None
        )
    return tuple(parts)


def parts_of(
    policy: documents.Policy,
    environment: str,
    names: Collection[str],
    objects: Collection[Mapping[str, Any]],
) -> Iterator[overlays.Part]:
    """The parts of the policy's namespaces, as far as files tell who provides them.

    Args:
        policy: The policy.
        environment: The environment.
        names: The services that there are.
        objects: The objects of the environment's overlay.
    """
    for base, space in policy.namespaces.items():
        namespace = naming.suffixed(policy, base, environment)
        objects_here = [item for item in objects if item["metadata"].get("namespace") == namespace]
        labels = {
            id(item): f"{item['kind']}/{item['metadata'].get('name')}" for item in objects_here
        }
        by_kind = {str(item["kind"]).casefold(): labels[id(item)] for item in objects_here}
        named = {str(item["metadata"].get("name")): labels[id(item)] for item in objects_here}
        for name in dict.fromkeys((*space.purpose, *space.expects)):
            word = name.casefold().translate(_WORDS)
            if name in space.expects:
                yield overlays.Part(namespace, name, "expected", space.expects[name])
            elif word in names and naming.namespace(policy, word, environment) == namespace:
                yield overlays.Part(namespace, name, "service", word)
            # The last word may be a kind: "Cilium Gateway" is an object of the kind Gateway.
            elif by := named.get(word) or by_kind.get(word.rpartition("-")[2]):
                yield overlays.Part(namespace, name, "overlay", by)
            else:
                yield overlays.Part(namespace, name, "declared")
