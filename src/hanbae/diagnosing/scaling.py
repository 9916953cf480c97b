"""Workloads that run too few pods, none, or not at all because somebody said so."""

from __future__ import annotations

from collections.abc import Iterator

from hanbae.diagnosing import pictures


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes in autoscalers, budgets, and what is suspended or scaled to nothing."""
    yield from _autoscalers(picture)
    yield from _budgets(picture)
    yield from _suspended(picture)
    for kind in ("Deployment", "StatefulSet"):
        for ref, workload in picture.of(kind):
            if (workload.get("spec") or {}).get("replicas") == 0:
                facts = {"object": str(ref), "namespace": ref.namespace}
                scaled = f"{kind.lower()}/{ref.name}"
                command: tuple[str, ...] = (
                    "kubectl",
                    "scale",
                    scaled,
                    "-n",
                    ref.namespace,
                    "--replicas=1",
                )
                yield pictures.cause(ref, "diagnosis.no-replicas", facts, command, fatal=False)


def _autoscalers(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    for ref, scaler in picture.of("HorizontalPodAutoscaler"):
        able = pictures.condition(scaler, "AbleToScale")
        active = pictures.condition(scaler, "ScalingActive")
        limited = pictures.condition(scaler, "ScalingLimited")
        target = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
        facts = {
            "autoscaler": ref.name,
            "namespace": ref.namespace,
            "target": f"{target.get('kind')}/{target.get('name')}",
            "most": str((scaler.get("spec") or {}).get("maxReplicas") or "-"),
        }
        describe = ("kubectl", "describe", "hpa", ref.name, "-n", ref.namespace)
        if able.get("status") == "False" and able.get("reason") == "FailedGetScale":
            facts |= {"message": str(able.get("message") or "")}
            yield pictures.cause(ref, "diagnosis.scales-nothing", facts, describe, fatal=True)
        # `ScalingDisabled` is what an autoscaler says of a workload that somebody has scaled to 0.
        elif active.get("status") == "False" and active.get("reason") != "ScalingDisabled":
            facts |= {"message": str(active.get("message") or "")}
            command: tuple[str, ...] = ("kubectl", "get", "apiservice", "v1beta1.metrics.k8s.io")
            yield pictures.cause(ref, "diagnosis.no-metrics", facts, command, fatal=False)
        elif limited.get("status") == "True" and limited.get("reason") == "TooManyReplicas":
            facts |= {"message": str(limited.get("message") or "")}
            yield pictures.cause(ref, "diagnosis.at-most", facts, describe, fatal=False)


def _budgets(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    for ref, budget in picture.of("PodDisruptionBudget"):
        status = budget.get("status") or {}
        expected = status.get("expectedPods")
        facts = {"budget": ref.name, "namespace": ref.namespace, "pods": str(expected)}
        describe = ("kubectl", "describe", "pdb", ref.name, "-n", ref.namespace)
        if expected == 0:
            yield pictures.cause(ref, "diagnosis.guards-nothing", facts, describe, fatal=False)
        elif status.get("disruptionsAllowed") == 0 and expected:
            facts |= {"healthy": str(status.get("currentHealthy"))}
            facts |= {"desired": str(status.get("desiredHealthy"))}
            yield pictures.cause(ref, "diagnosis.no-disruption", facts, describe, fatal=False)


def _suspended(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    for kind in ("CronJob", "Job"):
        for ref, job in picture.of(kind):
            facts = {"object": str(ref), "namespace": ref.namespace}
            if (job.get("spec") or {}).get("suspend"):
                patch = '{"spec":{"suspend":false}}'
                command: tuple[str, ...] = (
                    "kubectl",
                    "patch",
                    kind.lower(),
                    ref.name,
                    "-n",
                    ref.namespace,
                    "-p",
                    patch,
                )
                yield pictures.cause(ref, "diagnosis.suspended", facts, command, fatal=False)
            for event in picture.events(
                ref, "TooManyMissedTimes", "FailedNeedsStart", "MissSchedule"
            )[-1:]:
                facts |= {"message": event.get("message") or ""}
                command = ("kubectl", "describe", kind.lower(), ref.name, "-n", ref.namespace)
                yield pictures.cause(ref, "diagnosis.missed", facts, command, fatal=False)
