"""Whose revision of a release a record of Helm's is, by labels that Helm hands on from one to the next."""

from __future__ import annotations

from typing import Any

import pytest

from hanbae.clusters import reading
from hanbae.engines.helm import records

COMMIT = "c" * 40


def secret(version: str, status: str, marks: dict[str, str]) -> dict[str, Any]:
    labels = {"owner": "helm", "name": "auth", "version": version, "status": status, **marks}
    return {"metadata": {"name": f"sh.helm.release.v1.auth.v{version}", "labels": labels}}


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []

    async def metadata(*_: object, **__: object) -> list[dict[str, Any]]:
        return kept

    async def find(*_: object, **__: object) -> list[dict[str, Any]]:
        raise AssertionError("what is in the Secrets is nobody's business here")

    monkeypatch.setattr(reading, "metadata", metadata)
    monkeypatch.setattr(reading, "find", find)
    return kept


async def test_a_revision_is_hanbaes_only_where_its_number_is_the_one_that_hanbae_has_marked(
    kept: list[dict[str, Any]],
) -> None:
    cluster: Any = object()
    kept.append(secret("1", "superseded", {}))
    before = await records.last(cluster, "services", "auth")
    marks = records.marks("d1.sync", COMMIT, before)
    kept += [secret("2", "superseded", marks), secret("3", "deployed", marks)]
    every = await records.every(cluster, "services", "auth")
    assert [(entry.number, entry.key, entry.revision) for entry in every] == [
        (1, "", ""),
        (2, "d1.sync", COMMIT),
        (3, "", ""),
    ], "3 is somebody's upgrade, to which Helm has handed the labels on"


async def test_the_first_revision_of_a_release_is_hanbaes(kept: list[dict[str, Any]]) -> None:
    kept.append(secret("1", "pending-install", records.marks("d1.sync", COMMIT, None)))
    cluster: Any = object()
    record = await records.last(cluster, "services", "auth")
    assert record is not None
    assert (record.key, record.is_pending) == ("d1.sync", True)
