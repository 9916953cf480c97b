"""What the deployer of charts that hanbae did not lay may prove, read from the Jobs that they render."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hanbae.charts import pools
from hanbae.planning import rights
from hanbae.policy import documents
from hanbae.releases import rights as release_rights
from hanbae.repository import services, trees

SHOP = Path(__file__).parents[2] / "data" / "foreign-shop"
POLICY = documents.Policy(
    version=1,
    argocd=documents.ArgoCD("https://git.example.com/orders.git"),
    environments={"dev": documents.Environment(branch="develop")},
    services=documents.Services(
        path=("apps/*/helm", "charts/*"),
        release="{service}",
        secret="{release}-secret",
        values=("values.yaml", "envs/{environment}/{service}.yaml"),
        migrations="db/{service}",
    ),
)


@pytest.mark.parametrize(
    ("service", "keys"),
    [
        ("accounts", ("identity-database-url", "auth-database-url", "legal-database-url")),
        ("ledger", ("database-url",)),
    ],
)
async def test_image_and_keys_are_those_of_the_jobs(
    tmp_path: Path, service: str, keys: tuple[str, ...]
) -> None:
    root = shutil.copytree(SHOP, tmp_path / "shop")
    tree = trees.WorkingTree(root)
    policy = services.located(POLICY, tree)
    async with pools.opened(1) as pool:
        described = await rights.rendered(pool, policy, tree, service, "dev")
    assert described.repository == f"registry.example.com/orders/{service}"
    assert described.keys == keys


async def test_a_service_without_values_for_the_environment_has_nothing_to_prove(
    tmp_path: Path,
) -> None:
    root = shutil.copytree(SHOP, tmp_path / "shop")
    (root / "envs/dev/ledger.yaml").unlink()
    tree = trees.WorkingTree(root)
    policy = services.located(POLICY, tree)
    async with pools.opened(1) as pool:
        described = await rights.rendered(pool, policy, tree, "ledger", "dev")
    assert (described.repository, described.keys) == ("", ())


def test_the_repository_is_compared_as_it_is_written() -> None:
    digest = f"sha256:{'0' * 64}"
    assert release_rights.repository(f"registry.example.com:5000/a/b:1.2@{digest}") == (
        "registry.example.com:5000/a/b"
    )
    assert release_rights.repository("user") == "user"
