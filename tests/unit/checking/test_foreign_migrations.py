"""Migrations of charts that hanbae did not lay, whose files may be anywhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.support import foreign_shops

from hanbae.actions import check
from hanbae.policy import loading

POLICY = """\
version: 1
profile: essential
argocd: {repository: "https://git.example.com/orders.git"}
services:
  path: ["apps/*/helm", "charts/*"]
  release: "{service}"
  secret: "{release}-secret"
  values: ["values.yaml", "envs/{environment}/{service}.yaml"]
  migrations: "db/{service}"
environments:
  dev: {branch: develop}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = shutil.copytree(foreign_shops.SOURCE, tmp_path / "shop")
    (folder / loading.NAME).write_text(POLICY)
    return folder


async def codes(root: Path) -> set[str]:
    return {finding.code for finding in (await check.check(root)).findings}


async def test_files_in_another_repository_are_no_error_of_this_one(root: Path) -> None:
    assert not {"MIG015", "MIG025"} & await codes(root)


async def test_a_folder_that_is_missing_beside_others_is_found(root: Path) -> None:
    (root / "db/accounts/identity_db").mkdir(parents=True)
    (root / "db/accounts/identity_db/00001_a.sql").write_text("-- +goose Up\nSELECT 1;\n")
    assert {"MIG015", "MIG025"} & await codes(root) == {"MIG025"}


async def test_a_declared_database_without_files_is_an_error(root: Path) -> None:
    with (root / "envs/dev/ledger.yaml").open("a") as file:
        file.write("migration: {enabled: true, databases: [{name: a_db, urlKey: A, dir: a_db}]}\n")
    assert "MIG015" in await codes(root)
