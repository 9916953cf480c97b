"""Causes in snapshots that were recorded on a real cluster, whole and with one of their objects changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

import hanbae
from hanbae import errors, masking, subjects, wording
from hanbae.actions import doctor
from hanbae.cli import main
from hanbae.diagnosing import allowed_fields, programs, standing, symptoms
from hanbae.results import diagnoses, events

RECORDED = Path(__file__).parents[2] / "data" / "snapshots"
NOW = "2026-11-29T05:30:00+00:00"
Object = dict[str, Any]


@cache
def recorded() -> diagnoses.Snapshot:
    (snapshot,) = doctor.read(RECORDED / "lab.json").snapshots
    return snapshot


@cache
def _others() -> tuple[Object, ...]:
    return tuple(json.loads((RECORDED / "argocd.json").read_text()))


def item(kind: str, name: str) -> Object:
    """A recorded object, to be changed."""
    for candidate in (*recorded().objects, *_others()):
        if candidate["kind"] == kind and candidate["metadata"]["name"].startswith(name):
            return copy.deepcopy(candidate)
    raise KeyError((kind, name))


def snapshot(*objects: Object, **changes: Any) -> diagnoses.Snapshot:
    """A snapshot of these objects alone."""
    fields = {"objects": tuple(objects), "logs": (), "unseen": (), "taken": NOW, **changes}
    return msgspec.structs.replace(recorded(), **fields)


def causes(taken: diagnoses.Snapshot) -> set[str]:
    return {entry.cause.id.partition(".")[2] for entry in standing.diagnose(taken)}


WHOLE = {
    ("accountless", "service-account-missing", "rollout-stands", "kubectl get serviceaccount"),
    ("halted", "paused", "rollout-stands", "kubectl rollout resume"),
    ("aimless", "scales-nothing", "wrong-count", "kubectl describe hpa"),
    ("front", "backend-absent", "not-reached", "kubectl get services"),
    ("front", "backend-port", "not-reached", "kubectl describe service unready"),
    ("front", "ingress-class", "not-reached", "kubectl get ingressclass"),
    ("lab-migrate", "migration-failed", "migration-failed", "kubectl logs job/lab-migrate"),
    ("lab-migrate", "name-unresolved", "migration-failed", "kubectl logs lab-migrate"),
    ("keyless", "secret-key-missing", "secret-absent", "hanbae secrets seal lab ABSENT"),
    ("mapless", "configmap-missing", "pod-starts-not", "kubectl get configmap settings"),
    ("pullless", "pull-secret-absent", "image-not-pulled", "kubectl get secret no-credentials"),
    ("pathless", "program-absent", "pod-starts-not", "kubectl logs pathless"),
    ("dns", "name-unresolved", "pod-crashes", "kubectl logs dns"),
    ("refused", "database-refused", "pod-crashes", "kubectl logs refused"),
    ("misnamed", "port-unknown", "not-reached", "kubectl describe service misnamed"),
    ("stray", "selects-nothing", "not-reached", "kubectl get pods"),
    ("blind", "no-metrics", "wrong-count", "v1beta1.metrics.k8s.io"),
    ("waiting", "not-provisioned", "pod-starts-not", "kubectl describe pvc waiting"),
    ("claimless", "claim-absent", "pod-starts-not", "kubectl get pvc"),
    ("unbound", "claim-unbound", "pod-starts-not", "kubectl get pvc"),
    ("far", "no-such-node", "pod-starts-not", "kubectl describe nodes"),
    ("huge", "too-small", "pod-starts-not", "kubectl describe nodes"),
    ("nightly", "suspended", "wrong-count", "kubectl patch cronjob nightly"),
    ("stopped", "no-replicas", "wrong-count", "--replicas=1"),
    ("idle", "guards-nothing", "wrong-count", "kubectl describe pdb"),
    ("strict", "no-disruption", "wrong-count", "kubectl describe pdb"),
}
"""Beginning of the object's name, cause, symptom, and what the command holds: as the cluster told it."""


