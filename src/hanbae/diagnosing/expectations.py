"""What the policy expects somebody else to provide, and whether it is there and answers."""

from __future__ import annotations

from collections.abc import Iterator

from hanbae import subjects
from hanbae.diagnosing import pictures
from hanbae.results import diagnoses


def causes(expected: diagnoses.Expected) -> Iterator[pictures.Cause]:
    """Why a part that the policy expects cannot be reached."""
    ref = subjects.Ref("Service", expected.namespace, expected.service)
    facts = {
        "part": expected.part,
        "service": expected.service,
        "namespace": expected.namespace,
    }
    if not expected.present:
        command: tuple[str, ...] = ("kubectl", "get", "services", "-n", expected.namespace)
        yield pictures.cause(ref, "diagnosis.part-absent", facts, command, fatal=True)
    elif expected.ready == 0:
        command = ("kubectl", "get", "pods", "-n", expected.namespace)
        yield pictures.cause(ref, "diagnosis.part-silent", facts, command, fatal=False)
