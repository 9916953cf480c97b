"""``hanbae new service``: scaffolds, and shows differences instead of overwriting."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.support import layouts

from hanbae.cli import main


@pytest.fixture
def root(tmp_path: Path, layout: str) -> Path:
    """A repository with a policy."""
    url = "https://git.example.com/shop.git"
    words = ["init", "--repository", url, *layouts.options(layout)]
    assert main.run(["-C", str(tmp_path), *words]) == 0
    layouts.arrange(tmp_path, layout)
    return tmp_path


def run(root: Path, *arguments: str) -> int:
    return main.run(["--lang", "en", "-C", str(root), "new", "service", *arguments])


def outcomes(root: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    capsys.readouterr()
    assert run(root, *arguments, "--output", "json") == 0
    return {f["path"]: f["outcome"] for f in json.loads(capsys.readouterr().out)["files"]}


def test_service_is_scaffolded_from_anywhere_in_the_repository(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "services").mkdir()
    written = outcomes(root / "services", capsys, "auth")
    assert set(written.values()) == {"created"}
    assert (root / "services/auth/helm/templates/migration-job.yaml").is_file()


def test_chart_has_the_files_of_the_policy_document_and_git_ignores_one_of_them(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes(root, capsys, "auth")
    chart = root / "services/auth/helm"
    files = {path.relative_to(chart).as_posix() for path in chart.rglob("*") if path.is_file()}
    assert files >= {
        "Chart.yaml",
        "values.yaml.example",
        "values-dev.yaml",
        "values-staging.yaml",
        "values-prod.yaml",
        "templates/deployment.yaml",
        "templates/service.yaml",
        "templates/ingress.yaml",
        "templates/hpa.yaml",
        "templates/sealed-secret.yaml",
        "templates/migration-job.yaml",
    }
    assert "values.yaml" not in files, "it is each developer's own"
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    (chart / "values.yaml").write_text("replicas: 1\n")
    listed = [
        "git",
        "status",
        "--porcelain",
        "--ignored",
        "--untracked-files=all",
        "services/auth/helm",
    ]
    status = subprocess.run(listed, cwd=root, check=True, capture_output=True, text=True).stdout
    ignored = [line[3:] for line in status.splitlines() if line.startswith("!!")]
    assert ignored == ["services/auth/helm/values.yaml"]


def test_running_again_changes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--port", "9000", "--image", "registry:5000/auth", "--databases", "a_db,b_db")
    run(root, "web", *options)
    assert set(outcomes(root, capsys, "web", *options).values()) == {"unchanged"}


def test_what_is_not_asked_for_is_taken_from_the_service(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--port", "9000", "--image", "registry:5000/auth", "--databases", "a_db,b_db")
    run(root, "auth", *options)
    assert set(outcomes(root, capsys, "auth").values()) == {"unchanged"}


def test_sealed_values_survive_even_force(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(root, "auth")
    values = root / "services/auth/helm/values-dev.yaml"
    edited = values.read_text().replace("encryptedData: {}", "encryptedData: {KEY: AgBx}")
    values.write_text(edited)
    chart = root / "services/auth/helm/templates/service.yaml"
    chart.write_text("# mine\n")
    written = outcomes(root, capsys, "auth", "--force")
    assert values.read_text() == edited
    assert written["services/auth/helm/values-dev.yaml"] == "kept"
    assert written["services/auth/helm/templates/service.yaml"] == "changed"


def test_long_sealed_values_do_not_flood_the_difference(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(root, "auth")
    values = root / "services/auth/helm/values-dev.yaml"
    values.write_text(values.read_text() + f"# {'x' * 5000}\n")
    capsys.readouterr()
    assert run(root, "auth") == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 200


def test_replaced_first_migration_does_not_come_back(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(root, "auth")
    folder = root / "services/auth/migrations"
    (folder / "00001_baseline.sql").rename(folder / "00001_users.sql")
    assert not [path for path in outcomes(root, capsys, "auth") if path.endswith(".sql")]
    assert [path.name for path in folder.iterdir()] == ["00001_users.sql"]


def test_several_databases_have_a_folder_each(root: Path) -> None:
    run(root, "identity", "--databases", "identity_db, auth_db,legal_db")
    folders = (root / "services/identity/migrations").iterdir()
    assert {path.name for path in folders} == {"identity_db", "auth_db", "legal_db"}


@pytest.mark.parametrize(
    "arguments",
    [("Auth",), ("../evil",), ("auth", "--databases", "a-b"), ("auth", "--port", "80"), ()],
    ids=" ".join,
)
def test_wrong_use_is_told_and_nothing_is_written(root: Path, arguments: tuple[str, ...]) -> None:
    assert run(root, *arguments) == 2
    assert not (root / "services").exists()


def test_without_a_policy_it_says_how_to_get_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "auth") == 2
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err
