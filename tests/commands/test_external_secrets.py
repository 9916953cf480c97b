"""``secrets.provider: external-secrets``: a chart that refers to a store, and what the commands say of it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from hanbae.actions import init, new_service
from hanbae.cli import main

Run = Callable[..., tuple[int, str, str]]
STORE = "  provider: external-secrets\n  store: ClusterSecretStore/{environment}\n"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    policy = root / "hanbae.yaml"
    text = policy.read_text()
    assert "  provider: sealed-secrets\n" in text
    policy.write_text(text.replace("  provider: sealed-secrets\n", STORE))
    new_service.new_service(root, "auth")
    for environment in ("dev", "staging", "prod"):
        path = root / "services/auth/helm" / f"values-{environment}.yaml"
        path.write_text(path.read_text().replace('tag: ""', "tag: v1"))
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"c4n4ry")))
        code = main.run(["--lang", "en", *arguments])
        captured = capsys.readouterr()
        assert "c4n4ry" not in captured.out + captured.err
        return code, captured.out, captured.err

    return run


def values_file(shop: Path, environment: str) -> Path:
    return shop / "services/auth/helm" / f"values-{environment}.yaml"


def test_a_new_chart_refers_to_the_store_and_is_clean(shop: Path, run: Run) -> None:
    code, out, err = run("render", "auth", "--env", "staging")
    assert code == 0, err
    (external,) = [
        item for item in yaml.safe_load_all(out) if item and item["kind"] == "ExternalSecret"
    ]
    assert external["metadata"]["name"] == "auth-secrets"
    assert external["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] == "-10"
    assert external["spec"]["secretStoreRef"] == {"kind": "ClusterSecretStore", "name": "staging"}
    assert external["spec"]["data"] == [
        {
            "secretKey": "DATABASE_URL",
            "remoteRef": {"key": "staging/auth", "property": "DATABASE_URL"},
        }
    ]
    assert "SealedSecret" not in out
    code, out, err = run("check", "auth", "--output", "json", "--no-cache")
    secrets = [
        f for f in json.loads(out)["findings"] if f["code"].startswith(("SEC", "ARG", "LAY"))
    ]
    assert secrets == [], err


def test_a_key_that_the_chart_needs_and_nothing_refers_to_is_an_error(shop: Path, run: Run) -> None:
    path = values_file(shop, "prod")
    path.write_text(path.read_text().replace("    - DATABASE_URL", "    - DATABASE_URI"))
    code, out, _ = run("check", "auth", "--output", "json", "--no-cache")
    assert code == 1
    named = {
        (finding["code"], finding["text"]["facts"]["key"])
        for finding in json.loads(out)["findings"]
        if finding["code"] == "SEC002"
    }
    assert named == {("SEC002", "DATABASE_URL")}
    code, out, err = run("secrets", "verify", "auth")
    assert code == 1
    assert "auth-secrets/DATABASE_URL" in out
    assert "hanbae secrets seal" not in out + err


def test_list_says_where_each_value_is(shop: Path, run: Run) -> None:
    code, out, err = run("secrets", "list", "auth", "--output", "json")
    assert code == 0, err
    rows = {
        (row["environment"], row["key"]): (row["state"], row["reference"])
        for row in json.loads(out)["keys"]
    }
    assert rows == {
        (environment, "DATABASE_URL"): (
            "made",
            f"ClusterSecretStore/{environment}: {environment}/auth#DATABASE_URL",
        )
        for environment in ("dev", "staging", "production")
    }
    code, out, _ = run("secrets", "list", "auth", "--env", "dev")
    assert "ClusterSecretStore/dev: dev/auth#DATABASE_URL" in out
    assert run("secrets", "verify", "auth")[0] == 0


def test_keys_that_pods_read_as_a_whole_are_listed_one_by_one(shop: Path, run: Run) -> None:
    path = values_file(shop, "dev")
    path.write_text(
        path.read_text().replace("    - DATABASE_URL", "    - DATABASE_URL\n    - TOKEN")
    )
    _, out, _ = run("secrets", "list", "auth", "--env", "dev", "--output", "json")
    assert [row["key"] for row in json.loads(out)["keys"]] == ["DATABASE_URL", "TOKEN"]
    _, out, _ = run("check", "auth", "--output", "json", "--no-cache")
    forgotten = [f for f in json.loads(out)["findings"] if f["code"] == "SEC019"]
    assert {(f["text"]["facts"]["key"], f["text"]["facts"]["environment"]) for f in forgotten} == {
        ("TOKEN", "staging"),
        ("TOKEN", "production"),
    }


REFUSED = [
    ("secrets", "seal", "auth", "TOKEN", "--env", "dev", "--stdin", "--certificate", "hanbae.yaml"),
    ("secrets", "seal", "auth", "TOKEN", "--env", "dev"),
    ("secrets", "seal", "auth", "--env", "dev", "--generate", "TOKEN=32"),
    ("secrets", "import", "auth", "--env", "dev", "--from-cluster"),
    ("secrets", "reseal", "--env", "dev"),
    ("secrets", "report", "--departed", "mina@example.com"),
    ("generate", "rbac", "--sealers", "team"),
]


@pytest.mark.parametrize("words", REFUSED, ids=lambda words: " ".join(words[:3]))
def test_nothing_is_sealed_and_the_refusal_says_what_to_do(
    shop: Path, run: Run, words: tuple[str, ...]
) -> None:
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    code, _, err = run(*words)
    assert code == 5
    assert "external-secrets" in err
    assert words[1] == "report" or "hanbae.yaml:" in err
    assert {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()} == before


def test_report_says_that_the_store_knows_the_ages(shop: Path, run: Run) -> None:
    code, out, err = run("secrets", "report", "auth", "--env", "dev")
    assert code == 0, err
    assert "dev/auth#DATABASE_URL" in out
    assert "store" in err


def test_what_is_generated_knows_the_kind(shop: Path, run: Run) -> None:
    assert run("generate", "argocd")[0] == 0
    (project,) = [
        path for path in shop.rglob("k8s/argocd/dev/*.yaml") if "AppProject" in path.read_text()
    ]
    kinds = next(
        item
        for item in yaml.safe_load_all(project.read_text())
        if item and item["kind"] == "AppProject"
    )["spec"]["namespaceResourceWhitelist"]
    assert {"group": "external-secrets.io", "kind": "ExternalSecret"} in kinds
    assert run("generate", "rbac")[0] == 0
    roles = "".join(path.read_text() for path in shop.rglob("k8s/rbac/dev/*.yaml"))
    assert "externalsecrets" in roles
    assert "sealedsecrets" not in roles
    assert "services/proxy" not in roles or "sealed-secrets-controller" not in roles
    assert run("generate", "docs")[0] == 0
    text = "".join(path.read_text() for path in shop.rglob("docs/llm/**/*.md"))
    assert "External Secrets" in text
    assert "kubeseal" not in text
    assert run("generate", "docs", "--check")[0] == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("  store: Vault/shop\n", "ClusterSecretStore/shop"),
        ("  store: ClusterSecretStore/{service}\n", "ClusterSecretStore/shop"),
        ("  entry: 'a b'\n", "entry"),
        ("  provider: vault\n", "external-secrets"),
    ],
)
def test_a_policy_that_names_no_store_is_refused_with_its_line(
    shop: Path, run: Run, line: str, message: str
) -> None:
    policy = shop / "hanbae.yaml"
    text = policy.read_text()
    key = line.split(":", maxsplit=1)[0] + ":"
    kept = [own for own in text.splitlines(keepends=True) if not own.startswith(key)]
    below = kept.index("secrets:\n") + 1
    policy.write_text("".join([*kept[:below], line, *kept[below:]]))
    code, _, err = run("secrets", "list")
    assert code == 2
    assert "hanbae.yaml:" in err
    assert message in err


def test_a_chart_without_a_store_to_refer_to_is_not_scaffolded(shop: Path, run: Run) -> None:
    policy = shop / "hanbae.yaml"
    policy.write_text(policy.read_text().replace("  store: ClusterSecretStore/{environment}\n", ""))
    code, _, err = run("new", "service", "mail")
    assert code == 2
    assert "secrets.store" in err
    assert not (shop / "services/mail").exists()
