"""Argo CD's own comparison of an Application, as its API tells it to whoever may ``get`` the Application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from hanbae import foreign_json, object_shapes
from hanbae.argocd_api import answers, connections

Object = dict[str, Any]


class Compared(Struct, frozen=True):
    """One object as Argo CD compares it; hooks are not among them.

    Attributes:
        kind: Its kind.
        namespace: Its namespace.
        name: Its name.
        target: The object as the chart has it; None when it is no longer there.
        live: The object in the cluster; None when it is not there.
        before: The live object without what does not count in a comparison.
        after: What Argo CD expects it to become: the answer to a dry-run on the server where it applies like that.
    """

    kind: str
    namespace: str
    name: str
    target: Object | None
    live: Object | None
    before: Object | None
    after: Object | None


async def application(
    server: connections.Server,
    name: str,
    project: str,
    namespace: str,
    *,
    refresh: object_shapes.RefreshKind | None = None,
) -> Object | None:
    """The Application, or None.

    Args:
        server: Argo CD.
        name: Its name.
        project: Its project.
        namespace: Its namespace.
        refresh: ``normal`` to have Argo CD compare it with the head of its branch first; where it is automated, that
            may make Argo CD sync it.

    Raises:
        hanbae.errors.Forbidden: The token's role may not ``get`` it.
        hanbae.errors.Unreachable: Argo CD did not answer.
    """
    call = server.describe("get", application=name, project=project)
    params = _params(project, namespace) | ({"refresh": refresh} if refresh else {})
    try:
        answer = await server.ask(call, "GET", _path(name), params=params)
    except answers.Missing:
        return None
    return answers.application(answer, call)


async def of_project(server: connections.Server, project: str, namespace: str) -> list[Object]:
    """The Applications of a project that the token may ``get``; Argo CD leaves the others out.

    Raises:
        hanbae.errors.Unreachable: Argo CD did not answer.
    """
    call = server.describe("get", project=project)
    params = {"projects": project, "appNamespace": namespace}
    answer = await server.ask(call, "GET", "/api/v1/applications", params=params)
    return [answers.application(item, call) for item in foreign_json.mappings(answer.get("items"))]


async def managed(
    server: connections.Server, name: str, project: str, namespace: str
) -> list[Compared]:
    """Every object of an Application, as it was compared last.

    Raises:
        hanbae.errors.Forbidden: The token's role may not ``get`` it.
        hanbae.errors.Unreachable: Argo CD did not answer.
    """
    call = server.describe("get", application=name, project=project)
    path = f"{_path(name)}/managed-resources"
    answer = await server.ask(call, "GET", path, params=_params(project, namespace))
    return [
        Compared(
            str(item.get("kind")),
            str(item.get("namespace") or ""),
            str(item.get("name")),
            _state(item, "targetState"),
            _state(item, "liveState"),
            _state(item, "normalizedLiveState"),
            _state(item, "predictedLiveState"),
        )
        for item in foreign_json.mappings(answer.get("items"))
    ]


def _state(item: Mapping[str, Any], name: str) -> Object | None:
    """A state, which comes as a text of JSON; ``null`` where there is none."""
    text = item.get(name)
    if not isinstance(text, str) or not text:
        return None
    return foreign_json.mapping(text) or None


def _path(name: str) -> str:
    return f"/api/v1/applications/{quote(name, safe='')}"


def _params(project: str, namespace: str) -> dict[str, str]:
    return {"project": project, "appNamespace": namespace}
