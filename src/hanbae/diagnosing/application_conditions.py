"""Why Argo CD itself does not go on: it cannot read the repository, render the chart or apply an object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae import patterns, subjects
from hanbae.argo import applications, destinations, operations
from hanbae.diagnosing import pictures

# gRPC's words for nobody at the other end; between Argo CD's own parts only, so never about the chart.
_UNAVAILABLE: Final = "code = Unavailable desc = "
_REPO_SERVER: Final = patterns.lazy(r"repo-?server")
_CANNOT_BEGIN: Final = frozenset({"ComparisonError", "InvalidSpecError", "UnknownError"})


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes in the Application of the picture."""
    for ref, application in picture.of("Application"):
        describe = ("kubectl", "describe", "application", ref.name, "-n", ref.namespace)
        for condition in applications.conditions(application):
            if _names_no_repo_server(condition.message):
                yield _no_repo_server(ref, condition.message)
            elif cluster := destinations.unregistered(condition.message):
                facts = {"application": ref.name, "cluster": cluster}
                command = destinations.registering(cluster)
                yield pictures.cause(ref, "diagnosis.cluster-unknown", facts, command, fatal=True)
            elif condition.type in _CANNOT_BEGIN:
                facts = {
                    "application": ref.name,
                    "type": condition.type,
                    "message": condition.message,
                }
                yield pictures.cause(
                    ref, f"diagnosis.{_condition(condition.type)}", facts, describe, fatal=True
                )
        operation = operations.recorded(application)
        if operation is None:
            continue
        if operation.phase == "Error" and _names_no_repo_server(operation.message):
            yield _no_repo_server(ref, operation.message)
        for result in operation.results:
            if result.status == "SyncFailed":
                facts = {"object": str(result.ref), "message": result.message}
                yield pictures.cause(
                    result.ref, "diagnosis.not-applied", facts, describe, fatal=False, owner=ref
                )


def _no_repo_server(ref: subjects.Ref, message: str) -> pictures.Cause:
    label = "app.kubernetes.io/name=argocd-repo-server"
    command = ("kubectl", "get", "pods", "-n", ref.namespace, "-l", label)
    facts = {"application": ref.name, "message": message}
    # It comes back without anybody mending the commit, so waiting is of use.
    return pictures.cause(ref, "diagnosis.repo-server", facts, command, fatal=False)


def _condition(condition: str) -> str:
    return {"ComparisonError": "not-compared", "InvalidSpecError": "invalid-application"}.get(
        condition, "application-error"
    )


def _names_no_repo_server(message: str) -> bool:
    """Whether nobody answered for Argo CD's repo-server; a branch can write much of a message."""
    if _UNAVAILABLE in message:
        return True
    for line in message.split("\n"):
        server = _REPO_SERVER.search(line)
        if server is not None and "connection refused" in line[server.end() :]:
            return True
    return False
