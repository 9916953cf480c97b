"""What becomes of each object: between two renderings, or between a cluster and a rendering."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from hanbae import subjects
from hanbae.planning import differing, immutability, predicting, scheduling
from hanbae.results import plans, previews

Object = Mapping[str, Any]

_ORDER: Final = ("created", "changed", "deleted", "unknown", "unchanged")
_PRUNE: Final = "argocd.argoproj.io/sync-options"


class Live(Struct, frozen=True):
    """An object in the cluster, and what Argo CD will make of it as far as that is known.

    Attributes:
        object: The object; None when it is not there.
        before: The object as Argo CD compares it; None where it has not compared.
        after: What it will be, by Argo CD's own comparison of this very revision.
        readable: Whether we could look at all.
    """

    object: Object | None
    before: Object | None = None
    after: Object | None = None
    readable: bool = True


def between(
    old: Iterable[Object], new: Iterable[Object], namespaces: tuple[str, str]
) -> tuple[plans.Change, ...]:
    """The changes from one rendering to another; hooks are objects like others here.

    Args:
        old: Rendered objects of the first.
        new: Rendered objects of the second.
        namespaces: Where the objects of each go that name no namespace.
    """
    before = {scheduling.reference(manifest, namespaces[0]): manifest for manifest in old}
    after = {scheduling.reference(manifest, namespaces[1]): manifest for manifest in new}
    return in_order(
        _rendered(ref, before.get(ref), after.get(ref)) for ref in dict.fromkeys((*after, *before))
    )


def _rendered(ref: subjects.Ref, old: Object | None, new: Object | None) -> plans.Change:
    if old is None or new is None:
        return plans.Change(ref, "created" if old is None else "deleted")
    fields = differing.fields(old, new)
    if not fields:
        return plans.Change(ref, "unchanged")
    restarts, refused = differing.restarts(ref.kind, old, new), immutability.refused(old, new)
    return plans.Change(ref, "changed", fields, restarts, refused=refused)


def live(
    present: Mapping[subjects.Ref, Live],
    targets: Iterable[Object],
    namespace: str,
    *,
    prunes: bool = True,
    manager: str = predicting.MANAGER,
) -> tuple[plans.Change, ...]:
    """The changes that a full sync makes; hooks are left out, they run each time.

    Args:
        present: What is in the cluster: each target, and what Argo CD manages besides.
        targets: The rendered objects.
        namespace: Where objects go that name no namespace.
        prunes: Whether the sync deletes what is no longer in the chart; a manual one does not.
        manager: As whom it applies.
    """
    rendered = {
        scheduling.reference(target, namespace): target
        for target in targets
        if not scheduling.phases(target) and not scheduling.is_ignored(target)
    }
    return in_order(_changes(present, rendered, prunes, manager))


def _changes(
    present: Mapping[subjects.Ref, Live],
    rendered: Mapping[subjects.Ref, Object],
    prunes: bool,
    manager: str,
) -> Iterator[plans.Change]:
    for ref, target in rendered.items():
        present_object = present.get(ref, Live(None))
        if not present_object.readable:
            yield plans.Change(ref, "unknown")
        elif present_object.object is None:
            yield plans.Change(ref, "created")
        else:
            yield _changed(ref, present_object, present_object.object, target, manager)
    for ref, present_object in present.items():
        if ref not in rendered and (
            present_object.object is not None or not present_object.readable
        ):
            # Argo CD lists it as its own, so it is there even where we may not look.
            yield plans.Change(ref, "deleted", kept=not prunes or is_kept(present_object.object))


def _changed(
    ref: subjects.Ref, present: Live, live: Object, target: Object, manager: str
) -> plans.Change:
    before, after = present.before, present.after
    # Argo CD's own comparison knows what admission and defaults make of it, so it goes before our prediction.
    if before is None or after is None:
        before, after = live, predicting.predicted(live, target, manager=manager)
    fields = differing.fields(before, after, managers=predicting.managers(live))
    if not fields:
        return plans.Change(ref, "unchanged")
    restarts = differing.restarts(ref.kind, before, after)
    refused = immutability.refused(before, after)
    return plans.Change(ref, "changed", fields, restarts, refused=refused)


def is_kept(live: Object | None) -> bool:
    """Whether an object says that Argo CD must not prune it, or only when a person confirms."""
    metadata = (live or {}).get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    options = annotations.get(_PRUNE) if isinstance(annotations, Mapping) else ""
    options_set = {part.strip() for part in str(options).split(",")}
    return bool(options_set & {"Prune=false", "Prune=confirm"})


def in_order(changes: Iterable[plans.Change]) -> tuple[plans.Change, ...]:
    """Changes by what becomes of the objects, then by kind and name."""
    return tuple(sorted(changes, key=lambda change: (_ORDER.index(change.outcome), change.object)))


def images(
    old: Iterable[Object], new: Iterable[Object], namespaces: tuple[str, str]
) -> tuple[previews.Image, ...]:
    """The images that become others, of containers of every kind, hooks included."""
    before = dict(_images(old, namespaces[0]))
    after = dict(_images(new, namespaces[1]))
    return tuple(
        previews.Image(ref, container, before.get((ref, container), ""), image)
        for ref, container, image in (
            (*key, after.get(key, "")) for key in dict.fromkeys((*after, *before))
        )
        if before.get((ref, container), "") != image
    )


def _images(
    manifests: Iterable[Object], namespace: str
) -> Iterator[tuple[tuple[subjects.Ref, str], str]]:
    for manifest in manifests:
        ref = scheduling.reference(manifest, namespace)
        for container in containers(manifest):
            yield (ref, str(container.get("name"))), str(container.get("image") or "")


def pod(manifest: Object) -> Object:
    """The spec of an object's pods, whatever shape it has; empty for what makes no pods."""
    spec = manifest.get("spec")
    if manifest.get("kind") == "CronJob" and isinstance(spec, Mapping):
        job = spec.get("jobTemplate")
        spec = job.get("spec") if isinstance(job, Mapping) else None
    if manifest.get("kind") != "Pod" and isinstance(spec, Mapping):
        template = spec.get("template")
        spec = template.get("spec") if isinstance(template, Mapping) else None
    return spec if isinstance(spec, Mapping) else {}


