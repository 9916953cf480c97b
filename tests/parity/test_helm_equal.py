"""What is rendered here is, to the byte, what Helm prints in the version that Argo CD has."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.support import charts, peers

from hanbae import errors, libyaml
from hanbae.charts import pools, rendering
from hanbae.repository import trees

KUBE, APIS = "v1.35.4", ("example.com/v1", "example.com/v1/Thing")


@pytest.fixture(scope="module")
def helm() -> Path:
    return peers.program(peers.HELM)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("charts")
    charts.write(root)
    return root


def printed(helm: Path, root: Path, name: str) -> subprocess.CompletedProcess[bytes]:
    """What Argo CD would run."""
    command = [helm, "template", ".", "--name-template", "auth-service", "--namespace", "services"]
    command += ["--kube-version", KUBE, "--include-crds", "--values", charts.VALUES]
    command += [f"--api-versions={version}" for version in APIS]
    environment = {"HOME": str(root), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command, cwd=root / name, env=environment, capture_output=True, check=False
    )


def build_dependencies(helm: Path, root: Path, name: str) -> None:
    command = [helm, "dependency", "build", "."]
    environment = {"HOME": str(root)}
    subprocess.run(command, cwd=root / name, check=True, capture_output=True, env=environment)


async def rendered(pool: pools.Pool, root: Path, name: str) -> pools.Answer:
    request = pools.Release(
        "auth-service", "services", ((root / name / charts.VALUES).read_bytes(),), KUBE, APIS
    )
    tree = trees.WorkingTree(root)
    (answer,) = await rendering.answers(pool, tree, name, [request], manifest=True)
    return answer


@pytest.mark.parametrize("name", charts.CHARTS)
async def test_the_bytes_are_those_of_helm_template(helm: Path, root: Path, name: str) -> None:
    async with pools.opened(1) as pool:
        answer = await rendered(pool, root, name)
    if name == "near":  # Argo CD runs this when Helm says that dependencies are missing
        build_dependencies(helm, root, name)
    expected = printed(helm, root, name)
    assert expected.returncode == 0, expected.stderr.decode()
    assert answer.error is None
    assert answer.manifest == expected.stdout.decode()


@pytest.mark.parametrize("name", ["blocks", "functions", "loose"])
async def test_objects_are_those_that_argo_cd_reads_of_it(
    helm: Path, root: Path, name: str
) -> None:
    async with pools.opened(1) as pool:
        answer = await rendered(pool, root, name)
    objects = [manifest.object for manifest in rendering.rendered(answer, chart=name).manifests]
    assert objects == [item for item in libyaml.load_all(printed(helm, root, name).stdout) if item]


@pytest.mark.parametrize("name", charts.REFUSED)
async def test_what_helm_refuses_is_refused(helm: Path, root: Path, name: str) -> None:
    assert printed(helm, root, name).returncode != 0
    async with pools.opened(1) as pool:
        with pytest.raises(errors.FileFault):
            rendering.rendered(await rendered(pool, root, name), chart=name)


async def test_one_worker_for_all_charts_carries_nothing_from_one_to_the_next(root: Path) -> None:
    async with pools.opened(1) as pool:
        first = {name: await rendered(pool, root, name) for name in charts.CHARTS}
        again = {name: await rendered(pool, root, name) for name in reversed(charts.CHARTS)}
    assert first == again
