"""Jobs in a sync: what makes it fail, hang, or forget what happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from hanbae.argo import hooks
from hanbae.policy import naming
from hanbae.results import findings
from hanbae.rules import rulebook, views
from hanbae.rules.argo import reading
from hanbae.rules.argo import registering as argo

_READABLE: Final = 60  # seconds in which somebody may read a finished Job's log
_LOGS: Final = {
    "HookFailed": "failure",
    "hook-failed": "failure",
    "HookSucceeded": "success",
    "hook-succeeded": "success",
}

_LOSS: Final[Mapping[str, findings.Severity]] = {"failure": "warning", "success": "notice"}


def _spec(each: views.Object, key: str) -> object:
    return each.get("spec", key)


@argo.of_release("ARG020", "warning", source="https://github.com/argoproj/argo-cd/issues/21055")
def gone_too_soon(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Job that Kubernetes deletes by its ttl before anyone reads its log, or although Argo CD keeps it."""
    for each in release.of_kind("Job"):
        ttl = _spec(each, "ttlSecondsAfterFinished")
        if isinstance(ttl, bool) or not isinstance(ttl, int | float):
            continue
        at = views.On(each, ("spec", "ttlSecondsAfterFinished"))
        facts = {"object": each.label, "seconds": str(int(ttl))}
        if not each.phases:
            if not reading.is_hook_of_no_phase(each):
                yield rulebook.Hit(at, facts, "tracked", severity="error")
        elif ttl < min(_READABLE, naming.seconds(release.policy.migrations.ttl)):
            yield rulebook.Hit(at, facts)


@argo.of_release("ARG021", "warning", source="https://github.com/argoproj/argo-cd/issues/14910")
def job_is_no_hook(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Job that is no hook: the next sync that changes its pods fails, because they are immutable."""
    for each in release.of_kind("Job"):
        if each.phases or reading.is_hook_of_no_phase(each):
            continue
        if _spec(each, "ttlSecondsAfterFinished") is not None or _new_name(release, each):
            continue  # ARG020 tells of the first; with a new name it is a new Job each time
        options = argo.listed(each.annotations.get(argo.SYNC_OPTIONS, ""))
        if "Force=true" in options and "Replace=true" in options:
            continue
        facts = {"object": each.label}
        if "Replace=true" in options:
            yield rulebook.Hit(argo.annotation(each, argo.SYNC_OPTIONS), facts, "replace")
        else:
            yield rulebook.Hit(views.On(each, ("kind",)), facts)


def _new_name(release: views.Release, each: views.Object) -> bool:
    """Whether a Job's name changes with the image, or Kubernetes makes it."""
    if each.get("metadata", "name") is None:
        return True
    tag, digest = (str(release.value("image", key, default="")) for key in ("tag", "digest"))
    short = digest.partition(":")[2][:7]
    return bool((tag and tag in each.name) or (short and short in each.name))


@argo.of_release("ARG022", "warning", source="https://github.com/argoproj/argo-cd/issues/15593")
def hook_without_deadline(release: views.Release) -> Iterator[rulebook.Hit]:
    """A hook whose pods may wait for ever: nothing else ends the sync."""
    for each in release.of_kind("Job", "Pod"):
        if each.phases and not _spec(each, "activeDeadlineSeconds"):
            facts = {"object": each.label, "deadline": release.policy.migrations.deadline}
            yield rulebook.Hit(views.On(each, ("spec",)), facts)


@argo.of_release(
    "ARG023",
    "notice",
    source="https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy",
)
def hook_without_limit(release: views.Release) -> Iterator[rulebook.Hit]:
    """A hook Job that says nothing of retries: Kubernetes starts it six times more."""
    for each in release.of_kind("Job"):
        if each.phases and _spec(each, "backoffLimit") is None:
            limit = str(release.policy.migrations.backoff_limit)
            yield rulebook.Hit(views.On(each, ("spec",)), {"object": each.label, "limit": limit})


@argo.of_release(
    "ARG024",
    "warning",
    source="https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy",
)
def restarts_in_place(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Job whose pods restart in place, or a hook Pod that never ends."""
    for each in release.of_kind("Job", "Pod"):
        if not each.phases or each.pod is None:
            continue
        found = each.get(*each.pod, "restartPolicy")
        at = views.On(each, (*each.pod, "restartPolicy"))
        facts = {"object": each.label, "value": str(found)[:60]}
        if found is None or found == "Always":
            yield rulebook.Hit(at, facts, "always", severity="error")
        elif found == "OnFailure" and each.kind == "Job":
            yield rulebook.Hit(at, facts)


@argo.of_release("ARG025", "warning", source="https://github.com/argoproj/argo-cd/issues/27506")
def logs_are_deleted(release: views.Release) -> Iterator[rulebook.Hit]:
    """A delete policy that takes a hook's log with it."""
    for each in release.of_kind("Job", "Pod"):
        if not each.phases or hooks.delete_policies(each.data) == ("BeforeHookCreation",):
            continue
        annotations = each.annotations
        for key in (argo.DELETE_POLICY, argo.HELM_DELETE_POLICY):
            for part in argo.listed(annotations.get(key, "")):
                variant = _LOGS.get(part)
                if variant and part[0].isupper() == (key == argo.DELETE_POLICY):
                    at = argo.annotation(each, key)
                    facts = {"object": each.label, "value": part}
                    yield rulebook.Hit(at, facts, variant, severity=_LOSS[variant])