@pytest.mark.parametrize("row", sorted(WHOLE), ids=lambda row: f"{row[0]}-{row[1]}")
def test_recorded_trouble_is_named_with_symptom_and_command(row: tuple[str, ...]) -> None:
    name, cause, symptom, command = row
    (entry,) = {
        entry.cause.id: entry
        for entry in standing.diagnose(recorded())
        if entry.cause.id == f"diagnosis.{cause}" and entry.subject.name.startswith(name)
    }.values()
    assert entry.symptom.id == f"doctor.{symptom}"
    assert command in " ".join(entry.command)
    # What is not there, or scaled to nothing, is its own evidence.
    assert entry.evidence or "message" not in entry.cause.facts


def test_the_same_snapshot_yields_the_same_gravest_first() -> None:
    first = standing.diagnose(recorded())
    shuffled = msgspec.structs.replace(recorded(), objects=tuple(reversed(recorded().objects)))
    assert standing.diagnose(shuffled) == first
    ranks = [diagnoses.SEVERITIES.index(entry.severity) for entry in first]
    assert ranks == sorted(ranks)
    assert len({entry.cause.id for entry in first}) >= 24


def with_condition(kind: str, status: str, **more: str) -> Callable[[Object], None]:
    def change(target: Object) -> None:
        conditions = target["status"]["conditions"]
        target["status"]["conditions"] = [
            *(entry for entry in conditions if entry["type"] != kind),
            {"type": kind, "status": status, **more},
        ]

    return change


def deleted(target: Object) -> None:
    target["metadata"] |= {
        "deletionTimestamp": "2026-11-29T05:00:00Z",
        "finalizers": ["example.com/never"],
    }


def deleted_only(target: Object) -> None:
    target["metadata"]["deletionTimestamp"] = "2026-11-29T05:00:00Z"


def evicted(target: Object) -> None:
    target["status"] |= {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}


def lost(target: Object) -> None:
    target["status"] |= {"phase": "Unknown", "reason": "NodeLost"}


def cordoned(target: Object) -> None:
    target["spec"]["unschedulable"] = True


def leaving(target: Object) -> None:
    target["status"]["phase"] = "Terminating"


def claim_lost(target: Object) -> None:
    target["status"]["phase"] = "Lost"


