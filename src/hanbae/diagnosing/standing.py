"""What is the matter with what runs now, outside of a deployment: every cause of a snapshot, with its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from hanbae import excerpts, masking, subjects
from hanbae.diagnosing import (
    allowed_fields,
    causes,
    controllers,
    drifting,
    endpoints,
    expectations,
    nodes,
    pictures,
    programs,
    scaling,
    scheduling,
    symptoms,
    syncs,
    volumes,
)
from hanbae.policy import labels
from hanbae.results import diagnoses, events

_MODULES: Final = (programs, scheduling, volumes, endpoints, scaling, nodes, syncs, controllers)
_SHARED: Final = frozenset({"Node", "Namespace", "IngressClass", "StorageClass", "ResourceQuota"})
"""Kinds that belong to no service."""
_EXACTER: Final[Mapping[str, frozenset[str]]] = {
    "diagnosis.unschedulable": frozenset(
        f"diagnosis.{name}"
        for name in (
            "claim-absent",
            "claim-unbound",
            "volume-elsewhere",
            "too-small",
            "tainted",
            "no-such-node",
            "spread",
        )
    ),
    "diagnosis.migration-failed": frozenset({"diagnosis.migration-half"}),
    "diagnosis.migration-hopeless": frozenset({"diagnosis.migration-half"}),
    "diagnosis.migration-attempt": frozenset({"diagnosis.migration-half"}),
    "diagnosis.volume": frozenset({"diagnosis.volume-taken"}),
    "diagnosis.image-not-found": frozenset({"diagnosis.architecture"}),
    "diagnosis.container-not-created": frozenset(
        {"diagnosis.architecture", "diagnosis.program-absent"}
    ),
    "diagnosis.image-unauthorised": frozenset({"diagnosis.pull-secret-absent"}),
}
"""Cause → those that say the same more exactly."""
_TELLING: Final = ("message", "error", "reason", "log")
"""Facts of a cause that are the cluster's own words."""
_LINES: Final = 12
_LONGEST: Final = 500


def diagnose(snapshot: diagnoses.Snapshot) -> tuple[diagnoses.Diagnosis, ...]:
    """Every cause in a snapshot, the gravest first; the same snapshot always yields the same.

    Args:
        snapshot: What was seen.
    """
    objects = _objects(snapshot)
    log = {
        (subjects.Ref("Pod", entry.namespace, entry.pod), entry.container): entry.lines
        for entry in snapshot.logs
    }
    unseen = frozenset((entry.kind, entry.namespace) for entry in snapshot.unseen)
    results: dict[tuple[str, subjects.Ref, str], diagnoses.Diagnosis] = {}
    for service in snapshot.services:
        own = _of_service(objects, service, home=snapshot.controller.partition("/")[0])
        picture = pictures.Picture(
            own,
            log,
            service=service.name,
            environment=snapshot.environment,
            secret=service.secret,
            crashes=snapshot.crashes,
            now=_time(snapshot.taken),
            controller=snapshot.controller,
            maker="SealedSecret" if snapshot.controller else "ExternalSecret",
            unseen=unseen,
        )
        for cause in _exact(picture):
            is_shared = cause.diagnosis.subject.kind in _SHARED or _is_controllers(cause)
            name = "" if is_shared else service.name
            diagnosis = _described(picture, cause, snapshot.environment, name)
            # What services share, such as a node, is found again with each of them and told once.
            results.setdefault((name, cause.owner, cause.diagnosis.cause.id), diagnosis)
    for entry in snapshot.drifted:
        for cause in drifting.causes(entry, snapshot.environment):
            picture = pictures.Picture(objects, now=_time(snapshot.taken))
            diagnosis = _described(picture, cause, snapshot.environment, entry.service)
            results.setdefault((entry.service, cause.owner, cause.diagnosis.cause.id), diagnosis)
    absent = (expectations.of_namespace(name, snapshot.environment) for name in snapshot.absent)
    for expected in (absent, *map(expectations.causes, snapshot.expected)):
        for cause in expected:
            diagnosis = _described(pictures.Picture({}), cause, snapshot.environment, "")
            results.setdefault(("", cause.owner, cause.diagnosis.cause.id), diagnosis)
    named = {(name, text_id) for name, _, text_id in results}
    for record in snapshot.recorded:
        for finding in record.diagnoses:
            key = (record.service, finding.cause.id)
            if (finding.fatal or events.is_drift(finding.cause)) and key not in named:
                diagnosis = _recorded(snapshot, record, finding)
                results.setdefault((record.service, finding.subject, finding.cause.id), diagnosis)
    return ordered(results.values())


