"""``hanbae generate rbac``: who may deploy, fresh or stale, never edited."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hanbae.cli import main

FOLDER = "k8s/rbac"
FILES = ("admission", "identity", "kustomization", "roles")
KUBECTL = shutil.which("kubectl") or str(Path(sys.executable).parent / "kubectl")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a policy and one service."""
    url = "https://git.example.com/shop.git"
    assert (
        main.run(
            ["-C", str(tmp_path), "init", "--repository", url, "--one-cluster", "--language", "en"]
        )
        == 0
    )
    assert main.run(["-C", str(tmp_path), "new", "service", "auth"]) == 0
    return tmp_path


def run(root: Path, *arguments: str) -> int:
    return main.run(["--lang", "en", "-C", str(root), "generate", "rbac", *arguments])


def written(root: Path) -> set[str]:
    return {p.relative_to(root / FOLDER).as_posix() for p in (root / FOLDER).rglob("*.yaml")}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def stale(root: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> set[str]:
    capsys.readouterr()
    code = run(root, "--check", "--output", "json", *arguments)
    files = json.loads(capsys.readouterr().out)["files"]
    paths = {f["path"].removeprefix(f"{FOLDER}/") for f in files if f["outcome"] == "stale"}
    assert code == (1 if paths else 0)
    return paths


def kustomized(root: Path, folder: str) -> list[dict[str, Any]]:
    ended = subprocess.run(
        [KUBECTL, "kustomize", str(root / FOLDER / folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    return list(YAML(typ="safe").load_all(ended.stdout))


def test_every_environment_of_argo_cd_is_written_and_fresh(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root) == 0
    environments = ("dev", "staging", "production")
    assert written(root) == {f"{env}/{file}.yaml" for env in environments for file in FILES}
    assert not stale(root, capsys)


def test_kustomize_builds_what_is_written(root: Path) -> None:
    run(root, "--env", "dev")
    kinds = sorted({manifest["kind"] for manifest in kustomized(root, "dev")})
    assert kinds == [
        "Namespace",
        "Role",
        "RoleBinding",
        "ServiceAccount",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ]


def test_clusters_apart_get_folders_of_their_own(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(root)
    edit(root / "hanbae.yaml", "    branch: main", "    branch: main\n    workload: pods")
    assert run(root, "--env", "production") == 0
    expected = {f"production/{c}/{f}.yaml" for c in ("control", "workload") for f in FILES}
    assert {path for path in written(root) if path.startswith("production/")} == expected
    assert not stale(root, capsys)
    control, workload = (kustomized(root, f"production/{c}") for c in ("control", "workload"))
    for cluster_objects in (control, workload):
        assert {"ServiceAccount", "Role"} <= {manifest["kind"] for manifest in cluster_objects}
    policies = [
        {t["metadata"]["name"] for t in cluster_objects if t["kind"] == "ValidatingAdmissionPolicy"}
        for cluster_objects in (control, workload)
    ]
    assert policies == [
        {"hanbae-applications-services-production", "hanbae-applicationsets-services-production"},
        {"hanbae-jobs-services-production"},
    ]


def test_a_new_service_makes_them_stale(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(root)
    assert main.run(["-C", str(root), "new", "service", "personal"]) == 0
    assert {path.split("/")[1] for path in stale(root, capsys)} == {"admission.yaml", "roles.yaml"}
    assert run(root) == 0
    assert "personal-dev" in (root / FOLDER / "dev/roles.yaml").read_text()


def test_another_image_repository_makes_its_environment_stale(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(root)
    values = root / "services/auth/helm/values-staging.yaml"
    edit(values, "repository: registry.example.com", "repository: other.example.com")
    assert stale(root, capsys) == {"staging/admission.yaml"}


def test_a_group_stays_only_when_it_is_named_again(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, "--env", "dev", "--group", "ops", "--group", "team a") == 0
    text = (root / FOLDER / "dev/roles.yaml").read_text()
    assert "hanbae generate rbac --env dev --group ops --group 'team a'" in text
    assert not stale(root, capsys, "--env", "dev", "--group", "ops", "--group", "team a")
    assert stale(root, capsys, "--env", "dev")


@pytest.mark.parametrize("group", ["", "a\nb"])
def test_group_that_cannot_be_one_is_wrong_use(root: Path, group: str) -> None:
    assert run(root, "--env", "dev", "--group", group) == 2
    assert not (root / FOLDER).exists()


def test_files_of_a_removed_environment_go_and_other_peoples_stay(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(root)
    own = root / FOLDER / "staging/extra.yaml"
    own.write_text("kind: ConfigMap\n")
    edit(root / "hanbae.yaml", "  staging:", "  preview:")
    edit(root / "hanbae.yaml", "-staging", "-preview")
    assert {f"staging/{file}.yaml" for file in FILES} <= stale(root, capsys)
    assert run(root) == 0
    assert {path for path in written(root) if path.startswith("staging/")} == {"staging/extra.yaml"}


@pytest.mark.parametrize("environment", ["local", "nowhere"])
def test_environment_that_argo_cd_does_not_deploy_is_wrong_use(
    root: Path, environment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, "--env", environment) == 2
    assert environment in capsys.readouterr().err


def test_repository_without_services_has_nobody_to_authorise(tmp_path: Path) -> None:
    url = "https://git.example.com/shop.git"
    assert (
        main.run(
            ["-C", str(tmp_path), "init", "--repository", url, "--one-cluster", "--language", "en"]
        )
        == 0
    )
    assert run(tmp_path) == 2
    assert not (tmp_path / FOLDER).exists()


def test_service_with_databases_and_without_an_image_is_a_fault(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = root / "services/auth/helm/values-dev.yaml"
    line = next(line for line in values.read_text().splitlines() if "repository:" in line)
    edit(values, line, '  repository: ""')
    capsys.readouterr()
    assert run(root, "--env", "dev") == 2
    assert "values-dev.yaml" in capsys.readouterr().err
    edit(values, "enabled: true", "enabled: false")
    assert run(root, "--env", "dev") == 0


def test_service_that_is_not_in_an_environment_yet_is_no_fault(root: Path) -> None:
    (root / "services/auth/helm/values-staging.yaml").unlink()
    assert run(root, "--env", "staging") == 0
    assert "auth-staging" in (root / FOLDER / "staging/roles.yaml").read_text()


def test_comments_are_in_the_policys_language(root: Path) -> None:
    edit(root / "hanbae.yaml", "language: en", "language: ko")
    run(root, "--env", "dev")
    assert "클러스터 관리자" in (root / FOLDER / "dev/roles.yaml").read_text()
    assert run(root, "--env", "dev", "--check") == 0


def test_no_kubernetes_client_is_loaded(root: Path) -> None:
    code = (
        "import sys; from hanbae.cli import main; main.run(sys.argv[1:]); "
        "print(sorted({'httpx2'} & set(sys.modules)), file=sys.stderr)"
    )
    arguments = [sys.executable, "-c", code, "-C", str(root), "generate", "rbac", "--env", "dev"]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert ended.stderr.splitlines()[-1] == "[]"


def test_other_environments_are_compared_where_one_is_broken(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root) == 0
    (broken,) = list(root.glob("services/*/helm/values-dev.yaml"))[:1]
    broken.write_text(broken.read_text() + "service: ]\n")
    (root / "k8s/rbac/production").rename(root / "k8s/rbac/moved")
    identity = root / "k8s/rbac/dev/identity.yaml"
    identity.write_text(
        identity.read_text().replace("kind: ServiceAccount", "kind: ServiceAccounts")
    )
    second = max(root.glob("services/*/helm/values-staging.yaml"))
    second.write_text(second.read_text() + "service: ]\n")
    capsys.readouterr()
    assert run(root, "--check") == 2
    captured = capsys.readouterr()
    assert "k8s/rbac/production" in captured.out
    assert "values-dev.yaml:" in captured.err
    assert "values-staging.yaml:" in captured.err
    # What does not depend on services is compared in the broken environment as well, and nothing else of it.
    assert "k8s/rbac/dev/identity.yaml" in captured.out
    assert "k8s/rbac/dev/roles.yaml" not in captured.out
