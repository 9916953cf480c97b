"""Files that are in a generator's way: none is called unchanged that was not understood, and none fills the memory."""

from __future__ import annotations

import asyncio
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support import layouts

from hanbae import errors
from hanbae.actions import (
    generate_admission,
    generate_argocd,
    generate_namespaces,
    generate_rbac,
    init,
    new_service,
)
from hanbae.charts import values
from hanbae.repository import generated_files

LARGE = 100 * 1024**2
GENERATORS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "limits": ("k8s/base/limits.yaml", generate_namespaces.generate_namespaces),
    "namespaces": ("k8s/base/namespaces.yaml", generate_namespaces.generate_namespaces),
    "base": ("k8s/base/kustomization.yaml", generate_namespaces.generate_namespaces),
    "overlay": ("k8s/overlays/dev/kustomization.yaml", generate_namespaces.generate_namespaces),
    "argocd": ("k8s/argocd/dev/project.yaml", generate_argocd.generate_argocd),
    "rbac": (
        "k8s/rbac/dev/admission.yaml",
        lambda root: asyncio.run(generate_rbac.generate_rbac(root)),
    ),
    "init": (".gitignore", init.init),
}


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with all that is generated, made once: that takes longer than a test."""
    root = tmp_path_factory.mktemp("generated")
    layouts.begin(root, "one-cluster")
    new_service.new_service(root, "auth", image="registry.example.com/shop/auth")
    generate_argocd.generate_argocd(root)
    asyncio.run(generate_rbac.generate_rbac(root))
    return root


@pytest.fixture
def root(generated: Path, tmp_path: Path) -> Path:
    """A test's own copy."""
    shutil.copytree(generated, tmp_path, symlinks=True, dirs_exist_ok=True)
    return tmp_path


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("name", sorted(GENERATORS))
@pytest.mark.parametrize("content", [b"x" * 4096 + b"\n", b"- a\n" * 1024], ids=["text", "list"])
def test_a_large_file_in_the_way(root: Path, name: str, content: bytes) -> None:
    file, generate = GENERATORS[name]
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as opened:
        opened.write(content)
        opened.truncate(LARGE)
    before = peak()
    with pytest.raises(errors.FileFault, match="too-large") as caught:
        generate(root)
    assert caught.value.place is not None
    assert caught.value.place.file == file
    assert peak() - before < LARGE / 2


@pytest.mark.parametrize("name", ["limits", "namespaces", "base", "overlay"])
@pytest.mark.parametrize("text", ["just text\n", "- a\n- b\n", "7\n", "'a: b'\n"])
def test_a_file_that_is_no_mapping(root: Path, name: str, text: str) -> None:
    file, generate = GENERATORS[name]
    (root / file).write_text(text)
    with pytest.raises(errors.FileFault, match="not-a-mapping"):
        generate(root)
    assert (root / file).read_text() == text


@pytest.mark.parametrize("name", ["limits", "namespaces"])
def test_a_document_among_others_that_is_no_mapping(root: Path, name: str) -> None:
    file, generate = GENERATORS[name]
    text = (root / file).read_text()
    (root / file).write_text(f"{text}---\n# a comment\n- a\n")
    with pytest.raises(errors.FileFault, match="not-a-mapping") as caught:
        generate(root)
    assert caught.value.place is not None
    assert caught.value.place.line == text.count("\n") + 3


@pytest.mark.parametrize("name", ["limits", "namespaces"])
def test_comments_between_separators_are_no_fault(root: Path, name: str) -> None:
    file, generate = GENERATORS[name]
    (root / file).write_text(f"# a\n---\n{(root / file).read_text()}---\n# b\n")
    assert {change.outcome for change in generate(root)} == {"unchanged"}


def test_a_large_file_beside_generated_ones_is_not_read(root: Path) -> None:
    path = root / "k8s/argocd/dev/large.yaml"
    with path.open("wb") as file:
        file.truncate(LARGE)
    before = peak()
    assert "k8s/argocd/dev/large.yaml" not in generated_files.present(root, "k8s/argocd", "hanbae")
    generate_admission.generate_admission(root)
    assert peak() - before < LARGE / 2


def test_a_large_values_file(root: Path) -> None:
    path = root / "services/auth/helm/values-dev.yaml"
    with path.open("wb") as file:
        file.truncate(LARGE)
    before = peak()
    with pytest.raises(errors.FileFault, match="too-large"):
        values.read(path, "values-dev.yaml")
    assert peak() - before < LARGE / 2