def limited(target: Object) -> None:
    target["status"]["conditions"] = [
        {"type": "AbleToScale", "status": "True"},
        {"type": "ScalingActive", "status": "True"},
        {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"},
    ]


def suspended(target: Object) -> None:
    target["spec"]["suspend"] = True


def scheduling(message: str) -> Callable[[Object], None]:
    return with_condition("PodScheduled", "False", reason="Unschedulable", message=message)


CHANGED = {
    "node-not-ready": ("Node", "", with_condition("Ready", "Unknown", message="stopped posting")),
    "node-pressure": ("Node", "", with_condition("DiskPressure", "True", message="has pressure")),
    "node-network": ("Node", "", with_condition("NetworkUnavailable", "True")),
    "cordoned": ("Node", "", cordoned),
    "namespace-leaving": ("Namespace", "doctor-lab", leaving),
    "claim-lost": ("PersistentVolumeClaim", "waiting", claim_lost),
    "at-most": ("HorizontalPodAutoscaler", "blind", limited),
    "suspended": ("Job", "lab-migrate", suspended),
    "evicted": ("Pod", "lab-migrate", evicted),
    "node-lost": ("Pod", "lab-migrate", lost),
    "finalizer": ("Service", "stray", deleted),
    "pod-stays": ("Pod", "lab-migrate", deleted_only),
    "tainted": ("Pod", "far", scheduling("0/1 nodes: 1 node(s) had untolerated taint {x: }")),
    "volume-elsewhere": ("Pod", "far", scheduling("1 node(s) had volume node affinity conflict")),
    "spread": ("Pod", "far", scheduling("1 node(s) didn't match pod anti-affinity rules")),
}
"""Cause → kind and name of a recorded object, and how it is changed."""


@pytest.mark.parametrize("cause", CHANGED)
def test_a_change_of_a_recorded_object_is_named(cause: str) -> None:
    kind, name, change = CHANGED[cause]
    target = item(kind, name)
    owners = target["metadata"].pop("ownerReferences", [])
    target["metadata"]["labels"] = {
        **target["metadata"].get("labels", {}),
        "app.kubernetes.io/instance": "lab",
    }
    before = causes(snapshot(copy.deepcopy(target)))
    target["metadata"]["ownerReferences"] = owners
    change(target)
    assert cause not in before
    assert cause in causes(snapshot(target))


LINES = {
    "architecture": "exec /app/server: exec format error",
    "database-password": 'FATAL: password authentication failed for user "lab" (SQLSTATE 28P01)',
    "database-full": "FATAL: sorry, too many clients already (SQLSTATE 53300)",
    "database-absent": 'FATAL: database "lab" does not exist (SQLSTATE 3D000)',
    "database-locked": "ERROR: canceling statement due to lock timeout (SQLSTATE 55P03)",
    "migration-lock-held": (
        "2026/11/29 04:59:16 hanbae-migrate: hanbae-migrate@auth-migrate-x7k2p (process 4711 of auth"
        " from 10.0.0.7, since 2026-11-29 04:50:00 UTC) still holds the lock after 5m0s"
    ),
    "database-slow": "ERROR: canceling statement due to statement timeout (SQLSTATE 57014)",
    "database-rights": "ERROR: permission denied for table accounts (SQLSTATE 42501)",
    "database-read-only": "cannot execute INSERT in a read-only transaction (SQLSTATE 25006)",
    "migration-order": "found 1 missing migrations before current version 7",
    "certificate-expired": "x509: certificate has expired or is not yet valid",
    "certificate-unknown": "x509: certificate signed by unknown authority",
    "port-taken": "listen tcp :8080: bind: address already in use",
    "disk-full": "write /data/x: no space left on device",
    "files-read-only": "open /var/log/x: read-only file system",
    "heap-full": "FATAL ERROR: Reached heap limit - JavaScript heap out of memory",
    "schema-behind": 'ERROR: relation "accounts" does not exist (SQLSTATE 42P01)',
    "peer-refused": "dial tcp 10.0.0.1:6379: connect: connection refused",
    "database-refused": "dial tcp 10.0.0.1:5432: connect: connection refused",
    "name-unresolved": "getaddrinfo ENOTFOUND db.nowhere.example",
}


@pytest.mark.parametrize("cause", LINES)
def test_what_a_program_wrote_last_is_its_cause(cause: str) -> None:
    crashing = item("Pod", "refused")
    crashing["metadata"]["labels"]["app.kubernetes.io/instance"] = "lab"
    container = crashing["status"]["containerStatuses"][0]["name"]
    log = diagnoses.Log("doctor-lab", crashing["metadata"]["name"], container, (LINES[cause], ""))
    named = causes(snapshot(crashing, logs=(log,)))
    assert cause in named
    assert "crashing" not in named
    assert len(named & {name.partition(".")[2] for name in programs.NAMES}) == 1


def test_a_program_that_runs_is_not_asked_what_it_wrote() -> None:
    running = item("Pod", "refused")
    running["metadata"]["labels"]["app.kubernetes.io/instance"] = "lab"
    status = running["status"]["containerStatuses"][0]
    status |= {"ready": True, "state": {"running": {}}, "lastState": {}, "restartCount": 0}
    log = diagnoses.Log(
        "doctor-lab", running["metadata"]["name"], status["name"], tuple(LINES.values())
    )
    assert not causes(snapshot(running, logs=(log,)))


def test_a_migration_that_stopped_between_two_files_is_half_applied() -> None:
    job, pod = item("Job", "lab-migrate"), item("Pod", "lab-migrate")
    lines = (
        "2026/11/29 04:59:16 OK   00001_first.sql (3.1ms)",
        '2026/11/29 04:59:16 goose run: ERROR 00002_second.sql: failed: ERROR: column "x" (SQLSTATE 42701)',
    )
    log = diagnoses.Log("doctor-lab", pod["metadata"]["name"], "migrate", lines)
    (entry,) = [
        entry
        for entry in standing.diagnose(snapshot(job, pod, logs=(log,)))
        if entry.cause.id.startswith("diagnosis.migration")
    ]
    assert entry.cause.id == "diagnosis.migration-half"
    assert entry.cause.facts["applied"] == "1"
    assert entry.severity == "error"


@pytest.mark.parametrize(
    ("numbers", "second", "applied"),
    [
        # Each number may have a database of its own.
        (("0", "1"), "2026/11/29 04:59:17 OK   00001_first.sql (3.1ms)", None),
        (("0", "0"), "2026/11/29 04:59:17 OK   00001_first.sql (3.1ms)", "1"),
        # Another pod has been faster, and what failed is applied.
        (("", ""), "2026/11/29 04:59:17 OK   00002_second.sql (3.1ms)", None),
    ],
)
def test_of_several_pods_of_a_migration_each_tells_of_its_own_database(
    numbers: tuple[str, str], second: str, applied: str | None
) -> None:
    job = item("Job", "lab-migrate")
    lines = (
        '2026/11/29 04:59:16 goose run: ERROR 00002_second.sql: failed: ERROR: column "x"',
        second,
    )
    pods, logs = [], []
    for place, (number, line) in enumerate(zip(numbers, lines, strict=True)):
        pod = item("Pod", "lab-migrate")
        pod["metadata"] |= {"name": f"lab-migrate-{place}", "creationTimestamp": NOW}
        if number:
            pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] = number
        pods.append(pod)
        logs.append(diagnoses.Log("doctor-lab", pod["metadata"]["name"], "migrate", (line,)))
    entries = standing.diagnose(snapshot(job, *pods, logs=tuple(logs)))
    halves = [entry.cause for entry in entries if entry.cause.id == "diagnosis.migration-half"]
    assert [cause.facts["applied"] for cause in halves] == ([applied] if applied else [])
    for cause in halves:
        assert cause.facts["error"] == 'failed: ERROR: column "x"', (
            "what others wrote is no part of it"
        )


