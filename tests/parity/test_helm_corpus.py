"""Every chart in the modules of the pinned Helm and of Argo CD renders, or fails, here as it does there.

The charts are upstream's own test data, taken from Go's module cache.
"""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support import peers

from hanbae import errors
from hanbae.charts import pools, rendering
from hanbae.repository import trees
from hanbae.sandbox import building, golang, pins

pytestmark = pytest.mark.timeout(1200)

Completed = subprocess.CompletedProcess[str]
KUBE = "v1.35.4"
THIRD = "invalid chart apiVersion"
MODULES = {
    "helm.sh/helm/v4": pins.HELM,
    "github.com/argoproj/argo-cd/v3": pins.ARGOCD,
}
# What hanbae does otherwise on purpose, by what Helm says of it: dependencies are brought from folders of the
# repository, as Argo CD does, and from nowhere else; and a schema opens no connection.
OTHERWISE = ("found in Chart.yaml, but missing in charts/ directory", "HTTP request failed for")


@pytest.fixture(scope="module")
def helm() -> Path:
    return peers.program(peers.HELM)


def module_folder(name: str, version: str) -> Path:
    """A module's folder in Go's cache, downloaded if it is not there."""
    answer = subprocess.run(
        [golang.find().path, "mod", "download", "-json", f"{name}@v{version}"],
        cwd=building.MODULES / "helm",
        env=golang.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(json.loads(answer.stdout)["Dir"])


def charts(root: Path) -> Iterator[str]:
    return (path.parent.relative_to(root).as_posix() for path in sorted(root.rglob("Chart.yaml")))


def printed(helm: Path, folder: Path) -> Completed:
    command = [helm, "template", ".", "--name-template", "r", "--namespace", "n"]
    command += ["--kube-version", KUBE, "--include-crds"]
    environment = {"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def masked(text: str, first: str, second: str) -> list[str]:
    """The lines of a text without those in which two runs of the same program differ: random passwords."""
    lines = zip(text.split("\n"), first.split("\n"), second.split("\n"), strict=True)
    return [line if own == other else "-" for line, own, other in lines]


@pytest.mark.parametrize("module", MODULES)
async def test_every_chart_of_upstream_renders_or_fails_alike(helm: Path, module: str) -> None:
    root = module_folder(module, MODULES[module])
    tree = trees.WorkingTree(root)
    rendered = refused = 0
    different = []
    async with pools.opened(1) as pool:
        for chart in charts(root):
            expected = printed(helm, root / chart)
            try:
                request = pools.Wanted("r", "n", (), KUBE)
                (answer,) = await rendering.answers(pool, tree, chart, [request], manifest=True)
                error, manifest = answer.error, answer.manifest
            except errors.FileFault as fault:
                error, manifest = str(fault.text), ""
            if any(words in expected.stderr for words in OTHERWISE):
                continue
            if expected.returncode != 0:
                refused += 1
                words = (error or "it renders").strip()
                # Of a chart of the third version Helm may say first what else is wrong with it.
                if words not in expected.stderr and words != THIRD:
                    different.append((chart, words, expected.stderr))
            elif error is not None:
                different.append((chart, error, expected.stdout))
            else:
                rendered += 1
                again = functools.partial(printed, helm, root / chart)
                if not same(manifest, expected.stdout, again):
                    different.append((chart, manifest, expected.stdout))
    assert not different, different[0]
    assert rendered >= 25
    assert refused >= 3


def same(manifest: str, expected: str, again: Callable[[], Completed]) -> bool:
    """Whether two manifests are the same but for the lines in which Helm differs from itself: random passwords."""
    if manifest == expected:
        return True
    other = again().stdout
    return masked(manifest, expected, other) == masked(expected, expected, other)


async def test_charts_of_the_third_version_are_refused_as_by_helm(helm: Path) -> None:
    root = module_folder("helm.sh/helm/v4", pins.HELM)
    third = [
        chart
        for chart in charts(root)
        if "\napiVersion: v3" in "\n" + (root / chart / "Chart.yaml").read_text("utf-8", "replace")
    ]
    assert len(third) >= 49
    tree = trees.WorkingTree(root)
    async with pools.opened(1) as pool:
        for chart in third:
            (answer,) = await rendering.answers(pool, tree, chart, [pools.Wanted("r", "n")])
            assert answer.error == THIRD, chart
    assert THIRD in printed(helm, root / third[0]).stderr
