"""What the policy expects to be there, of services and of others, and whether it is and answers."""

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


def of_namespace(name: str, environment: str) -> pictures.Cause:
    """That a namespace of services is not there, which their overlay makes."""
    ref = subjects.Ref("Namespace", "", name)
    command = ("hanbae", "overlay", "plan", environment)
    facts = {"namespace": name}
    return pictures.cause(ref, "diagnosis.namespace-absent", facts, command, fatal=True)