def _application(**status: Any) -> Object:
    application = item("Application", "nowhere-ward")
    application["metadata"]["name"] = "lab-none"
    application["status"] |= status
    return application


def test_an_operation_that_never_ends_names_the_hook_that_it_waits_for() -> None:
    state = copy.deepcopy(_application()["status"]["operationState"])
    state |= {"phase": "Running", "startedAt": "2026-11-29T04:30:00Z", "message": "waiting"}
    state.pop("finishedAt", None)
    assert "operation-stuck" in causes(snapshot(_application(operationState=state)))
    resources = [
        {"kind": "Job", "namespace": "doctor-lab", "name": "lab-migrate", "hookType": "Sync", "hookPhase": "Running"}
    ]  # fmt: skip
    state["syncResult"] = {"revision": "0" * 40, "resources": resources}
    (entry,) = standing.diagnose(snapshot(_application(operationState=state)))
    assert entry.cause.id == "diagnosis.hook-waits"
    assert entry.command == ("hanbae", "stop", "lab", "--env", "lab")
    assert entry.cause.facts["minutes"] == "60"
    state["startedAt"] = "2026-11-29T05:29:00Z"
    assert not causes(snapshot(_application(operationState=state)))


def test_drift_is_shown_with_its_author() -> None:
    service = item("Service", "unready")
    service["metadata"]["managedFields"] = [
        {"manager": "argocd-controller", "operation": "Apply", "time": "2026-11-29T05:20:00Z"},
        {"manager": "kubectl-edit", "operation": "Update", "time": "2026-11-29T05:10:00Z"},
    ]
    differing = {
        "kind": "Service",
        "namespace": "doctor-lab",
        "name": "unready",
        "status": "OutOfSync",
    }
    entries = standing.diagnose(snapshot(service, _application(resources=[differing])))
    (entry,) = [entry for entry in entries if entry.cause.id == "diagnosis.drift"]
    assert entry.cause.facts["author"] == "kubectl-edit"
    assert entry.severity == "notice"


