"""The hook that teams name in ``.pre-commit-config.yaml``, run by pre-commit itself at real commits."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.support import scenes

from hanbae.sandbox import demo_repository

ROOT = Path(__file__).parent.parent.parent
PAGES = (ROOT / "docs" / "editor.md", ROOT / "docs" / "editor.ko.md")

pytestmark = pytest.mark.timeout(600)  # pre-commit may have to be downloaded


def configuration(page: Path) -> str:
    blocks = re.findall(r"^```yaml\n(repos:.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    (block,) = blocks
    return str(block)


@pytest.fixture
def shop(programs: Path, tmp_path: Path) -> Path:
    """The example shop with the configuration of the page, and the hook installed."""
    hooks, shop = tmp_path / "hooks", tmp_path / "shop"
    hooks.mkdir()
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", hooks)
    run(programs, hooks, "git", "init", "--quiet")
    commit(programs, hooks)
    revision = run(programs, hooks, "git", "rev-parse", "HEAD").stdout.strip()
    shutil.copytree(demo_repository.example(), shop, ignore=shutil.ignore_patterns("values.yaml"))
    text = configuration(PAGES[0]).replace("https://github.com/hanbae/hanbae", hooks.as_uri())
    document = yaml.safe_load(text.replace("COMMIT", revision))
    # Building hanbae is what test_wheel.py does; here it is the one that is installed.
    document["repos"][0]["hooks"][0]["language"] = "system"
    (shop / ".pre-commit-config.yaml").write_text(yaml.safe_dump(document))
    run(programs, shop, "git", "init", "--quiet")
    commit(programs, shop)
    run(programs, shop, "pre-commit", "install")
    return shop


def run(
    programs: Path, folder: Path, *command: str, code: int = 0
) -> subprocess.CompletedProcess[str]:
    path = [str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
    ended = subprocess.run(
        command,
        cwd=folder,
        env={
            **scenes.clean_environment(),
            "PATH": os.pathsep.join(path),
            "HOME": str(folder.parent),
            "GIT_AUTHOR_NAME": "Ann",
            "GIT_AUTHOR_EMAIL": "ann@example.com",
            "GIT_COMMITTER_NAME": "Ann",
            "GIT_COMMITTER_EMAIL": "ann@example.com",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended


def commit(programs: Path, folder: Path, *, code: int = 0) -> str:
    run(programs, folder, "git", "add", "--all")
    ended = run(programs, folder, "git", "commit", "--quiet", "--message", "a step", code=code)
    return ended.stdout + ended.stderr


def test_both_languages_show_the_same_configuration() -> None:
    assert configuration(PAGES[0]) == configuration(PAGES[1])


def test_commit_passes_or_is_refused_with_the_finding(programs: Path, shop: Path) -> None:
    values = shop / "services/auth/helm/values-dev.yaml"
    values.write_text(values.read_text() + "# a comment that changes nothing\n")
    assert "hanbae check" in commit(programs, shop)

    template = shop / "services/auth/helm/templates/migration-job.yaml"
    template.write_text(template.read_text().replace("hook: Sync", "hook: Synk"))
    words = commit(programs, shop, code=1)

    assert "ARG001" in words
    assert "migration-job.yaml" in words
    head = run(
        programs, shop, "git", "show", "HEAD:services/auth/helm/templates/migration-job.yaml"
    )
    assert "hook: Sync\n" in head.stdout


def test_hooks_file_is_what_pre_commit_takes(programs: Path) -> None:
    run(programs, ROOT, "pre-commit", "validate-manifest", ".pre-commit-hooks.yaml")
