"""The CI recipes of the security page, run as runners would: each line of hanbae, on an honest and a hostile branch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support import scenes

from hanbae.cli import main
from hanbae.sandbox import demo_repository

ROOT = Path(__file__).parent.parent.parent
PAGES = (ROOT / "docs" / "security.md", ROOT / "docs" / "security.ko.md")
RUNNERS = {
    "github": {"GITHUB_BASE_REF": "main"},
    "gitlab": {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"},
}
HOSTILE_POD = """
apiVersion: v1
kind: Pod
metadata: {name: miner}
spec:
  hostNetwork: true
  containers: [{name: app, image: "registry.example.com/miner:latest", securityContext: {privileged: true}}]
"""


def recipes(page: Path) -> dict[str, dict[str, Any]]:
    blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    documents = [yaml.safe_load(block) for block in blocks]
    return {"github" if "jobs" in document else "gitlab": document for document in documents}


def lines(runner: str) -> list[str]:
    """The commands of a recipe that are hanbae's."""
    recipe = recipes(PAGES[0])[runner]
    if runner == "github":
        script = [step["run"] for step in recipe["jobs"]["check"]["steps"] if "run" in step]
    else:
        script = recipe["hanbae"]["script"]
    return [line for line in script if line.startswith("hanbae ")]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example shop as a team has it that lets everything be generated."""
    origin = tmp_path_factory.mktemp("shop") / "origin"
    shutil.copytree(demo_repository.example(), origin)
    git(origin, "init", "--quiet", "--initial-branch", "main")
    for generated in ("argocd", "rbac"):
        assert main.run(["-C", str(origin), "generate", generated]) == 0
    commit(origin, "Lay the shop")
    return origin


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    """A clone of it, on the branch of a pull request."""
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    git(tmp_path / "clone", "switch", "--quiet", "--create", "change")
    return tmp_path / "clone"


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def run(clone: Path, runner: str, *verbs: str) -> dict[str, subprocess.CompletedProcess[str]]:
    """Verb → how its line of a recipe ends, in the shell that runners use; of all lines or of some."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {"PATH": programs, "CI": "true", "HOME": str(clone.parent), **RUNNERS[runner]}
    by_verb = {" ".join(line.split()[1:3]): line for line in lines(runner)}
    return {
        verb: subprocess.run(
            ["bash", "-ec", by_verb[verb]],
            cwd=clone,
            env=scenes.clean_environment() | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        for verb in verbs or by_verb
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_both_languages_show_the_same_recipes(page: Path) -> None:
    assert recipes(page) == recipes(PAGES[0])
    assert set(recipes(page)) == set(RUNNERS)


@pytest.mark.parametrize("runner", RUNNERS)
def test_recipe_passes_an_honest_branch(clone: Path, runner: str) -> None:
    template = clone / "services" / "auth" / "helm" / "templates" / "deployment.yaml"
    template.write_text(template.read_text() + "# a comment that changes nothing\n")
    commit(clone, "Explain the Deployment")
    ended = run(clone, runner)
    assert {verb: run.returncode for verb, run in ended.items()} == dict.fromkeys(ended, 0)
    assert len(ended) == 5


@pytest.mark.parametrize("runner", RUNNERS)
def test_recipe_refuses_a_branch_that_exempts_itself(clone: Path, runner: str) -> None:
    templates = clone / "services" / "auth" / "helm" / "templates"
    (templates / "miner.yaml").write_text(HOSTILE_POD)
    commit(clone, "Add a miner")
    assert main.run(["-C", str(clone), "check", "--write-baseline"]) == 0
    commit(clone, "Accept all findings")
    ended = run(clone, runner, "check --revision", "plan --base")
    assert ended["check --revision"].returncode == 1
    assert "miner" in ended["plan --base"].stdout


@pytest.mark.parametrize("runner", RUNNERS)
def test_recipe_refuses_a_branch_that_widens_the_deployers_rights(clone: Path, runner: str) -> None:
    roles = clone / "k8s" / "rbac" / "dev" / "roles.yaml"
    roles.write_text(re.sub(r"verbs: \[.*?\]", 'verbs: ["*"]', roles.read_text()) + "# wider\n")
    commit(clone, "Let the deployer do everything")
    assert run(clone, runner, "generate rbac")["generate rbac"].returncode == 1


@pytest.mark.parametrize("runner", RUNNERS)
def test_recipe_refuses_a_branch_whose_policy_leads_elsewhere(clone: Path, runner: str) -> None:
    policy = clone / "hanbae.yaml"
    controller = "kube-system/sealed-secrets-controller"
    policy.write_text(policy.read_text().replace(controller, "team-x/handy-server"))
    commit(clone, "Seal for another controller")
    check = run(clone, runner, "check --revision")["check --revision"]
    assert (check.returncode, "team-x/handy-server" in check.stdout) == (1, True)
