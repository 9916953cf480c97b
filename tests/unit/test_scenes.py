"""What end-to-end tests read of a sandbox comes from its API server, and kubectl is asked where it is not there."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.support import scenes

from hanbae.sandbox import demo_repository, demo_shop, running

APPLICATION = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/auth-dev"


class Sandbox:
    """A cluster with these objects, and what it was asked for."""

    def __init__(self, objects: dict[str, Any], *, answers: bool = True) -> None:
        self.site = SimpleNamespace(api=self)
        self.commands: list[list[str]] = []
        self.accounts: list[tuple[str, str]] = []
        self._objects = objects
        self._answers = answers

    def get(self, path: str) -> tuple[int, Any]:
        if not self._answers:
            raise ConnectionResetError
        return (200, self._objects[path]) if path in self._objects else (404, {"kind": "Status"})

    def kubectl(self, arguments: list[str]) -> bytes:
        self.commands.append(arguments)
        return json.dumps({"by": "kubectl"}).encode()

    def kubeconfig_of(self, account: str, namespace: str) -> Path:
        self.accounts.append((account, namespace))
        return Path(f"{namespace}.kubeconfig")


def scene(sandbox: Sandbox) -> scenes.Scene:
    example = demo_repository.example()
    repository = demo_repository.Repository(example, example)
    shop = demo_shop.Shop(cast("running.Sandbox", sandbox), repository, example)
    return scenes.Scene(shop, "dev")


def test_an_object_is_read_without_a_process() -> None:
    sandbox = Sandbox({APPLICATION: {"kind": "Application"}})
    assert scene(sandbox).operation("auth") == {"kind": "Application"}
    assert sandbox.commands == []


@pytest.mark.parametrize("answers", [True, False])
def test_kubectl_says_what_is_wrong_with_what_cannot_be_read(*, answers: bool) -> None:
    sandbox = Sandbox({}, answers=answers)
    assert scene(sandbox).operation("auth") == {"by": "kubectl"}
    words = ["get", "application", "auth-dev", "-n", "argocd", "-o", "json"]
    assert sandbox.commands == [words]


def test_other_kinds_are_left_to_kubectl() -> None:
    sandbox = Sandbox({})
    assert scene(sandbox).get("sealedsecret", "a", namespace="b") == {"by": "kubectl"}


def test_the_deployers_kubeconfig_is_made_once() -> None:
    sandbox = Sandbox({})
    shop = scene(sandbox).shop
    assert shop.deployer("dev") == shop.deployer("dev") != shop.deployer("staging")
    assert len(sandbox.accounts) == 2