def test_an_application_that_does_not_go() -> None:
    application = _application()
    deleted(application)
    assert "application-leaving" in causes(snapshot(application))


@pytest.mark.parametrize(
    ("image", "is_old"),
    [("sealed-secrets-controller:0.39.2", True), ("sealed-secrets-controller:v0.40.0", False),
     ("sealed-secrets-controller:v0.39.2", True),
     ("sealed-secrets-controller:0.38.4@sha256:00", True), ("sealed-secrets-controller:1.2.0", False),
     ("sealed-secrets-controller:latest", False)],
)  # fmt: skip
def test_a_controller_below_0_40_can_be_used_to_decrypt(image: str, is_old: bool) -> None:
    controller = item("Deployment", "sealed-secrets-controller")
    controller["spec"]["template"]["spec"]["containers"][0]["image"] = (
        f"registry.example.com/{image}"
    )
    assert ("controller-old" in causes(snapshot(controller))) is is_old


def test_a_controller_that_does_not_run() -> None:
    controller = item("Deployment", "sealed-secrets-controller")
    controller["status"].pop("readyReplicas", None)
    assert "controller-down" in causes(snapshot(controller))
    controller["metadata"] |= {
        "namespace": "doctor-lab",
        "labels": {"app.kubernetes.io/instance": "lab"},
    }
    assert "controller-down" not in causes(snapshot(controller)), "it is another one"
    controller["metadata"]["namespace"] = "kube-system"
    controller["spec"]["replicas"] = 0
    assert "controller-down" not in causes(snapshot(controller)), "nobody wants it to run"


def test_a_controller_whose_service_is_not_there() -> None:
    sealed: Object = {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {
            "name": "lab-secrets",
            "namespace": "doctor-lab",
            "labels": {"app.kubernetes.io/instance": "lab"},
        },
    }
    own = item("Service", "sealed-secrets-controller")
    other = item("Service", "sealed-secrets-controller-metrics")
    assert "controller-absent" in causes(snapshot(sealed, other))
    assert "controller-absent" not in causes(snapshot(sealed, other, own))
    assert "controller-absent" not in causes(snapshot(sealed)), "no Service may be seen"
    assert "controller-absent" not in causes(snapshot(other)), "nothing is sealed"


def test_what_the_last_deployment_found_is_told_where_its_objects_are_gone() -> None:
    text = wording.Text("diagnosis.migration-hopeless", {"error": "relation", "log": "a\nb"})
    subject = subjects.Ref("Job", "doctor-lab", "lab-migrate")
    finding = events.Diagnosed(subject, text, ("hanbae", "history", "show", "1"), True)
    record = diagnoses.Recorded("lab", "20261129-1", (finding,))
    (entry,) = standing.diagnose(snapshot(recorded=(record,)))
    assert entry.symptom.id == "doctor.migration-failed"
    assert entry.evidence[-1] == "hanbae history show 20261129-1"


def test_a_namespace_that_is_not_there_is_named_with_what_makes_it() -> None:
    (entry,) = standing.diagnose(snapshot(absent=("services-lab",)))
    assert (entry.cause.id, entry.severity) == ("diagnosis.namespace-absent", "error")
    assert entry.command == ("hanbae", "overlay", "plan", "lab")


