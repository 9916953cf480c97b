"""What mends a deployment that has failed: what to edit, and the command that comes after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, subjects, wording, workspaces
from hanbae.argo import hooks
from hanbae.charts import rendering
from hanbae.migrations import half_applied as halves
from hanbae.planning import deployments, edited_places
from hanbae.repository import checkouts
from hanbae.results import events, plans

_IS_WRONG: Final = frozenset({"diagnosis.migration-failed", "diagnosis.migration-hopeless"})
_TOO_LITTLE: Final = frozenset(
    {
        "diagnosis.job-killed",
        "diagnosis.killed",
        "diagnosis.migration-killed",
        "diagnosis.out-of-memory",
    }
)
_OTHER_IMAGE: Final = frozenset({"proof.not-in-commit", "proof.not-in-image"})
_TRY_AGAIN: Final = frozenset({"deploy.deadline", "proof.goose-failed"})
_NOT_LET_IN: Final = (
    "failed to connect to",
    "SQLSTATE 28",
    "SQLSTATE 3D000",
    "dial tcp",
    "Access denied for user",
)
"""Words of drivers that were not let in: nobody there, another password, no such database."""
_TOO_LONG: Final = frozenset({"diagnosis.job-too-long", "diagnosis.migration-too-long"})
_POD: Final = ("spec", "template", "spec")

Pointer = tuple[str | int, ...]


class Cure(Struct, frozen=True):
    """What to do.

    Attributes:
        text: What to edit.
        command: What to run when it is edited.
    """

    text: wording.Text
    command: tuple[str, ...]


async def cure(
    space: workspaces.Workspace,
    plan: plans.Plan,
    diagnosis: events.Diagnosed,
    job: subjects.Ref | None,
    *,
    failed: str,
) -> Cure | None:
    """The cure of what has ended a deployment; None where none is known.

    Args:
        space: The workspace.
        plan: The deployment's plan.
        diagnosis: Why it has failed.
        job: The hook that it is about; None where it is about none.
        failed: Name of the migration at which the hook stopped; empty for none.
    """
    if job is not None:
        of_hook = of(plan, diagnosis, job, failed=failed)
        if of_hook is not None:
            text = half_applied(space.checkout, plan, diagnosis, job, failed=failed)
            return of_hook if text is None else Cure(text, of_hook.command)
        of_hook = of_url(plan, diagnosis, job)
        if of_hook is not None:
            return of_hook
    return await of_limit(space, plan, diagnosis, job)


def of_end(plan: plans.Plan, why: wording.Text) -> tuple[str, ...]:
    """The command after an end that no diagnosis explains, where one is known; else empty.

    Args:
        plan: The deployment's plan.
        why: Why it has failed.
    """
    if plan.ways_back:
        again = ("hanbae", "rollback", plan.service, "--env", plan.environment)
        return (*again, "--revision", plan.revision[:12]) if plan.deploys else again
    if why.id in _OTHER_IMAGE:
        return ("hanbae", "image", "set", plan.service, "IMAGE:TAG", "--env", plan.environment)
    if why.id not in _TRY_AGAIN:
        return ()
    return ("hanbae", "deploy", plan.service, "--env", plan.environment)


def of(
    plan: plans.Plan, diagnosis: events.Diagnosed, job: subjects.Ref, *, failed: str
) -> Cure | None:
    """The cure of wrong SQL; None where no file is known to be wrong.

    Args:
        plan: The deployment's plan.
        diagnosis: Why it has failed.
        job: The hook that it is about.
        failed: Name of the migration at which the hook stopped; empty for none.
    """
    if diagnosis.cause.id not in _IS_WRONG or not failed:
        return None
    _, _, file = _stopped_at(plan, job, failed) or (None, 0, failed)
    command = ("hanbae", "image", "set", plan.service, "IMAGE:TAG", "--env", plan.environment)
    return Cure(wording.Text("deploy.mend-migration", {"file": file}), command)


def half_applied(
    checkout: checkouts.Checkout,
    plan: plans.Plan,
    diagnosis: events.Diagnosed,
    job: subjects.Ref,
    *,
    failed: str,
) -> wording.Text | None:
    """What to mend where a migration outside a transaction failed, and what of it stays; None where it is none.

    Args:
        checkout: The clone.
        plan: The deployment's plan.
        diagnosis: Why it has failed.
        job: The hook that it is about.
        failed: Name of the migration at which the hook stopped.
    """
    proof, version, file = _stopped_at(plan, job, failed) or (None, 0, failed)
    if proof is None or version not in proof.bare:
        return None
    try:
        content = checkout.revision(plan.revision).read(file) or b""
    except errors.Error:
        return None  # it was deployed, so this is a clone that has lost the commit
    stop = halves.stopped(content, diagnosis.cause.facts.get("error", ""))
    if stop is None:
        return None
    facts = {
        "database": proof.database,
        "place": f"{file}:{stop.line}",
        "done": str(stop.before),
        "statements": str(stop.statements),
    }
    return wording.Text("deploy.mend-half-applied", facts)


def _stopped_at(
    plan: plans.Plan, job: subjects.Ref, failed: str
) -> tuple[plans.Prove, int, str] | None:
    """The proof, the version and the path of a migration that a hook names."""
    proofs = [step.does for step in plan.steps if isinstance(step.does, plans.Prove)]
    for proof in proofs:
        # Plans recorded by an older hanbae name no files.
        for version, path in zip(proof.versions, proof.files, strict=False):
            if hooks.is_same(proof.hook, job) and path.rpartition("/")[2] == failed:
                return proof, version, path
    return None


def of_url(plan: plans.Plan, diagnosis: events.Diagnosed, job: subjects.Ref) -> Cure | None:
    """The cure where a database did not let a migration in: its address, of which the plan knows the key.

    Args:
        plan: The deployment's plan.
        diagnosis: Why it has failed.
        job: The hook that it is about.
    """
    error = diagnosis.cause.facts.get("error", "")
    if diagnosis.cause.id not in _IS_WRONG or not any(words in error for words in _NOT_LET_IN):
        return None
    for secret, key in _addresses(plan, job):
        command = ("hanbae", "secrets", "seal", plan.service, key, "--env", plan.environment)
        facts = {"secret": secret, "key": key}
        return Cure(wording.Text("deploy.mend-url", facts), command)
    return None


def _addresses(plan: plans.Plan, job: subjects.Ref) -> Iterator[tuple[str, str]]:
    """Name and key of the Secret that a hook has a database's address from."""
    for step in plan.steps:
        proof = step.does
        if not isinstance(proof, plans.Prove) or not hooks.is_same(proof.hook, job):
            continue
        for _, container in _containers(proof.job):
            for variable in container.get("env") or []:
                source = (variable.get("valueFrom") or {}).get("secretKeyRef") or {}
                if source.get("name") and source.get("key"):
                    yield str(source["name"]), str(source["key"])


