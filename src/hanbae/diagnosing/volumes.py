"""Claims of volumes that are not bound."""

from __future__ import annotations

from collections.abc import Iterator

from hanbae.diagnosing import pictures


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes in all claims of the picture."""
    classes = {ref.name for ref, _ in picture.of("StorageClass")}
    for ref, claim in picture.of("PersistentVolumeClaim"):
        phase = (claim.get("status") or {}).get("phase")
        name = (claim.get("spec") or {}).get("storageClassName") or "-"
        facts: dict[str, object] = {"claim": ref.name, "namespace": ref.namespace, "class": name}
        describe = ("kubectl", "describe", "pvc", ref.name, "-n", ref.namespace)
        if phase == "Lost":
            yield pictures.cause(ref, "diagnosis.claim-lost", facts, describe, fatal=True)
        # Pending alone is no trouble: with `WaitForFirstConsumer` a claim waits for its first pod.
        if phase != "Pending":
            continue
        failures = picture.events(ref, "ProvisioningFailed")
        # Without any classes they may not be listed here, so none can be called missing.
        if classes and name != "-" and name not in classes:
            facts |= {"classes": ", ".join(sorted(classes))}
            command = ("kubectl", "get", "storageclass")
            yield pictures.cause(ref, "diagnosis.no-storage-class", facts, command, fatal=True)
        elif failures:
            facts |= {"message": failures[-1].get("message") or ""}
            yield pictures.cause(ref, "diagnosis.not-provisioned", facts, describe, fatal=False)
