"""Reports, baselines, saved plans and rendered trees are not written through a branch's links out of the clone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.support import layouts, scenes

from hanbae import errors
from hanbae.actions import new_service, save_plan
from hanbae.policy import boundaries
from hanbae.results import saved_plans


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    layouts.begin(root, "clusters")
    new_service.new_service(root, "auth")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/.bashrc").write_text("mine")
    return root


def ran(shop: Path, *words: str) -> scenes.Ended:
    return scenes.hanbae("--lang", "en", *words, directory=shop, COLUMNS="300")


@pytest.mark.parametrize("target", ["../victim/.bashrc", "../victim/new", ".git/config", "loop"])
@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("out.sarif", ("check", "--output", "text", "--output", "sarif=out.sarif")),
        ("hanbae-baseline.json", ("check", "--write-baseline")),
        ("manifests", ("render", "--save", "manifests")),
    ],
    ids=["report", "baseline", "manifests"],
)
def test_a_link_of_the_branch_decides_nothing(
    shop: Path, link: str, words: tuple[str, ...], target: str
) -> None:
    (shop / "loop").symlink_to("loop")
    (shop / link).symlink_to(target)
    before = (shop / ".git/config").read_bytes()
    ended = ran(shop, *words)
    # Of a folder the command line itself says that it is a file.
    assert ended.code == 5 or (link == "manifests" and ended.code == 2), ended.err
    assert "Traceback" not in ended.err
    assert [path.name for path in (shop.parent / "victim").iterdir()] == [".bashrc"]
    assert (shop.parent / "victim/.bashrc").read_text() == "mine"
    assert (shop / ".git/config").read_bytes() == before


def test_a_linked_folder_on_the_way_decides_nothing_either(shop: Path) -> None:
    (shop / "reports").symlink_to("../victim")
    ended = ran(shop, "check", "-o", "text", "-o", "sarif=reports/x.sarif")
    assert ended.code == 5, ended.err
    assert "reports is a link of the repository" in ended.err
    assert not (shop.parent / "victim/x.sarif").exists()


def test_a_saved_plan_is_not_written_through_it(shop: Path) -> None:
    (shop / "plan.json").symlink_to("../victim/.bashrc")
    frozen = saved_plans.Frozen("hanbae-plan", 1, "0", "dev", "develop", "0", "0", "0", ())
    with pytest.raises(errors.Refused) as caught:
        save_plan.write(frozen, shop / "plan.json")
    assert caught.value.text.id == "output.link-out"


def test_the_users_own_links_and_links_inside_the_clone_are_followed(shop: Path) -> None:
    (shop / "build").mkdir()
    (shop / "inside.sarif").symlink_to("build/inside.sarif")
    (shop.parent / "own.sarif").symlink_to("victim/own.sarif")
    for name in ("inside.sarif", "../own.sarif"):
        assert ran(shop, "check", "-o", "text", "-o", f"sarif={name}").code in (0, 1)
    assert (shop / "build/inside.sarif").is_file()
    assert (shop.parent / "victim/own.sarif").is_file()


def test_the_users_link_to_a_link_of_the_branch_is_the_branchs(shop: Path, tmp_path: Path) -> None:
    (shop / "evil").symlink_to("../victim")
    (tmp_path / "mine").symlink_to("shop/evil")
    with pytest.raises(errors.Refused):
        boundaries.output(tmp_path / "mine" / ".bashrc")