def _recorded(
    snapshot: diagnoses.Snapshot, record: diagnoses.Recorded, finding: events.Diagnosed
) -> diagnoses.Diagnosis:
    """What only the record of the last deployment knows any more."""
    cause = pictures.Cause(finding, finding.subject)
    facts = finding.cause.facts
    is_migration = finding.cause.id.startswith("diagnosis.migration-") or (
        finding.subject.kind == "Job" and "database" in facts
    )
    lines = [line for name in _TELLING for line in facts.get(name, "").splitlines()]
    distinct = dict.fromkeys(excerpts.one_line(line, _LONGEST) for line in lines)
    return diagnoses.Diagnosis(
        symptoms.severity(cause),
        snapshot.environment,
        record.service,
        finding.subject,
        symptoms.of(cause, finding.subject, is_migration=is_migration),
        finding.cause,
        (*[line for line in distinct if line][:_LINES], f"hanbae history show {record.deployment}"),
        finding.command
        if finding.command[:1] == ("hanbae",) and finding.command[1:2] in _HARMLESS
        else ("hanbae", "history", "show", record.deployment),
    )


_HARMLESS: Final = frozenset({("secrets",), ("image",), ("history",), ("migrations",), ("plan",)})
"""What a record may tell a person to type: a snapshot may come from anybody, and what a cluster does is not its say."""


def ordered(listed: Iterable[diagnoses.Diagnosis]) -> tuple[diagnoses.Diagnosis, ...]:
    """Diagnoses by gravity, then by environment, service and object."""
    rank = {severity: number for number, severity in enumerate(diagnoses.SEVERITIES)}
    return tuple(
        sorted(
            listed,
            key=lambda entry: (
                rank[entry.severity],
                entry.environment,
                entry.service,
                entry.subject,
                entry.cause.id,
            ),
        )
    )


def _objects(snapshot: diagnoses.Snapshot) -> dict[subjects.Ref, pictures.Object]:
    """The objects of a snapshot, which may come from anybody, by how they are pointed at."""
    redact = masking.Redactor()
    objects: dict[subjects.Ref, pictures.Object] = {}
    for item in snapshot.objects:
        allowed = allowed_fields.kept(item, redact)
        if allowed is not None:
            metadata = allowed["metadata"]
            ref = subjects.Ref(allowed["kind"], metadata.get("namespace", ""), metadata["name"])
            objects[ref] = allowed
    return objects


def _of_service(
    objects: Mapping[subjects.Ref, pictures.Object], service: diagnoses.Service, *, home: str
) -> dict[subjects.Ref, pictures.Object]:
    """What belongs to a service, to the Sealed Secrets controller, or to no service at all."""
    listed = {
        subjects.Ref(
            str(entry.get("kind")), str(entry.get("namespace") or ""), str(entry.get("name"))
        )
        for ref, item in objects.items()
        if ref.kind == "Application" and ref.name == service.application
        for entry in (item.get("status") or {}).get("resources") or []
    }
    own: dict[subjects.Ref, pictures.Object] = {}
    for ref, item in objects.items():
        release = _release(item)
        # What neither Argo CD's list nor Helm's annotations tell of is known by the label that charts
        # put on their objects by convention.
        instance = (item["metadata"].get("labels") or {}).get("app.kubernetes.io/instance")
        if ref.kind == "Application":
            is_own = ref.name == service.application
        elif ref in listed:
            is_own = True
        elif release is not None:
            is_own = release == (service.namespace, service.release)
        elif ref.namespace == service.namespace and instance is not None:
            is_own = instance in {service.release, service.application}
        else:
            is_own = ref.kind in _SHARED or (
                home == ref.namespace != "" and _is_of_controller(item)
            )
        if is_own:
            own[ref] = item
    for _ in range(3):  # workloads, their ReplicaSets, the pods of those
        own |= {
            ref: item
            for ref, item in objects.items()
            if ref not in own and pictures.owner(item) in own
        }
    needed = {claim for ref, pod in own.items() if ref.kind == "Pod" for claim in _claims(ref, pod)}
    own |= {ref: item for ref, item in objects.items() if ref in needed}
    about = {
        ref: item for ref, item in objects.items() if ref.kind == "Event" and _is_about(item, own)
    }
    return own | about


