"""The layout of a service's image is what the charts and the proofs rely on."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from hanbae.images import layouts
from hanbae.sandbox import service_images


@pytest.fixture
def image(tmp_path: Path) -> layouts.Image:
    for name in ("shop", "goose"):
        (tmp_path / name).write_bytes(name.encode())
    return service_images.image(
        "auth",
        tmp_path / "shop",
        tmp_path / "goose",
        {"00001_a.sql": b"-- +goose Up\n", "legal_db/00001_b.sql": b"-- +goose Up\n"},
        environment={"SERVICE": "auth"},
    )


def entries(image: layouts.Image) -> dict[str, tarfile.TarInfo]:
    members = {}
    for layer in image.layers:
        with tarfile.open(fileobj=io.BytesIO(layer.data)) as tar:
            members |= {f"/{member.name}": member for member in tar.getmembers()}
    return members


def test_program_goose_and_migrations_are_where_charts_look_for_them(image: layouts.Image) -> None:
    members = entries(image)
    for path in ("/app/auth", "/usr/local/bin/goose"):
        assert members[path].mode == 0o755
    for path in ("00001_a.sql", "legal_db/00001_b.sql"):
        assert members[f"/app/services/auth/migrations/{path}"].isreg()


def test_container_runs_the_program_as_nobody_and_finds_goose(image: layouts.Image) -> None:
    config = json.loads(image.config)["config"]
    assert config["Entrypoint"] == ["/app/auth"]
    assert config["User"] == "65532:65532"
    assert "SERVICE=auth" in config["Env"]
    assert any(v.startswith("PATH=") and "/usr/local/bin" in v for v in config["Env"])


def test_a_new_migration_changes_only_the_last_layer(image: layouts.Image, tmp_path: Path) -> None:
    newer = service_images.image(
        "auth", tmp_path / "shop", tmp_path / "goose", {"00002_c.sql": b"-- +goose Up\n"}
    )
    assert [a == b for a, b in zip(image.layers, newer.layers, strict=True)] == [True, True, False]


def test_only_sql_files_are_migrations(tmp_path: Path) -> None:
    (tmp_path / "legal_db").mkdir()
    (tmp_path / "legal_db" / "00001_b.sql").write_bytes(b"b")
    (tmp_path / ".gitkeep").write_bytes(b"")
    assert service_images.migrations(tmp_path) == {"legal_db/00001_b.sql": b"b"}
