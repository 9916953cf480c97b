"""What ``hanbae render`` keeps is what the files gave that its key names."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hanbae.actions import render
from hanbae.charts import rendering as charts
from hanbae.checking import projects
from hanbae.repository import keeping

SHOP = Path(__file__).parents[3] / "examples" / "shop"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("values.yaml", "app"))
    values = folder / "services/auth/helm/values-dev.yaml"
    values.write_text(values.read_text().replace('tag: ""', "tag: v1"))
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    return folder


async def manifest(shop: Path, kept: keeping.Cache | None) -> str:
    """What auth is in dev."""
    request = render.Request(services=("auth",), environment="dev")
    async with render.rendering(shop, request, cache=kept) as releases:
        (release,) = [release async for release in releases]
    assert isinstance(release, render.Release)
    return release.manifest


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("templates/service.yaml", "kind: Service\n", "kind: Service # saved\n"),
        ("values-dev.yaml", "tag: v1", "tag: saved"),
    ],
)
async def test_what_is_saved_while_it_is_rendered_is_not_kept_for_what_was_there(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, old: str, new: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kept, project = keeping.opened(), projects.project
    file = shop / "services/auth/helm" / path
    before = file.read_text()
    assert old in before

    def saved(*words: Any, **more: Any) -> Any:
        result = project(*words, **more)
        file.write_text(before.replace(old, new))
        return result

    with monkeypatch.context() as patched:
        patched.setattr(projects, "project", saved)
        assert "saved" in await manifest(shop, kept)
    file.write_text(before)
    assert await manifest(shop, kept) == await manifest(shop, None)
    assert "saved" not in await manifest(shop, kept)


@pytest.fixture
def converted(shop: Path) -> Path:
    """A clone in which git writes line ends of its own."""
    chart = shop / "services/auth/helm"
    for path in (chart / "templates/service.yaml", chart / "values-dev.yaml"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    for words in (("config", "core.autocrlf", "true"), ("add", "-A"), ("commit", "-qm", "x")):
        subprocess.run(["git", *identity, *words], cwd=shop, check=True, capture_output=True)
    return shop


async def test_files_that_git_converts_are_kept_as_they_were_read(
    converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``core.autocrlf``, what git lists of a file is not what is on the disk."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kept = keeping.opened()
    first = await manifest(converted, kept)

    async def rendered(*_: Any, **__: Any) -> Any:
        raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr(charts, "answers", rendered)
        assert await manifest(converted, kept) == first
    values = converted / "services/auth/helm/values-dev.yaml"
    values.write_bytes(values.read_bytes().replace(b"tag: v1", b"tag: v2"))
    assert "v2" in await manifest(converted, kept)
    values.write_bytes(values.read_bytes().replace(b"tag: v2", b"tag: v1"))
    assert await manifest(converted, kept) == first
