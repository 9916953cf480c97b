"""The shop is what the policy describes, and what the issue asks of an example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hanbae.charts import founding, scaffold_record, scaffolding
from hanbae.migrations import goose_files
from hanbae.policy import loading
from hanbae.sandbox import demo_repository

SHOP = demo_repository.example()
SERVICES = ("auth", "identity", "personal")
FOLDERS = {
    "auth": ("auth/migrations",),
    "personal": ("personal/migrations",),
    "identity": tuple(f"identity/migrations/{db}" for db in ("identity_db", "auth_db", "legal_db")),
}
POLICY = loading.load(SHOP / "hanbae.yaml").policy
DATABASES = sorted(folder for folders in FOLDERS.values() for folder in folders)


def sql(folder: str) -> dict[str, str]:
    return {p.name: p.read_text() for p in (SHOP / "services" / folder).glob("*.sql")}


def test_services_are_the_policys() -> None:
    services = sorted(path.parent.name for path in (SHOP / "services").glob("*/helm"))
    assert services == sorted(SERVICES)


@pytest.mark.parametrize("folder", DATABASES)
def test_each_database_has_three_migrations_that_goose_would_take(folder: str) -> None:
    assert goose_files.versions(sql(folder)) == (1, 2, 3)


@pytest.mark.parametrize("folder", DATABASES)
def test_each_database_has_a_concurrent_index_and_a_function_body(folder: str) -> None:
    migrations = sql(folder).values()
    concurrent = [text for text in migrations if "CREATE INDEX CONCURRENTLY" in text]
    assert concurrent
    assert all("-- +goose NO TRANSACTION" in text for text in concurrent)
    functions = [text for text in migrations if "LANGUAGE plpgsql" in text]
    assert functions
    assert all(
        re.search(r"StatementBegin.*\$\$.*StatementEnd", text, re.DOTALL) for text in functions
    )


@pytest.mark.parametrize("folder", DATABASES)
def test_each_table_that_readiness_asks_for_is_created(folder: str) -> None:
    config = (SHOP / "app" / "config.go").read_text()
    database = folder.rsplit("/", 1)[-1] if folder.startswith("identity") else None
    service = folder.split("/", 1)[0]
    block = config.split(f'"{service}": {{')[1].split("routes:")[0]
    required = {
        name: re.findall(r'"(\w+)"', tables)
        for name, tables in re.findall(r'\{"(\w+)", "\w+", \[\]string\{([^}]*)\}', block)
    }
    tables = required[database or f"{service}_db"]
    assert tables
    created = " ".join(sql(folder).values())
    assert all(f"CREATE TABLE {table} " in created for table in tables)


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_of_one_cluster_is_kept(service: str) -> None:
    """Sealed values and digests belong to one cluster; the repository has neither."""
    for path in (SHOP / "services" / service / "helm").glob("values-*.yaml"):
        text = path.read_text()
        assert not re.search(r"\bAg[A-Za-z0-9+/]{100,}", text), path
        assert "sha256:" not in text, path


def scaffolded() -> dict[str, str]:
    """What `hanbae init --one-cluster` and `hanbae new service` write, without what the shop has of its own."""
    files = founding.cluster_files(POLICY)
    for service, databases in FOLDERS.items():
        names = [Path(folder).name for folder in databases] if len(databases) > 1 else []
        image = f"registry.example.com/shop/{service}"
        files |= scaffolding.chart_files(service, POLICY, databases=names, image=image)
    own = ("Dockerfile", "00001_baseline.sql")
    return {path: text for path, text in files.items() if Path(path).name not in own}


@pytest.mark.parametrize("path", sorted(scaffolded()))
def test_charts_and_overlays_are_what_hanbae_writes(path: str) -> None:
    assert (SHOP / path).read_text() == scaffolded()[path], "run `hanbae new service` for it again"


@pytest.mark.parametrize("service", SERVICES)
def test_each_chart_keeps_what_it_was_scaffolded_from(service: str) -> None:
    path = scaffold_record.path(POLICY, service)
    folder = f"services/{service}/"
    assert scaffold_record.read(POLICY, service, (SHOP / path).read_text()) == {
        path: text
        for path, text in scaffolded().items()
        if path.startswith(folder) and scaffold_record.is_kept(POLICY, service, path)
    }


def test_policy_is_what_hanbae_init_writes() -> None:
    url = POLICY.argocd.repository
    text = founding.policy_file(url, language=POLICY.language, one_cluster=True)
    assert (SHOP / "hanbae.yaml").read_text() == text


@pytest.mark.parametrize("service", SERVICES)
def test_dockerfile_has_what_the_chart_runs(service: str) -> None:
    text = (SHOP / "services" / service / "Dockerfile").read_text()
    assert "/usr/local/bin/goose\n" in text
    assert f"services/{service}/migrations /app/services/{service}/migrations\n" in text
    assert f'ENTRYPOINT ["/app/{service}"]' in text
    assert f"ENV SERVICE={service}\n" in text
