"""The templates for GitHub Actions and GitLab CI: the forges' own schemas take them, and their steps run.

What needs a forge or Docker is left out: building and pushing an image, which is done here by other means, and the
deployment itself, of which the end-to-end tests run the same commands.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support import printed_commands, registries, scenes

from hanbae.charts import values
from hanbae.images import layouts, references, registry
from hanbae.sandbox import demo_repository

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
RUNNERS = {"github": "github-actions", "gitlab": "gitlab-ci"}
COMMIT = "3f2c1ab"

pytestmark = pytest.mark.timeout(600)


def templates(runner: str, language: str = "") -> dict[str, str]:
    """Name → the YAML of a template."""
    text = (DOCS / f"{RUNNERS[runner]}{language}.md").read_text()
    blocks = re.findall(
        rf"^<!-- {runner}: (\w+) -->\n```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE
    )
    return dict(blocks)


def scripts(runner: str, name: str) -> list[str]:
    """Every line that a template runs."""
    document = yaml.safe_load(templates(runner)[name])
    if runner == "github":
        return [
            step["run"]
            for job in document["jobs"].values()
            for step in job["steps"]
            if "run" in step
        ]
    jobs = [job for job in document.values() if isinstance(job, dict)]
    return [line for job in jobs for line in (*job.get("script", ()), *job.get("after_script", ()))]


@pytest.mark.parametrize("runner", RUNNERS)
def test_both_languages_show_the_same_templates(runner: str) -> None:
    assert list(templates(runner)) == ["image", "deploy"]
    assert templates(runner, ".ko") == templates(runner)


@pytest.mark.parametrize("name", ["image", "deploy"])
@pytest.mark.parametrize("runner", RUNNERS)
def test_template_is_what_the_forge_takes(
    programs: Path, runner: str, name: str, tmp_path: Path
) -> None:
    schema = {"github": "vendor.github-workflows", "gitlab": "vendor.gitlab-ci"}[runner]
    file = tmp_path / f"{name}.yml"
    command = [programs / "check-jsonschema", "--builtin-schema", schema, file]

    def checked(text: str) -> subprocess.CompletedProcess[str]:
        file.write_text(text)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    text = templates(runner)[name]
    ended = checked(text)
    assert ended.returncode == 0, ended.stdout
    broken = {
        "github": text.replace("runs-on:", "run-on:"),
        "gitlab": f"{text}\nx: {{script: 7}}\n",
    }
    assert checked(broken[runner]).returncode != 0


@pytest.mark.parametrize("runner", RUNNERS)
def test_hanbaes_lines_are_taken_by_the_parser(runner: str) -> None:
    lines = [line for name in ("image", "deploy") for line in scripts(runner, name)]
    commands = [line.partition(" >>")[0] for line in lines if line.startswith("hanbae ")]
    assert len(commands) == 4
    assert not {
        command: fault for command in commands if (fault := printed_commands.fault(command))
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry with the image that the template's own steps would have pushed."""
    with registries.running(tmp_path_factory.mktemp("registry")) as address:
        layer = layouts.layer([layouts.File("/app/auth", b"auth", mode=0o755)])
        image = layouts.image([layer], {"Entrypoint": ["/app/auth"]})
        for name in ("shop/auth", "auth"):
            reference = references.parse(f"{address}/{name}:{COMMIT}")
            asyncio.run(registry.push(image, reference, registries.login(address)))
        yield address


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def environment(runner: str, address: str, home: Path) -> dict[str, str]:
    """What the runner gives its jobs."""
    pair = {"CI_REGISTRY_USER": registries.USER, "CI_REGISTRY_PASSWORD": registries.PASSWORD}
    own: dict[str, dict[str, str]] = {
        "github": {"GITHUB_SHA": COMMIT, "IMAGE": f"{address}/shop/auth:{COMMIT}"},
        "gitlab": pair
        | {
            "CI_COMMIT_SHA": COMMIT,
            "CI_REGISTRY": address,
            "CI_SERVER_HOST": "gitlab.example.com",
            "CI_PROJECT_PATH": "team/shop",
            "HANBAE_PUSH_TOKEN": "glpat-c4n4ry",
            "IMAGE": f"{address}/auth:{COMMIT}",
        },
    }
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return (
        scenes.clean_environment()
        | {"PATH": programs, "CI": "true", "HOME": str(home)}
        | own[runner]
    )


@pytest.mark.parametrize("runner", RUNNERS)
def test_image_that_was_built_is_named_in_dev_and_pushed(
    runner: str, server: str, tmp_path: Path
) -> None:
    home, origin, clone = tmp_path / "home", tmp_path / "origin.git", tmp_path / "clone"
    home.mkdir()
    shutil.copytree(demo_repository.example(), tmp_path / "shop")
    git(tmp_path / "shop", "init", "--quiet", "--initial-branch", "develop")
    git(tmp_path / "shop", "add", "--all")
    git(tmp_path / "shop", "commit", "--quiet", "--message", "The shop")
    git(tmp_path, "clone", "--quiet", "--bare", "shop", str(origin))
    git(origin, "config", "receive.advertisePushOptions", "true")
    git(tmp_path, "clone", "--quiet", str(origin), str(clone))
    variables = environment(runner, server, home)
    if runner == "github":  # what docker/login-action leaves
        pair = f"{registries.USER}:{registries.PASSWORD}".encode()
        auths = {server: {"auth": base64.b64encode(pair).decode()}}
        (home / ".docker").mkdir()
        (home / ".docker" / "config.json").write_text(json.dumps({"auths": auths}))
    url = "https://hanbae:glpat-c4n4ry@gitlab.example.com/team/shop.git"
    subprocess.run(
        ["git", "config", "--global", f"url.{origin}.insteadOf", url], env=variables, check=True
    )
    lines = [
        line
        for line in scripts(runner, "image")
        if not re.search(r"(^|\| )docker ", line) and line != "pip install hanbae"
    ]

    ended = subprocess.run(
        ["bash", "-ec", "\n".join(lines)],
        cwd=clone,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert "c4n4ry" not in ended.stdout + ended.stderr
    pushed = git(origin, "show", "develop:services/auth/helm/values-dev.yaml")
    file = tmp_path / "values.yaml"
    file.write_text(pushed)
    document: Any = values.read(file, "values.yaml")
    assert document.get("image.digest").startswith("sha256:")
    assert document.get("image.tag") == COMMIT
    assert COMMIT in git(origin, "log", "-1", "--format=%s", "develop")