def test_drift_of_a_database_is_told_from_the_last_proof_although_the_deployment_succeeded() -> (
    None
):
    facts = {"database": "lab_db", "indexes": "public.by_name", "index": "public.by_name"}
    subject = subjects.Ref("Job", "doctor-lab", "lab-migrate")
    command = ("hanbae", "migrations", "status", "lab", "--env", "lab")
    invalid, ahead = wording.Text("drift.invalid", facts), wording.Text("drift.ahead", facts)
    drifted = tuple(
        events.Diagnosed(subject, text, command, fatal=False) for text in (invalid, ahead)
    )
    noticed = wording.Text("diagnosis.no-endpoints", {})
    other = events.Diagnosed(subject, noticed, ("kubectl", "get", "pods"), fatal=False)
    record = diagnoses.Recorded("lab", "20261129-1", (*drifted, other))
    entries = standing.diagnose(snapshot(recorded=(record,)))
    assert [entry.cause for entry in entries] == [ahead, invalid], "what passed is told no more"
    for entry in entries:
        assert entry.symptom.id == "doctor.database-differs"
        assert (entry.service, entry.severity, entry.command) == ("lab", "warning", command)
        assert entry.evidence[-1] == "hanbae history show 20261129-1"


def test_a_snapshot_cannot_tell_a_person_what_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = wording.Text("diagnosis.made-up\x1b[31m", {"message": "\x1b]0;title\x07\u202e"})
    subject = subjects.Ref("Job", "doctor-lab", "x\x1b[2J")
    finding = events.Diagnosed(subject, text, ("rm", "-rf", "/\x1b[1m"), True)
    record = diagnoses.Recorded("lab", "1", (finding,))
    path = tmp_path / "snapshot.json"
    environment = "dev\x1b]0;owned\x07\x1b[2J\n::error::x"
    kept = snapshot(recorded=(record,), environment=environment)
    doctor.write(path, diagnoses.Snapshots(1, (kept,)))
    assert main.run(["--lang", "ko", "doctor", "--from-snapshot", str(path)]) == 1
    written = capsys.readouterr().out
    assert "rm -rf" not in written
    assert "\x1b" not in written
    assert "\u202e" not in written
    assert not [line for line in written.splitlines() if line.lstrip().startswith("::")]
    assert "→ hanbae history show 1" in written
    both = ["doctor", "--from-snapshot", str(path), "--snapshot", str(path)]
    assert main.run(["--lang", "en", *both]) == 2


def test_services_of_others_are_left_out() -> None:
    stray = item("Service", "stray")
    stray["metadata"]["labels"]["app.kubernetes.io/instance"] = "somebody-else"
    assert not causes(snapshot(stray))


BY_HELM = {"meta.helm.sh/release-name": "lab", "meta.helm.sh/release-namespace": "doctor-lab"}


def test_what_helm_has_installed_needs_no_label_to_be_found() -> None:
    stray = item("Service", "stray")
    del stray["metadata"]["labels"]
    assert not causes(snapshot(stray)), "nobody knows whose it is"
    stray["metadata"]["annotations"] = BY_HELM
    assert causes(snapshot(stray)) == {"selects-nothing"}
    stray["metadata"]["labels"] = {"app.kubernetes.io/instance": "somebody-else"}
    assert causes(snapshot(stray)) == {"selects-nothing"}, "Helm knows better than a label"
    tracked = {"argocd.argoproj.io/tracking-id": "other:/Service:doctor-lab/stray"}
    stray["metadata"]["annotations"] = BY_HELM | tracked
    assert not causes(snapshot(stray)), "Argo CD has taken it over since"


