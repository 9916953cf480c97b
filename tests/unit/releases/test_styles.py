"""What is read of the styles in which people write migrations, images and Secrets: ``styles.yaml``, each a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from hanbae.releases import database_names, objects, parts, reading

STYLES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("styles.yaml").read_text(encoding="utf-8")
)


def release(style: dict[str, Any]) -> parts.Release:
    """The release of a style."""
    texts = []
    for replacements in style.get("each") or [{}]:
        text = style["objects"]
        for name, value in replacements.items():
            text = text.replace(f"<<{name}>>", str(value))
        texts.append(text)
    manifests = [
        objects.Object(data, "templates/x.yaml", index, "shop-dev")
        for index, data in enumerate(yaml.safe_load_all("\n---\n".join(texts)))
    ]
    return reading.of(manifests, service="auth", namespace="shop-dev", name="auth-service")


def shown(migration: parts.Migration, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a migration that a style names."""
    values = msgspec.structs.asdict(migration)
    if migration.address is not None:
        values["address"] = msgspec.structs.asdict(migration.address)
    values["provable"] = migration.provable.id if migration.provable else None
    return {name: values[name] for name in fields}


@pytest.mark.parametrize("style", STYLES, ids=[style["style"] for style in STYLES])
def test_is_read(style: dict[str, Any]) -> None:
    read = release(style)
    expected = style["migrations"]
    assert [
        shown(migration, fields)
        for migration, fields in zip(read.migrations, expected, strict=False)
    ] == expected
    assert len(read.migrations) == len(expected)
    assert len(read.ignored) == style.get("ignored", 0)


@pytest.mark.parametrize(
    "style", [style for style in STYLES if "images" in style], ids=lambda style: str(style["style"])
)
def test_images(style: dict[str, Any]) -> None:
    read = release(style)
    assert {
        f"{image.workload.kind}/{image.workload.name}": image.reference for image in read.images
    } == style["images"]
    for image in read.images:
        assert image.part.object.get(*image.part.pointer) == image.reference
        expected = style.get("pull_secrets", {}).get(f"{image.workload.kind}/{image.workload.name}")
        assert list(image.pull_secrets) == (expected or [])


@pytest.mark.parametrize(
    "style", [style for style in STYLES if "makes" in style], ids=lambda style: str(style["style"])
)
def test_needs_and_makes(style: dict[str, Any]) -> None:
    read = release(style)
    makes = {
        entry.name: [entry.origin, None if entry.keys is None else sorted(entry.keys)]
        for entry in read.makes
        if entry.kind == "Secret"
    }
    assert makes.items() >= style["makes"].items()
    needs = {f"{need.kind}/{need.name}{f'#{need.key}' if need.key else ''}" for need in read.needs}
    assert sorted(needs) == sorted(style["needs"])


def test_each_field_names_a_style_once() -> None:
    assert len({style["style"] for style in STYLES}) == len(STYLES)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("identity-database-url", "identity"),
        ("IDENTITY_DATABASE_URL", "identity"),
        ("userProfileDbUrl", "user_profile"),
        ("orders-dsn", "orders"),
        ("POSTGRES_BILLING_CONNECTION_STRING", "postgres_billing"),
        ("DATABASE_URL", ""),
        ("clickhouse_url", ""),
        ("DSN", ""),
    ],
)
def test_a_key_names_its_database(key: str, expected: str) -> None:
    assert database_names.of_key(key) == expected


def named(**names: str) -> list[tuple[str, str]]:
    """What the databases of three Jobs in one template are called, and what names them."""
    style = next(style for style in STYLES if style["style"].startswith("2 three Jobs"))
    manifests = list(release(style).objects)
    read = reading.of(
        manifests,
        service="auth",
        namespace="shop-dev",
        name="auth-service",
        names={name.replace("_", "-"): database for name, database in names.items()},
    )
    return [(migration.database, migration.named_by) for migration in read.migrations]


def test_policy_names_a_database_by_its_key_or_its_job() -> None:
    (first, _), second, third = named()
    assert named(identity_database_url="people") == [("people", "policy"), second, third]
    assert first != "people"
