"""What the commands write with ``--output json`` is what ``hanbae generate schema --output-of`` says."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from tests.support import records

from hanbae.actions import init, new_service, set_image
from hanbae.cli import json_schemas, main
from hanbae.history import stores


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed repository with one service and a finding."""
    root = tmp_path_factory.mktemp("shop")
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(root, "orders", image="registry.example.com/shop/orders")
    import asyncio

    asyncio.run(
        set_image.set_image(
            root, "orders", "dev", "registry.example.com/shop/orders:1.0.0", resolve=False
        )
    )
    (root / "services/orders/helm/templates/hpa.yaml").unlink()
    git = ("git", "-c", "user.name=shop", "-c", "user.email=shop@example.com", "-C", str(root))
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"], ["tag", "one"]):
        subprocess.run([*git, *words], check=True)
    values = root / "services/orders/helm/values-dev.yaml"
    values.write_text(values.read_text().replace("1.0.0", "1.1.0"))
    subprocess.run([*git, "commit", "-qam", "second"], check=True)
    return root


@pytest.fixture
def in_shop(shop: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(shop)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HANBAE_LANG", "en")
    return shop


def schema(output: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main.run(["generate", "schema", "--output-of", output]) == 0
    published: dict[str, Any] = json.loads(capsys.readouterr().out)
    return published


COMMANDS = [
    ("check", "check"),
    ("check-explain", "check --explain ARG001"),
    ("check-rules", "check --rules"),
    ("dependencies-build", "dependencies build --check"),
    ("dependencies-update", "dependencies update --dry-run"),
    ("error", "check nosuch"),
    ("error", "check --nosuch"),
    ("generate", "generate argocd --check"),
    ("generate", "generate compose --check"),
    ("image-set", "image set orders registry.example.com/shop/orders:1.1.0 --env dev --no-resolve"),
    ("init", "init"),
    ("new-service", "new service orders"),
    ("upgrade", "upgrade orders --dry-run"),
    ("plan-base", "plan --base one"),
    ("render", "render --env dev"),
    ("sandbox-status", "sandbox status --name nosuch"),
    ("secrets-list", "secrets list"),
    ("secrets-report", "secrets report"),
    ("secrets-verify", "secrets verify"),
]


@pytest.mark.parametrize(("output", "line"), COMMANDS, ids=[line for _, line in COMMANDS])
def test_document_is_as_its_schema_says(
    output: str, line: str, in_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main.run([*shlex.split(line), "--output", "json"])
    document = json.loads(capsys.readouterr().out)
    published = schema(output, capsys)
    jsonschema_rs.validate(published, document)
    assert next(iter(document)) == "format"
    root = published["$defs"][published["$ref"].rpartition("/")[2]]
    assert document.keys() <= root["properties"].keys()
    without = {key: value for key, value in document.items() if key != "format"}
    assert not jsonschema_rs.is_valid(published, without)


@pytest.mark.parametrize("line", ["history list", "history show d1"])
def test_history_is_as_its_schema_says(
    line: str, in_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with stores.open_store() as store:
        for event in records.stream([records.opened("orders"), records.closed()]):
            store.append(event.deployment, event.step, event.fact, event.at)
    assert main.run([*line.split(), "--output", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    published = schema(line.removesuffix(" d1").replace(" ", "-"), capsys)
    jsonschema_rs.validate(published, document)
    assert document["format"] == 1
    if "show" in line:
        assert main.run([*line.split(), "--output", "jsonl"]) == 0
        lines = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
        assert len(lines) == 2
        for event in lines:
            jsonschema_rs.validate(schema("event", capsys), event)


@pytest.mark.parametrize("output", [*json_schemas.OUTPUTS, *json_schemas.LINES])
def test_every_schema_is_one(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert jsonschema_rs.meta.is_valid(schema(output, capsys))


def test_misspelt_output_is_answered_with_what_was_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.run(["--lang", "en", "generate", "schema", "--output-of", "depoly"]) == 2
    assert "Did you mean deploy?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "near"),
    [
        ("check order", "orders"),
        ("check --env prod", "production"),
        ("check --env stagign", "staging"),
        ("render Orders", "orders"),
        ("plan --base one --env prodution", "production"),
        ("plan --base one ordes", "orders"),
        ("generate argocd --env prod", "production"),
        ("secrets list oders", "orders"),
        ("image set orders :1 --env prod --no-resolve", "production"),
        ("deploy orders --env prod", "production"),
        ("history list --env prod", "production"),
    ],
)
@pytest.mark.parametrize(
    ("language", "question"), [("en", "Did you mean"), ("ko", "이것을 찾으셨습니까?")]
)
def test_mistyped_name_is_answered_with_what_was_meant(
    line: str,
    near: str,
    language: str,
    question: str,
    in_shop: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.run(["--lang", language, *line.split()]) == 2
    assert f"{question} {near}" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("line", ["deploy ordes --env dev", "plan ordes --env dev"])
def test_unknown_service_is_refused_before_anything_is_fetched(
    line: str, in_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git = ("git", "-C", str(in_shop))
    nowhere = f"file://{in_shop}/nowhere.git"
    subprocess.run([*git, "remote", "add", "origin", nowhere], check=True)
    try:
        assert main.run(line.split()) == 2
        assert "Did you mean orders?" in " ".join(capsys.readouterr().err.split())
        # One that the branch had when it was last fetched may well be there: only the remote can say.
        subprocess.run([*git, "mv", "services/orders", "services/ordes"], check=True)
        tree = subprocess.run([*git, "write-tree"], check=True, capture_output=True, text=True)
        subprocess.run([*git, "mv", "services/ordes", "services/orders"], check=True)
        identity = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
        commit = subprocess.run(
            [*git, *identity, "commit-tree", "-m", "moved", tree.stdout.strip()],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        branch = "refs/remotes/origin/develop"
        subprocess.run([*git, "update-ref", branch, commit.stdout.strip()], check=True)
        assert main.run(line.split()) == 4
    finally:
        subprocess.run([*git, "update-ref", "-d", "refs/remotes/origin/develop"], check=True)
        subprocess.run([*git, "remote", "remove", "origin"], check=True)
