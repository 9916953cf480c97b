"""``check`` holds the committed rights of a deployer to what rendered Jobs ask for, as well as to what values say."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import foreign_shops

from hanbae.charts import values
from hanbae.cli import main
from hanbae.policy import loading

ADMISSION = "k8s/rbac/dev/admission.yaml"
STRANGER = "registry.example.com/stranger/image"


def rights(root: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    """The errors that are found of the deployer's rights; that an environment has none yet is a notice."""
    capsys.readouterr()
    main.run(["--lang", "en", "-C", str(root), "check", "--no-cache", "--output", "json"])
    reported = json.loads(capsys.readouterr().out)["findings"]
    errors = [finding for finding in reported if finding["severity"] == "error"]
    return [finding for finding in errors if finding["code"] == "ENV017"]


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A repository whose charts only their rendered Jobs say what they migrate."""
    root = shutil.copytree(foreign_shops.SOURCE, tmp_path / "shop")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    url = "https://git.example.com/orders.git"
    assert main.run(["-C", str(root), "init", "--yes", "--repository", url]) == 0
    with values.editing(root / loading.NAME, loading.NAME) as policy:
        policy.update({("services", "secret"): "{release}-secret"})
    assert main.run(["-C", str(root), "generate", "rbac", "--env", "dev"]) == 0
    return root


@pytest.fixture
def laid(tmp_path: Path) -> Path:
    """A repository that hanbae laid."""
    root = tmp_path / "shop"
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    for words in (
        ["init", "--one-cluster", "--repository", "https://git.example.com/shop.git"],
        ["new", "service", "auth"],
        ["generate", "rbac", "--env", "dev"],
    ):
        assert main.run(["-C", str(root), *words]) == 0
    return root


def test_generated_rights_of_rendered_jobs_are_clean(
    foreign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    admission = (foreign / ADMISSION).read_text()
    assert "identity-database-url" in admission, "they are those of the Jobs"
    assert rights(foreign, capsys) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("registry.example.com/orders/accounts", STRANGER),
        (",identity-database-url,", ",identity-database-url,jwt-secret,"),
        ('"secret": "accounts-secret"', '"secret": "another-secret"'),
    ],
    ids=["another image", "one more key", "another Secret"],
)
def test_widened_rights_of_rendered_jobs_are_found(
    foreign: Path, capsys: pytest.CaptureFixture[str], old: str, new: str
) -> None:
    replaced(foreign / ADMISSION, old, new)
    (finding,) = rights(foreign, capsys)
    assert finding["place"]["file"] == ADMISSION


def without_declaration(root: Path) -> None:
    """A chart that renders without the values that say what is migrated, and values that no longer say it."""
    chart = root / "services/auth/helm"
    (chart / "values.schema.json").unlink()
    for template in chart.glob("templates/*"):
        text = template.read_text()
        template.write_text(
            text.replace(".Values.migration.", "(.Values.migration).").replace("$(", "($")
        )
    path = chart / "values-dev.yaml"
    text = path.read_text()
    start = text.index("\nmigration:")
    path.write_text(text[:start] + text[text.index("\n\n", start + 1) :])


@pytest.mark.parametrize("hide", [without_declaration, lambda _: None], ids=["hidden", "declared"])
def test_a_branch_cannot_hide_a_widened_right_by_what_its_values_leave_out(
    laid: Path, capsys: pytest.CaptureFixture[str], hide: Callable[[Path], None]
) -> None:
    assert rights(laid, capsys) == []
    hide(laid)
    replaced(laid / ADMISSION, '"repository": "', f'"repository": "{STRANGER}/')
    assert rights(laid, capsys)
