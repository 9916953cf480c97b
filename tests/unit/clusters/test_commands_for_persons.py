"""Commands that a person pastes into a shell ask the cluster that hanbae has asked."""

from __future__ import annotations

from typing import Any

import pytest

from hanbae.argocd_api import connections as servers
from hanbae.argocd_api import settings
from hanbae.clusters import answers, connections, kubeconfigs
from hanbae.masking import Masked

UNSENT: Any = None


def cluster(context: str) -> connections.Cluster:
    return connections.Cluster(UNSENT, context=context, server="https://10.0.0.1:6443")


def test_the_context_is_named_as_a_shell_takes_it() -> None:
    assert cluster("a b").kubectl("get", "jobs") == "kubectl get jobs --context 'a b'"


def test_a_pods_own_configuration_has_no_context_that_kubectl_would_know() -> None:
    assert cluster(kubeconfigs.IN_CLUSTER).kubectl("get", "jobs") == "kubectl get jobs"


def test_what_the_cluster_says_is_quoted() -> None:
    command = cluster("pods").kubectl("delete", "secret", "-l", "owner=helm,name=x;reboot")
    assert command == "kubectl delete secret -l 'owner=helm,name=x;reboot' --context pods"


def test_a_permission_is_asked_about_in_the_same_cluster() -> None:
    call = answers.Call("get", "pods/log", "services", "auth", "a;b", "https://10.0.0.1", "")
    assert call.check == (
        "kubectl auth can-i get pods/auth --subresource=log -n services --context 'a;b'"
    )


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("https://argocd.example.com", "--server argocd.example.com"),
        ("http://127.0.0.1:8080", "--server 127.0.0.1:8080 --plaintext"),
        (
            "https://example.com:8443/argocd",
            "--server example.com:8443 --grpc-web-root-path /argocd",
        ),
    ],
)
def test_the_argocd_program_is_told_which_server(url: str, options: str) -> None:
    plain = url.startswith("http:")
    server = servers.Server(UNSENT, settings.Settings(url, Masked(b"token"), plain))
    assert " ".join(server.options) == options