@pytest.mark.parametrize("mark", ["meta.helm.sh/release-name", "meta.helm.sh/release-namespace"])
def test_what_helm_has_installed_of_another_release_is_left_out(mark: str) -> None:
    stray = item("Service", "stray")  # it has the label
    stray["metadata"]["annotations"] = BY_HELM | {mark: "somebody-else"}
    assert not causes(snapshot(stray))


def test_pods_of_what_helm_has_installed_are_found_through_what_owns_them() -> None:
    pod = item("Pod", "refused")
    replicaset = item("ReplicaSet", pod["metadata"]["ownerReferences"][0]["name"])
    deployment = item("Deployment", "refused")
    del deployment["metadata"]["labels"]
    assert not causes(snapshot(deployment, replicaset, pod))
    deployment["metadata"]["annotations"] = BY_HELM
    assert "crashing" in causes(snapshot(deployment, replicaset, pod))


def _unseen(kind: str, namespace: str) -> diagnoses.Unseen:
    return diagnoses.Unseen("dev", kind, namespace, wording.Text("cluster.forbidden"))


@pytest.mark.parametrize(
    ("kind", "namespace", "cause"),
    [
        ("IngressClass", "", "ingress-class"),
        ("Service", "doctor-lab", "backend-absent"),
        ("Pod", "doctor-lab", "selects-nothing"),
    ],
)
def test_nothing_is_called_absent_where_nobody_could_look(
    kind: str, namespace: str, cause: str
) -> None:
    objects = tuple(entry for entry in recorded().objects if entry["kind"] != kind)
    assert cause in causes(snapshot(*objects))
    assert cause not in causes(snapshot(*objects, unseen=(_unseen(kind, namespace),)))


@pytest.mark.parametrize(("policy", "expected"), [("Always", set()), (None, {"port-unknown"})])
def test_a_port_of_a_sidecar_is_one_of_the_pod(policy: str | None, expected: set[str]) -> None:
    sidecar = {"name": "proxy", "ports": [{"name": "proxy", "containerPort": 8080}]}
    if policy:
        sidecar["restartPolicy"] = policy
    metadata = {
        "name": "web",
        "namespace": "doctor-lab",
        "labels": {"app.kubernetes.io/instance": "lab"},
    }
    pod = {
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [], "initContainers": [sidecar]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }
    service = {
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "selector": {"app.kubernetes.io/instance": "lab"},
            "ports": [{"port": 80, "targetPort": "proxy"}],
        },
    }
    assert causes(snapshot(pod, service)) == expected


def _warned(reason: str, message: str, status: Object, **involved: str) -> diagnoses.Snapshot:
    """A pod of the service's, and an Event about it."""
    metadata = {
        "name": "web-0",
        "namespace": "doctor-lab",
        "uid": "two",
        "labels": {"app.kubernetes.io/instance": "lab"},
    }
    about = {"kind": "Pod", "namespace": "doctor-lab", "name": "web-0", **involved}
    return snapshot(
        {"kind": "Pod", "metadata": metadata, "spec": {"containers": []}, "status": status},
        {
            "kind": "Event",
            "metadata": {"name": "web-0.1", "namespace": "doctor-lab"},
            "type": "Warning",
            "reason": reason,
            "message": message,
            "involvedObject": about,
        },
    )


@pytest.mark.parametrize(
    ("involved", "expected"),
    [({"uid": "one"}, set()), ({"uid": "two"}, {"secret-missing"}), ({}, {"secret-missing"})],
    ids=["of a former pod", "of this one", "recorded without a uid"],
)
def test_a_pod_does_not_inherit_the_events_of_the_former_one_of_its_name(
    involved: dict[str, str], expected: set[str]
) -> None:
    message = 'MountVolume.SetUp failed for volume "tls" : secret "x" not found'
    assert causes(_warned("FailedMount", message, {"phase": "Pending"}, **involved)) == expected


