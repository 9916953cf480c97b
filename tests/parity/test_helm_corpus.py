"""Every chart in the modules of the pinned Helm and of Argo CD renders, or fails, here as it does there.

The charts are upstream's own test data, taken from Go's module cache.
"""

from __future__ import annotations

import functools
import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import peers

from hanbae import errors, libyaml
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
# Charts that Helm renders, and that it refuses, in the versions that are pinned.
COUNTS = {
    "helm.sh/helm/v4": {"rendered": 104, "refused": 127},
    "github.com/argoproj/argo-cd/v3": {"rendered": 28, "refused": 3},
}
# What Helm says of a chart of the third version before it says that it takes none: it looks at the rest first.
BEFORE_THIRD = (
    "validation: chart.metadata.",
    "cannot load values.yaml: ",
    "unsupported chart dependency type",
    "library charts are not installable",
    "panic: ",
)
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


def is_of_third_version(folder: Path) -> bool:
    return "\napiVersion: v3" in "\n" + (folder / "Chart.yaml").read_text("utf-8-sig", "replace")


def masked(value: Any, first: Any, second: Any) -> Any:
    """A value without what two runs of the same program differ in: random passwords."""
    if first == second:
        return value
    if isinstance(value, dict) and isinstance(first, dict) and isinstance(second, dict):
        return {key: masked(item, first.get(key), second.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(first, list) and isinstance(second, list):
        if len(value) == len(first) == len(second):
            return [masked(*items) for items in zip(value, first, second, strict=True)]
        return value
    return "-"


def parsed(manifest: str) -> list[Any]:
    """The objects of what Helm prints, in order, as hanbae's own reader has them."""
    return [document for document in libyaml.load_all(manifest) if document is not None]


def exact(value: Any) -> str:
    """A value whose types count: to Python, 1 and true are the same."""
    return json.dumps(value, sort_keys=True)


def differing(
    answer: pools.Answer, expected: str, again: Callable[[], Completed]
) -> tuple[Any, Any] | None:
    """Manifest or object that is another one than Helm's, and Helm's; None where all are the same."""
    objects = [document for _, document in map(answer.documents.__getitem__, answer.order)]
    of_helm = parsed(expected)
    if (answer.manifest, exact(objects)) == (expected, exact(of_helm)):
        return None
    other = again().stdout
    lines, lines_of_helm = answer.manifest.split("\n"), expected.split("\n")
    for own, helms, others in (
        (lines, lines_of_helm, other.split("\n")),
        (objects, of_helm, parsed(other)),
    ):
        if len(own) != len(helms):
            return own, helms
        pairs = zip(masked(own, helms, others), masked(helms, helms, others), strict=True)
        for pair in pairs:
            if exact(pair[0]) != exact(pair[1]):
                return pair
    return None


@pytest.mark.parametrize("module", MODULES)
async def test_every_chart_of_upstream_renders_or_fails_alike(helm: Path, module: str) -> None:
    root = module_folder(module, MODULES[module])
    tree = trees.WorkingTree(root)
    counts = Counter[str]()
    different: list[tuple[Any, ...]] = []
    async with pools.opened(1) as pool:
        for chart in charts(root):
            expected = printed(helm, root / chart)
            try:
                request = pools.Release("r", "n", (), KUBE)
                (answer,) = await rendering.answers(pool, tree, chart, [request], manifest=True)
                error = answer.error
            except errors.FileFault as fault:
                error = str(fault.text)
            if any(words in expected.stderr for words in OTHERWISE):
                counts["otherwise"] += 1
            elif expected.returncode != 0:
                counts["refused"] += 1
                words = (error or "it renders").strip()
                is_third = words == THIRD and is_of_third_version(root / chart)
                others = BEFORE_THIRD if is_third else ()
                if not any(text in expected.stderr for text in (words, *others)):
                    different.append((chart, words, expected.stderr))
            elif error is not None:
                different.append((chart, error, expected.stdout))
            else:
                counts["rendered"] += 1
                again = functools.partial(printed, helm, root / chart)
                pair = differing(answer, expected.stdout, again)
                if pair is not None:
                    different.append((chart, *pair))
    assert not different, different[0]
    assert {name: counts[name] for name in COUNTS[module]} == COUNTS[module]


async def test_charts_of_the_third_version_are_refused_as_by_helm(helm: Path) -> None:
    root = module_folder("helm.sh/helm/v4", pins.HELM)
    third = [chart for chart in charts(root) if is_of_third_version(root / chart)]
    assert len(third) >= 49
    tree = trees.WorkingTree(root)
    async with pools.opened(1) as pool:
        for chart in third:
            (answer,) = await rendering.answers(pool, tree, chart, [pools.Release("r", "n")])
            assert answer.error == THIRD, chart
    assert THIRD in printed(helm, root / third[0]).stderr