def _release(item: pictures.Object) -> tuple[str, str] | None:
    """Namespace and name of the release that Helm has written on an object; None where it is nobody's, or Argo CD's."""
    annotations = item["metadata"].get("annotations") or {}
    # Helm's annotations stay on what Argo CD has taken over.
    if labels.TRACKING in annotations or not annotations.get(labels.HELM_RELEASE):
        return None
    namespace = annotations.get(labels.HELM_NAMESPACE) or item["metadata"].get("namespace", "")
    return namespace, annotations[labels.HELM_RELEASE]


def _is_of_controller(item: pictures.Object) -> bool:
    names = (item["metadata"].get("labels") or {}).get("app.kubernetes.io/name", "")
    return "sealed-secrets" in item["metadata"]["name"] or "sealed-secrets" in names


def _claims(ref: subjects.Ref, pod: pictures.Object) -> Iterator[subjects.Ref]:
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if name:
            yield subjects.Ref("PersistentVolumeClaim", ref.namespace, name)


def _is_about(event: pictures.Object, own: Mapping[subjects.Ref, pictures.Object]) -> bool:
    """Whether an Event is about one of the objects, and not about a former one of its name."""
    about = event.get("involvedObject") or {}
    ref = subjects.Ref(about.get("kind", ""), about.get("namespace", ""), about.get("name", ""))
    if ref not in own:
        return False
    uid = own[ref]["metadata"].get("uid")
    # For a node the kubelet writes its name; snapshots of before hold none.
    return ref.kind == "Node" or about.get("uid", uid) == uid


def _exact(picture: pictures.Picture) -> list[pictures.Cause]:
    """All causes, without those that another one says more exactly."""
    every = list(causes.named(picture))
    for module in _MODULES:
        every += module.causes(picture)
    by_owner: dict[subjects.Ref, set[str]] = {}
    for cause in every:
        by_owner.setdefault(cause.owner, set()).add(cause.diagnosis.cause.id)
    named = {cause.owner for cause in every if not cause.is_symptom}
    return [
        cause
        for cause in every
        if not _EXACTER.get(cause.diagnosis.cause.id, frozenset()) & by_owner[cause.owner]
        and not (cause.is_symptom and cause.owner in named)
        and not (
            cause.diagnosis.cause.id == "diagnosis.crashing"
            and by_owner[cause.owner] & _OF_PROGRAMS
        )
        and not (
            cause.diagnosis.cause.id == "diagnosis.peer-refused"
            and len(by_owner[cause.owner] & _OF_PROGRAMS) > 1
        )
    ]


_OF_PROGRAMS: Final = frozenset(programs.NAMES)


def _described(
    picture: pictures.Picture, cause: pictures.Cause, environment: str, service: str
) -> diagnoses.Diagnosis:
    is_migration = _is_migration(picture, cause.owner)
    return diagnoses.Diagnosis(
        symptoms.severity(cause),
        environment,
        service,
        cause.diagnosis.subject,
        symptoms.of(cause, _root(picture, cause.owner), is_migration=is_migration),
        cause.diagnosis.cause,
        tuple(_evidence(picture, cause)),
        cause.diagnosis.command,
    )


def _root(picture: pictures.Picture, ref: subjects.Ref) -> subjects.Ref:
    """What people deploy: the Deployment above a ReplicaSet."""
    current = picture.objects.get(ref)
    above = pictures.owner(current) if current is not None else None
    return above if above is not None and above in picture.objects else ref


def _is_migration(picture: pictures.Picture, owner: subjects.Ref) -> bool:
    job = picture.objects.get(owner) if owner.kind == "Job" else None
    own = (job or {}).get("metadata", {}).get("labels") or {}
    return bool(own.get(labels.COMPONENT) == "migration")


def _evidence(picture: pictures.Picture, cause: pictures.Cause) -> Iterator[str]:
    """The cluster's own words for a cause, each once."""
    facts = cause.diagnosis.cause.facts
    lines: list[str] = []
    for name in _TELLING:
        lines += facts.get(name, "").splitlines()
    lines += [
        f"{event.get('reason')}: {event.get('message')}"
        for event in picture.events(cause.diagnosis.subject)[-2:]
    ]
    distinct = dict.fromkeys(excerpts.one_line(line, _LONGEST) for line in lines)
    yield from [line for line in distinct if line and line != "-"][:_LINES]


def _is_controllers(cause: pictures.Cause) -> bool:
    return cause.diagnosis.cause.id.startswith("diagnosis.controller-")


def _time(stamp: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC)
