"""Jobs in a sync: what makes it fail, hang, or forget what happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from hanbae.argo import hooks
from hanbae.policy import naming
from hanbae.results import findings
from hanbae.rules import rulebook, views
from hanbae.rules.argo import prerequisites
from hanbae.rules.argo import registering as argo

_READABLE: Final = 60  # seconds in which somebody may read a finished Job's log
_LOGS: Final = {
    "HookFailed": "failure",
    "hook-failed": "failure",
    "HookSucceeded": "success",
    "hook-succeeded": "success",
}

_LOSS: Final[Mapping[str, findings.Severity]] = {"failure": "warning", "success": "notice"}


def _spec(manifest: views.Object, key: str) -> object:
    return manifest.get("spec", key)


@argo.of_release(
    "ARG020", "warning", source="https://github.com/argoproj/argo-cd/issues/21055", essential=True
)
def gone_too_soon(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Job that Kubernetes deletes by its ttl before anyone reads its log, or although Argo CD keeps it."""
    for manifest in release.of_kind("Job"):
        ttl = _spec(manifest, "ttlSecondsAfterFinished")
        if isinstance(ttl, bool) or not isinstance(ttl, int | float):
            continue
        part = views.On(manifest, ("spec", "ttlSecondsAfterFinished"))
        facts = {"object": manifest.label, "seconds": str(int(ttl))}
        if not manifest.phases:
            if not prerequisites.is_hook_of_no_phase(manifest):
                yield rulebook.Hit(part, facts, "tracked", severity="error")
        elif ttl < min(_READABLE, naming.seconds(release.policy.migrations.ttl)):
            yield rulebook.Hit(part, facts)


@argo.of_release(
    "ARG021", "warning", source="https://github.com/argoproj/argo-cd/issues/14910", essential=True
)
def job_is_no_hook(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Job that is no hook: the next sync that changes its pods fails, because they are immutable."""
    for manifest in release.of_kind("Job"):
        if manifest.phases or prerequisites.is_hook_of_no_phase(manifest):
            continue
        if _spec(manifest, "ttlSecondsAfterFinished") is not None or _new_name(release, manifest):
            continue  # ARG020 tells of the first; with a new name it is a new Job each time
        options = argo.listed(manifest.annotations.get(argo.SYNC_OPTIONS, ""))
        if "Force=true" in options and "Replace=true" in options:
            continue
        facts = {"object": manifest.label}
        if "Replace=true" in options:
            yield rulebook.Hit(argo.annotation(manifest, argo.SYNC_OPTIONS), facts, "replace")
        else:
            yield rulebook.Hit(views.On(manifest, ("kind",)), facts)


def _new_name(release: views.Release, manifest: views.Object) -> bool:
    """Whether a Job's name changes with the image, or Kubernetes makes it."""
    if manifest.get("metadata", "name") is None:
        return True
    tag, digest = (str(release.value("image", key, default="")) for key in ("tag", "digest"))
    short = digest.partition(":")[2][:7]
    return bool((tag and tag in manifest.name) or (short and short in manifest.name))


@argo.of_release(
    "ARG022", "warning", source="https://github.com/argoproj/argo-cd/issues/15593", essential=False
)
def hook_without_deadline(release: views.Release) -> Iterator[rulebook.Hit]:
    """A hook whose pods may wait for ever: nothing else ends the sync."""
    for manifest in release.of_kind("Job", "Pod"):
        if manifest.phases and not _spec(manifest, "activeDeadlineSeconds"):
            facts = {"object": manifest.label, "deadline": release.policy.migrations.deadline}
            yield rulebook.Hit(views.On(manifest, ("spec",)), facts)


@argo.of_release(
    "ARG023",
    "notice",
    source="https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy",
    essential=False,
)
def hook_without_limit(release: views.Release) -> Iterator[rulebook.Hit]:
    """A hook Job that says nothing of retries: Kubernetes starts it six times more."""
    for manifest in release.of_kind("Job"):
        limits = (_spec(manifest, name) for name in ("backoffLimit", "backoffLimitPerIndex"))
        if manifest.phases and not any(limit is not None for limit in limits):
            limit = str(release.policy.migrations.backoff_limit)
            yield rulebook.Hit(
                views.On(manifest, ("spec",)), {"object": manifest.label, "limit": limit}
            )


@argo.of_release(
    "ARG024",
    "warning",
    source="https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy",
    essential=False,
)
def restarts_in_place(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Job whose pods restart in place, or a hook Pod that never ends."""
    for manifest in release.of_kind("Job", "Pod"):
        if not manifest.phases or manifest.pod is None:
            continue
        value = manifest.get(*manifest.pod, "restartPolicy")
        part = views.On(manifest, (*manifest.pod, "restartPolicy"))
        facts = {"object": manifest.label, "value": str(value)[:60]}
        if value is None or value == "Always":
            yield rulebook.Hit(part, facts, "always", severity="error")
        elif value == "OnFailure" and manifest.kind == "Job":
            yield rulebook.Hit(part, facts)


@argo.of_release(
    "ARG025", "warning", source="https://github.com/argoproj/argo-cd/issues/27506", essential=False
)
def logs_are_deleted(release: views.Release) -> Iterator[rulebook.Hit]:
    """A delete policy that takes a hook's log with it."""
    for manifest in release.of_kind("Job", "Pod"):
        if not manifest.phases or hooks.delete_policies(manifest.data) == ("BeforeHookCreation",):
            continue
        annotations = manifest.annotations
        for key in (argo.DELETE_POLICY, argo.HELM_DELETE_POLICY):
            for part in argo.listed(annotations.get(key, "")):
                variant = _LOGS.get(part)
                # Each annotation has a spelling of its own, HookFailed in Argo CD's and hook-failed
                # in Helm's; the other one's is no policy there.
                if variant and part[0].isupper() == (key == argo.DELETE_POLICY):
                    location = argo.annotation(manifest, key)
                    facts = {"object": manifest.label, "value": part}
                    yield rulebook.Hit(location, facts, variant, severity=_LOSS[variant])
