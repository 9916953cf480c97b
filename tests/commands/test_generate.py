"""``hanbae generate``: fresh or stale, never edited."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support import layouts

from hanbae.cli import main
from hanbae.policy import schemas

FOLDER = "k8s/argocd"


@pytest.fixture
def root(tmp_path: Path, layout: str) -> Path:
    """A repository with a policy."""
    url = "https://git.example.com/shop.git"
    layouts.begin(tmp_path, layout, repository=url)
    return tmp_path


def run(root: Path, *arguments: str) -> int:
    return main.run(["--lang", "en", "-C", str(root), "generate", "argocd", *arguments])


def outcomes(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    return {f["path"]: f["outcome"] for f in json.loads(capsys.readouterr().out)["files"]}


def test_every_environment_of_argo_cd_is_written(root: Path) -> None:
    assert run(root) == 0
    written = {
        path.relative_to(root / FOLDER).as_posix() for path in (root / FOLDER).rglob("*.yaml")
    }
    assert written == {
        f"{environment}/{name}.yaml"
        for environment in ("dev", "staging", "production")
        for name in ("kustomization", "project", "applicationset")
    }


def test_one_environment_can_be_written_alone(root: Path) -> None:
    assert run(root, "--env", "staging") == 0
    assert [path.name for path in (root / FOLDER).iterdir()] == ["staging"]


def test_check_finds_what_is_not_fresh_and_touches_nothing(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, "--check") == 1
    assert not (root / FOLDER).exists()
    run(root)
    assert run(root, "--check") == 0
    edited = root / FOLDER / "production/applicationset.yaml"
    edited.write_text(edited.read_text().replace("create-update", "sync"))
    capsys.readouterr()
    assert run(root, "--check", "--output", "json") == 1
    written = outcomes(capsys)
    assert [path for path, outcome in written.items() if outcome == "stale"] == [
        f"{FOLDER}/production/applicationset.yaml"
    ]
    assert "applicationsSync: sync" in edited.read_text()
    assert run(root) == 0
    assert run(root, "--check") == 0


def test_policy_that_moved_on_makes_files_stale(root: Path) -> None:
    run(root)
    policy = root / "hanbae.yaml"
    policy.write_text(policy.read_text().replace("branch: develop", "branch: trunk"))
    assert run(root, "--check") == 1


def test_files_of_a_removed_environment_go_and_other_peoples_stay(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(root)
    own = root / FOLDER / "staging/extra.yaml"
    own.write_text("kind: ConfigMap\n")
    policy = root / "hanbae.yaml"
    text = policy.read_text().replace("  staging:", "  preview:").replace("-staging", "-preview")
    policy.write_text(text)
    assert run(root, "--check") == 1
    capsys.readouterr()
    assert run(root, "--output", "json") == 0
    deleted = {path for path, outcome in outcomes(capsys).items() if outcome == "deleted"}
    names = ("applicationset", "kustomization", "project")
    assert deleted == {f"{FOLDER}/staging/{name}.yaml" for name in names}
    assert own.is_file()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [("local", "local runs on compose"), ("nowhere", "dev, staging, production")],
)
def test_environment_that_argo_cd_does_not_deploy_is_wrong_use(
    root: Path, environment: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, "--env", environment) == 2
    assert expected in capsys.readouterr().err


def test_schema_goes_to_standard_output(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main.run(["-C", str(root), "generate", "schema"]) == 0
    assert capsys.readouterr().out == schemas.text()


RULE = """
rules:
  - id: two-replicas
    kinds: [apps/Deployment]
    expression: object.spec.replicas >= 2
    message: "Production runs two pods of everything."
    environments: [production]
"""


def admission(root: Path, *arguments: str) -> int:
    return main.run(["--lang", "en", "-C", str(root), "generate", "admission", *arguments])


def test_own_rules_become_admission_policies_of_their_environments(root: Path) -> None:
    policy = root / "hanbae.yaml"
    without = policy.read_text()
    policy.write_text(without + RULE)
    assert admission(root) == 0
    written = {path.relative_to(root).as_posix() for path in (root / "k8s/admission").rglob("*.*")}
    assert written == {
        "k8s/admission/production/kustomization.yaml",
        "k8s/admission/production/rules.yaml",
    }
    text = (root / "k8s/admission/production/rules.yaml").read_text()
    assert "expression: object.spec.replicas >= 2" in text
    assert "services-production" in text
    assert admission(root, "--check") == 0
    policy.write_text(without)
    assert admission(root, "--check") == 1
    assert admission(root) == 0
    assert not (root / "k8s/admission/production/rules.yaml").exists()


def test_rule_that_the_api_server_would_not_take_is_refused_with_its_line(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = root / "hanbae.yaml"
    policy.write_text(policy.read_text() + RULE.replace(">= 2", ">="))
    assert admission(root) == 2
    assert "hanbae.yaml:" in capsys.readouterr().err
    assert not (root / "k8s/admission").exists()


def test_schema_is_written_beside_the_policy_for_editors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layouts.begin(tmp_path, "one-cluster")
    policy, schema = tmp_path / "hanbae.yaml", tmp_path / "hanbae.schema.json"
    before = policy.read_text()
    words = ["-C", str(tmp_path), "generate", "schema"]
    assert main.run([*words, "--check"]) == 1
    assert not schema.exists()
    assert policy.read_text() == before

    assert main.run([*words, "--write"]) == 0

    assert policy.read_text() == f"# yaml-language-server: $schema={schema.name}\n{before}"
    capsys.readouterr()
    assert main.run(words) == 0
    assert schema.read_text() == capsys.readouterr().out
    assert main.run([*words, "--check"]) == 0
    assert main.run(["-C", str(tmp_path), "check"]) == 0
    schema.write_text("{}")
    assert main.run([*words, "--check"]) == 1


def test_schema_leaves_a_line_of_the_teams_own_and_a_policy_with_faults(tmp_path: Path) -> None:
    policy = tmp_path / "hanbae.yaml"
    text = "# ours\r\n# yaml-language-server: $schema=https://example.com/x.json\r\nverson: 1\r\n"
    policy.write_bytes(text.encode())
    words = ["-C", str(tmp_path), "generate", "schema"]
    assert main.run([*words, "--write"]) == 0
    assert policy.read_bytes().decode() == text
    assert main.run([*words, "--write", "--output-of", "check"]) == 2
