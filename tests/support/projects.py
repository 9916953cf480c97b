"""Argo CD's projects as an administrator changes them through its API: roles and their tokens, sync windows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx2

from hanbae import masking
from hanbae.sandbox import running

ALLOWED: Final = ("get", "sync")
"""What a role needs on ``applications`` to deploy."""


class Projects:
    """The projects of a sandbox's Argo CD.

    Args:
        sandbox: The sandbox.
    """

    def __init__(self, sandbox: running.Sandbox) -> None:
        self._argocd = sandbox.argocd

    def token(self, project: str, role: str, *, actions: Iterable[str] = ALLOWED) -> masking.Masked:
        """A new token of a role that may do these things with the project's applications."""
        subject = f"proj:{project}:{role}"
        policies = [f"p, {subject}, applications, {entry}, {project}/*, allow" for entry in actions]
        with self._administrator() as client:
            document = _read(client, project)
            roles = [
                entry for entry in document["spec"].get("roles") or [] if entry["name"] != role
            ]
            document["spec"]["roles"] = [*roles, {"name": role, "policies": policies}]
            _write(client, document)
            created = _ok(client.post(f"/api/v1/projects/{project}/roles/{role}/token", json={}))
        return masking.Masked(created["token"].encode())

    def manifests(self, application: str) -> list[dict[str, Any]]:
        """What the repo-server renders of an Application, in its order.

        Raises:
            httpx2.HTTPStatusError: It refuses.
        """
        with self._administrator() as client:
            answer = _ok(client.get(f"/api/v1/applications/{application}/manifests"))
        return [json.loads(manifest) for manifest in answer.get("manifests") or ()]

    def sync(self, application: str) -> httpx2.Response:
        """What a person does who presses Sync; the answer, whatever it is."""
        with self._administrator() as client:
            return client.post(f"/api/v1/applications/{application}/sync", json={})

    @contextmanager
    def closed(self, project: str) -> Iterator[None]:
        """A sync window that lets nobody sync, for as long as this lasts."""
        window = {
            "kind": "deny",
            "schedule": "* * * * *",
            "duration": "1h",
            "applications": ["*"],
            "manualSync": False,
        }
        self._windows(project, [window])
        try:
            yield
        finally:
            self._windows(project, [])

    def _windows(self, project: str, windows: list[Mapping[str, Any]]) -> None:
        with self._administrator() as client:
            document = _read(client, project)
            document["spec"]["syncWindows"] = windows
            _write(client, document)

    @contextmanager
    def _administrator(self) -> Iterator[httpx2.Client]:
        login = {
            "username": self._argocd.username,
            "password": self._argocd.password.unmask().decode(),
        }
        with httpx2.Client(base_url=self._argocd.url, trust_env=False, timeout=30) as client:
            token = _ok(client.post("/api/v1/session", json=login))["token"]
            client.headers["authorization"] = f"Bearer {token}"
            yield client


def _read(client: httpx2.Client, project: str) -> dict[str, Any]:
    return _ok(client.get(f"/api/v1/projects/{project}"))


def _write(client: httpx2.Client, project: Mapping[str, Any]) -> None:
    name = project["metadata"]["name"]
    _ok(client.put(f"/api/v1/projects/{name}", json={"project": project}))


def _ok(response: httpx2.Response) -> dict[str, Any]:
    response.raise_for_status()
    decoded: dict[str, Any] = response.json()
    return decoded
