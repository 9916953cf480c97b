"""Why a rollout does not go on, beyond what its pods say themselves."""

from __future__ import annotations

from collections.abc import Iterator

from hanbae.diagnosing import admission, pictures


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes in all Deployments and ReplicaSets of the picture."""
    for ref, deployment in picture.of("Deployment"):
        progressing = pictures.condition(deployment, "Progressing")
        if progressing.get("reason") == "ProgressDeadlineExceeded":
            facts = {
                "deployment": ref.name,
                "namespace": ref.namespace,
                # 600 is Kubernetes' own, where a Deployment names none.
                "seconds": deployment["spec"].get("progressDeadlineSeconds") or 600,
                "message": progressing.get("message") or "",
            }
            command = (
                "kubectl",
                "rollout",
                "status",
                f"deployment/{ref.name}",
                "-n",
                ref.namespace,
            )
            yield pictures.cause(
                ref, "diagnosis.progress-deadline", facts, command, fatal=True, is_symptom=True
            )
        if deployment["spec"].get("paused"):
            command = (
                "kubectl",
                "rollout",
                "resume",
                f"deployment/{ref.name}",
                "-n",
                ref.namespace,
            )
            facts = {"deployment": ref.name, "namespace": ref.namespace}
            yield pictures.cause(ref, "diagnosis.paused", facts, command, fatal=True)
    for ref, replicaset in picture.of("ReplicaSet"):
        yield from admission.causes(picture, ref, pictures.owner(replicaset) or ref)
    # A StatefulSet makes its pods itself, without a ReplicaSet.
    for ref, _ in picture.of("StatefulSet"):
        yield from admission.causes(picture, ref, ref)