def containers(manifest: Object) -> Iterator[Object]:
    """The containers of an object's pods, whatever shape it has."""
    spec = pod(manifest)
    for name in ("initContainers", "containers"):
        entries: Any = spec.get(name)
        for container in entries if isinstance(entries, Sequence) else ():
            if isinstance(container, Mapping):
                yield container


def migrations(
    old: Mapping[str, Mapping[int, str]],
    new: Mapping[str, Mapping[int, str]],
    *,
    paths: Mapping[str, Mapping[int, str]] | None = None,
) -> tuple[previews.Migrations, ...]:
    """What two revisions differ in.

    Args:
        old: Database → version → digest of its file, of the first.
        new: The same of the second.
        paths: Database → version → path of its file, of the second.
    """
    differing_databases = []
    for database in dict.fromkeys((*new, *old)):
        before, after = old.get(database, {}), new.get(database, {})
        added = tuple(sorted(after.keys() - before.keys()))
        gone = tuple(sorted(before.keys() - after.keys()))
        edited = tuple(
            version
            for version in sorted(before.keys() & after.keys())
            if before[version] != after[version]
        )
        if added or gone or edited:
            files = (paths or {}).get(database, {})
            differing_databases.append(
                previews.Migrations(
                    database,
                    added,
                    len(after),
                    max(before) if before else None,
                    gone,
                    edited,
                    tuple(
                        files[version].rpartition("/")[2] for version in added if version in files
                    ),
                )
            )
    return tuple(differing_databases)


def pending(
    steps: Iterable[plans.Step],
    proven: Mapping[str, int],
    *,
    why_unknown: previews.WhyUnknown = "",
) -> tuple[previews.Migrations, ...]:
    """What each database lacks, by the version that it was proven to have last.

    Args:
        steps: The steps of a plan.
        proven: Database → version.
        why_unknown: Why a database is not among these.
    """
    databases = []
    for step in steps:
        does = step.does
        if isinstance(does, plans.Prove):
            proven_version = proven.get(does.database)
            lacking = tuple(version for version in does.versions if version > (proven_version or 0))
            databases.append(
                previews.Migrations(
                    does.database,
                    None if proven_version is None else lacking,
                    len(does.versions),
                    proven_version,
                    names=() if proven_version is None else tuple(map(does.named, lacking)),
                    why_unknown=(why_unknown or "new") if proven_version is None else "",
                )
            )
    return tuple(databases)
