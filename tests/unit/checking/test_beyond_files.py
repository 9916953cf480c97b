"""Which services a look at the clusters is about; the clusters themselves are those of tests/api."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hanbae.checking import beyond_files, projects
from hanbae.clusters import connections, kinds, reading, sealing_controllers
from hanbae.rules import rulebook, views

SHOP = Path(__file__).parents[2] / "data" / "chartless-shop"


@pytest.fixture
def project(tmp_path: Path) -> views.Project:
    """Services without charts: ledger and notes are in the environment edge, ledger alone in later."""
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder)
    policy = folder / "hanbae.yaml"
    later = 'environments:\n  later: {branch: main, sync: manual, namespace_suffix: "-later"}\n'
    policy.write_text(policy.read_text().replace("environments:\n", later))
    overlays = folder / "deploy" / "ledger" / "overlays"
    shutil.copytree(overlays / "edge", overlays / "later")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "add", "-A"], check=True)
    return projects.project(folder)


def test_with_clusters_what_others_would_get_is_not_sought() -> None:
    """So a comment that accepts it is not called stale."""
    rules = tuple(rulebook.rules().values())
    of_objects, of_policy, of_clusters = {"INP008", "KUB011"}, {"ENV005"}, {"ENV016"}
    without = beyond_files.unsought(None, None, narrowed=False, rules=rules)
    assert without >= of_clusters
    assert not without & (of_objects | of_policy)
    live = beyond_files.unsought(None, beyond_files.Live(), narrowed=False, rules=rules)
    assert live >= of_objects
    assert not live & (of_policy | of_clusters)


@pytest.fixture(autouse=True)
def _empty_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def connect(*_: Any, **__: Any) -> AsyncIterator[None]:
        yield None

    async def nothing(*_: Any) -> Sequence[kinds.Object]:
        return ()

    monkeypatch.setattr(connections, "connect", connect)
    monkeypatch.setattr(reading, "find", nothing)
    monkeypatch.setattr(sealing_controllers, "images", nothing)


@pytest.mark.parametrize(
    ("services", "absent"),
    [
        (None, {"ledger-edge", "notes-edge", "ledger-later"}),
        (["ledger"], {"ledger-edge", "ledger-later"}),
        (["notes"], {"notes-edge"}),
        (["ledger", "gone"], {"ledger-edge", "ledger-later"}),
        ([], set()),
    ],
)
async def test_services_without_a_chart_are_looked_for_in_the_clusters(
    project: views.Project, services: list[str] | None, absent: set[str]
) -> None:
    assert set(project.chartless) == {"ledger", "notes"}
    findings = await beyond_files.live(project, beyond_files.Live(), services, None)
    assert {finding.text.facts["application"] for finding in findings} == absent
