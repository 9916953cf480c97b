"""Which cluster a context means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hanbae import errors
from hanbae.clusters import kubeconfigs


def config(path: Path, *names: str, current: str = "", **extra: Any) -> Path:
    """A kubeconfig in which cluster, user and context have the same name and its file's stem is the server."""
    document = {
        "current-context": current,
        "clusters": [{"name": n, "cluster": {"server": f"https://{path.stem}"}} for n in names],
        "users": [{"name": n, "user": {"token": path.stem}} for n in names],
        "contexts": [{"name": n, "context": {"cluster": n, "user": n}} for n in names],
    }
    path.write_text(json.dumps(document | extra))
    return path


def test_first_file_that_names_something_wins_as_kubectl_has_it(tmp_path: Path) -> None:
    first = config(tmp_path / "first", "dev")
    second = config(tmp_path / "second", "dev", "prod", current="prod")
    merged = kubeconfigs.merged([first, second])
    assert kubeconfigs.chosen(merged, None) == "prod"
    _, cluster, user = kubeconfigs.of_context(merged, "dev")
    assert (cluster.server, user.token) == ("https://first", "first")
    assert kubeconfigs.of_context(merged, "prod")[1].server == "https://second"


def test_files_come_from_the_argument_then_the_variable(tmp_path: Path) -> None:
    first, second = config(tmp_path / "one", "a"), config(tmp_path / "two", "b")
    listed = {"KUBECONFIG": f"{first}:{tmp_path / 'absent'}:{second}"}
    assert kubeconfigs.files(None, listed) == [first, second]
    assert kubeconfigs.files(second, listed) == [second]
    with pytest.raises(errors.WrongUse) as caught:
        kubeconfigs.files(tmp_path / "absent", listed)
    assert caught.value.text.id == "cluster.no-kubeconfig"


def test_relative_names_are_relative_to_their_file(tmp_path: Path) -> None:
    folder = tmp_path / "team"
    folder.mkdir()
    path = folder / "config"
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "./login"}
    document = {
        "clusters": [
            {"name": "a", "cluster": {"server": "https://a", "certificate-authority": "ca.crt"}}
        ],
        "users": [{"name": "a", "user": {"client-key": "/etc/key", "exec": plugin}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    }
    path.write_text(json.dumps(document))
    _, cluster, user = kubeconfigs.of_context(kubeconfigs.merged([path]), "a")
    assert cluster.certificate_authority == str(folder / "ca.crt")
    assert user.client_key == "/etc/key"
    assert user.exec is not None
    assert user.exec.command == str(folder / "login")


def test_unknown_context_lists_those_that_there_are(tmp_path: Path) -> None:
    merged = kubeconfigs.merged([config(tmp_path / "c", "staging", "dev")])
    with pytest.raises(errors.WrongUse) as caught:
        kubeconfigs.chosen(merged, "prod")
    assert caught.value.text.facts == {"context": "prod", "contexts": "dev, staging"}
    with pytest.raises(errors.WrongUse) as caught:
        kubeconfigs.chosen(merged, None)
    assert caught.value.text.id == "cluster.no-current-context"


@pytest.mark.parametrize("context", [None, "prod"])
def test_a_kubeconfig_without_contexts_lists_none(tmp_path: Path, context: str | None) -> None:
    merged = kubeconfigs.merged([config(tmp_path / "c")])
    with pytest.raises(errors.WrongUse) as caught:
        kubeconfigs.chosen(merged, context)
    assert caught.value.text.id == "cluster.no-contexts"


def test_context_that_points_nowhere_is_told(tmp_path: Path) -> None:
    path = config(tmp_path / "c", "dev", clusters=[])
    with pytest.raises(errors.WrongUse) as caught:
        kubeconfigs.of_context(kubeconfigs.merged([path]), "dev")
    assert caught.value.text.facts == {"section": "clusters", "name": "dev"}


@pytest.mark.parametrize(
    ("content", "line"),
    [("a: [1\nb: 2", 2), ("- 1", 0), ("contexts: [{}]", 0), ("\x00", 0)],
    ids=["syntax", "list", "nameless", "binary"],
)
def test_file_that_is_no_kubeconfig_is_a_fault_with_its_place(
    tmp_path: Path, content: str, line: int
) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(errors.FileFault) as caught:
        kubeconfigs.merged([path])
    assert caught.value.place is not None
    assert caught.value.place.file == str(path)
    assert caught.value.place.line >= line


def test_pod_uses_its_own_account_through_the_token_file(tmp_path: Path) -> None:
    assert kubeconfigs.in_cluster({}, folder=tmp_path)["contexts"] == []
    (tmp_path / "token").write_text("secret")
    (tmp_path / "namespace").write_text("argocd")
    kubeconfig = kubeconfigs.in_cluster({"KUBERNETES_SERVICE_HOST": "fd00::1"}, folder=tmp_path)
    context, cluster, user = kubeconfigs.of_context(
        kubeconfig, kubeconfigs.chosen(kubeconfig, None)
    )
    assert cluster.server == "https://[fd00::1]:443"
    assert context.namespace == "argocd"
    assert user == kubeconfigs.User(token_file=str(tmp_path / "token"))
