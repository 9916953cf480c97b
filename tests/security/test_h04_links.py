"""A branch's links show nothing that git does not have: no credentials of the clone, no secrets of a developer's."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest
from tests.support import layouts, scenes

from hanbae import errors
from hanbae.actions import new_service
from hanbae.policy import loading
from hanbae.repository import services, trees

CANARY = "glcbt-64_C4N4RYTOKEN0123456789"
ENCODED = base64.b64encode(CANARY.encode()).decode()[:20]
CHART = "services/auth/helm"


def git(root: Path, *words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A clone as a CI job has it: its configuration holds the job's token; and a developer's own values."""
    root = tmp_path / "shop"
    root.mkdir()
    layouts.begin(root, "clusters")
    new_service.new_service(root, "auth")
    git(root, "init", "-q")
    git(
        root,
        "config",
        "remote.origin.url",
        f"https://gitlab-ci-token:{CANARY}@git.example.com/shop.git",
    )
    (root / CHART / "values.yaml").write_text(f"password: {CANARY}\n")
    return root


def attack(shop: Path, target: str, template: str) -> None:
    (shop / CHART / "shown").symlink_to(target)
    (shop / CHART / "templates/x.yaml").write_text(template)
    git(shop, "add", "--all")
    git(shop, "commit", "-qm", "x")


FAIL = '{{ fail (.Files.Get "shown") }}'
HIDDEN = '{{ fail (.Files.Get "shown" | b64enc) }}'
SHOWN = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {x: {{ .Files.Get "shown" | quote }}}\n'
TARGETS = {
    "the clone's configuration": "../../../.git/config",
    "by another spelling": "../../../services/../.git/config",
    "an ignored file": "values.yaml",
}


@pytest.mark.parametrize("template", [FAIL, HIDDEN, SHOWN], ids=["fail", "fail in base64", "shown"])
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("command", [("check", "--no-cache"), ("render",)], ids=" ".join)
def test_no_command_shows_what_git_does_not_have(
    shop: Path, target: str, template: str, command: tuple[str, ...]
) -> None:
    attack(shop, target, template)
    ended = scenes.hanbae("--lang", "en", *command, directory=shop)
    assert ended.code in (1, 2)
    for canary in (CANARY, ENCODED, "extraheader", "[remote"):
        assert canary not in ended.out + ended.err


def test_a_link_to_a_folder_of_gits_own_or_ignored_ones_shows_nothing(shop: Path) -> None:
    (shop / "secret").mkdir()
    (shop / "secret/.env").write_text(CANARY)
    (shop / ".gitignore").write_text("secret/\n" + (shop / ".gitignore").read_text())
    for name, target in (("own", "../../../.git"), ("ignored", "../../../secret")):
        (shop / CHART / name).symlink_to(target)
    git(shop, "add", "--all")
    tree = trees.WorkingTree(shop)
    for name in ("own", "ignored"):
        with pytest.raises(errors.FileFault) as caught:
            tree.linked(f"{CHART}/{name}")
        assert caught.value.text.id == "repository.link-unlisted"


def test_links_to_what_git_has_are_followed(shop: Path) -> None:
    (shop / "docs").mkdir()
    (shop / "docs/new.md").write_text("not yet added")
    for name, target in (("new", "docs/new.md"), ("twice", "new"), ("folder", "docs")):
        (shop / name).symlink_to(target)
    tree = trees.WorkingTree(shop)
    assert tree.read("new") == tree.read("twice") == b"not yet added"
    assert tree.linked("folder") == "docs"


def test_values_files_that_are_links_to_gits_own_are_not_read(shop: Path) -> None:
    values = shop / CHART / "values-dev.yaml"
    values.unlink()
    values.symlink_to("../../../.git/config")
    loaded = loading.load(shop / "hanbae.yaml")
    with pytest.raises(errors.FileFault):
        services.values_file(loaded, "auth", "dev")
    for words in (
        ("secrets", "list"),
        ("generate", "rbac"),
        ("image", "set", "auth", ":1", "--env", "dev"),
    ):
        ended = scenes.hanbae("--lang", "en", *words, directory=shop)
        assert ended.code == 2
        assert CANARY not in ended.out + ended.err


def test_what_a_chart_says_goes_through_the_redactor(shop: Path) -> None:
    attack(shop, "Chart.yaml", f'{{{{ fail "postgres://u:{CANARY}@h/db password={CANARY}" }}}}')
    ended = scenes.hanbae("--lang", "en", "check", "--no-cache", directory=shop)
    assert "INP001" in ended.out
    assert CANARY not in ended.out + ended.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can read everything")
def test_a_policy_that_is_a_link_to_gits_own_is_refused(shop: Path) -> None:
    (shop / "hanbae.yaml").unlink()
    (shop / "hanbae.yaml").symlink_to(".GIT/config" if (shop / ".GIT").exists() else ".git/config")
    ended = scenes.hanbae("--lang", "en", "check", directory=shop)
    assert ended.code == 2
    assert CANARY not in ended.out + ended.err


@pytest.mark.parametrize("name", [".gitignore", ".gitattributes", "services/.gitignore"])
@pytest.mark.parametrize("target", ["/dev/zero", "/dev/tty", "/etc/passwd", ".git/config"])
def test_what_git_reads_for_itself_is_no_link_out_of_the_clone(
    shop: Path, name: str, target: str
) -> None:
    """libgit2 reads these to their end, and follows links that git does not follow."""
    path = shop / name
    path.unlink(missing_ok=True)
    path.symlink_to(
        os.path.relpath(shop / target, path.parent) if target == ".git/config" else target
    )
    git(shop, "add", "--force", name)
    with pytest.raises(errors.FileFault, match="link-of-git") as caught:
        trees.WorkingTree(shop)
    assert caught.value.place is not None
    assert caught.value.place.file == name


def test_a_link_of_gits_to_a_file_of_the_clone_is_left_alone(shop: Path) -> None:
    (shop / "ignored.txt").write_text("build/\n")
    (shop / ".gitignore").unlink(missing_ok=True)
    (shop / ".gitignore").symlink_to("ignored.txt")
    git(shop, "add", "--all", "--force")
    assert ".gitignore" in trees.WorkingTree(shop).files()
