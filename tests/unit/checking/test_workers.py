"""Dividing services among processes, and recalling them, change nothing about what is found."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hanbae import wording
from hanbae.actions import check
from hanbae.apis import serving
from hanbae.checking import (
    beyond_files,
    inspecting,
    inspection_worker,
    projects,
    schedules,
    settling,
    whole_repository,
    workers,
)
from hanbae.deploying import cluster_versions
from hanbae.repository import keeping
from hanbae.results import findings
from hanbae.rules import own

SHOP = Path(__file__).parents[3] / "examples" / "shop"
ODD = (
    ("helm/Chart.yaml", "version: ", "appVersion: [\nversion: "),
    ("helm/values-dev.yaml", "replicas: ", "replicas: 1\nreplicas: "),
    ("helm/values-staging.yaml", "replicas: ", "nobody: knows\nreplicas: "),
    ("helm/values-prod.yaml", "memory: ", "memory: 1\n    password: hunter2-Xk93jq\n    memory: "),
)
"""Changes of which each service gets one: an unreadable chart, a doubled key, an unknown key, a plain password."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of some services, most of them with findings, and more processes than this machine has cores."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(workers, "LEAST", 2)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(3)))
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("values.yaml", "app"))
    auth = folder / "services" / "auth"
    for number, (file, before, after) in enumerate((*ODD, *ODD)):
        copy = folder / "services" / f"auth{number}"
        shutil.copytree(auth, copy)
        path = copy / file
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after, 1))
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *words]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


async def _alone(folder: Path) -> tuple[findings.Finding, ...]:
    project, _ = projects.opened(folder, None, None)
    inspection = await whole_repository.inspect(project, project.services, own.held(project.policy))
    unsought = beyond_files.unsought(None, None, narrowed=False)
    return settling.settle(project, inspection, project.services, unsought=unsought).findings


async def test_the_same_is_found_by_one_process_by_several_and_again(repository: Path) -> None:
    alone = await _alone(repository)
    assert {"INP001", "INP006", "LAY009"} <= {finding.code for finding in alone}
    kept = keeping.opened()
    assert kept is not None
    assert (await check.check(repository)).findings == alone
    assert (await check.check(repository, cache=kept)).findings == alone
    assert (await check.check(repository, cache=kept)).findings == alone


@pytest.fixture
def gated(repository: Path) -> Path:
    """The repository, in which every service has one object more where the cluster has a kind."""
    has = '{{- if .Capabilities.APIVersions.Has "example.com/v1/Monitor" }}'
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: gated}\n"
    for chart in repository.glob("services/*/helm"):
        (chart / "templates/gated.yaml").write_text(f"{has}\n{manifest}{{{{- end }}}}\n")
    return repository


async def test_further_processes_render_for_the_clusters_that_were_asked(
    gated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(
        _: object, names: Sequence[str], **__: object
    ) -> tuple[dict[str, serving.Cluster], dict[str, wording.Text]]:
        return {name: serving.Cluster("v1.35.4", ("v1", "v1/Pod")) for name in names}, {}

    async def nothing(*_: object) -> tuple[findings.Finding, ...]:
        return ()

    monkeypatch.setattr(cluster_versions, "of_environments", answer)
    monkeypatch.setattr(beyond_files, "live", nothing)

    async def assumed(live: beyond_files.Live | None) -> set[str]:
        result = await check.check(gated, check.Request(live=live))
        return {finding.service for finding in result.findings if finding.code == "INP008"}

    assert len(await assumed(None)) > 5
    assert await assumed(beyond_files.Live()) == set()


@pytest.fixture
def odd(repository: Path) -> Path:
    """The repository in a folder whose name is no text, and with a service in another one."""
    chart = repository / "services" / os.fsdecode(b"\xff\xfe") / "helm"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: x\nversion: 0.1.0\n")
    return repository.rename(repository.with_name(os.fsdecode(b"\xfe")))


async def test_names_of_folders_may_be_any_bytes(odd: Path) -> None:
    alone = await _alone(odd)
    assert any(os.fsdecode(b"\xff\xfe") in str(finding.place) for finding in alone)
    kept = keeping.opened()
    assert (await check.check(odd, cache=kept)).findings == alone


async def test_what_a_process_looked_at_is_kept(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = keeping.opened()
    assert kept is not None
    first = await check.check(repository, cache=kept)

    async def never(*_: object) -> inspecting.Inspection:
        raise AssertionError("it was looked at again")

    monkeypatch.setattr(inspecting, "inspect", never)
    monkeypatch.setattr(workers, "LEAST", 1000)
    assert (await check.check(repository, cache=kept)).findings == first.findings


async def test_what_a_process_that_dies_was_given_is_looked_at_here(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = await _alone(repository)
    handed_out = []
    ask = workers.Process.inspect

    async def dying(self: workers.Process, names: list[str]) -> list[inspecting.Inspection] | None:
        handed_out.extend(names)
        os.kill(self.pid, signal.SIGKILL)
        return await ask(self, names)

    monkeypatch.setattr(workers.Process, "inspect", dying)
    assert (await check.check(repository)).findings == alone
    assert handed_out


async def test_a_process_that_does_not_start_is_done_without(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = await _alone(repository)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert (await check.check(repository)).findings == alone


@pytest.mark.parametrize(("cores", "first"), [(2, 16), (8, 12), (64, 1)])
def test_batches_get_smaller_toward_the_end_and_with_more_to_share_them(
    monkeypatch: pytest.MonkeyPatch, cores: int, first: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    schedule = schedules.Schedule([str(number) for number in range(200)])
    sizes = []
    while services := schedule.take(workers.batch_size(schedule.waiting)):
        sizes.append(len(services))
    assert sizes[0] == first
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1
    assert sum(sizes) == 200


async def test_processes_start_up_before_the_repository_is_read_where_nothing_is_kept(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_INDEXED", 1)
    kept = keeping.opened()
    assert kept is not None
    order: list[str] = []
    spawn, read = asyncio.create_subprocess_exec, projects.opened

    async def spawned(program: str, *arguments: str, **options: Any) -> asyncio.subprocess.Process:
        order.append(inspection_worker.__name__ if program == sys.executable else "renderer")
        return await spawn(program, *arguments, **options)

    def opened(*arguments: Any, **options: Any) -> Any:
        order.append("read")
        return read(*arguments, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawned)
    monkeypatch.setattr(projects, "opened", opened)
    first = await check.check(repository, cache=kept)
    # Two further processes on three cores, and none of them twice.
    assert order[:4] == ["renderer", *[inspection_worker.__name__] * 2, "read"]
    assert order.count(inspection_worker.__name__) == 2
    order.clear()
    assert (await check.check(repository, cache=kept)).findings == first.findings
    assert order == ["read"]
    # Of one service it is known at once that it is not worth a process.
    await check.check(repository, check.Request(("auth",)))
    assert order == ["read", "renderer", "read"]


async def test_a_process_that_nobody_needs_ends_with_the_check(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "foreseen", lambda _: 3)
    waiting: list[asyncio.subprocess.Process] = []
    spawn = workers._spawned

    async def spawned() -> asyncio.subprocess.Process:
        waiting.append(await spawn())
        return waiting[-1]

    monkeypatch.setattr(workers, "_spawned", spawned)
    await check.check(repository)
    assert len(waiting) == 3
    assert all(process.returncode is not None for process in waiting)