@pytest.mark.parametrize(
    ("reason", "cause"),
    [("FailedCreatePodSandBox", "no-network"), ("FailedAttachVolume", "volume-taken")],
)
def test_what_kept_a_pod_from_beginning_is_told_until_it_has_begun(reason: str, cause: str) -> None:
    starting = {"name": "app", "ready": False, "state": {"running": {}}}
    begun = {"phase": "Running", "containerStatuses": [starting]}
    assert causes(_warned(reason, "no", {"phase": "Pending"})) == {cause}
    assert causes(_warned(reason, "no", begun)) == set()


SECRET = "hunter2-" + "x" * 40


def test_a_snapshot_holds_fields_of_the_list_and_no_secret() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "namespace": "b", "annotations": {"note": SECRET}},
        "spec": {
            "containers": [
                {
                    "name": "app",
                    "image": "x",
                    "command": ["run", SECRET],
                    "args": [SECRET],
                    "env": [{"name": "TOKEN", "value": SECRET}],
                    "livenessProbe": {"exec": {"command": [SECRET]}},
                }
            ]
        },
        "status": {"message": f"cannot reach postgres://lab:{SECRET}@db/lab"},
    }
    allowed = allowed_fields.kept(pod, masking.Redactor())
    assert allowed is not None
    assert SECRET not in json.dumps(allowed)
    assert allowed["spec"]["containers"][0]["env"] == [{"name": "TOKEN"}]
    secret = {"kind": "Secret", "metadata": {"name": "a"}, "data": {"x": SECRET}}
    assert allowed_fields.kept(secret, masking.Redactor()) is None


def test_what_the_tries_of_an_index_are_counted_by_is_kept() -> None:
    failures = {"batch.kubernetes.io/job-index-failure-count": "1"}
    pod = {"kind": "Pod", "metadata": {"name": "a", "annotations": failures}, "spec": {}}
    job = {"kind": "Job", "metadata": {"name": "a"}, "spec": {"backoffLimitPerIndex": 2}}
    for whole, part in ((pod, ("metadata", "annotations")), (job, ("spec",))):
        allowed: Any = allowed_fields.kept(whole, masking.Redactor())
        original: Any = whole
        for key in part:
            allowed, original = allowed[key], original[key]
        assert original.items() <= allowed.items()


def _odd(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _odd(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value[:1]):
            yield from _odd(below, (*path, index))


KINDS = sorted({entry["kind"] for entry in (*recorded().objects, *_others())})


@pytest.mark.parametrize("kind", KINDS)
def test_no_shape_of_an_object_breaks_a_diagnosis(kind: str) -> None:
    original = item(kind, "")
    original["metadata"].setdefault("labels", {})["app.kubernetes.io/instance"] = "lab"
    if kind == "Application":
        original["metadata"]["name"] = "lab-none"
    for path in list(_odd(original)):
        for value in ([{}], 7):
            target = copy.deepcopy(original)
            if not path:
                continue
            around: Any = target
            for key in path[:-1]:
                around = around[key]
            around[path[-1]] = value
            standing.diagnose(snapshot(target))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 1}', '{"format": 2, "snapshots": []}', "[" * 100000]
)
def test_a_file_that_is_no_snapshot_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "snapshot.json"
    path.write_text(text)
    with pytest.raises(errors.WrongUse, match=r"doctor\.no-snapshot"):
        doctor.read(path)


def test_a_snapshot_is_written_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    doctor.write(path, diagnoses.Snapshots(1, (recorded(),)))
    assert path.stat().st_mode & 0o777 == 0o600
    assert doctor.read(path).snapshots == (recorded(),)
    with pytest.raises(errors.WrongUse):
        doctor.write(tmp_path / "absent" / "x.json", diagnoses.Snapshots(1, ()))


def test_every_cause_with_a_symptom_exists() -> None:
    names = (Path(hanbae.__file__).parent / "locale/en/LC_MESSAGES/hanbae.po").read_text()
    for name in symptoms._BY_CAUSE:
        assert f'msgid "diagnosis.{name}"' in names