async def of_limit(
    space: workspaces.Workspace,
    plan: plans.Plan,
    diagnosis: events.Diagnosed,
    job: subjects.Ref | None,
) -> Cure | None:
    """The cure of what had too little memory or time: the line that limits it; None where that is not why it failed.

    Args:
        space: The workspace.
        plan: The deployment's plan.
        diagnosis: Why it has failed.
        job: The Job that it is about; None where it is about none.
    """
    cause = diagnosis.cause
    if cause.id not in _TOO_LITTLE | _TOO_LONG:
        return None
    try:
        revision = space.checkout.revision(plan.revision)
        source = await deployments.read(space.policy, revision, plan.service, plan.environment)
        limited = limiting(source.rendered.manifests, diagnosis, job)
        if limited is None:
            return None
        place = await edited_places.place(source, *limited)
    except errors.Error:
        return None  # it was deployed, so this is a clone that has lost the commit
    text_id = "deploy.raise-memory" if cause.id in _TOO_LITTLE else "deploy.raise-deadline"
    command = ("hanbae", "deploy", plan.service, "--env", plan.environment)
    return Cure(wording.Text(text_id, {**cause.facts, "place": str(place), "log": ""}), command)


def limiting(
    manifests: Iterable[rendering.Manifest], diagnosis: events.Diagnosed, job: subjects.Ref | None
) -> tuple[rendering.Manifest, Pointer] | None:
    """The rendered object that a limit is in, and where in it.

    Args:
        manifests: What the commit renders.
        diagnosis: What had too little.
        job: As of :func:`of_limit`.
    """
    owner = _owner(manifests, job or diagnosis.subject)
    if owner is None:
        return None
    if diagnosis.cause.id in _TOO_LONG:
        return owner, ("spec", "activeDeadlineSeconds")
    named = diagnosis.cause.facts.get("container", "")
    for pointer, container in _containers(owner.object):
        if container.get("name") == named:
            return owner, (*pointer, "resources", "limits", "memory")
    return None


def _owner(
    manifests: Iterable[rendering.Manifest], subject: subjects.Ref
) -> rendering.Manifest | None:
    """The workload that something is, or whose pod: pods are named by what they are of."""
    if subject.kind != "Pod":
        return next((manifest for manifest in manifests if _is(manifest, subject)), None)
    alike = [manifest for manifest in manifests if subject.name.startswith(f"{_name(manifest)}-")]
    owners = [manifest for manifest in alike if any(True for _ in _containers(manifest.object))]
    # The longest name wins: a pod of `auth-worker` also starts with `auth-`.
    return max(owners, key=lambda manifest: len(_name(manifest)), default=None)


def _is(manifest: rendering.Manifest, subject: subjects.Ref) -> bool:
    return manifest.object.get("kind") == subject.kind and _name(manifest) == subject.name


def _name(manifest: rendering.Manifest) -> str:
    metadata: Any = manifest.object.get("metadata") or {}
    return str(metadata.get("name") or "")


def _containers(manifest: Any) -> Iterator[tuple[Pointer, Any]]:
    pod = manifest
    for key in _POD:
        pod = pod.get(key) if isinstance(pod, dict) else None
    for part in ("initContainers", "containers"):
        listed = pod.get(part) if isinstance(pod, dict) else None
        for index, container in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(container, dict):
                yield (*_POD, part, index), container
